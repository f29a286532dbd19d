"""Judges records, as the bytes that the tap wrote."""

"""Gives records their sequences."""

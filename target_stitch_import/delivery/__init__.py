"""Delivers batches, and writes the STATEs that this allows."""

"""Reads Singer messages from stdin, in runs of blocks."""

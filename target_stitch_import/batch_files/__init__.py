"""Reads the files of BATCH messages."""

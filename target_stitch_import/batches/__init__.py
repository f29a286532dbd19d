"""Builds request bodies of records, and takes them apart."""

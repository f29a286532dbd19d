"""Leaves out rows that Stitch has already, for ``skip_unchanged``, and finds deleted rows."""

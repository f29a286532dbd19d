"""Counts what a run does, and reports it."""

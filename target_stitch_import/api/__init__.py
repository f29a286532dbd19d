"""Speaks to the Import API over HTTP."""

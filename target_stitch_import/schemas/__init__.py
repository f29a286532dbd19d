"""Translates a tap's JSON schema of any draft into the draft 4 that is posted."""

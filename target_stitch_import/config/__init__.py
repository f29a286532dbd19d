"""The settings: what may be set, where they come from, and whether the access works."""

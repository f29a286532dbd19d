"""What a destination would have after a run, and what Stitch would bill."""

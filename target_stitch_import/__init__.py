"""Singer target that loads any tap into Stitch through its Import API."""

"""What each destination of Stitch makes of names, types and nested data, as documented."""

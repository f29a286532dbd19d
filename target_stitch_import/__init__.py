"""Singer target that loads any tap into Stitch through its Import API.

Imports nothing, so that the command begins at once and each room can be used alone.
"""

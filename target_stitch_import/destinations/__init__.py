"""What each destination of Stitch makes of names, types and nested data, as documented.

Import API reference, section What happens after the 201. The facts are in ``destinations.json``, with
their source and date.
"""

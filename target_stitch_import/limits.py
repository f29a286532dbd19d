"""Every limit that the service documents, each with its source.

Knows nothing of the rest of the package. Sizes are in bytes, counts in items.
"""

from __future__ import annotations

from typing import Final

MAX_SEQUENCE: Final = 9_223_372_036_854_775_807
"""Greatest ``sequence`` of a message (Import API reference, section Sequence)."""

MAX_KEY_LENGTH: Final = 255
"""Characters in a string key value: under 256 (Import API reference, section The batch body)."""

MAX_DATA_POINTS: Final = 10_000
"""Leaf values in one ``data`` object (Import API reference, section The batch body)."""

MAX_BATCH_ROWS: Final = 20_000
"""Messages in one request (Import API reference, section The batch body)."""

DEFAULT_BATCH_ROWS: Final = 10_000
"""Rows a batch is sealed at: safe under the older reading of the limits too."""

MAX_BATCH_BYTES: Final = 20_000_000
"""Greatest request body, and so the greatest single record with its envelope."""

DEFAULT_BATCH_BYTES: Final = 4_000_000
"""Bodies stay below this: the older reading asks for less than 4 MB a request."""

RESERVED_PREFIX: Final = "_sdc"
"""Column names that start with this belong to Stitch (section The batch body)."""

REGIONS: Final = {
    "us": "https://api.stitchdata.com",
    "eu": "https://api.eu-central-1.stitchdata.com",
}
"""Base URL of each region (Import API reference, section Base URLs)."""

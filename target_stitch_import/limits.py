"""The limits that the service documents, each with its source, and the defaults below them.

Sizes are in bytes.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SEQUENCE: Final = 9_223_372_036_854_775_807
"""The largest ``sequence`` of a message (Import API reference, section Sequence)."""

MAX_KEY_LENGTH: Final = 255
"""The most characters in a string key value (Import API reference, section The batch body)."""

MAX_PUSH_KEY_LENGTH: Final = 1_024
"""The same for push (Import API reference, section The push and validate body)."""

MAX_DATA_POINTS: Final = 10_000
"""The most leaf values in one ``data`` object (Import API reference, section The batch body)."""

MAX_BATCH_ROWS: Final = 20_000
"""The most messages in one request (Import API reference, section The batch body)."""

DEFAULT_BATCH_ROWS: Final = 10_000
"""Default of ``batch_size_rows``, which the older documentation of the limits permits, too."""

MAX_BATCH_BYTES: Final = 20_000_000
"""The largest request body, and so the largest single record with its envelope."""

DEFAULT_BATCH_BYTES: Final = 4_000_000
"""Default of ``max_batch_bytes``; the older documentation asks for less than 4 MB a request."""

RESERVED_TABLE: Final = "_sdc_rejected"
"""The table that Stitch itself writes (Import API reference, section The batch body)."""

_RESERVED_COLUMN: Final = re.compile(
    r"__?sdc_primary_key"
    r"|_sdc_(?:sequence|table_version|received_at|batched_at|extracted_at|replication_id)"
    r"|_sdc_source_key_.*|_sdc_level_[0-9]+_id",
    re.DOTALL,
)

REGIONS: Final = {
    "us": "https://api.stitchdata.com",
    "eu": "https://api.eu-central-1.stitchdata.com",
}
"""The base URL of each region (Import API reference, section Base URLs)."""


def is_reserved(name: str) -> bool:
    """Return True if Stitch itself writes a column of this name.

    Other names that begin with ``_sdc`` are those of ordinary columns (Import API reference, section
    The batch body).
    """
    return _RESERVED_COLUMN.fullmatch(name) is not None

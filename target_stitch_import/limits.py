"""The limits that the service documents, and the defaults below them; sizes are in bytes.

They are those of the Import API reference, sections The batch body, The push and validate body and
Sequence.
"""

from __future__ import annotations

import re
from typing import Final

MAX_SEQUENCE: Final = 9_223_372_036_854_775_807
MAX_KEY_LENGTH: Final = 255  # characters in a string key value
MAX_PUSH_KEY_LENGTH: Final = 1_024  # the same for push
MAX_DATA_POINTS: Final = 10_000  # leaf values in one ``data`` object
MAX_BATCH_ROWS: Final = 20_000  # messages in one request
DEFAULT_BATCH_ROWS: Final = 10_000  # which the older documentation of the limits permits, too
MAX_BATCH_BYTES: Final = 20_000_000  # of a body, and so of a single record with its envelope
DEFAULT_BATCH_BYTES: Final = 4_000_000  # the older documentation asks for less than 4 MB
RESERVED_TABLE: Final = "_sdc_rejected"  # which Stitch itself writes

_RESERVED_COLUMN: Final = re.compile(
    r"__?sdc_primary_key"
    r"|_sdc_(?:sequence|table_version|received_at|batched_at|extracted_at|replication_id)"
    r"|_sdc_source_key_.*|_sdc_level_[0-9]+_id",
    re.DOTALL,
)

REGIONS: Final = {  # the base URL of each (Import API reference, section Base URLs)
    "us": "https://api.stitchdata.com",
    "eu": "https://api.eu-central-1.stitchdata.com",
}


def max_key_length(endpoint: str) -> int:
    """Return how many characters a string key value may have at an endpoint, batch or push."""
    return MAX_PUSH_KEY_LENGTH if endpoint == "push" else MAX_KEY_LENGTH


def is_reserved(name: str) -> bool:
    """Return True if Stitch itself writes a column of this name.

    Other names that begin with ``_sdc`` are those of ordinary columns (Import API reference, section
    The batch body).
    """
    return name.startswith("_") and _RESERVED_COLUMN.fullmatch(name) is not None

"""The settings: what may be set, and to what.

Knows names, kinds and ranges; nothing of what the settings do.
"""

from __future__ import annotations

from typing import Any, Final

from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import TargetLoadMethods

from target_stitch_import.limits import (
    DEFAULT_BATCH_BYTES,
    DEFAULT_BATCH_ROWS,
    MAX_BATCH_BYTES,
    MAX_BATCH_ROWS,
    REGIONS,
)

__all__ = ["LEAST", "NOT_OFFERED", "SETTINGS"]

MAX_SECONDS: Final = 7 * 24 * 3600
"""No wait is meant to be longer than a week; a larger number is a slip."""

SETTINGS: Final[dict[str, Any]] = th.PropertiesList(
    th.Property(
        "token",
        th.StringType(min_length=1),
        required=True,
        secret=True,
        title="Access token",
        description="Import API access token of the Stitch integration.",
    ),
    th.Property(
        "client_id",
        th.IntegerType,
        title="Client ID",
        description=(
            "Client ID of the Stitch account, for `endpoint: push` and `--test` only: the number "
            "between client and pipeline in the address of the Stitch app."
        ),
    ),
    th.Property(
        "region",
        th.StringType,
        allowed_values=sorted(REGIONS, reverse=True),
        default="us",
        title="Region",
        description="Region of the Stitch account: us (North America) or eu (Europe).",
    ),
    th.Property(
        "api_url",
        th.StringType,
        title="API URL",
        description=(
            "Base URL to use instead of the region's: https, or http to a loopback address "
            "(the emulator)."
        ),
    ),
    th.Property(
        "endpoint",
        th.StringType,
        allowed_values=["batch", "push"],
        default="batch",
        title="Endpoint",
        description=(
            "batch sends each table's records with their schema; push sends records of several "
            "tables together, all with keys, and Stitch tells their types by their values."
        ),
    ),
    th.Property(
        "push_format",
        th.StringType,
        allowed_values=["json", "transit"],
        default="json",
        title="Format of push",
        description=(
            "transit sends what the schema calls a date-time as an instant, and decimals exactly."
        ),
    ),
    th.Property(
        "batch_size_rows",
        th.IntegerType(minimum=1, maximum=MAX_BATCH_ROWS),
        default=DEFAULT_BATCH_ROWS,
        title="Batch size in rows",
        description=f"Most records in one request, at most {MAX_BATCH_ROWS:,}.",
    ),
    th.Property(
        "max_batch_bytes",
        th.IntegerType(minimum=1_000, maximum=MAX_BATCH_BYTES),
        default=DEFAULT_BATCH_BYTES,
        title="Batch size in bytes",
        description=(
            f"Request bodies stay below this, at most {MAX_BATCH_BYTES:,}; a single larger record "
            "is sent alone."
        ),
    ),
    th.Property(
        "max_batch_age_seconds",
        th.NumberType(exclusive_minimum=0, maximum=MAX_SECONDS),
        default=30,
        title="Batch age",
        description=(
            "Seconds after which a batch is sent although it is not full, also while the tap is "
            "quiet; a STATE waits no longer than this for records that came before it."
        ),
    ),
    th.Property(
        "max_parallel_requests",
        th.IntegerType(minimum=1, maximum=64),
        default=4,
        title="Parallel requests",
        description="Batches that may be on their way at once; the tap is slowed beyond it.",
    ),
    th.Property(
        "request_timeout_seconds",
        th.NumberType(exclusive_minimum=0, maximum=MAX_SECONDS),
        default=60,
        title="Request timeout",
        description="Seconds without a sign of life after which a request is tried again.",
    ),
    th.Property(
        "max_retry_seconds",
        th.NumberType(minimum=0, maximum=MAX_SECONDS),
        default=900,
        title="Retry budget",
        description="Seconds for which a batch is tried again before the run fails.",
    ),
    th.Property(
        "validate_records",
        th.BooleanType,
        default=True,
        title="Validate records",
        description=(
            "Whether to check each record against its schema before it is sent; the service "
            "refuses a whole batch for one record that does not fit."
        ),
    ),
    th.Property(
        "on_invalid_record",
        th.StringType,
        allowed_values=["fail", "quarantine"],
        default="fail",
        title="On an invalid record",
        description=(
            "What becomes of a record that the service would refuse, or has refused: fail stops "
            "the run, quarantine sets it aside in quarantine_path and goes on."
        ),
    ),
    th.Property(
        "quarantine_path",
        th.StringType(min_length=1),
        title="Quarantine file",
        description=(
            "File that records are set aside in, as a Singer stream that can be loaded once the "
            "cause is mended; it is added to, and must be set for quarantine."
        ),
    ),
    th.Property(
        "max_quarantined",
        th.IntegerType(minimum=0),
        title="Most records in quarantine",
        description="Records that one run may set aside before it fails; without it, any number.",
    ),
    th.Property(
        "sequence_source",
        th.StringType,
        allowed_values=["time_extracted", "replication_key", "received_at"],
        default="time_extracted",
        title="Sequence source",
        description=(
            "What decides which of two versions of a row is the newer one: time_extracted is the "
            "time that the tap gives a record, or else that of receipt; replication_key is the "
            "record's own value of the first bookmark property, a timestamp or an integer; "
            "received_at is the time of receipt, always."
        ),
    ),
    th.Property(
        "check_status",
        th.BooleanType,
        default=True,
        title="Check the status first",
        description=(
            "Whether to ask the service if it is up before the first batch is sent, and to wait "
            "while it says that it is not."
        ),
    ),
    th.Property(
        "load_method",
        th.StringType,
        allowed_values=[TargetLoadMethods.UPSERT.value, TargetLoadMethods.APPEND_ONLY.value],
        default=TargetLoadMethods.UPSERT.value,
        title="Load method",
        description=(
            "upsert replaces the row with the same key; append-only sends no keys, so that every "
            "record becomes a row of its own."
        ),
    ),
    th.Property(
        "process_activate_version_messages",
        th.BooleanType,
        default=True,
        title="Process ACTIVATE_VERSION messages",
        description="Whether a tap's ACTIVATE_VERSION makes that version the only one visible.",
    ),
).to_dict()

NOT_OFFERED: Final = frozenset({"add_record_metadata", "batch_config", "faker_config"})
"""Settings of the SDK that would do nothing here, or only with a package that is not ours.

The files of a BATCH message are found by its own addresses."""

LEAST: Final = {"flattening_max_depth": 0, "flattening_max_key_length": 1}
"""Least values of settings of the SDK, which has none for them."""

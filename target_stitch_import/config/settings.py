"""The settings as a JSON schema: name, type, range, default and description of each."""

from __future__ import annotations

from typing import Any, Final

from singer_sdk import typing as th

from target_stitch_import import limits
from target_stitch_import.destinations.facts import DESTINATIONS

MAX_SECONDS: Final = 7 * 24 * 3600  # a longer wait is a mistake


def _setting(kind: Any, description: str, **more: Any) -> dict[str, Any]:
    return {"wrapped": kind, "description": description, **more}


def _choice(values: list[str], description: str) -> dict[str, Any]:
    """Return a setting that is one of some values, by default the first."""
    return _setting(th.StringType, description, allowed_values=values, default=values[0])


def _flag(description: str, *, default: bool) -> dict[str, Any]:
    return _setting(th.BooleanType, description, default=default)


def _seconds(default: int, description: str) -> dict[str, Any]:
    kind = th.NumberType(exclusive_minimum=0, maximum=MAX_SECONDS)
    return _setting(kind, description, default=default)


_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "token": _setting(
        th.StringType(min_length=1),
        "Import API access token of the Stitch integration.",
        required=True,
        secret=True,
    ),
    "client_id": _setting(
        th.IntegerType,
        "Client ID of the Stitch account, for `endpoint: push` and `--test` only: the number "
        "between client and pipeline in the address of the Stitch app.",
    ),
    "region": _choice(
        sorted(limits.REGIONS, reverse=True),
        "Region of the Stitch account: us (North America) or eu (Europe).",
    ),
    "api_url": _setting(
        th.StringType,
        "Base URL to use instead of the region's: https, or http to a loopback address (the "
        "emulator).",
    ),
    "endpoint": _choice(
        ["batch", "push"],
        "batch sends each table's records with their schema; push sends records of several tables "
        "in one request, needs key properties, and lets Stitch infer types from values.",
    ),
    "push_format": _choice(
        ["json", "transit"],
        "Format of push bodies. transit sends decimals exactly, and strings of the format "
        "date-time as instants.",
    ),
    "batch_size_rows": _setting(
        th.IntegerType(minimum=1, maximum=limits.MAX_BATCH_ROWS),
        f"The most records in one request, up to {limits.MAX_BATCH_ROWS:,}.",
        default=limits.DEFAULT_BATCH_ROWS,
    ),
    "max_batch_bytes": _setting(
        th.IntegerType(minimum=1_000, maximum=limits.MAX_BATCH_BYTES),
        "Request bodies are smaller than this number of bytes, which is at most "
        f"{limits.MAX_BATCH_BYTES:,}; a single larger record is sent alone.",
        default=limits.DEFAULT_BATCH_BYTES,
    ),
    "max_batch_age_seconds": _seconds(
        30,
        "Seconds after which a batch is sent although it is not full, even while the tap writes "
        "nothing; a STATE waits no longer than this for the records before it to be sent.",
    ),
    "max_parallel_requests": _setting(
        th.IntegerType(minimum=1, maximum=64),
        "The most requests at a time; when the service is slower than the tap, the tap has to "
        "wait.",
        default=4,
    ),
    "request_timeout_seconds": _seconds(
        60,
        "Seconds to wait for the service to connect or to send something, after which a request "
        "is retried.",
    ),
    "startup_timeout_seconds": _seconds(
        60,
        "Seconds after which the run fails if the service has not answered once: a wrong address, "
        "most often. The status check and the batches share them.",
    ),
    "max_retry_seconds": _setting(
        th.NumberType(minimum=0, maximum=MAX_SECONDS),
        "Seconds for which a batch is retried before the run fails.",
        default=900,
    ),
    "validate_records": _flag(
        "Whether to validate each record against its schema before it is sent; the service "
        "refuses a whole batch for one invalid record.",
        default=True,
    ),
    "schema_checks": _choice(
        ["all", "types"],
        "What of a schema is checked and posted: all of it, or only what says of which type a "
        "value is. types leaves out what no destination uses: maxLength, pattern, enum, minimum "
        "and the like.",
    ),
    "normalize_datetimes": _flag(
        "Whether a value of the format date-time that the service would refuse, and whose meaning "
        "is clear, gets the form that it takes: 2024-03-01 12:00 becomes 2024-03-01T12:00:00Z. "
        "Otherwise such a value is invalid.",
        default=True,
    ),
    "on_invalid_datetime": _choice(
        ["invalid", "null"],
        "What becomes of a value of the format date-time that can't be read (0000-00-00): invalid "
        "makes its record invalid; null sends null instead, where the schema permits it.",
    ),
    "decimals": _choice(
        ["number", "singer.decimal"],
        "How a decimal column (a number with multipleOf, precision or scale) is posted: number as "
        "the tap wrote it, which Stitch loads as a double; singer.decimal as a string of its "
        "digits, which Stitch loads as a decimal. For `endpoint: batch`.",
    ),
    "on_invalid_record": _choice(
        ["fail", "quarantine"],
        "What to do with a record that is invalid, or that the service has refused: fail ends the "
        "run, quarantine writes the record to quarantine_path and goes on.",
    ),
    "quarantine_path": _setting(
        th.StringType(min_length=1),
        "File that invalid records are appended to, as Singer messages that can be loaded once "
        "the cause is corrected. Required with `on_invalid_record: quarantine`.",
    ),
    "max_quarantined": _setting(
        th.IntegerType(minimum=0),
        "The most records that one run may write to the quarantine file before it fails; no limit "
        "by default.",
    ),
    "fail_on_quarantine": _flag(
        "Whether a run that has set records aside ends with exit code 3 once all others are "
        "delivered.",
        default=False,
    ),
    "destination": _setting(
        th.StringType,
        "What Stitch loads into. It changes nothing of what is sent: --dry-run then shows the "
        "tables that will be there, and a run warns of what is sure to be rejected and counts the "
        "rows that Stitch bills.",
        allowed_values=list(DESTINATIONS),
    ),
    "sequence_source": _choice(
        ["time_extracted", "replication_key", "received_at"],
        "Where sequences come from, which decide which of two versions of a row is newer: "
        "time_extracted is the tap's time of the record, or the time of receipt if there is none; "
        "replication_key is the record's value of the first bookmark property, a timestamp or an "
        "integer; received_at is always the time of receipt.",
    ),
    "check_status": _flag(
        "Whether to ask the service if it is up before the first batch is sent, and to wait while "
        "it is down.",
        default=True,
    ),
    "load_method": _choice(
        ["upsert", "append-only"],
        "upsert replaces the row with the same key; append-only sends no keys, so that every "
        "record becomes a new row.",
    ),
    "process_activate_version_messages": _flag(
        "Whether ACTIVATE_VERSION messages of the tap are applied: Stitch then hides all other "
        "versions of the table's rows.",
        default=True,
    ),
    "skip_unchanged": _setting(
        th.StringType(min_length=1),
        "File that remembers a digest of each row, so that a record whose row has not changed is "
        "not sent again. One for each pipe and integration. For tables with keys, which are then "
        "sent without versions. Not for `load_method: append-only`.",
    ),
    "skip_unchanged_ignore": _setting(
        th.ArrayType(th.StringType),
        "Columns of any table whose change alone does not send a row again, with skip_unchanged.",
        default=[],
    ),
    "detect_deletes": _flag(
        "Whether a row that was not in a full load is sent once more, as deleted: its keys and "
        "_sdc_deleted_at. Needs skip_unchanged.",
        default=False,
    ),
    "max_delete_share": _setting(
        th.NumberType(minimum=0, maximum=1),
        "The share of a table's rows that one load may delete, with detect_deletes; more ends the "
        "run.",
        default=0.5,
    ),
    "log_format": _choice(
        ["text", "json"],
        "What the log on stderr is written as: text for people, or json with an object for each "
        "line.",
    ),
    "metrics_path": _setting(
        th.StringType(min_length=1),
        "File that the numbers of the run are written to at its end, in the format OpenMetrics. "
        "Its name is the label `pipeline`.",
    ),
}

SETTINGS: Final[dict[str, Any]] = th.PropertiesList(
    *(th.Property(name, **setting) for name, setting in _SETTINGS.items())
).to_dict()

OMITTED: Final = frozenset({"add_record_metadata", "batch_config", "faker_config"})
"""Settings of the SDK that have no effect here, or need a package that is not a dependency."""

MINIMUMS: Final = {"flattening_max_depth": 0, "flattening_max_key_length": 1}
"""Minimum values of settings of the SDK, which sets none."""

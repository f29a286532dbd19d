"""The settings as a JSON schema: name, type, range, default and description of each."""

from __future__ import annotations

from typing import Any, Final

from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import TargetLoadMethods

from target_stitch_import import limits
from target_stitch_import.destinations.facts import DESTINATIONS

MAX_SECONDS: Final = 7 * 24 * 3600  # a longer wait is a mistake

SETTINGS: Final[dict[str, Any]] = th.PropertiesList(
    th.Property(
        "token",
        th.StringType(min_length=1),
        required=True,
        secret=True,
        description="Import API access token of the Stitch integration.",
    ),
    th.Property(
        "client_id",
        th.IntegerType,
        description="Client ID of the Stitch account, for `endpoint: push` and `--test` only: "
        "the number between client and pipeline in the address of the Stitch app.",
    ),
    th.Property(
        "region",
        th.StringType,
        allowed_values=sorted(limits.REGIONS, reverse=True),
        default="us",
        description="Region of the Stitch account: us (North America) or eu (Europe).",
    ),
    th.Property(
        "api_url",
        th.StringType,
        description="Base URL to use instead of the region's: https, or http to a loopback "
        "address (the emulator).",
    ),
    th.Property(
        "endpoint",
        th.StringType,
        allowed_values=["batch", "push"],
        default="batch",
        description="batch sends each table's records with their schema; push sends records of "
        "several tables in one request, needs key properties, and lets Stitch infer types from "
        "values.",
    ),
    th.Property(
        "push_format",
        th.StringType,
        allowed_values=["json", "transit"],
        default="json",
        description="Format of push bodies. transit sends decimals exactly, and strings of the "
        "format date-time as instants.",
    ),
    th.Property(
        "batch_size_rows",
        th.IntegerType(minimum=1, maximum=limits.MAX_BATCH_ROWS),
        default=limits.DEFAULT_BATCH_ROWS,
        description=f"The most records in one request, up to {limits.MAX_BATCH_ROWS:,}.",
    ),
    th.Property(
        "max_batch_bytes",
        th.IntegerType(minimum=1_000, maximum=limits.MAX_BATCH_BYTES),
        default=limits.DEFAULT_BATCH_BYTES,
        description="Request bodies are smaller than this number of bytes, which is at most "
        f"{limits.MAX_BATCH_BYTES:,}; a single larger record is sent alone.",
    ),
    th.Property(
        "max_batch_age_seconds",
        th.NumberType(exclusive_minimum=0, maximum=MAX_SECONDS),
        default=30,
        description="Seconds after which a batch is sent although it is not full, even while the "
        "tap writes nothing; a STATE waits no longer than this for the records before it to be "
        "sent.",
    ),
    th.Property(
        "max_parallel_requests",
        th.IntegerType(minimum=1, maximum=64),
        default=4,
        description="The most requests at a time; when the service is slower than the tap, the "
        "tap has to wait.",
    ),
    th.Property(
        "request_timeout_seconds",
        th.NumberType(exclusive_minimum=0, maximum=MAX_SECONDS),
        default=60,
        description="Seconds to wait for the service to connect or to send something, after "
        "which a request is retried.",
    ),
    th.Property(
        "startup_timeout_seconds",
        th.NumberType(exclusive_minimum=0, maximum=MAX_SECONDS),
        default=60,
        description="Seconds after which the run fails if the service has not answered once: a "
        "wrong address, most often. The status check and the batches share them.",
    ),
    th.Property(
        "max_retry_seconds",
        th.NumberType(minimum=0, maximum=MAX_SECONDS),
        default=900,
        description="Seconds for which a batch is retried before the run fails.",
    ),
    th.Property(
        "validate_records",
        th.BooleanType,
        default=True,
        description="Whether to validate each record against its schema before it is sent; the "
        "service refuses a whole batch for one invalid record.",
    ),
    th.Property(
        "schema_checks",
        th.StringType,
        allowed_values=["all", "types"],
        default="all",
        description="What of a schema is checked and posted: all of it, or only what says of which "
        "type a value is. types leaves out what no destination uses: maxLength, pattern, enum, "
        "minimum and the like.",
    ),
    th.Property(
        "normalize_datetimes",
        th.BooleanType,
        default=True,
        description="Whether a value of the format date-time that the service would refuse, and "
        "whose meaning is clear, gets the form that it takes: 2024-03-01 12:00 becomes "
        "2024-03-01T12:00:00Z. Otherwise such a value is invalid.",
    ),
    th.Property(
        "on_invalid_datetime",
        th.StringType,
        allowed_values=["invalid", "null"],
        default="invalid",
        description="What becomes of a value of the format date-time that can't be read "
        "(0000-00-00): invalid makes its record invalid; null sends null instead, where the schema "
        "permits it.",
    ),
    th.Property(
        "decimals",
        th.StringType,
        allowed_values=["number", "singer.decimal"],
        default="number",
        description="How a decimal column (a number with multipleOf, precision or scale) is posted: "
        "number as the tap wrote it, which Stitch loads as a double; singer.decimal as a string of "
        "its digits, which Stitch loads as a decimal. For `endpoint: batch`.",
    ),
    th.Property(
        "on_invalid_record",
        th.StringType,
        allowed_values=["fail", "quarantine"],
        default="fail",
        description="What to do with a record that is invalid, or that the service has refused: "
        "fail ends the run, quarantine writes the record to quarantine_path and goes on.",
    ),
    th.Property(
        "quarantine_path",
        th.StringType(min_length=1),
        description="File that invalid records are appended to, as Singer messages that can be "
        "loaded once the cause is corrected. Required with `on_invalid_record: quarantine`.",
    ),
    th.Property(
        "max_quarantined",
        th.IntegerType(minimum=0),
        description="The most records that one run may write to the quarantine file before it "
        "fails; no limit by default.",
    ),
    th.Property(
        "fail_on_quarantine",
        th.BooleanType,
        default=False,
        description="Whether a run that has set records aside ends with exit code 3 once all others "
        "are delivered.",
    ),
    th.Property(
        "destination",
        th.StringType,
        allowed_values=list(DESTINATIONS),
        description="What Stitch loads into. It changes nothing of what is sent: --dry-run then shows "
        "the tables that will be there, and a run warns of what is sure to be rejected and counts "
        "the rows that Stitch bills.",
    ),
    th.Property(
        "sequence_source",
        th.StringType,
        allowed_values=["time_extracted", "replication_key", "received_at"],
        default="time_extracted",
        description="Where sequences come from, which decide which of two versions of a row is "
        "newer: time_extracted is the tap's time of the record, or the time of receipt if there "
        "is none; replication_key is the record's value of the first bookmark property, a "
        "timestamp or an integer; received_at is always the time of receipt.",
    ),
    th.Property(
        "check_status",
        th.BooleanType,
        default=True,
        description="Whether to ask the service if it is up before the first batch is sent, and "
        "to wait while it is down.",
    ),
    th.Property(
        "load_method",
        th.StringType,
        allowed_values=[TargetLoadMethods.UPSERT.value, TargetLoadMethods.APPEND_ONLY.value],
        default=TargetLoadMethods.UPSERT.value,
        description="upsert replaces the row with the same key; append-only sends no keys, so "
        "that every record becomes a new row.",
    ),
    th.Property(
        "process_activate_version_messages",
        th.BooleanType,
        default=True,
        description="Whether ACTIVATE_VERSION messages of the tap are applied: Stitch then hides "
        "all other versions of the table's rows.",
    ),
    th.Property(
        "skip_unchanged",
        th.StringType(min_length=1),
        description="File that remembers a digest of each row, so that a record whose row has not "
        "changed is not sent again. One for each pipe and integration. For tables with keys, which "
        "are then sent without versions. Not for `load_method: append-only`.",
    ),
    th.Property(
        "skip_unchanged_ignore",
        th.ArrayType(th.StringType),
        default=[],
        description="Columns of any table whose change alone does not send a row again, with "
        "skip_unchanged.",
    ),
    th.Property(
        "detect_deletes",
        th.BooleanType,
        default=False,
        description="Whether a row that was not in a full load is sent once more, as deleted: its "
        "keys and _sdc_deleted_at. Needs skip_unchanged.",
    ),
    th.Property(
        "max_delete_share",
        th.NumberType(minimum=0, maximum=1),
        default=0.5,
        description="The share of a table's rows that one load may delete, with detect_deletes; "
        "more ends the run.",
    ),
    th.Property(
        "log_format",
        th.StringType,
        allowed_values=["text", "json"],
        default="text",
        description="What the log on stderr is written as: text for people, or json with an object "
        "for each line.",
    ),
    th.Property(
        "metrics_path",
        th.StringType(min_length=1),
        description="File that the numbers of the run are written to at its end, in the format "
        "OpenMetrics. Its name is the label `pipeline`.",
    ),
).to_dict()

OMITTED: Final = frozenset({"add_record_metadata", "batch_config", "faker_config"})
"""Settings of the SDK that have no effect here, or need a package that is not a dependency."""

MINIMUMS: Final = {"flattening_max_depth": 0, "flattening_max_key_length": 1}
"""Minimum values of settings of the SDK, which sets none."""

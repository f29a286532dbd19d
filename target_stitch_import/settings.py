"""The settings: what may be set, to what, and what the vendor target's config becomes.

Knows names, kinds and ranges; nothing of what the settings do.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import TargetLoadMethods

from target_stitch_import.api_url import PLAIN, refused_url
from target_stitch_import.limits import (
    DEFAULT_BATCH_BYTES,
    DEFAULT_BATCH_ROWS,
    MAX_BATCH_BYTES,
    MAX_BATCH_ROWS,
    REGIONS,
)

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from jsonschema import ValidationError

__all__ = ["NOT_OFFERED", "SETTINGS", "describe", "prepare", "unreadable"]

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

_VENDOR_SETTINGS: Final = {
    "batch_size_preferences": "is not needed: every table goes to one endpoint",
    "big_batch_url": "is not needed: every batch goes to one endpoint",
    "client_id": "is not needed: a batch carries none",
    "disable_collection": "is not needed: nothing is collected",
    "small_batch_url": "gives the API URL",
    "turbo_boost_factor": "is not needed: see max_parallel_requests",
}

_REFUSED: Final = {
    ("load_method", "overwrite"): (
        "load_method: 'overwrite' is not offered. A target can't tell a tap that ended from one "
        "that crashed, so it would replace good rows by half a table; a tap's own "
        "ACTIVATE_VERSION replaces a table safely."
    ),
    ("add_record_metadata", True): (
        "add_record_metadata: is not offered. Columns that start with _sdc are Stitch's own, and "
        "it adds them itself."
    ),
}

NOT_OFFERED: Final = frozenset({"add_record_metadata", "faker_config"})
"""Settings of the SDK that would do nothing here, or only with a package that is not ours."""


def prepare(config: dict[str, Any], schema: Mapping[str, Any], logger: logging.Logger) -> list[str]:
    """Bring a config into the form that the schema describes, in place.

    Takes over what the vendor's target calls otherwise, tells of what is not known, and returns
    what is refused for a reason that a schema can't give, a line each.
    """
    _from_vendor_config(config, logger)
    for name in [name for name, value in config.items() if value is None]:
        del config[name]  # null: the default
    for name in config:
        if name in _VENDOR_SETTINGS:
            logger.info("Setting %s of the vendor's target %s.", name, _VENDOR_SETTINGS[name])
        elif name not in schema["properties"] and name != "add_record_metadata":  # false is so
            logger.warning("Setting %s is not known, and ignored.", name)
    _read_numbers(config, schema)
    found = []
    for (name, value), refusal in _REFUSED.items():
        if config.get(name) == value:
            found.append(refusal)
            del config[name]
    if isinstance(token := config.get("token"), str) and not PLAIN.fullmatch(token):
        found.append("token: must be of plain characters, without spaces and line ends")
    if isinstance(url := config.get("api_url"), str) and (reason := refused_url(url)):
        found.append(f"api_url: {reason}")
    return found


def unreadable(environment: Mapping[str, str], prefix: str, schema: Mapping[str, Any]) -> list[str]:
    """Say which settings can't be read from the environment, where all is text, a line each."""
    found = []
    for name, setting in schema["properties"].items():
        variable = prefix + name.upper()
        text = environment.get(variable)
        if text is None:
            continue
        try:
            if "integer" in setting["type"]:
                int(text)
            elif "object" in setting["type"]:
                json.loads(text)
        except ValueError:
            found.append(f"{name}: {variable} can't be read as {setting['type'][0]}")
    return found


def describe(error: ValidationError) -> str:
    """Say which setting is wrong and what it may be, without the value of a secret."""
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "required":
        return (
            f"{error.message}: set it in the config file, or in the environment with --config=ENV"
        )
    if isinstance(error.schema, dict) and error.schema.get("secret"):
        return f"{place}: must satisfy {error.validator} {error.validator_value}"
    return f"{place}: {error.message}"


def _from_vendor_config(config: dict[str, Any], logger: logging.Logger) -> None:
    url = config.get("small_batch_url")
    if not isinstance(url, str) or config.get("api_url") or config.get("region"):
        return
    match = re.match(r"\w+://[^/?#]*", url)
    config["api_url"] = match[0] if match else url
    if refused_url(config["api_url"]) is None:
        logger.info("Setting api_url is %s, from small_batch_url.", config["api_url"])


def _read_numbers(config: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """Read the number that an environment variable can only give as text."""
    for name, value in config.items():
        if isinstance(value, str) and "number" in schema["properties"].get(name, {}).get(
            "type", ()
        ):
            with contextlib.suppress(ValueError):  # left for the schema to refuse
                config[name] = float(value) if math.isfinite(float(value)) else value

"""Converts a config, which may be the vendor target's, to the settings' schema, and checks it."""

from __future__ import annotations

import contextlib
import json
import math
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.config.urls import PRINTABLE_ASCII, find_url_error

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from jsonschema import ValidationError

_VENDOR_SETTINGS: Final = {
    "batch_size_preferences": "is not needed: every table goes to one endpoint",
    "big_batch_url": "is not needed: every batch goes to one endpoint",
    "disable_collection": "is not needed: nothing is collected",
    "small_batch_url": "gives the API URL",
    "turbo_boost_factor": "is not needed: see max_parallel_requests",
}

_BOOLEANS: Final = ("true", "1", "yes", "on", "false", "0", "no", "off")
"""The SDK would read any text but the first four as false."""

_UNSUPPORTED: Final = {
    ("load_method", "overwrite"): (
        "load_method: 'overwrite' is not offered. A target can't distinguish a tap that ended "
        "from one that crashed, and would replace good rows by half a table; ACTIVATE_VERSION "
        "messages of the tap replace a table safely."
    ),
    ("add_record_metadata", True): (
        "add_record_metadata: is not offered. Stitch itself writes such columns: "
        "_sdc_sequence, _sdc_batched_at and others."
    ),
}


class Secret(str):
    """A string that logs and tracebacks don't show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def prepare_config(
    config: dict[str, Any], schema: Mapping[str, Any], logger: logging.Logger
) -> list[str]:
    """Convert a config to what ``schema`` describes, in place, and log settings without effect.

    Returns what is wrong beyond what the schema can check, one line each.
    """
    _translate_vendor_settings(config, logger)
    for name in [name for name, value in config.items() if value is None]:
        del config[name]  # null stands for the default
    for name, value in config.items():
        if name in _VENDOR_SETTINGS:
            logger.info("Setting %s of the vendor's target %s.", name, _VENDOR_SETTINGS[name])
        elif name not in schema["properties"] and name != "add_record_metadata":
            near = get_close_matches(name, schema["properties"], 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            logger.warning("Setting %s is not known and is ignored%s", name, hint)
        elif schema["properties"].get(name, {}).get("secret") and isinstance(value, str):
            config[name] = Secret(value)
    _convert_numbers(config, schema)
    return _find_errors(config, logger)


def _find_errors(config: dict[str, Any], logger: logging.Logger) -> list[str]:
    errors = []
    for (name, value), message in _UNSUPPORTED.items():
        if config.get(name) == value:
            errors.append(message)
            del config[name]
    if isinstance(token := config.get("token"), str) and not PRINTABLE_ASCII.fullmatch(token):
        errors.append("token: must be printable ASCII characters, without spaces and line ends")
    if isinstance(url := config.get("api_url"), str) and (reason := find_url_error(url)):
        errors.append(f"api_url: {reason}")
    errors += _find_push_errors(config, logger)
    by_key = config.get("sequence_source") == "replication_key"
    if config.get("detect_deletes") and (by_key or "skip_unchanged" not in config):
        errors.append(
            "detect_deletes: needs skip_unchanged, and a sequence_source other than 'replication_key'"
        )
    if config.get("on_invalid_record") == "quarantine":
        if "quarantine_path" not in config:
            errors.append("quarantine_path: must be set with on_invalid_record 'quarantine'")
    elif "quarantine_path" in config or "max_quarantined" in config:
        logger.warning(
            "Settings quarantine_path and max_quarantined have no effect while on_invalid_record is "
            "'fail'."
        )
    return errors


def _find_push_errors(config: Mapping[str, Any], logger: logging.Logger) -> list[str]:
    if config.get("endpoint") != "push":
        if config.get("push_format") == "transit":
            logger.warning("Setting push_format has no effect while endpoint is 'batch'.")
        return []
    errors = []
    if "client_id" not in config:
        errors.append(
            "client_id: must be set with endpoint 'push'. It is the number between client and "
            "pipeline in the address of the Stitch app"
        )
    if config.get("load_method") == "append-only":
        errors.append(
            "load_method: 'append-only' needs endpoint 'batch', as push needs key properties"
        )
    return errors


def find_unreadable(
    environment: Mapping[str, str], prefix: str, schema: Mapping[str, Any]
) -> list[str]:
    """Return which settings are not of their type in the environment, a line each."""
    errors = []
    for name, setting in schema["properties"].items():
        variable = prefix + name.upper()
        if (text := environment.get(variable)) is None:
            continue
        try:
            if "integer" in setting["type"]:
                int(text)
            elif "object" in setting["type"]:
                json.loads(text)
            elif "boolean" in setting["type"]:
                _BOOLEANS.index(text.lower())
        except ValueError:
            errors.append(f"{name}: {variable} can't be read as {setting['type'][0]}")
    return errors


def describe_error(error: ValidationError) -> str:
    """Return which setting is wrong and what it may be, without the value of a secret."""
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "required":
        return (
            f"{error.message}: set it in the config file, or in the environment with --config=ENV"
        )
    if isinstance(error.schema, dict) and error.schema.get("secret"):
        return f"{place}: must satisfy {error.validator} {error.validator_value}"
    return f"{place}: {error.message}"


def _translate_vendor_settings(config: dict[str, Any], logger: logging.Logger) -> None:
    url = config.get("small_batch_url")
    if not isinstance(url, str) or config.get("api_url") or config.get("region"):
        return
    match = re.match(r"\w+://[^/?#]*", url)
    config["api_url"] = match[0] if match else url
    if find_url_error(config["api_url"]) is None:
        logger.info("Setting api_url is %s, from small_batch_url.", config["api_url"])


def _convert_numbers(config: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """Convert numbers that are text, as all values from the environment are."""
    client_id: Any = config.get("client_id")
    # The vendor's config may have it as text or as a float.
    is_text = isinstance(client_id, str) and re.fullmatch(r"[0-9]+", client_id)
    if is_text or (isinstance(client_id, float) and client_id.is_integer()):
        with contextlib.suppress(ValueError):  # more digits than Python converts
            config["client_id"] = int(client_id)
    for name, value in config.items():
        types = schema["properties"].get(name, {}).get("type", ())
        if isinstance(value, str) and "number" in types:
            with contextlib.suppress(ValueError):  # the schema refuses it
                config[name] = float(value) if math.isfinite(float(value)) else value

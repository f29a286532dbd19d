"""Converts a config, which may be the vendor target's, to the settings' schema, and checks it.

That the token may be sent to the URL is checked here, too.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jsonschema import ValidationError

from target_stitch_import.limits import REGIONS

_VENDOR_SETTINGS: Final = {
    "batch_size_preferences": "is not needed: every table goes to one endpoint",
    "big_batch_url": "is not needed: every batch goes to one endpoint",
    "disable_collection": "is not needed: nothing is collected",
    "small_batch_url": "gives the API URL",
    "turbo_boost_factor": "is not needed: see max_parallel_requests",
}

_BOOLEANS: Final = ("true", "1", "yes", "on", "false", "0", "no", "off")
"""The first half is true. The SDK would read any other text as false."""

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

_KINDS: Final = {
    "array": "a JSON array",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a JSON object",
    "string": "a text",
}
_LIMITS: Final = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
_SDK_VARIABLES: Final = ("loglevel", "log_config")  # what the SDK itself reads
_PRINTABLE_ASCII: Final = re.compile(r"[\x21-\x7e]*")  # what a URL, and a token, can be of
_LIKENESS: Final = 0.7  # of an unknown name that is a typo, and not of another program; 1 is equal


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
    errors = []
    _translate_vendor_settings(config, logger)
    for name in [name for name, value in config.items() if value is None]:
        del config[name]  # null stands for the default
    for name, value in config.items():
        if name in _VENDOR_SETTINGS:
            logger.info("Setting %s of the vendor's target %s.", name, _VENDOR_SETTINGS[name])
        elif name not in schema["properties"] and name != "add_record_metadata":
            if near := _find_near(name, schema):
                errors.append(f"{name} does not exist; did you mean {near}?")
            else:
                logger.warning("Setting %s is not known and is ignored.", name)
        elif schema["properties"].get(name, {}).get("secret") and isinstance(value, str):
            config[name] = Secret(value)
    _convert_numbers(config, schema)
    return errors + _find_errors(config)


def read_environment(
    environment: Mapping[str, str], prefix: str, schema: Mapping[str, Any], logger: logging.Logger
) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of variables with the ``prefix``, and what is wrong with others, a line each.

    Unknown ones that are no typo are logged. Meltano's own begin with a further underscore.
    """
    config: dict[str, Any] = {}
    errors = []
    types = {name: each["type"] for name, each in schema["properties"].items()}
    no_settings = (*_SDK_VARIABLES, "_", *(f"{name}_" for name in types if "object" in types[name]))
    for variable, text in environment.items():
        name = variable.removeprefix(prefix).lower()
        if not variable.startswith(prefix) or (name not in types and name.startswith(no_settings)):
            continue
        try:
            if name in types:
                config[name] = _parse(text, types[name])
            elif near := _find_near(name, schema):
                errors.append(f"{variable} does not exist; did you mean {prefix}{near.upper()}?")
            else:
                logger.warning("Setting %s is not known and is ignored.", variable)
        except json.JSONDecodeError as error:
            kind = _KINDS[types[name][0]]
            errors.append(f"{variable} must be {kind}: {_describe_json(error)}")
        except ValueError:
            errors.append(f"{variable} must be {_KINDS[types[name][0]]}, not {text!r:.100}")
    return config, errors


def _parse(text: str, types: list[str]) -> Any:
    if "integer" in types:
        return int(text)
    if "object" in types or "array" in types:
        return json.loads(text)
    if "boolean" in types:
        return _BOOLEANS.index(text.lower()) < len(_BOOLEANS) / 2
    return text


def _find_near(name: str, schema: Mapping[str, Any]) -> str | None:
    """Return the setting that a name resembles, whatever its case and underscores are."""
    known = {_letters(each): each for each in (*schema["properties"], *_VENDOR_SETTINGS)}
    near = get_close_matches(_letters(name), known, 1, _LIKENESS)
    return known[near[0]] if near and name not in _VENDOR_SETTINGS else None


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _find_errors(config: dict[str, Any]) -> list[str]:
    """Return what no schema can say; settings that are not offered are removed."""
    errors = []
    for (name, value), message in _UNSUPPORTED.items():
        if config.get(name) == value:
            errors.append(message)
            del config[name]
    if isinstance(token := config.get("token"), str) and not _PRINTABLE_ASCII.fullmatch(token):
        errors.append("token: must be printable ASCII characters, without spaces and line ends")
    if isinstance(url := config.get("api_url"), str) and (reason := _find_url_error(url)):
        errors.append(f"api_url: {reason}")
    by_key = config.get("sequence_source") == "replication_key"
    if config.get("detect_deletes") and (by_key or "skip_unchanged" not in config):
        errors.append(
            "detect_deletes: needs skip_unchanged, and a sequence_source other than 'replication_key'"
        )
    if config.get("detect_deletes") and config.get("process_activate_version_messages") is False:
        errors.append(
            "detect_deletes: needs process_activate_version_messages, as an ACTIVATE_VERSION ends a load"
        )
    is_push = config.get("endpoint") == "push"
    if is_push and "client_id" not in config:
        errors.append(
            "client_id: must be set with endpoint 'push'. It is the number between client and "
            "pipeline in the address of the Stitch app"
        )
    if is_push and config.get("load_method") == "append-only":
        errors.append(
            "load_method: 'append-only' needs endpoint 'batch', as push needs key properties"
        )
    if config.get("on_invalid_record") == "quarantine" and "quarantine_path" not in config:
        errors.append("quarantine_path: must be set with on_invalid_record 'quarantine'")
    return errors


def describe_unreadable(path: str, error: Exception) -> str:
    """Return why a config file can't be read, and for JSON where it breaks; ``error`` is the SDK's."""
    if isinstance(error, OSError):
        return str(error)
    if not path:
        return "no file is named"
    try:
        text = Path(path).read_text(encoding="utf-8")
        if isinstance(json.loads(text), dict):
            return "it has NaN or Infinity, which JSON lacks"
    except json.JSONDecodeError as broken:
        return _describe_json(broken) if text.strip() else "it is empty"
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    except (ValueError, RecursionError):
        pass
    return "it is not a JSON object"


def _describe_json(error: json.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno}: {error.msg}"


def describe_error(error: ValidationError, prefix: str) -> str:
    """Return which setting is wrong and what it may be, without the value of a secret.

    The names of variables begin with ``prefix``.
    """
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "required":
        name = error.message.split("'")[1]
        variable = f"{prefix}{name.upper()}"
        return (
            f"{name} is missing: set {variable} and use --config=ENV, or put it into a config file"
        )
    limit: Any = error.validator_value
    if error.validator == "minLength":
        return f"{place} is empty"
    if error.validator == "enum":
        wanted = " or ".join(map(repr, limit))
    elif error.validator == "type":
        wanted = _KINDS[limit if isinstance(limit, str) else limit[0]]
    elif error.validator in _LIMITS:
        wanted = f"{_LIMITS[error.validator]} {limit:,}"
    else:
        return f"{place}: {error.message}"
    if isinstance(error.schema, dict) and error.schema.get("secret"):
        return f"{place} must be {wanted}"
    value: Any = error.instance
    value = float(value) if isinstance(value, Decimal) else value  # as the file has it
    return f"{place} must be {wanted}, not {value!r:.100}"


def _translate_vendor_settings(config: dict[str, Any], logger: logging.Logger) -> None:
    url = config.get("small_batch_url")
    if not isinstance(url, str) or config.get("api_url") or config.get("region"):
        return
    match = re.match(r"\w+://[^/?#]*", url)
    config["api_url"] = match[0] if match else url
    if _find_url_error(config["api_url"]) is None:
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


def base_url(config: Mapping[str, Any]) -> str:
    """Return the base URL of the service, without a slash at its end."""
    return str(config.get("api_url") or REGIONS[config["region"]]).rstrip("/")


def _find_url_error(url: str) -> str | None:
    """Return why a URL can't be used for the service; None if it can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if not _PRINTABLE_ASCII.fullmatch(url):
        return "must be printable ASCII characters, without spaces"
    if parts.scheme not in ("http", "https") or not host:
        return "must be https://HOST, or http to a loopback address"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "must be a scheme and a host, without user, password, query or fragment"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"http would send the token to {host} unencrypted; use https"
    return None


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"

"""A config on its way to the form that the settings' schema describes.

Knows what the vendor target's config becomes, what the environment can only give as text, and how a
refusal is said; nothing of what the settings do.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.api_url import PLAIN, refused_url

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from jsonschema import ValidationError

__all__ = ["describe", "prepare", "unreadable"]

_VENDOR_SETTINGS: Final = {
    "batch_size_preferences": "is not needed: every table goes to one endpoint",
    "big_batch_url": "is not needed: every batch goes to one endpoint",
    "disable_collection": "is not needed: nothing is collected",
    "small_batch_url": "gives the API URL",
    "turbo_boost_factor": "is not needed: see max_parallel_requests",
}

_BOOLEANS: Final = ("true", "1", "yes", "on", "false", "0", "no", "off")
"""What the environment may say; the SDK takes everything but the first four for false."""

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


class Secret(str):
    """A text that no log and no traceback shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Keep it out of what is printed of a config, too."""
        return "'***'"


def prepare(config: dict[str, Any], schema: Mapping[str, Any], logger: logging.Logger) -> list[str]:
    """Bring a config into the form that the schema describes, in place.

    Takes over what the vendor's target calls otherwise, tells of what is not known, and returns
    what is refused for a reason that a schema can't give, a line each.
    """
    _from_vendor_config(config, logger)
    for name in [name for name, value in config.items() if value is None]:
        del config[name]  # null: the default
    for name, value in config.items():
        if name in _VENDOR_SETTINGS:
            logger.info("Setting %s of the vendor's target %s.", name, _VENDOR_SETTINGS[name])
        elif name not in schema["properties"] and name != "add_record_metadata":  # false is so
            near = get_close_matches(name, schema["properties"], 1)
            meant = f"; is {near[0]} meant?" if near else "."
            logger.warning("Setting %s is not known, and ignored%s", name, meant)
        elif schema["properties"].get(name, {}).get("secret") and isinstance(value, str):
            config[name] = Secret(value)
    _read_numbers(config, schema)
    return _refusals(config, logger)


def _refusals(config: dict[str, Any], logger: logging.Logger) -> list[str]:
    found = []
    for (name, value), refusal in _REFUSED.items():
        if config.get(name) == value:
            found.append(refusal)
            del config[name]
    if isinstance(token := config.get("token"), str) and not PLAIN.fullmatch(token):
        found.append("token: must be of plain characters, without spaces and line ends")
    if isinstance(url := config.get("api_url"), str) and (reason := refused_url(url)):
        found.append(f"api_url: {reason}")
    found += _push_refusals(config, logger)
    if config.get("on_invalid_record") == "quarantine":
        if "quarantine_path" not in config:
            found.append("quarantine_path: must be set with on_invalid_record 'quarantine'")
    elif "quarantine_path" in config or "max_quarantined" in config:
        logger.warning("Nothing is set aside while the setting on_invalid_record is 'fail'.")
    return found


def _push_refusals(config: Mapping[str, Any], logger: logging.Logger) -> list[str]:
    if config.get("endpoint") != "push":
        if config.get("push_format") == "transit":
            logger.warning("The setting push_format does nothing while endpoint is 'batch'.")
        return []
    found = []
    if "client_id" not in config:
        found.append(
            "client_id: must be set with endpoint 'push'. It is the number between client and "
            "pipeline in the address of the Stitch app"
        )
    if config.get("load_method") == "append-only":
        found.append("load_method: 'append-only' needs endpoint 'batch'; push needs keys")
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
            elif "boolean" in setting["type"]:
                _BOOLEANS.index(text.lower())
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
    """Read the number that comes as text, as from the environment it always does."""
    client_id: Any = config.get("client_id")
    if _is_integer(client_id):
        with contextlib.suppress(ValueError):  # so long that it is no number for Python either
            config["client_id"] = int(client_id)
    for name, value in config.items():
        if isinstance(value, str) and "number" in schema["properties"].get(name, {}).get(
            "type", ()
        ):
            with contextlib.suppress(ValueError):  # left for the schema to refuse
                config[name] = float(value) if math.isfinite(float(value)) else value


def _is_integer(value: Any) -> bool:
    """Return whether a value is one in another form: the vendor's config may have it as text."""
    if isinstance(value, str):
        return re.fullmatch(r"[0-9]+", value) is not None
    return isinstance(value, float) and value.is_integer()

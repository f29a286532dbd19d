"""What the command writes for people: the log on a terminal, ``--help`` and ``--about``."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from singer_sdk.logging import ConsoleFormatter

if TYPE_CHECKING:
    from collections.abc import Mapping

HELP: Final = """Singer target that loads any tap into Stitch through its Import API.

\b
Example:
  export TARGET_STITCH_IMPORT_TOKEN=...
  tap-anything --config tap.json | target-stitch-import --config=ENV >> states.jsonl

It reads Singer messages on stdin. It writes a STATE to stdout once every record before it is
delivered, and logs to stderr.

\b
Exit codes:
  0         all is delivered, or set aside in the quarantine
  1         a person is needed; the last line on stderr says what for
  3         records were set aside, and fail_on_quarantine is true
  75        the service could not be reached in time; a later run may succeed
  130, 143  ended by SIGINT or SIGTERM

\b
Settings are listed by --about. Documentation:
  https://github.com/target-stitch-import/target-stitch-import/tree/main/docs
"""


def is_for_people(record: logging.LogRecord) -> bool:
    """Return False for what the SDK logs of its own steps."""
    return record.levelno > logging.INFO or record.module != "plugin_base"


def shorten_prefix() -> None:
    """Have what is logged to a terminal begin with time and level alone."""
    for handler in logging.getLogger().handlers:
        is_default = isinstance(handler.formatter, ConsoleFormatter)
        is_stderr = isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
        if is_default and is_stderr and sys.stderr.isatty():
            handler.setFormatter(
                logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
            )
            handler.addFilter(lambda record: record.name != "singer_sdk.metrics")


def describe_settings(schema: Mapping[str, Any], prefix: str) -> str:
    """Return each setting with its kind, default, variable and description, for ``--about``."""
    lines = []
    for name, setting in schema["properties"].items():
        kind = next(each for each in setting["type"] if each != "null")
        if "enum" in setting:
            kind = " or ".join(map(str, setting["enum"]))
        required = ", required" if name in schema.get("required", ()) else ""
        default = f", default {json.dumps(setting['default'])}" if "default" in setting else ""
        lines += [
            f"  {name}: {kind}{required}{default}",
            f"    {setting['description']}",
            f"    In the environment: {prefix}{name.upper()}",
        ]
    return "\n".join(["Settings:", *lines])

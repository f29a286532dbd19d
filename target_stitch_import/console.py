"""What the command writes of itself: ``--help`` and ``--about``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

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

FLAGS: Final = {
    "--test": "Check the status, the credentials, the region and the client ID, and exit; nothing is "
    "read or loaded.",
    "--dry-run": "Read and check everything, and show what would be sent and refused, and the tables "
    "that would be there; nothing is sent, no STATE is written, no token is needed.",
    "--strict": "With --dry-run: exit with 1 if the destination would reject something.",
}


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

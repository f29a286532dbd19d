"""What the page of settings says is what --about says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.running import COMMAND

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
SECTION = re.compile(
    r"(?<=<!-- settings: made from --about -->\n).*(?=<!-- end of settings -->)", re.DOTALL
)


def settings_table(properties: dict[str, Any]) -> str:
    """Return the table of settings, in Markdown."""
    rows = ["| setting | kind, default | what it is |", "|:--|:--|:--|"]
    for name, setting in properties.items():
        kind = next(kind for kind in setting["type"] if kind != "null")
        if "enum" in setting:
            kind = ", ".join(f"`{value}`" for value in setting["enum"])
        default = f"<br>default `{json.dumps(setting['default'])}`" if "default" in setting else ""
        secret = " (secret)" if setting.get("writeOnly") else ""
        rows.append(f"| `{name}` | {kind}{secret}{default} | {setting['description']} |")
    return "\n".join(rows) + "\n"


def test_the_table_of_settings_is_current() -> None:
    # given what --about says
    about = subprocess.run(
        [COMMAND, "--about", "--format", "json"], check=True, capture_output=True
    ).stdout
    table = settings_table(json.loads(about)["settings"]["properties"])
    # when the page is read
    found = SECTION.search(PAGE.read_text(encoding="utf-8"))
    # then its table says the same (if not, this is the one that should stand there)
    assert found is not None
    assert found[0] == table, table

"""The settings on the page are those of --about, in groups.

After a change of a setting, write the page: ``python -m tests.documentation.test_settings_page``.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

from tests.support.running import COMMAND

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
SECTION = re.compile(
    r"(?<=<!-- settings: made from --about -->\n).*(?=<!-- end of settings -->)", re.DOTALL
)
GROUPS: Final = {
    "token": "Access",
    "endpoint": "Endpoint",
    "batch_size_rows": "Requests",
    "request_timeout_seconds": "Waiting and retrying",
    "validate_records": "Values and types",
    "on_invalid_record": "Records that don't fit",
    "sequence_source": "Tables",
    "skip_unchanged": "Fewer rows",
    "log_format": "Log and metrics",
    "stream_maps": "Stream maps and flattening",
}
"""The groups, by the first setting of each; the ones behind it in --about belong to it, too."""
ELSEWHERE: Final = {"check_status": "Waiting and retrying"}


def settings_section(properties: dict[str, Any]) -> str:
    """Return the tables of settings, in Markdown; each setting has an anchor of its name."""
    group = ""
    tables: dict[str, list[str]] = {heading: [] for heading in GROUPS.values()}
    for name, setting in properties.items():
        group = GROUPS.get(name, group)
        kind = next(kind for kind in setting["type"] if kind != "null")
        if "enum" in setting:
            kind = ", ".join(f"`{value}`" for value in setting["enum"])
        default = f"<br>default `{json.dumps(setting['default'])}`" if "default" in setting else ""
        secret = " (secret)" if setting.get("writeOnly") else ""
        row = (
            f'| <a id="{name}"></a>`{name}` | {kind}{secret}{default} | {setting["description"]} |'
        )
        tables[ELSEWHERE.get(name, group)].append(row)
    head = "| setting | kind, default | what it is |\n|:--|:--|:--|"
    return "".join(
        f"\n## {heading}\n\n{head}\n" + "\n".join(rows) + "\n" for heading, rows in tables.items()
    )


def about() -> dict[str, Any]:
    """Return the settings that --about prints."""
    printed = subprocess.run(
        [COMMAND, "--about", "--format", "json"], check=True, capture_output=True
    ).stdout
    properties: dict[str, Any] = json.loads(printed)["settings"]["properties"]
    return properties


def test_the_settings_are_current() -> None:
    # given what --about says
    expected = settings_section(about())
    # when the page is read
    found = SECTION.search(PAGE.read_text(encoding="utf-8"))
    # then it says the same (if not, run this module as the docstring above says)
    assert found is not None
    assert found[0] == expected


if __name__ == "__main__":
    section = settings_section(about())
    PAGE.write_text(SECTION.sub(lambda _: section, PAGE.read_text(encoding="utf-8")))

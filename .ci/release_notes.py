"""Prints what the changelog says of a version, in Markdown: release_notes.py v1.2.3 [CHANGELOG.md]."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def release_notes(changelog: str, tag: str) -> str:
    """Return the section of a version, without its heading ``## 1.2.3 - 2026-01-31``.

    Raises:
        ValueError: There is none, or it is empty.
    """
    heading = rf"^## {re.escape(tag.removeprefix('v'))} - \d{{4}}-\d\d-\d\d\n"
    found = re.search(rf"{heading}(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise ValueError(f"The changelog has no section '## {tag.removeprefix('v')} - YYYY-MM-DD'.")
    return found[1].strip()


if __name__ == "__main__":
    try:
        path = Path(sys.argv[2] if sys.argv[2:] else "CHANGELOG.md")
        sys.stdout.write(f"{release_notes(path.read_text(encoding='utf-8'), sys.argv[1])}\n")
    except ValueError as missing:
        sys.exit(str(missing))

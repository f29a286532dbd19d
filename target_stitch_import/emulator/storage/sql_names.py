"""Names of Stitch as names of SQLite.

The names of the API are any Unicode string and case-sensitive; SQLite's ignore the case of
ASCII letters, can't hold a NUL, and some are its own or this emulator's. Pure functions on strings;
knows nothing of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_NAME: Final = 100
"""Characters of a name that are kept; longer ones are cut and made unique."""


def folded(name: str) -> str:
    """Return what SQLite compares names by: only ASCII letters lose their case."""
    return "".join(char.lower() if char.isascii() else char for char in name)


def physical_name(name: str, taken: Collection[str]) -> str:
    """Return the SQLite name for ``name``; ``taken`` are the folded names in use."""
    plain = name.replace("\0", "")[:MAX_NAME] or "_"
    if folded(plain).startswith(("sqlite_", "_sdc")):
        plain = f"_{plain}"
    candidate = plain
    number = 2
    while folded(candidate) in taken:
        candidate = f"{plain}__{number}"
        number += 1
    return candidate


def quoted(name: str) -> str:
    """Return ``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def sql(*parts: str) -> str:
    """Return a statement of ``parts``; the names among them are quoted, the values are ``?``."""
    return " ".join(parts)

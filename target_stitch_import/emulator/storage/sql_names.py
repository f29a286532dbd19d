"""SQLite names for the tables and columns of the API.

Names of the API are case-sensitive and any Unicode string. SQLite's ignore the case of ASCII
letters, can't contain a NUL, and some are reserved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_NAME: Final = 100
"""Longest name, in characters; a longer one is cut and made unique."""
INDEX: Final = "_sdc_keys_"
"""What the name of a table's index begins with."""
WIDER: Final = "_sdc_wide_"
"""What the name of a column begins with while its type changes."""


def fold_case(name: str) -> str:
    """Return a name in lower case as SQLite compares names: ASCII letters only."""
    return "".join(char.lower() if char.isascii() else char for char in name)


def physical_name(name: str, used: Collection[str]) -> str:
    """Return the SQLite name for ``name``; ``used`` are the names in use, with folded case."""
    candidate = name.replace("\0", "")[:MAX_NAME] or "_"
    if fold_case(candidate).startswith(("sqlite_", INDEX, WIDER)):
        candidate = f"_{candidate}"
    base = candidate
    number = 2
    while fold_case(candidate) in used:
        candidate = f"{base}__{number}"
        number += 1
    return candidate


def quote(name: str) -> str:
    """Return ``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def join_sql(*parts: str) -> str:
    """Return a statement of ``parts``, in which names must be quoted and values be ``?``."""
    return " ".join(parts)

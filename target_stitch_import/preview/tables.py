"""What the preview keeps of each table: its columns, and which values say nothing new of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from target_stitch_import.destinations.facts import ColumnType, Destination
from target_stitch_import.destinations.kinds import FieldSchema, QuickCheck
from target_stitch_import.limits import MAX_DATA_POINTS

Path = tuple[str, ...]
Checks = dict[str | None, dict[type, QuickCheck]]
"""By a field, or None for an item that is no object, and by type of Python."""


@dataclass
class Column:
    """A column as the tap names it, before values of several types split it."""

    name: str
    compared: str
    """What is the same for two names that are one."""
    first_kind: str
    """The kind of its first value."""
    is_rejecting: bool
    """Whether all records that have it are rejected."""
    is_omitted: bool
    """Whether it is left out of its records."""
    rejected: str | None = None
    """The first reason for which it, or a record that has it, is rejected."""
    kinds: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By family, the first kind of its loaded values, and the place of the narrowest type for all."""

    def types(self, destination: Destination) -> list[ColumnType]:
        """Return the types of the columns that it becomes."""
        return [destination.column_types(kind)[at] for kind, at in self.kinds.values()]


@dataclass
class Rows:
    """The rows of a table or of a subtable."""

    path: Path
    """The name of the stream, and those of the arrays in it."""
    name: str
    place: FieldSchema
    """What the newest schema says of the rows."""
    depth: int = 0
    """How many arrays the rows are in."""
    is_shared: bool = False
    """Whether they come from several arrays, whose names become one."""
    rows: int = 0
    uncounted: int = 0
    """Rows of a record that is not read to its end."""
    columns: dict[Path, Column] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)
    """How many columns become one."""
    created: int = 0
    """Columns that are sure to be there once they have a value."""
    nulls: dict[Path, FieldSchema] = field(default_factory=dict)
    """The fields that were null, and their places."""
    checks: dict[Path, Checks] = field(default_factory=dict)
    """Which values say nothing new, by the object that they are in."""

    def settle(self, path: Path, name: str | None, value: Any, check: QuickCheck | None) -> None:
        """Read no more than ``check`` of what comes of the value's type in the same field."""
        checks = self.checks_in(path[:-1])
        if check is not None and not self.is_shared and len(checks) < MAX_DATA_POINTS:
            checks.setdefault(name, {})[type(value)] = check

    def checks_in(self, path: Path) -> Checks:
        """Return the checks of the fields of an object."""
        if path not in self.checks and len(self.checks) >= MAX_DATA_POINTS:
            self.checks.clear()  # the names of its fields are data
        return self.checks.setdefault(path, {})


@dataclass
class Table:
    """What becomes of a stream."""

    top: Rows
    rejected: str | None
    """Why all of its records are rejected."""
    keys: list[str]
    schema: Any = None
    """The newest posted schema."""
    subtables: dict[tuple[str, int], Rows] = field(default_factory=dict)
    """By what is the same for names that are one, and depth."""
    rejected_rows: int = 0
    """Records that are rejected, if not all are."""
    stopped: str | None = None
    """Why no more of it is loaded."""
    too_large: str | None = None
    """Why records are rejected that are too large."""
    unchanged_rows: int = 0
    """Records that are not sent, as Stitch has their rows."""

    @property
    def sub_rows(self) -> int:
        """The rows of the subtables."""
        return sum(each.rows for each in self.subtables.values())


def leaves(
    destination: Destination, place: FieldSchema, path: Path = ()
) -> Iterator[tuple[Path, FieldSchema]]:
    """Yield the paths and places of the columns that a schema declares."""
    for name in place.names:
        at, here = place.field(name), (*path, name)
        if not destination.nested and at.names:
            yield from leaves(destination, at, here)
        else:
            yield here, at

"""What the preview keeps of each table: its columns, and which values say nothing new of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from target_stitch_import.destinations.facts import Destination, FieldSchema, QuickCheck
from target_stitch_import.limits import MAX_DATA_POINTS

Path = tuple[str, ...]
Checks = dict[str | None, dict[type, QuickCheck]]
"""By a field, or None for an item that is no object, and by type of Python."""


class Field(NamedTuple):
    """A field of a row."""

    path: Path
    name: str | None  # None for an item that is no object
    value: Any
    place: FieldSchema


@dataclass
class Column:
    """A column as the tap names it, before values of several types split it."""

    name: str
    compared: str  # the same for two names that are one
    first_kind: str  # of its first value
    is_rejecting: bool  # all records that have it are rejected
    is_omitted: bool  # it is left out of its records
    rejected: str | None = None  # the first reason for which it, or a record that has it, is
    kinds: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By family, the first kind of its loaded values, and the place of the narrowest type for all."""


@dataclass
class Rows:
    """The rows of a table or of a subtable."""

    path: Path  # the name of the stream, and those of the arrays in it
    name: str
    place: FieldSchema  # what the newest schema says of the rows
    depth: int = 0  # how many arrays the rows are in
    is_shared: bool = False  # they come from several arrays, whose names become one
    rows: int = 0
    uncounted: int = 0  # rows of a record that is not read to its end
    columns: dict[Path, Column] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)  # how many columns become one
    created: int = 0  # columns that are sure to be there once they have a value
    nulls: dict[Path, FieldSchema] = field(default_factory=dict)  # the fields that were null
    checks: dict[Path, Checks] = field(default_factory=dict)
    """Which values say nothing new, by the object that they are in."""

    def settle(self, cell: Field, check: QuickCheck | None, column: Column | None = None) -> None:
        """Read no more than ``check`` of what comes of the value's type in the same field.

        Where several columns become one, each row is read: it may have a collision.
        """
        checks = self.checks_in(cell.path[:-1])
        is_full = self.is_shared or len(checks) >= MAX_DATA_POINTS
        is_alone = column is None or self.names[column.compared] == 1
        if check is not None and is_alone and not is_full:
            checks.setdefault(cell.name, {})[type(cell.value)] = check

    def checks_in(self, path: Path) -> Checks:
        """Return the checks of the fields of an object."""
        if path not in self.checks and len(self.checks) >= MAX_DATA_POINTS:
            self.checks.clear()  # the names of its fields are data
        return self.checks.setdefault(path, {})


@dataclass
class Table:
    """What becomes of a stream; each reason is None until there is one."""

    top: Rows
    rejected: str | None  # why all of its records are rejected
    keys: list[str]
    schema: Any = None  # the newest posted one
    subtables: dict[tuple[str, int], Rows] = field(default_factory=dict)
    """By what is the same for names that are one, and depth."""
    rejected_rows: int = 0  # records that are rejected, if not all are
    stopped: str | None = None  # why no more of it is loaded
    too_large: str | None = None  # why records are rejected that are
    unchanged_rows: int = 0  # records that are not sent, as Stitch has their rows

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

"""Reads request bodies, and foretells the tables that a destination makes of them.

It keeps the columns of each table, and no record. Import API reference, sections What happens after
the 201, and What is billed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.batches.transit import decode_transit
from target_stitch_import.destinations import names
from target_stitch_import.destinations.kinds import Place, family, narrowest_type
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.limits import MAX_DATA_POINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_stitch_import.destinations.facts import ColumnType, Destination

Path = tuple[str, ...]
_NO_PLACE: Final = Place()


@dataclass
class Column:
    """A column as the tap names it, before values of several types split it."""

    name: str
    compared: str
    """What is the same for two names that are one."""
    rejected: str | None
    """Why the records that have it are rejected, or why it is left out of them."""
    is_rejecting: bool
    """Whether the records that have it are rejected for its name."""
    is_omitted: bool
    """Whether it is left out of its records, as its name is too long."""
    kinds: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By family, the kind of its first value, and the place of the narrowest type for all."""
    shown: str | None = None
    """The kind of its first value, also if that is rejected."""

    def types(self, destination: Destination) -> list[ColumnType]:
        """Return the types of the columns that it becomes."""
        return [destination.column_types(kind)[at] for kind, at in self.kinds.values()]


Field = tuple[Column, Any, Place]


@dataclass
class Rows:
    """The rows of a table or of a subtable."""

    path: Path
    """The name of the table, and those of the arrays in it."""
    name: str
    place: Place
    """What the newest schema says of the rows."""
    depth: int = 0
    """How many arrays the rows are in."""
    rows: int = 0
    columns: dict[Path, Column] = field(default_factory=dict)
    nulls: dict[Path, Place] = field(default_factory=dict)
    """The fields that were null, and their places."""


@dataclass
class Table:
    """What becomes of a stream."""

    top: Rows
    rejected: str | None
    """Why all of its records are rejected."""
    keys: list[str] = field(default_factory=list)
    schema: Any = None
    """The newest posted schema."""
    subtables: dict[Path, Rows] = field(default_factory=dict)
    rejected_rows: int = 0
    """Records that are rejected, if not all are."""

    @property
    def billed_rows(self) -> int:
        """The rows that Stitch bills: the records, and the rows of the subtables."""
        return self.top.rows + self.sub_rows

    @property
    def sub_rows(self) -> int:
        """The rows of the subtables."""
        return sum(each.rows for each in self.subtables.values())


class Preview:
    """Foretells the tables that a destination makes of request bodies."""

    def __init__(
        self, destination: Destination, warn: Callable[[str, str], None] | None = None
    ) -> None:
        """Foretell for a ``destination``.

        ``warn`` is called with the table and a reason, once for each column or table of which
        records are rejected, as soon as one is.
        """
        self.destination = destination
        self.tables: dict[str, Table] = {}
        self._warn = warn or (lambda _table, _reason: None)

    def add(self, body: bytes) -> dict[str, int]:
        """Read the records of a request body; return by stream how many rows of subtables they make."""
        decoded = decode_exactly(body)
        if isinstance(decoded, list) and isinstance(decoded[0], list):
            decoded = decode_transit(decoded)
        one = decoded if isinstance(decoded, dict) else {}
        sub_rows: Counter[str] = Counter()
        for message in one.get("messages", decoded):
            if "data" in message:  # or it activates a version
                table = self._table({**one, **message})
                before = table.sub_rows
                self._add(table, message["data"])
                sub_rows[table.top.path[0]] += table.sub_rows - before
        return sub_rows

    def _table(self, message: dict[str, Any]) -> Table:
        stream, schema = message["table_name"], message.get("schema")
        if (table := self.tables.get(stream)) is None:
            destination = self.destination
            name = names.canonical_name(destination, stream)
            others = (each.top.name for each in self.tables.values())
            compared = names.compared_name(destination, name)
            rejected = names.reject_table(destination, name)
            if compared in (names.compared_name(destination, other) for other in others):
                rejected = names.table_collision(name)
            table = self.tables[stream] = Table(Rows((stream,), name, _NO_PLACE), rejected)
            if rejected:
                self._warn(stream, rejected)
        table.keys = message.get("key_names", [])
        if schema is not table.schema and schema != table.schema:
            table.schema = schema
            table.top.place = Place(schema)
        return table

    def _add(self, table: Table, record: dict[str, Any]) -> None:
        fields: list[Field] = []
        is_rejected = self._read(table, table.top, record, table.top.place, fields)
        for column, value, place in fields:
            kind = place.kind(value)
            types = self.destination.column_types(kind)
            at = narrowest_type(types, kind, value)
            if at is None:
                is_rejected = True
                at = len(types) - 1
                self._reject(table, column, names.out_of_range(column.name, types[at]))
            first, before = column.kinds.setdefault(family(self.destination, kind), (kind, at))
            if at > before:
                column.kinds[family(self.destination, kind)] = first, at
        table.rejected_rows += is_rejected

    def _read(
        self,
        table: Table,
        rows: Rows,
        item: Any,
        place: Place,
        fields: list[Field],
    ) -> bool:
        """Read a row into its fields; return True if its record is rejected for a name."""
        rows.rows += 1
        record = item if isinstance(item, dict) else {names.ITEM: item}
        is_rejected = False
        found: dict[str, list[tuple[Path, Column, Any, Place]]] = {}
        for path, value, at in self._flatten(rows, record, place, item is record):
            if (column := self._column(table, rows, path)) is None:
                continue
            column.shown = column.shown or at.kind(value)
            found.setdefault(column.compared, []).append((path, column, value, at))
        for same in found.values():
            collides = len(same) > 1
            for path, column, value, at in same:
                if collides:
                    self._reject(table, column, names.collision(column.name))
                is_rejected |= collides or column.is_rejecting
                if not collides and not column.is_rejecting and not column.is_omitted:
                    is_rejected |= self._read_value(table, rows, path, column, value, at, fields)
        return is_rejected

    def _read_value(
        self,
        table: Table,
        rows: Rows,
        path: Path,
        column: Column,
        value: Any,
        place: Place,
        fields: list[Field],
    ) -> bool:
        """Add a value to the ``fields``, or read the rows of an array; return as ``_read`` does."""
        if self.destination.nested or not isinstance(value, list):
            fields.append((column, value, place))
            return False
        is_rejected = False
        if (subtable := self._subtable(table, rows, path, column, place)) is not None:
            for index, each in enumerate(value):
                is_rejected |= self._read(table, subtable, each, place.item(index), fields)
        return is_rejected

    def _flatten(
        self, rows: Rows, record: Mapping[str, Any], place: Place, is_object: bool, path: Path = ()
    ) -> Iterator[tuple[Path, Any, Place]]:
        """Yield the fields with a value: their path, the value, and its place."""
        for name, value in record.items():
            at = place.field(name) if is_object else place
            here = (*path, name)
            if value is None:
                if len(rows.nulls) < MAX_DATA_POINTS:
                    rows.nulls.setdefault(here, at)
            elif self.destination.nested or not isinstance(value, (dict, list)):
                yield here, value, at
            elif isinstance(value, dict):
                yield from self._flatten(rows, value, at, True, here)
            elif value:
                yield here, value, at

    def _column(self, table: Table, rows: Rows, path: Path) -> Column | None:
        if (column := rows.columns.get(path)) is None:
            if len(rows.columns) > (self.destination.max_columns or MAX_DATA_POINTS):
                return None
            column = rows.columns[path] = self._name_column(table, rows, path)
            if column.rejected:
                self._warn(table.top.path[0], column.rejected)
        return column

    def _name_column(self, table: Table, rows: Rows, path: Path) -> Column:
        destination = self.destination
        name = names.canonical_name(destination, *path)
        rejecting = names.reject_column(destination, *path)
        omitted = names.omit_column(destination, name)
        is_key = not rows.depth and len(path) == 1 and path[0] in table.keys
        is_rejecting = rejecting is not None or (is_key and omitted is not None)
        compared = names.compared_name(destination, name)
        return Column(name, compared, rejecting or omitted, is_rejecting, omitted is not None)

    def _subtable(
        self, table: Table, rows: Rows, path: Path, column: Column, place: Place
    ) -> Rows | None:
        whole = (*rows.path, *path)
        if (subtable := table.subtables.get(whole)) is None:
            name = names.canonical_name(self.destination, *whole)
            if (rejected := names.reject_table(self.destination, name)) is not None:
                self._reject(table, column, rejected)
                return None
            subtable = table.subtables[whole] = Rows(whole, name, place, rows.depth + 1)
        subtable.place = place
        return subtable

    def _reject(self, table: Table, column: Column, reason: str) -> None:
        if column.rejected is None:
            column.rejected = reason
            self._warn(table.top.path[0], reason)

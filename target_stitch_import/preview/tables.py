"""Reads request bodies, and foretells the tables that a destination makes of them.

It keeps the columns of each table, and no record. Import API reference, sections What happens after
the 201, and What is billed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_stitch_import.batches.transit import decode_transit
from target_stitch_import.destinations import names
from target_stitch_import.destinations.facts import to_number
from target_stitch_import.destinations.kinds import FieldSchema, family, narrowest_type
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.limits import MAX_DATA_POINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_stitch_import.destinations.facts import ColumnType, Destination

Path = tuple[str, ...]


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

    settled: set[str] = field(default_factory=set)
    """The kinds of values of which no more is to be noted."""

    def types(self, destination: Destination) -> list[ColumnType]:
        """Return the types of the columns that it becomes."""
        return [destination.column_types(kind)[at] for kind, at in self.kinds.values()]


Field = tuple[Path, Column, Any, FieldSchema]


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
    rows: int = 0
    columns: dict[Path, Column] = field(default_factory=dict)
    nulls: dict[Path, FieldSchema] = field(default_factory=dict)
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
    unchanged_rows: int = 0
    """Records that are not sent, as Stitch has their rows."""

    @property
    def sub_rows(self) -> int:
        """The rows of the subtables."""
        return sum(each.rows for each in self.subtables.values())


class Preview:
    """Foretells the tables that a destination makes of request bodies."""

    def __init__(
        self, destination: Destination, warn: Callable[[str, str], None] | None = None
    ) -> None:
        """Call ``warn`` with the stream and a reason, once for each column or table it holds for."""
        self.destination = destination
        self.tables: dict[str, Table] = {}
        self._warn = warn or (lambda _stream, _reason: None)

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
                table.rejected_rows += self._add(table, message["data"])
                sub_rows[table.top.path[0]] += table.sub_rows - before
        return sub_rows

    def note_unchanged(self, stream: str, rows: int) -> None:
        """Note how many records of a stream are not sent; it may have no others."""
        table = self.tables.get(stream) or self._table({"table_name": stream})
        table.unchanged_rows = rows

    def _table(self, message: dict[str, Any]) -> Table:
        stream, schema, destination = message["table_name"], message.get("schema"), self.destination
        if (table := self.tables.get(stream)) is None:
            name = names.canonical_name(destination, stream)
            taken = {names.compared_name(destination, t.top.name) for t in self.tables.values()}
            rejected = names.reject_table(destination, name)
            if names.compared_name(destination, name) in taken:
                rejected = names.TABLE_COLLISION.format(name)
            table = self.tables[stream] = Table(Rows((stream,), name, FieldSchema()), rejected)
            if rejected:
                self._warn(stream, rejected)
        table.keys = message.get("key_names", [])
        if schema is not table.schema and schema != table.schema:
            table.schema, table.top.place = schema, FieldSchema(schema)
        return table

    def _add(self, table: Table, record: dict[str, Any]) -> bool:
        """Read a record; return True if it is rejected."""
        loaded: list[tuple[Column, Any, FieldSchema]] = []
        waiting: list[tuple[Rows, Any, FieldSchema]] = [(table.top, record, table.top.place)]
        is_rejected = False
        for rows, item, place in waiting:  # which grows
            rows.rows += 1
            fields, colliding = self._fields(table, rows, item, place)
            for path, column, value, at in fields:
                if column.is_rejecting or column.compared in colliding:
                    is_rejected = True
                elif column.is_omitted:
                    continue
                elif self.destination.nested or not isinstance(value, list):
                    loaded.append((column, value, at))
                elif (below := self._subtable(table, rows, path, column, at)) is not None:
                    waiting += [(below, each, at.item) for each in value]
        for column, value, at in loaded:
            if (kind := at.kind(value)) not in column.settled:
                is_rejected |= not self._note(table, column, kind, value)
        return is_rejected

    def _note(self, table: Table, column: Column, kind: str, value: Any) -> bool:
        """Note the type of a value; return False if its record is rejected for that."""
        types = self.destination.column_types(kind)
        at = narrowest_type(types, kind, value)
        place = len(types) - 1 if at is None else at
        if at is None:
            self._reject(table, column, names.OUT_OF_RANGE.format(column.name, types[place].name))
        suffix = family(self.destination, kind)
        first, before = column.kinds.get(suffix, (kind, place))
        column.kinds[suffix] = first, max(before, place)
        if to_number(kind, value) is None:  # no value of the kind is out of range
            column.settled.add(kind)
        return at is not None

    def _fields(
        self, table: Table, rows: Rows, item: Any, place: FieldSchema
    ) -> tuple[list[Field], set[str]]:
        """Return the fields of a row that have a value, and the names that several become."""
        fields: list[Field] = []
        by_name: dict[str, Column] = {}
        colliding: set[str] = set()
        is_object = isinstance(item, dict)
        record = item if is_object else {names.ITEM: item}
        for path, value, at in self._flatten(rows, record, place, is_object=is_object):
            if (column := rows.columns.get(path)) is None:
                if len(rows.columns) > (self.destination.max_columns or MAX_DATA_POINTS):
                    continue
                column = rows.columns[path] = self._column(table, rows, path, at.kind(value))
            fields.append((path, column, value, at))
            if by_name.setdefault(column.compared, column) is not column:
                colliding.add(column.compared)
        for _, column, _, _ in fields if colliding else ():
            if column.compared in colliding:
                self._reject(table, column, names.COLLISION.format(column.name))
        return fields, colliding

    def _flatten(
        self,
        rows: Rows,
        record: dict[str, Any],
        place: FieldSchema,
        path: Path = (),
        *,
        is_object: bool,
    ) -> Iterator[tuple[Path, Any, FieldSchema]]:
        for name, value in record.items():
            at = place.field(name) if is_object else place
            here = (*path, name)
            if value is None:
                if len(rows.nulls) < MAX_DATA_POINTS:
                    rows.nulls.setdefault(here, at)
            elif isinstance(value, dict) and not self.destination.nested:
                yield from self._flatten(rows, value, at, here, is_object=True)
            elif value != [] or self.destination.nested:
                yield here, value, at

    def _column(self, table: Table, rows: Rows, path: Path, kind: str) -> Column:
        name = names.canonical_name(self.destination, *path)
        rejecting = names.reject_column(self.destination, *path)
        omitted = names.omit_column(self.destination, name)
        if omitted and not rows.depth and len(path) == 1 and path[0] in table.keys:
            rejecting = rejecting or omitted
        compared = names.compared_name(self.destination, name)
        column = Column(name, compared, kind, rejecting is not None, omitted is not None)
        if reason := rejecting or omitted:
            self._reject(table, column, reason)
        return column

    def _subtable(
        self, table: Table, rows: Rows, path: Path, column: Column, place: FieldSchema
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
        collides = reason == names.COLLISION.format(column.name) != column.rejected
        if column.rejected is None or (collides and not column.is_rejecting):
            column.rejected = reason
            self._warn(table.top.path[0], reason)

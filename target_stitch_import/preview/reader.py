"""Reads request bodies, and foretells the tables that a destination makes of them.

Import API reference, sections What happens after the 201, and What is billed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import not_
from typing import Any, Final

from target_stitch_import.batches.transit import decode_transit
from target_stitch_import.destinations import facts
from target_stitch_import.destinations.facts import (
    Destination,
    FieldSchema,
    Instant,
    QuickCheck,
    narrowest_type,
)
from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.limits import MAX_DATA_POINTS
from target_stitch_import.preview.tables import Checks, Column, Field, Path, Rows, Table, leaves

_MAX_COLUMNS: Final = 2 * MAX_DATA_POINTS  # of a table: more than any destination has


@dataclass
class Preview:
    """Foretells the tables that a destination makes of request bodies."""

    destination: Destination
    warn: Callable[[str, str], None] | None = None
    """Called with a stream and a reason, once for each column or table it holds for."""
    tables: dict[str, Table] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    """What is the same for names of tables that are one."""

    def declare(self, stream: str, keys: Sequence[str], schema: Any) -> None:
        """Warn of what a schema alone makes sure to be rejected."""
        if self.warn is not None:
            table = self._table(stream, keys)
            self._declare(table, table.top, FieldSchema(schema))

    def add(self, body: bytes) -> dict[str, int]:
        """Read the records of a request body; return by stream how many rows of subtables they make."""
        decoded = decode_exactly(body)
        if isinstance(decoded, list) and isinstance(decoded[0], list):
            decoded = decode_transit(decoded, Instant)
        may_be_too_large = self.destination.reject_record(len(body)) is not None
        sub_rows: Counter[str] = Counter()
        for batch in [decoded] if isinstance(decoded, dict) else decoded:
            records = [each["data"] for each in batch.get("messages", [batch]) if "data" in each]
            if not records:  # it activates a version
                continue
            keys = batch.get("key_names", [])
            table = self._table(batch["table_name"], keys)
            table.stopped = table.stopped or facts.stop_table(table.keys, keys)
            schema = batch.get("schema")
            if schema is not table.schema and schema != table.schema:
                table.schema, table.top.place = schema, FieldSchema(schema)
                for rows in (table.top, *table.subtables.values()):
                    rows.checks.clear()
            before = table.sub_rows
            for record in records:
                is_rejected = self._add(table, record)
                if may_be_too_large and not table.stopped:
                    is_rejected |= self._is_too_large(table, record)
                table.rejected_rows += is_rejected
            sub_rows[batch["table_name"]] += table.sub_rows - before
        return sub_rows

    def note_unchanged(self, stream: str, rows: int) -> None:
        """Note how many records of a stream are not sent; it may have no others."""
        self._table(stream, []).unchanged_rows = rows

    def _table(self, stream: str, keys: Sequence[str]) -> Table:
        destination = self.destination
        if (table := self.tables.get(stream)) is None:
            name = destination.canonical_name(stream)
            compared = destination.compared_name(name)
            rejected = destination.reject_table(name)
            if compared in self._names:
                rejected = facts.TABLE_COLLISION.format(name)
            self._names.add(compared)
            top = Rows((stream,), name, FieldSchema())
            table = self.tables[stream] = Table(top, rejected, list(keys))
            self._report(table, rejected)
        return table

    def _declare(self, table: Table, rows: Rows, place: FieldSchema) -> None:
        for path, at in leaves(self.destination, place):
            is_array = "array" in at.kinds and not self.destination.nested
            kind = "array" if is_array else next(iter(at.kinds), "string")
            if (column := self._column(table, rows, path, kind)) is None:
                continue
            if rows.names[column.compared] > 1:
                for each in rows.columns.values():
                    if each.compared == column.compared:
                        self._reject(table, each, facts.COLLISION.format(each.name))
            if is_array and (below := self._subtable(table, rows, path, column, at)) is not None:
                self._declare(table, below, at.item)

    def _is_too_large(self, table: Table, record: dict[str, Any]) -> bool:
        reason = self.destination.reject_record(len(encode_exactly(record)))
        if table.too_large is None:
            self._report(table, reason)
            table.too_large = reason
        return reason is not None

    def _add(self, table: Table, record: dict[str, Any]) -> bool:
        """Read a record; return True if it is rejected."""
        if table.stopped is not None:
            table.top.rows += 1
            return True
        is_settled = _is_settled(table.top.checks_in(()), record)
        for each in table.subtables.values():
            each.rows += each.uncounted if is_settled else 0
            each.uncounted = 0
        table.top.rows += is_settled
        return not is_settled and self._judge(table, record)

    def _judge(self, table: Table, record: dict[str, Any]) -> bool:
        """Read a record that may say something new; return True if it is rejected."""
        loaded: list[tuple[Rows, Column, Field]] = []
        waiting: list[tuple[Rows, Any, FieldSchema]] = [(table.top, record, table.top.place)]
        is_rejected = False
        for rows, item, place in waiting:  # which grows
            rows.rows += 1
            fields, counts = self._fields(table, rows, item, place)
            for column, cell in fields:
                if column.is_rejecting or counts[column.compared] > 1:
                    is_rejected = True
                elif column.is_omitted:
                    rows.settle(cell, True, column)
                elif self.destination.nested or not isinstance(cell.value, list):
                    loaded.append((rows, column, cell))
                elif (below := self._subtable(table, rows, cell.path, column, cell.place)) is None:
                    rows.settle(cell, True, column)
                else:
                    waiting += [(below, part, cell.place.item) for part in cell.value]
                    rows.settle(cell, partial(_are_settled, below), column)
        for rows, column, cell in loaded:
            is_held, check = self._note(table, column, cell)
            is_rejected |= not is_held
            rows.settle(cell, check, column)
        return is_rejected

    def _note(self, table: Table, column: Column, cell: Field) -> tuple[bool, QuickCheck | None]:
        """Note the type of a value.

        Return whether its record is not rejected for that, and a check of the values that are alike.
        """
        kind = cell.place.kind(cell.value)
        types = self.destination.column_types(kind)
        narrowest = narrowest_type(types, kind, cell.value)
        place = len(types) - 1 if narrowest is None else narrowest
        if narrowest is None:
            self._reject(table, column, facts.OUT_OF_RANGE.format(column.name, types[place].name))
        suffix = self.destination.family(kind)
        first, before = column.kinds.get(suffix, (kind, place))
        column.kinds[suffix] = first, max(before, place)
        return narrowest is not None, cell.place.quick_check(
            kind, types[max(before, place)], cell.value
        )

    def _fields(
        self, table: Table, rows: Rows, item: Any, place: FieldSchema
    ) -> tuple[list[tuple[Column, Field]], Counter[str]]:
        """Return the fields of a row that have a value, and how many become one, by its name."""
        fields = [
            (column, cell)
            for cell in self._flatten(rows, item, place)
            if (column := self._column(table, rows, cell.path, cell.place.kind(cell.value)))
            is not None
        ]
        counts = Counter(column.compared for column, _ in fields)
        for column, _ in fields:
            if counts[column.compared] > 1:
                self._reject(table, column, facts.COLLISION.format(column.name))
        return fields, counts

    def _flatten(
        self, rows: Rows, item: Any, place: FieldSchema, above: Path = ()
    ) -> Iterator[Field]:
        for name, value in _fields_of(item):
            at = place if name is None else place.field(name)
            path = (*above, facts.ITEM if name is None else name)
            cell = Field(path, name, value, at)
            if value is None:
                if len(rows.nulls) < MAX_DATA_POINTS:
                    rows.nulls.setdefault(path, at)
                    rows.settle(cell, True)
            elif isinstance(value, dict) and not self.destination.nested:
                yield from self._flatten(rows, value, at, path)
                rows.settle(cell, partial(_is_settled, rows.checks_in(path)))
            elif value != [] or self.destination.nested:
                yield cell
            else:
                rows.settle(cell, not_)

    def _column(self, table: Table, rows: Rows, path: Path, kind: str) -> Column | None:
        """Return a column, whose first value has a ``kind``; None if there are too many of them."""
        if (found := rows.columns.get(path)) is not None or len(rows.columns) >= _MAX_COLUMNS:
            return found
        destination = self.destination
        name = destination.canonical_name(*path)
        rejecting = destination.reject_column(*path)
        omitted = destination.omit_column(name)
        if omitted and not rows.depth and len(path) == 1 and path[0] in table.keys:
            rejecting = rejecting or omitted
        compared = destination.compared_name(name)
        column = Column(name, compared, kind, rejecting is not None, omitted is not None)
        rows.columns[path] = column
        rows.names[compared] += 1
        if reason := rejecting or omitted:
            self._reject(table, column, reason)
        if rows.names[compared] > 1:
            rows.checks.clear()
        elif reason is None and (destination.nested or kind != "array"):
            rows.created += 1
            if destination.max_columns is not None and rows.created == destination.max_columns + 1:
                self._report(table, destination.count_columns(rows.created))
        return column

    def _subtable(
        self, table: Table, rows: Rows, path: Path, column: Column, place: FieldSchema
    ) -> Rows | None:
        whole, depth = (*rows.path, *path), rows.depth + 1
        name = self.destination.canonical_name(*whole)
        key = self.destination.compared_name(name), depth
        if (subtable := table.subtables.get(key)) is None:
            if (rejected := self.destination.reject_table(name)) is not None:
                self._reject(table, column, rejected)
                return None
            subtable = table.subtables[key] = Rows(whole, name, place, depth)
        if subtable.path != whole and not subtable.is_shared:
            subtable.is_shared = True
            subtable.checks.clear()
        subtable.place = place
        return subtable

    def _reject(self, table: Table, column: Column, reason: str) -> None:
        collides = reason == facts.COLLISION.format(column.name) and not column.is_rejecting
        if column.rejected is None:
            self._report(table, reason)
        if column.rejected is None or collides:
            column.rejected = reason

    def _report(self, table: Table, reason: str | None) -> None:
        if self.warn is not None and reason is not None:
            self.warn(table.top.path[0], reason)


def _fields_of(item: Any) -> Iterable[tuple[str | None, Any]]:
    return item.items() if isinstance(item, dict) else ((None, item),)


def _is_settled(checks: Checks, item: Any) -> bool:
    """Return True if a row says nothing new."""
    try:
        for name, value in _fields_of(item):
            check = checks[name][type(value)]
            if check is not True and not check(value):
                return False
    except KeyError:
        return False
    return True


def _are_settled(rows: Rows, items: list[Any]) -> bool:
    """Return True if more rows of a subtable say nothing new; they are to be counted then."""
    rows.uncounted += len(items)
    checks = rows.checks_in(())
    return all(_is_settled(checks, item) for item in items)

"""Loads as a destination does: its names and types, its subtables, and what it rejects.

A load becomes one for each table that the destination makes of it. What the columns are so far is
kept in the SQLite table ``_sdc_destination``, one row for each posted table. Import API reference,
section What happens after the 201.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.destinations import facts
from target_stitch_import.destinations.facts import DESTINATIONS, FieldSchema, narrowest_type
from target_stitch_import.emulator.storage import table_changes, tables
from target_stitch_import.emulator.storage.columns import ColumnType
from target_stitch_import.emulator.storage.loads import ActivateVersion, Load, Upsert
from target_stitch_import.emulator.storage.reading import read_rows
from target_stitch_import.emulator.storage.sheets import Path, Sheet, Stream
from target_stitch_import.limits import RESERVED_TABLE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from target_stitch_import.destinations.facts import Destination

Cell = tuple[Path, Any, FieldSchema]

_REJECTED_AT: Final = "_sdc_rejected_at"
_NO_VERSION: Final = -1
"""A version that no row has: to activate it deletes all."""
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


@dataclasses.dataclass
class _Row:
    sheet: Sheet
    levels: tuple[int, ...]
    cells: list[tuple[Path, str, Any]]
    """Path, suffix and value."""


@dataclasses.dataclass
class _Record:
    message: Upsert
    rows: list[_Row]


def describe_tables(
    connection: sqlite3.Connection,
) -> list[tuple[str, str | None, dict[str, str | None]]]:
    """Return the name of each table, that of the one whose subtable it is, and its columns' types.

    Nothing, if it is not loaded like a destination.
    """
    key = tables.find_destination(connection)
    return [] if key is None else list(Loader(DESTINATIONS[key], connection).describe())


class Loader:
    """Turns a load into those of the destination's tables."""

    def __init__(self, destination: Destination, connection: sqlite3.Connection) -> None:
        """Load into a database like a ``destination``."""
        self.destination = destination
        self._connection = connection

    def convert(self, load: Load) -> list[Load]:
        """Return the loads of the destination's tables, the main one first, if it has one."""
        stream = self._find_stream(load)
        before = {sheet.path: sheet.column_names(self.destination) for sheet in stream.sheets}
        place = FieldSchema(load.schema)
        records: list[_Record | ActivateVersion] = []
        rejected: list[tuple[Upsert, str]] = []
        for message in load.messages:
            if isinstance(message, ActivateVersion):
                records.append(message)
                continue
            if stream.rejected is not None:
                rejected.append((message, stream.rejected))
                continue
            rows, reasons = self._read_record(stream, message.data, place)
            if reasons:
                rejected.append((message, reasons[0]))
            else:
                records.append(_Record(message, rows))
        is_loaded = stream.rejected is None
        if is_loaded and (reason := self._count_columns(stream.sheets[0])) is not None:
            stream.rejected = reason
            rejected += [(each.message, reason) for each in records if isinstance(each, _Record)]
            rejected += [(Upsert(0, row), reason) for row in self._rows(stream.sheets[0].name)]
            records = []
        for sheet in stream.sheets:
            if stream.sheets[0].is_omitted or self._count_columns(sheet) is not None:
                sheet.is_omitted = True
        self._save(load.table, stream)
        loads = self._build(load, stream, records, before) if is_loaded else []
        return [*loads, *self._reject(stream.sheets[0].name, rejected)]

    def describe(self) -> Iterator[tuple[str, str | None, dict[str, str | None]]]:
        """Yield the name of each table, that of the one whose subtable it is, and its types."""
        for (state,) in self._connection.execute("SELECT state FROM _sdc_destination"):
            stream = msgspec.msgpack.decode(state, type=Stream)
            for sheet in stream.sheets:
                if sheet.is_omitted:
                    continue
                types = stream.own_types(self.destination, sheet) | {
                    name: part.type_name(self.destination)
                    for name, part in sheet.parts(self.destination)
                }
                yield sheet.name, stream.sheets[0].name if sheet.depth else None, types

    # Streams

    def _find_stream(self, load: Load) -> Stream:
        found = self._connection.execute(
            "SELECT state FROM _sdc_destination WHERE stream = ?", (load.table,)
        ).fetchone()
        if found is not None:
            stream = msgspec.msgpack.decode(found[0], type=Stream)
            stream.rejected = stream.rejected or facts.stop_table(stream.keys, load.keys)
            return stream
        name = self.destination.canonical_name(load.table)
        compared = self.destination.compared_name(name)
        rejected = self.destination.reject_table(name)
        for (other,) in self._connection.execute("SELECT name FROM _sdc_destination"):
            if self.destination.compared_name(other) == compared:
                rejected = facts.TABLE_COLLISION.format(name)
        return Stream(rejected, list(load.keys), [Sheet((load.table,), name)])

    def _save(self, table: str, stream: Stream) -> None:
        row = (table, stream.sheets[0].name, msgspec.msgpack.encode(stream))
        self._connection.execute("INSERT OR REPLACE INTO _sdc_destination VALUES (?, ?, ?)", row)

    def _count_columns(self, sheet: Sheet) -> str | None:
        created = set(sheet.column_names(self.destination).values())
        return self.destination.count_columns(len(created))

    def _rows(self, table: str) -> list[dict[str, Any]]:
        found = tables.find_table(self._connection, table)
        return read_rows(self._connection, found, system_columns=False) if found else []

    # Records

    def _read_record(
        self, stream: Stream, record: Mapping[str, Any], place: FieldSchema
    ) -> tuple[list[_Row], list[str]]:
        """Return the rows of a record, and the reasons for which it is rejected."""
        rows: list[tuple[Sheet, tuple[int, ...], list[Cell]]] = []
        too_large = self.destination.reject_record(len(_ENCODER.encode(record)))
        reasons = [too_large] if too_large is not None else []
        waiting: list[tuple[Sheet, tuple[int, ...], Any, FieldSchema]]
        waiting = [(stream.sheets[0], (), record, place)]
        for sheet, levels, item, at in waiting:  # which grows
            cells = []
            for cell in self._sort_out(stream, sheet, item, at, reasons):
                path, value, cell_place = cell
                if self.destination.nested or not isinstance(value, list):
                    cells.append(cell)
                elif (below := self._find_sheet(stream, sheet, path)) is not None:
                    waiting += [
                        (below, (*levels, index), each, cell_place.item)
                        for index, each in enumerate(value)
                    ]
            rows.append((sheet, levels, cells))
        return [self._note(*row, reasons) for row in rows], reasons

    def _sort_out(
        self, stream: Stream, sheet: Sheet, item: Any, place: FieldSchema, reasons: list[str]
    ) -> Iterator[Cell]:
        """Yield the fields of a row that get a column, and add why others reject the record."""
        found: dict[str, list[tuple[str, Cell]]] = {}
        fields = self._flatten(item, place, ())
        if not isinstance(item, dict):
            fields = iter([((facts.ITEM,), item, place)] if item not in (None, []) else [])
        for path, value, at in fields:
            name = self.destination.canonical_name(*path)
            compared = self.destination.compared_name(name)
            found.setdefault(compared, []).append((name, (path, value, at)))
        for same in found.values():
            name, cell = same[0]
            reason = self.destination.reject_column(*cell[0])
            if len(same) > 1:
                reasons.append(facts.COLLISION.format(name))
            elif reason is not None:
                reasons.append(reason)
            elif (reason := self.destination.omit_column(name)) is None:
                yield cell
            elif not sheet.depth and len(cell[0]) == 1 and cell[0][0] in stream.keys:
                reasons.append(reason)

    def _flatten(self, fields: Any, place: FieldSchema, above: Path) -> Iterator[Cell]:
        if not isinstance(fields, dict):
            return
        for name, value in fields.items():
            path, at = (*above, name), place.field(name)
            if not self.destination.nested and isinstance(value, dict):
                yield from self._flatten(value, at, path)
            elif value is not None and (self.destination.nested or value != []):
                yield path, value, at

    def _find_sheet(self, stream: Stream, sheet: Sheet, path: Path) -> Sheet | None:
        whole = (*sheet.path, *path)
        name = self.destination.canonical_name(*whole)
        compared = self.destination.compared_name(name), sheet.depth + 1
        for each in stream.sheets:
            if (self.destination.compared_name(each.name), each.depth) == compared:
                return None if each.is_omitted else each
        if self.destination.reject_table(name) is not None:
            return None
        stream.sheets.append(Sheet(whole, name, sheet.depth + 1))
        return stream.sheets[-1]

    def _note(
        self, sheet: Sheet, levels: tuple[int, ...], cells: list[Cell], reasons: list[str]
    ) -> _Row:
        row = _Row(sheet, levels, [])
        for path, value, place in cells:
            kind = place.kind(value)
            types = self.destination.column_types(kind)
            narrowest = narrowest_type(types, kind, value)
            if narrowest is None:
                narrowest = len(types) - 1
                name = self.destination.canonical_name(*path)
                reasons.append(facts.OUT_OF_RANGE.format(name, types[narrowest].name))
            suffix = self.destination.family(kind)
            sheet.note(path, suffix, kind, narrowest)
            row.cells.append((path, suffix, value))
        return row

    # Loads

    def _build(
        self,
        load: Load,
        stream: Stream,
        records: Sequence[_Record | ActivateVersion],
        before: Mapping[Path, Mapping[tuple[Path, str], str]],
    ) -> list[Load]:
        messages: dict[Path, list[Upsert | ActivateVersion]] = {
            sheet.path: [] for sheet in stream.sheets
        }
        column_names = {sheet.path: sheet.column_names(self.destination) for sheet in stream.sheets}
        for sheet in stream.sheets:
            self._rename(sheet, before.get(sheet.path, {}), column_names[sheet.path])
        for record in records:
            if isinstance(record, ActivateVersion):
                for each in messages.values():
                    each.append(record)
                continue
            keys = self._key_values(stream, record)
            for row in record.rows:
                own = {self.destination.source_key(key): keys[key] for key in keys}
                own |= {f"_sdc_level_{n}_id": level for n, level in enumerate(row.levels)}
                if not row.sheet.depth:
                    own = {} if stream.keys else keys
                known = column_names[row.sheet.path]
                data = own | {known[path, suffix]: value for path, suffix, value in row.cells}
                message = record.message
                messages[row.sheet.path].append(
                    Upsert(message.sequence, data, message.time_extracted)
                )
        return [
            self._load(load, stream, sheet, messages[sheet.path])
            for sheet in stream.sheets
            if not sheet.is_omitted
        ] + list(self._empty(stream))

    def _empty(self, stream: Stream) -> Iterator[Load]:
        """Yield loads that delete all rows of the tables that have too many columns."""
        for sheet in stream.sheets:
            table = tables.find_table(self._connection, sheet.name) if sheet.is_omitted else None
            if table is not None:
                yield Load(sheet.name, {}, table.keys, _NO_VERSION, [ActivateVersion(0)], list)

    def _key_values(self, stream: Stream, record: _Record) -> dict[str, Any]:
        if not stream.keys:
            return {facts.PRIMARY_KEY: str(uuid.uuid4())}
        return {key: record.message.data[key] for key in stream.keys}

    def _load(
        self,
        load: Load,
        stream: Stream,
        sheet: Sheet,
        messages: list[Upsert | ActivateVersion],
    ) -> Load:
        types: dict[str, ColumnType | None] = {}
        key_types = stream.sheets[0].key_types()
        own = stream.own_types(self.destination, sheet)
        sources = {self.destination.source_key(key): key for key in stream.keys}
        for name in own:
            plain = ColumnType.INTEGER if name.startswith("_sdc_level_") else ColumnType.STRING
            types[name] = key_types.get(sources[name], plain) if name in sources else plain
        types |= sheet.storage_types(self.destination)
        keys = list(own)
        if not sheet.depth:
            first = sheet.first_names(self.destination)
            keys = [first.get(key, self.destination.canonical_name(key)) for key in stream.keys]
            types = {key: types.get(key) for key in keys} | types
        return Load(
            table=sheet.name,
            column_types=types,
            keys=keys,
            version=load.version,
            messages=messages,
            raw_fields=lambda: [_raw_fields(message) for message in messages],
        )

    def _rename(
        self,
        sheet: Sheet,
        before: Mapping[tuple[Path, str], str],
        after: Mapping[tuple[Path, str], str],
    ) -> None:
        changed = {old: after[key] for key, old in before.items() if after[key] != old}
        table = tables.find_table(self._connection, sheet.name) if changed else None
        if table is not None:
            table_changes.rename_columns(self._connection, table, changed)

    def _reject(self, table: str, rejected: Sequence[tuple[Upsert, str]]) -> list[Load]:
        if not rejected:
            return []
        now = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        messages = [
            Upsert(
                message.sequence,
                {
                    _REJECTED_AT: now,
                    "table_name": table,
                    "reason": reason,
                    "record": _ENCODER.encode(message.data).decode(),
                },
            )
            for message, reason in rejected
        ]
        columns = (_REJECTED_AT, "table_name", "reason", "record")
        types = dict.fromkeys(columns, ColumnType.STRING)
        return [Load(RESERVED_TABLE, types, [], None, messages, list)]


def _raw_fields(message: Upsert | ActivateVersion) -> dict[str, msgspec.Raw]:
    data = message.data if isinstance(message, Upsert) else {}
    return {name: msgspec.Raw(_ENCODER.encode(value)) for name, value in data.items()}

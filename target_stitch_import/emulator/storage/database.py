"""The SQLite database that accepted requests are loaded into.

Each request is one transaction: all of it is committed before it is answered, or nothing is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import itertools
import logging
import operator
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.emulator.storage import table_changes, tables, values
from target_stitch_import.emulator.storage.destination import Loader
from target_stitch_import.emulator.storage.loads import ActivateVersion, Load, Upsert
from target_stitch_import.emulator.storage.sql_names import join_sql, quote
from target_stitch_import.emulator.storage.tables import (
    MORE,
    SEQUENCE,
    SYSTEM_COLUMNS,
    TABLE_VERSION,
    Table,
)
from target_stitch_import.limits import RESERVED_TABLE

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.destinations.facts import Destination
    from target_stitch_import.emulator.storage.columns import ColumnType

LOGGER: Final = logging.getLogger("stitch-import-emulator")

RawFields = Callable[[], Sequence[Mapping[str, msgspec.Raw]]]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of the loads of a request."""

    stopped: list[Load]
    """Those into stopped tables, which were not executed."""
    executed: list[Load]
    """What was loaded: the loads, or those that the destination makes of them."""
    added: int
    """Number of rows that are new."""
    replaced: int
    """Number of rows that took the place of one with the same keys."""


class Database:
    """An SQLite database that loads as Stitch loads."""

    def __init__(self, path: str | Path, destination: Destination | None = None) -> None:
        """Open the database file, and create it if there is none.

        Tables get the names and types of the ``destination``, if there is one, and it rejects what
        it can't load.

        Raises:
            sqlite3.Error: the file is no database, or can't be written.
        """
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._tables: dict[str, Table] = {}
        self._stopped: set[str] = set()
        self.destination = destination
        try:
            self._set_up()
        except sqlite3.Error:
            self._connection.close()
            raise
        self._loader = Loader(destination, self._connection) if destination else None
        self.path = path
        self._snapshot_lock = threading.Lock()
        self._snapshot_connection: sqlite3.Connection | None = None

    def _set_up(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A commit survives a kill of this process, for the kernel has it. It need not survive a
        # power cut.
        self._connection.execute("PRAGMA synchronous = OFF")
        tables.create_registry(self._connection)
        tables.require_destination(
            self._connection, self.destination.key if self.destination else None
        )

    def close(self) -> None:
        """Close the database, after the current load and the current snapshot."""
        with self._lock:
            self._connection.close()
        with self._snapshot_lock:
            if self._snapshot_connection is not None:
                self._snapshot_connection.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Yield a read-only connection that sees one state and blocks no writer."""
        with self._snapshot_lock:
            if self._snapshot_connection is None:
                self._snapshot_connection = sqlite3.connect(
                    self.path, isolation_level=None, check_same_thread=False
                )
                self._snapshot_connection.execute("PRAGMA query_only = TRUE")
            self._snapshot_connection.execute("BEGIN")
            try:
                yield self._snapshot_connection
            finally:
                self._snapshot_connection.execute("COMMIT")

    def load(self, loads: Sequence[Load]) -> Outcome:
        """Execute ``loads`` in one transaction, but for those into stopped tables.

        A load with other keys than its table's stops the table. Import API reference, section
        What happens after the 201.

        Raises:
            sqlite3.Error: the database can't be written; nothing is stored.
        """
        received_at = _now()
        with self._lock:
            with self._transaction():
                made = [self._convert(load) for load in loads]
                counts = [self._load_all(each, received_at) for each in made]
            stopped = [load for load, each in zip(loads, counts, strict=True) if each is None]
            for each, count in zip(made, counts, strict=True):
                if count is None:
                    self._log_stop(self._tables[each[0].table], len(each[0].messages))
        executed = [each for each in counts if each is not None]
        return Outcome(
            stopped,
            [load for each in made for load in each],
            added=sum(added for added, _ in executed),
            replaced=sum(replaced for _, replaced in executed),
        )

    def _convert(self, load: Load) -> list[Load]:
        if self._loader is None:
            return [load]
        self._tables.clear()  # columns may get other names
        return self._loader.convert(load)

    def _load_all(self, loads: Sequence[Load], received_at: str) -> tuple[int, int] | None:
        """Execute what was made of one load, as ``_load`` does, unless its first table is stopped."""
        added = replaced = 0
        for load in loads:
            counts = self._load(load, received_at)
            if counts is None:
                return None
            if self._loader is None or load.table != RESERVED_TABLE:
                added, replaced = added + counts[0], replaced + counts[1]
        return added, replaced

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._tables.clear()
            raise

    def _load(self, load: Load, received_at: str) -> tuple[int, int] | None:
        """Execute a load; return the numbers of rows added and replaced.

        None if its table is stopped.
        """
        table = self._prepare_table(load)
        if table.changed_keys is not None:
            return None
        added = replaced = 0
        times = itertools.repeat(received_at), itertools.repeat(_now())
        raw_fields = functools.cache(load.raw_fields)
        for is_upsert, group in itertools.groupby(enumerate(load.messages), _is_upsert):
            if is_upsert:
                upserts = {
                    index: message for index, message in group if isinstance(message, Upsert)
                }
                rows = zip(
                    *_column_values(table, upserts, raw_fields),
                    [upsert.sequence for upsert in upserts.values()],
                    itertools.repeat(load.version),
                    *times,
                    [upsert.time_extracted or None for upsert in upserts.values()],
                )
                before = tables.last_rowid(self._connection, table.physical)
                written = self._connection.executemany(_upsert_sql(table), rows).rowcount
                new = tables.last_rowid(self._connection, table.physical) - before
                added, replaced = added + new, replaced + written - new
            else:
                self._connection.execute(
                    join_sql("DELETE FROM", table.name_sql, "WHERE", TABLE_VERSION, "IS NOT ?"),
                    (load.version,),
                )
        return added, replaced

    def _prepare_table(self, load: Load) -> Table:
        types = _all_column_types(load)
        table = self._tables.get(load.table) or tables.find_table(self._connection, load.table)
        if table is None:
            table = table_changes.create_table(self._connection, load.table, load.keys, types)
        self._tables[load.table] = table
        if table.changed_keys is not None:
            return table
        if set(table.keys) == set(load.keys):
            table_changes.extend_table(self._connection, table, types)
        else:
            table_changes.stop_table(self._connection, table, load.keys)
        return table

    def _log_stop(self, table: Table, messages: int) -> None:
        # Once as a warning, which is shown without --verbose too.
        level = logging.INFO if table.name in self._stopped else logging.WARNING
        self._stopped.add(table.name)
        LOGGER.log(
            level,
            "Table %s is stopped, for its keys changed from %s to %s: "
            "%d messages were accepted and not loaded",
            table.name,
            list(table.keys),
            list(table.changed_keys or ()),
            messages,
        )


def _now() -> str:
    return dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _all_column_types(load: Load) -> dict[str, ColumnType | None]:
    """Return the types of the declared fields, and None for fields that only records have."""
    records = [message.data for message in load.messages if isinstance(message, Upsert)]
    undeclared = set().union(*records) - load.column_types.keys()
    # In the order of the records: a set has none.
    found = {name: None for record in records if undeclared for name in record}
    return {**load.column_types, **{name: None for name in found if name in undeclared}}


def _upsert_sql(table: Table) -> str:
    columns = [quote(each.physical) for each in table.columns.values() if each.physical]
    columns += [MORE] if table.has_more else []
    columns += SYSTEM_COLUMNS
    placeholders = ", ".join("?" * len(columns))
    insert = join_sql(
        "INSERT INTO", table.name_sql, f"({', '.join(columns)}) VALUES ({placeholders})"
    )
    if not table.keys:
        return insert
    return join_sql(
        insert,
        f"ON CONFLICT ({table.key_sql})",
        "DO UPDATE SET",
        ", ".join(f"{column} = excluded.{column}" for column in columns),
        f"WHERE excluded.{SEQUENCE} > {table.name_sql}.{SEQUENCE}",
    )


def _is_upsert(message: tuple[int, Upsert | ActivateVersion]) -> bool:
    return isinstance(message[1], Upsert)


def _column_values(
    table: Table, upserts: Mapping[int, Upsert], raw_fields: RawFields
) -> list[list[Any]]:
    """Return the values of the columns of ``_upsert_sql``, without the system columns."""
    indexes = list(upserts)
    records = [upsert.data for upsert in upserts.values()]
    named = [name for name, each in table.columns.items() if each.physical]
    columns = [
        values.to_sqlite(
            column,
            table.columns[name].type,
            functools.partial(_field_json, raw_fields, indexes, name),
            is_key=name in table.keys,
        )
        for name, column in zip(named, _transpose(records, named), strict=True)
    ]
    if table.has_more:
        more = {name for name, each in table.columns.items() if not each.physical}
        columns.append([_overflow_json(raw_fields()[index], more) for index in indexes])
    return columns


def _field_json(raw_fields: RawFields, indexes: Sequence[int], name: str, index: int) -> bytes:
    return bytes(raw_fields()[indexes[index]][name])


def _transpose(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    """Return the records' values by column."""
    if not names:
        return []
    try:
        # Several times faster, if no record lacks a field.
        rows = map(operator.itemgetter(*names, names[0]), records)
        return [list(column) for column in zip(*rows, strict=True)][:-1]
    except KeyError:
        return [[record.get(name) for record in records] for name in names]


def _overflow_json(texts: Mapping[str, msgspec.Raw], names: Collection[str]) -> str:
    return values.join_fields({n: bytes(text) for n, text in texts.items() if n in names})

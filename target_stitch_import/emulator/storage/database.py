"""The tables that accepted requests are loaded into.

One connection, one writer, one transaction a request: all of a request is stored and
committed before it is answered, or nothing of it is. Knows nothing of HTTP and of the rules.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import itertools
import operator
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from target_stitch_import.emulator.storage import table_changes, tables, values
from target_stitch_import.emulator.storage.loads import Activate, Load, Upsert
from target_stitch_import.emulator.storage.sql_names import quoted, sql
from target_stitch_import.emulator.storage.tables import (
    BATCHED_AT,
    MORE,
    SEQUENCE,
    TABLE_VERSION,
    Table,
)

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator.storage.columns import Kind

RawTexts = Callable[[], Sequence[Mapping[str, msgspec.Raw]]]


class Database:
    """An SQLite database that loads as Stitch loads."""

    def __init__(self, path: str | Path) -> None:
        """Open the database, and create what is missing."""
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._tables: dict[str, Table] = {}
        try:
            self._set_up()
        except sqlite3.Error:
            self._connection.close()
            raise
        self._path = path
        self._reading_lock = threading.Lock()
        self._reader: sqlite3.Connection | None = None

    def _set_up(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A commit survives the end of this process, however sudden, for the kernel has it;
        # it need not survive a power cut.
        self._connection.execute("PRAGMA synchronous = OFF")
        tables.create_registry(self._connection)

    def close(self) -> None:
        """Close the database, when what is being written or read has been."""
        with self._lock:
            self._connection.close()
        with self._reading_lock:
            if self._reader is not None:
                self._reader.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees what is committed, and holds no writer up."""
        with self._reading_lock:
            if self._reader is None:
                self._reader = sqlite3.connect(
                    self._path, isolation_level=None, check_same_thread=False
                )
                self._reader.execute("PRAGMA query_only = TRUE")
            # One snapshot for all that is read.
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("COMMIT")

    def load(self, loads: Sequence[Load]) -> None:
        """Do all that ``loads`` ask for, and commit it."""
        batched_at = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with self._lock, self._transaction():
            for load in loads:
                self._load(load, batched_at)

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

    def _load(self, load: Load, batched_at: str) -> None:
        table = self._prepared_table(load)
        raw = functools.cache(load.raw)
        for is_upsert, group in itertools.groupby(enumerate(load.steps), _is_upsert):
            if is_upsert:
                upserts = {place: step for place, step in group if isinstance(step, Upsert)}
                rows = zip(
                    *_columns(table, upserts, raw),
                    [upsert.sequence for upsert in upserts.values()],
                    itertools.repeat(load.version),
                    itertools.repeat(batched_at),
                )
                self._connection.executemany(_upsert_sql(table), rows)
            else:
                self._connection.execute(
                    sql("DELETE FROM", table.sql, "WHERE", TABLE_VERSION, "IS NOT ?"),
                    (load.version,),
                )

    def _prepared_table(self, load: Load) -> Table:
        kinds = _all_kinds(load)
        table = self._tables.get(load.table) or tables.find_table(self._connection, load.table)
        if table is None:
            table = table_changes.create_table(self._connection, load.table, load.keys, kinds)
            self._tables[load.table] = table
            return table
        self._tables[load.table] = table
        table_changes.grow(self._connection, table, kinds)
        if set(table.keys) != set(load.keys):
            table_changes.set_keys(self._connection, table, load.keys)
        return table


def _all_kinds(load: Load) -> dict[str, Kind | None]:
    """Return the kinds of the declared fields and of those that only records have."""
    records = [step.data for step in load.steps if isinstance(step, Upsert)]
    undeclared = set().union(*records) - load.kinds.keys()
    # In the order in which the records have them, not in a set's.
    found = {name: None for record in records if undeclared for name in record}
    return {**load.kinds, **{name: None for name in found if name in undeclared}}


def _upsert_sql(table: Table) -> str:
    columns = [quoted(each.physical) for each in table.columns.values() if each.physical]
    columns += [MORE] if MORE in table.extras else []
    columns += [SEQUENCE, TABLE_VERSION, BATCHED_AT]
    marks = ", ".join("?" * len(columns))
    insert = sql("INSERT INTO", table.sql, f"({', '.join(columns)}) VALUES ({marks})")
    if not table.keys:
        return insert
    return sql(
        insert,
        f"ON CONFLICT ({table.key_sql}) WHERE {table.current_sql}",
        "DO UPDATE SET",
        ", ".join(f"{column} = excluded.{column}" for column in columns),
        f"WHERE excluded.{SEQUENCE} > {table.sql}.{SEQUENCE}",
    )


def _is_upsert(step: tuple[int, Upsert | Activate]) -> bool:
    return isinstance(step[1], Upsert)


def _columns(table: Table, upserts: Mapping[int, Upsert], raw: RawTexts) -> list[list[Any]]:
    """Return what the upserts put into the columns of ``_upsert_sql``, but the system's."""
    places = list(upserts)
    records = [upsert.data for upsert in upserts.values()]
    named = [name for name, each in table.columns.items() if each.physical]
    columns = [
        values.stored_column(
            column,
            table.columns[name].kind,
            functools.partial(_text, raw, places, name),
            is_key=name in table.keys,
        )
        for name, column in zip(named, _turned(records, named), strict=True)
    ]
    if MORE in table.extras:
        more = {name for name, each in table.columns.items() if not each.physical}
        columns.append([_rest(raw()[place], more) for place in places])
    return columns


def _text(raw: RawTexts, places: Sequence[int], name: str, index: int) -> bytes:
    return bytes(raw()[places[index]][name])


def _turned(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    """Return the records' values by column."""
    if not names:
        return []
    try:
        # Several times as fast, for records that lack no field.
        rows = map(operator.itemgetter(*names, names[0]), records)
        return [list(column) for column in zip(*rows, strict=True)][:-1]
    except KeyError:
        return [[record.get(name) for record in records] for name in names]


def _rest(texts: Mapping[str, msgspec.Raw], names: Collection[str]) -> str:
    return values.merged_texts({n: bytes(text) for n, text in texts.items() if n in names})

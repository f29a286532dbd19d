"""The tables as the page shows them: how many rows, which columns, the newest rows.

Reads on the database's second connection, in the limits below, so that loading goes on beside
it. Knows SQL, and nothing of HTTP.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.page.formatting import TYPES, Cell, cell, shortened
from target_stitch_import.emulator.storage import tables
from target_stitch_import.emulator.storage.columns import Kind
from target_stitch_import.emulator.storage.loads import Activate, Load
from target_stitch_import.emulator.storage.sql_names import quoted, sql
from target_stitch_import.emulator.storage.table_changes import ROWID
from target_stitch_import.emulator.storage.tables import BATCHED_AT, SEQUENCE, TABLE_VERSION, Table

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from target_stitch_import.emulator.storage.database import Database

ROWS: Final = 50
"""Rows of a table that are shown."""
COLUMNS: Final = 200
"""Columns of them."""
LISTED: Final = 2000
"""Columns whose names and types are."""
SORTED_ROWS: Final = 20_000
"""Up to so many rows, the newest are those that were written last; to sort more takes long."""
COUNTING_SECONDS: Final = 0.25
"""What a look at the tables may spend on counting; the rest is counted at the next."""

_SYSTEM: Final = {SEQUENCE: Kind.INTEGER, TABLE_VERSION: Kind.INTEGER, BATCHED_AT: Kind.STRING}


@dataclasses.dataclass
class _Count:
    """How many rows a table had at the last look, and what they were counted by."""

    rows: int
    last: int
    """The greatest row number. SQLite gives each new row the next one."""
    loads: int
    activations: int


class Inventory:
    """What is known of the tables, brought up to date at each look."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._loads: collections.Counter[str] = collections.Counter()
        self._activations: collections.Counter[str] = collections.Counter()
        self._counts: dict[str, _Count] = {}

    def note(self, loads: Sequence[Load]) -> None:
        """Note what has been loaded."""
        activated = [
            load.table for load in loads if any(isinstance(step, Activate) for step in load.steps)
        ]
        with self._lock:
            self._loads.update(load.table for load in loads)
            # Only an activation deletes rows; without one there can be no fewer than before.
            self._activations.update(activated)

    def look(self) -> list[dict[str, Any]]:
        """Return each table with its number, name, rows, and how often it was loaded.

        Rows are None where there was no time yet to count them.

        Raises:
            sqlite3.Error: when the database can't be read.
        """
        deadline = time.monotonic() + COUNTING_SECONDS
        with self._lock:
            # Before anything is read: what comes later is counted again at the next look.
            marks = self._loads.copy(), self._activations.copy()
        with self._database.reading() as connection:
            registered = connection.execute("SELECT rowid, name, physical FROM _sdc_tables")
            return [
                {
                    "id": number,
                    "name": shortened(name),
                    "rows": self._rows(connection, name, physical, marks, deadline),
                    "loads": marks[0][name],
                }
                for number, name, physical in registered.fetchall()
            ]

    def open(self, number: int) -> dict[str, Any] | None:
        """Return the columns and the newest rows of a table; None where there is no such one.

        Raises:
            sqlite3.Error: when the database can't be read.
        """
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT name FROM _sdc_tables WHERE rowid = ?", (number,)
            ).fetchone()
            table = None if found is None else tables.find_table(connection, found[0])
            if table is None:
                return None
            shown = _shown_columns(table)
            is_sorted = _is_small(connection, table)
            return {
                "id": number,
                "name": shortened(table.name),
                "keys": [shortened(key) for key in table.keys],
                "columns": [
                    {"name": shortened(name), "type": TYPES[column.kind]}
                    | ({"key": True} if name in table.keys else {})
                    for name, column in list(table.columns.items())[:LISTED]
                ],
                "column_count": len(table.columns),
                "shown": [[shortened(name), TYPES[kind]] for name, _, kind in shown],
                "sorted": is_sorted,
                "rows": [
                    {"id": row[0], "cells": _cells(row[1:], shown)}
                    for row in connection.execute(_newest_sql(table, shown, is_sorted=is_sorted))
                ],
            }

    def _rows(
        self,
        connection: sqlite3.Connection,
        name: str,
        physical: str,
        marks: Sequence[collections.Counter[str]],
        deadline: float,
    ) -> int | None:
        loads, activations = (each[name] for each in marks)
        known = self._counts.get(name)
        if known is not None and (known.loads, known.activations) == (loads, activations):
            return known.rows
        table = quoted(physical)
        if known is not None and known.activations == activations:
            last = _one(connection, sql("SELECT ifnull(max(", ROWID, "), 0) FROM", table))
            rows = known.rows + last - known.last
        elif time.monotonic() > deadline:
            return None
        else:
            rows = _one(connection, sql("SELECT count(*) FROM", table))
            last = _one(connection, sql("SELECT ifnull(max(", ROWID, "), 0) FROM", table))
        self._counts[name] = _Count(rows, last, loads, activations)
        return rows


def _one(connection: sqlite3.Connection, query: str) -> int:
    (value,) = connection.execute(query).fetchone()
    return int(value)


def _shown_columns(table: Table) -> list[tuple[str, str, Kind]]:
    """Return name, SQL name and kind of the columns whose values are shown."""
    own = [
        (name, quoted(column.physical), column.kind)
        for name, column in table.columns.items()
        if column.physical is not None
    ]
    return own[:COLUMNS] + [(name, name, kind) for name, kind in _SYSTEM.items()]


def _is_small(connection: sqlite3.Connection, table: Table) -> bool:
    query = sql("SELECT count(*) FROM (SELECT 1 FROM", table.sql, "LIMIT ?)")
    (rows,) = connection.execute(query, (SORTED_ROWS + 1,)).fetchone()
    return bool(rows <= SORTED_ROWS)


def _newest_sql(table: Table, shown: list[tuple[str, str, Kind]], *, is_sorted: bool) -> str:
    # An updated row keeps its number, so only the time of its batch says how new it is.
    order = f"{BATCHED_AT} DESC, {ROWID} DESC" if is_sorted else f"{ROWID} DESC"
    columns = ", ".join([ROWID, *(column for _, column, _ in shown)])
    newest = sql("SELECT", ROWID, "FROM", table.sql, "ORDER BY", order, f"LIMIT {ROWS}")
    return sql(
        "SELECT", columns, "FROM", table.sql, "WHERE", ROWID, f"IN ({newest})", "ORDER BY", order
    )


def _cells(row: tuple[Any, ...], shown: list[tuple[str, str, Kind]]) -> list[Cell]:
    return [cell(value, kind) for value, (_, _, kind) in zip(row, shown, strict=True)]

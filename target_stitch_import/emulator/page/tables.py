"""The tables that the page shows: number of rows, columns, and the newest rows.

It reads snapshots, within the limits below, so that loading goes on meanwhile.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.page.formatting import TYPE_NAMES, Cell, format_cell, shorten
from target_stitch_import.emulator.storage import tables
from target_stitch_import.emulator.storage.destination import describe_tables
from target_stitch_import.emulator.storage.loads import ActivateVersion, Load
from target_stitch_import.emulator.storage.sql_names import join_sql, quote
from target_stitch_import.emulator.storage.tables import BATCHED_AT, ROWID, SYSTEM_COLUMNS, Table
from target_stitch_import.limits import RESERVED_TABLE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from target_stitch_import.emulator.storage.columns import ColumnType
    from target_stitch_import.emulator.storage.database import Database

MAX_ROWS: Final = 50
"""Rows of a table that the page shows."""
MAX_VALUE_COLUMNS: Final = 200
"""Columns of which the page shows values."""
MAX_COLUMNS: Final = 2000
"""Columns of which the page shows name and type."""
MAX_SORTED_ROWS: Final = 20_000
"""In a table of up to so many rows, those written last are shown; sorting more takes long."""
COUNTING_SECONDS: Final = 0.25
"""Time for counting rows in each ``list_tables``; the next one counts the rest."""


@dataclasses.dataclass
class _Count:
    """The number of rows of a table, and the state in which they were counted."""

    rows: int
    last_rowid: int
    loads: int
    activations: int


class TableBrowser:
    """Reads tables for the page, and keeps their numbers of rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._loads: collections.Counter[str] = collections.Counter()
        self._activations: collections.Counter[str] = collections.Counter()
        self._counts: dict[str, _Count] = {}

    def count_loads(self, loads: Sequence[Load]) -> None:
        """Count the loads of each table, so that changed tables are counted again."""
        activated = [
            load.table
            for load in loads
            if any(isinstance(message, ActivateVersion) for message in load.messages)
        ]
        with self._lock:
            self._loads.update(load.table for load in loads)
            # Only an activation deletes rows.
            self._activations.update(activated)

    def list_tables(self) -> list[dict[str, Any]]:
        """Return the id, name, number of rows and number of loads of each table.

        And whether it is stopped, because a load had other keys; of what a destination makes, whose
        subtable it is, or that it has the rejected records. The number of rows is None if
        there was no time yet to count them.

        Raises:
            sqlite3.Error: the database can't be read.
        """
        deadline = time.monotonic() + COUNTING_SECONDS
        with self._lock:
            # Before the tables are read: a load that comes meanwhile makes the next call count again.
            counters = self._loads.copy(), self._activations.copy()
        with self._database.snapshot() as connection:
            registered = connection.execute(
                "SELECT rowid, name, physical, changed_keys FROM _sdc_tables"
            )
            parents = {name: parent for name, parent, _ in describe_tables(connection)}
            found = [
                {
                    "id": number,
                    "name": shorten(name),
                    "rows": self._rows(connection, name, physical, counters, deadline),
                    "loads": counters[0][name],
                    "stopped": changed_keys is not None,
                }
                | ({"parent": shorten(parents[name] or "")} if parents.get(name) else {})
                | ({"rejected": True} if name == RESERVED_TABLE else {})
                for number, name, physical, changed_keys in registered.fetchall()
            ]
        # A subtable comes behind the table that it belongs to.
        places = {each["name"]: place for place, each in enumerate(found)}
        return sorted(found, key=lambda each: places[each.get("parent", each["name"])])

    def describe_table(self, table_id: int) -> dict[str, Any] | None:
        """Return the columns and the newest rows of a table; None if there is no such table.

        Raises:
            sqlite3.Error: the database can't be read.
        """
        with self._database.snapshot() as connection:
            found = connection.execute(
                "SELECT name FROM _sdc_tables WHERE rowid = ?", (table_id,)
            ).fetchone()
            table = None if found is None else tables.find_table(connection, found[0])
            if table is None:
                return None
            columns = _visible_columns(table)
            types = {name: TYPE_NAMES[column.type] for name, column in table.columns.items()}
            for name, _, own in describe_tables(connection):
                types |= {n: t or "" for n, t in own.items()} if name == table.name else {}
            is_sorted = _is_small(connection, table)
            return {
                "id": table_id,
                "name": shorten(table.name),
                "keys": [shorten(key) for key in table.keys],
                "changed_keys": None
                if table.changed_keys is None
                else [shorten(key) for key in table.changed_keys],
                "columns": [
                    {"name": shorten(name), "type": types[name]}
                    | ({"key": True} if name in table.keys else {})
                    for name in list(table.columns)[:MAX_COLUMNS]
                ],
                "column_count": len(table.columns),
                "shown": [
                    [shorten(name), types.get(name, TYPE_NAMES[type_])]
                    for name, _, type_ in columns
                ],
                "system": len(SYSTEM_COLUMNS),
                "sorted": is_sorted,
                "rows": [
                    {"id": row[0], "cells": _cells(row[1:], columns)}
                    for row in connection.execute(_newest_sql(table, columns, is_sorted=is_sorted))
                ],
            }

    def _rows(
        self,
        connection: sqlite3.Connection,
        name: str,
        physical: str,
        counters: Sequence[collections.Counter[str]],
        deadline: float,
    ) -> int | None:
        loads, activations = (each[name] for each in counters)
        known = self._counts.get(name)
        if known is not None and (known.loads, known.activations) == (loads, activations):
            return known.rows
        if known is not None and known.activations == activations:
            last = tables.last_rowid(connection, physical)
            rows = known.rows + last - known.last_rowid
        elif time.monotonic() > deadline:
            return None
        else:
            (rows,) = connection.execute(
                join_sql("SELECT count(*) FROM", quote(physical))
            ).fetchone()
            last = tables.last_rowid(connection, physical)
        self._counts[name] = _Count(rows, last, loads, activations)
        return rows


def _visible_columns(table: Table) -> list[tuple[str, str, ColumnType]]:
    """Return name, SQL name and type of the columns whose values are shown."""
    visible = [
        (name, quote(column.physical), column.type)
        for name, column in table.columns.items()
        if column.physical is not None
    ]
    return visible[:MAX_VALUE_COLUMNS] + [
        (name, name, type_) for name, type_ in SYSTEM_COLUMNS.items()
    ]


def _is_small(connection: sqlite3.Connection, table: Table) -> bool:
    query = join_sql("SELECT count(*) FROM (SELECT 1 FROM", table.name_sql, "LIMIT ?)")
    (rows,) = connection.execute(query, (MAX_SORTED_ROWS + 1,)).fetchone()
    return bool(rows <= MAX_SORTED_ROWS)


def _newest_sql(
    table: Table, columns: list[tuple[str, str, ColumnType]], *, is_sorted: bool
) -> str:
    # An updated row keeps its row number: only the time of its batch shows that it is new.
    order = f"{BATCHED_AT} DESC, {ROWID} DESC" if is_sorted else f"{ROWID} DESC"
    selected = ", ".join([ROWID, *(column for _, column, _ in columns)])
    newest = join_sql(
        "SELECT", ROWID, "FROM", table.name_sql, "ORDER BY", order, f"LIMIT {MAX_ROWS}"
    )
    return join_sql(
        "SELECT",
        selected,
        "FROM",
        table.name_sql,
        "WHERE",
        ROWID,
        f"IN ({newest})",
        "ORDER BY",
        order,
    )


def _cells(row: tuple[Any, ...], columns: list[tuple[str, str, ColumnType]]) -> list[Cell]:
    return [format_cell(value, type_) for value, (_, _, type_) in zip(row, columns, strict=True)]

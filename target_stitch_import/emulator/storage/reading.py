"""Rows of an emulator's database, read back exactly.

For tests and scripts; works beside a running emulator. Knows the tables, not the API.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_stitch_import.emulator.storage import exact_json, tables, values
from target_stitch_import.emulator.storage.sql_names import quoted, sql
from target_stitch_import.emulator.storage.tables import MORE, SYSTEM_COLUMNS, Table

if TYPE_CHECKING:
    from collections.abc import Iterator


def list_tables(database: str | Path) -> list[str]:
    """Return the names of all tables, as requests named them, oldest first."""
    with _reader(database) as connection:
        return tables.table_names(connection)


def read_table(
    database: str | Path, table: str, *, system_columns: bool = False
) -> list[dict[str, Any]]:
    """Return the rows of a table, in the order in which their keys first came.

    A value is a str, bool, int, Decimal or None, or for an object or array what its JSON
    text decodes to, with the same types inside. A number is equal to what was posted to the
    last digit; whether it was written as ``1`` or ``1.0`` is kept inside objects and arrays
    only. A field that a record lacked is None.

    Args:
        database: the emulator's SQLite file.
        table: the name, as requests have it.
        system_columns: add ``_sdc_sequence``, ``_sdc_table_version`` and ``_sdc_batched_at``.

    Raises:
        FileNotFoundError: when there is no database.
        KeyError: when it has no such table.
    """
    with _reader(database) as connection:
        found = tables.find_table(connection, table)
        if found is None:
            raise KeyError(table)
        return _read(connection, found, system_columns)


@contextlib.contextmanager
def _reader(database: str | Path) -> Iterator[sqlite3.Connection]:
    if not Path(database).is_file():
        raise FileNotFoundError(database)
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = TRUE")
        # One snapshot for the registry and the rows, whatever is written meanwhile.
        connection.execute("BEGIN")
        yield connection


def _read(
    connection: sqlite3.Connection, table: Table, system_columns: bool
) -> list[dict[str, Any]]:
    named = {name: each for name, each in table.columns.items() if each.physical is not None}
    system = list(SYSTEM_COLUMNS) if system_columns else []
    selected = [quoted(column.physical or "") for column in named.values()] + system
    selected.append(MORE if MORE in table.extras else "NULL")
    rows = []
    query = sql("SELECT", ", ".join(selected), "FROM", table.sql, "ORDER BY _rowid_")
    for row in connection.execute(query):
        record = dict.fromkeys(table.columns)
        more = {} if row[-1] is None else exact_json.decode(row[-1])
        for (name, column), value in zip(named.items(), row, strict=False):
            record[name] = values.read(value, column.kind)
        for name, value in more.items():
            if record[name] is None:
                record[name] = value
        record.update(zip(system, row[len(named) :], strict=False))
        rows.append(record)
    return rows

"""Rows of an emulator's database, read back exactly, for tests and scripts.

It works while the emulator runs.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_stitch_import.emulator.storage import exact_json, tables, values
from target_stitch_import.emulator.storage.sql_names import join_sql, quote
from target_stitch_import.emulator.storage.tables import MORE, SYSTEM_COLUMNS, Table

if TYPE_CHECKING:
    from collections.abc import Iterator


def list_tables(database: str | Path) -> list[str]:
    """Return the names of all tables, as requests named them, oldest first."""
    with open_snapshot(database) as connection:
        return tables.table_names(connection)


def read_table(
    database: str | Path, table: str, *, system_columns: bool = False
) -> list[dict[str, Any]]:
    """Return the rows of a table, in the order in which their keys first came.

    A value is a str, bool, int, Decimal or None, or for an object or array what its JSON
    text decodes to, with the same types inside. A number equals the one that was posted, to
    the last digit. Whether it was written as ``1`` or ``1.0`` is only kept inside objects and
    arrays. A field that a record lacked is None.

    Args:
        database: the emulator's SQLite file.
        table: the name, as requests have it.
        system_columns: add ``_sdc_sequence``, ``_sdc_table_version``, ``_sdc_received_at``,
            ``_sdc_batched_at`` and ``_sdc_extracted_at``.

    Raises:
        FileNotFoundError: there is no database.
        KeyError: the database has no such table.
    """
    with open_snapshot(database) as connection:
        definition = tables.find_table(connection, table)
        if definition is None:
            raise KeyError(table)
        return read_rows(connection, definition, system_columns=system_columns)


@contextlib.contextmanager
def open_snapshot(database: str | Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that sees one state and writes nothing.

    Raises:
        FileNotFoundError: there is no database.
    """
    if not Path(database).is_file():
        raise FileNotFoundError(database)
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = TRUE")
        # One state of definitions and rows, whatever is written meanwhile.
        connection.execute("BEGIN")
        yield connection


def read_rows(
    connection: sqlite3.Connection, table: Table, *, system_columns: bool
) -> list[dict[str, Any]]:
    """Return the rows of a table, as ``read_table`` does."""
    named = {name: each for name, each in table.columns.items() if each.physical is not None}
    system = list(SYSTEM_COLUMNS) if system_columns else []
    selected = [quote(column.physical or "") for column in named.values()] + system
    selected.append(MORE if table.has_more else "NULL")
    rows = []
    query = join_sql("SELECT", ", ".join(selected), "FROM", table.name_sql, "ORDER BY _rowid_")
    for row in connection.execute(query):
        record = dict.fromkeys(table.columns)
        for (name, column), value in zip(named.items(), row, strict=False):
            record[name] = values.from_sqlite(value, column.type)
        if row[-1] is not None:
            record.update(exact_json.decode(row[-1]))
        record.update(zip(system, row[len(named) :], strict=False))
        rows.append(record)
    return rows

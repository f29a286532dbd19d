"""How the tables of the database grow: new tables, columns, kinds and keys.

Runs inside the transaction of the one who calls. Knows nothing of rows, but that none may be
lost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from target_stitch_import.emulator.storage.columns import Kind, merged
from target_stitch_import.emulator.storage.sql_names import folded, physical_name, quoted, sql
from target_stitch_import.emulator.storage.tables import (
    MORE,
    REGISTRY_TABLES,
    SEQUENCE,
    SUPERSEDED,
    SYSTEM_COLUMNS,
    Column,
    Table,
    physical_names,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

MAX_COLUMNS: Final = 1900
"""Columns of a table; SQLite stops at 2,000, and the API takes records of 10,000 fields."""
ROWID: Final = "_rowid_"


def create_table(
    connection: sqlite3.Connection,
    name: str,
    keys: Sequence[str],
    kinds: Mapping[str, Kind | None],
) -> Table:
    """Create a table with its keys and its first columns."""
    taken = {folded(each) for each in physical_names(connection)}
    physical = physical_name(name, taken | {*REGISTRY_TABLES})
    table = Table(name, physical, (), {})
    connection.execute("INSERT INTO _sdc_tables VALUES (?, ?, ?)", (name, physical, json.dumps([])))
    # Keys come first, so that they have a column whatever the number of fields.
    _register(connection, table, {key: kinds[key] for key in keys} | dict(kinds))
    declared = [
        f"{quoted(column.physical)} {column.kind.value}"
        for column in table.columns.values()
        if column.physical is not None
    ]
    declared += [f"{column} {kind}" for column, kind in SYSTEM_COLUMNS.items()]
    connection.execute(f"CREATE TABLE {table.sql} ({', '.join(declared)})")
    if any(column.physical is None for column in table.columns.values()):
        _add_extra(connection, table, MORE, "TEXT")
    set_keys(connection, table, keys)
    return table


def grow(connection: sqlite3.Connection, table: Table, kinds: Mapping[str, Kind | None]) -> None:
    """Add the columns that a table lacks, and widen those whose kind is another now."""
    added = [name for name in kinds if name not in table.columns]
    _register(connection, table, {name: kinds[name] for name in added})
    for name in added:
        if table.columns[name].physical is None:
            _add_extra(connection, table, MORE, "TEXT")
        else:
            _add_column(connection, table, name)
    for name, kind in kinds.items():
        column = table.columns[name]
        wide = column.kind if kind is None else merged((column.kind, kind))
        if wide is not column.kind:
            _widen(connection, table, name, wide)


def set_keys(connection: sqlite3.Connection, table: Table, keys: Sequence[str]) -> None:
    """Make ``keys`` the table's keys; rows that share a new key are all kept.

    Only the one with the greatest sequence can be replaced from then on: the others are
    marked as superseded, which takes them out of the unique index.
    """
    _drop_index(connection, table)
    for name in keys:
        if table.columns[name].physical is None:
            _give_column(connection, table, name)
    table.keys = tuple(keys)
    if keys:
        _supersede(connection, table)
    _create_index(connection, table)
    connection.execute(
        "UPDATE _sdc_tables SET key_names = ? WHERE name = ?", (json.dumps(keys), table.name)
    )


def _supersede(connection: sqlite3.Connection, table: Table) -> None:
    order = f"PARTITION BY {table.key_sql} ORDER BY {SEQUENCE} DESC, {ROWID} DESC"
    ranked = sql(
        f"SELECT {ROWID} AS row, row_number() OVER ({order}) AS place FROM",
        table.sql,
        "WHERE",
        table.current_sql,
    )
    rows = connection.execute(sql("SELECT row FROM (", ranked, ") WHERE place > 1")).fetchall()
    if rows:
        _add_extra(connection, table, SUPERSEDED, "INTEGER")
        connection.executemany(
            sql("UPDATE", table.sql, "SET", SUPERSEDED, "= 1 WHERE", ROWID, "= ?"), rows
        )


def _register(
    connection: sqlite3.Connection, table: Table, kinds: Mapping[str, Kind | None]
) -> None:
    taken = _taken_names(table)
    rows = []
    for name, kind in kinds.items():
        column = Column(None, Kind.ANY)
        if len(taken) < MAX_COLUMNS:
            column = Column(physical_name(name, taken), kind or Kind.ANY)
            taken.add(folded(column.physical or ""))
        table.columns[name] = column
        rows.append((table.name, name, column.physical, column.kind.value))
    connection.executemany("INSERT INTO _sdc_columns VALUES (?, ?, ?, ?)", rows)


def _taken_names(table: Table) -> set[str]:
    columns = table.columns.values()
    taken = {folded(column.physical) for column in columns if column.physical is not None}
    return taken | {*SYSTEM_COLUMNS, MORE, SUPERSEDED, ROWID}


def _add_column(connection: sqlite3.Connection, table: Table, name: str) -> None:
    column = f"{table.column_sql(name)} {table.columns[name].kind.value}"
    connection.execute(f"ALTER TABLE {table.sql} ADD COLUMN {column}")


def _add_extra(connection: sqlite3.Connection, table: Table, extra: str, declared: str) -> None:
    if extra not in table.extras:
        connection.execute(f"ALTER TABLE {table.sql} ADD COLUMN {extra} {declared}")
        table.extras.add(extra)


def _give_column(connection: sqlite3.Connection, table: Table, name: str) -> None:
    """Give a field that was kept in ``MORE`` a column; its old values stay where they are."""
    physical = physical_name(name, _taken_names(table))
    table.columns[name].physical = physical
    _add_column(connection, table, name)
    connection.execute(
        "UPDATE _sdc_columns SET physical = ? WHERE table_name = ? AND name = ?",
        (physical, table.name, name),
    )


def _widen(connection: sqlite3.Connection, table: Table, name: str, kind: Kind) -> None:
    """Give a column another kind; SQLite can't, so the values move to a new column."""
    column = table.columns[name]
    if column.physical is not None:
        old, new = quoted(column.physical), quoted(f"_sdc_wide_{column.physical}")
        value = old
        if column.kind is Kind.BOOLEAN:
            texts = "WHEN 1 THEN CAST('true' AS BLOB) WHEN 0 THEN CAST('false' AS BLOB)"
            value = f"CASE {old} {texts} ELSE {old} END"
        elif column.kind is Kind.JSON:
            value = f"CAST({old} AS BLOB)"
        if name in table.keys:
            _drop_index(connection, table)
        connection.execute(f"ALTER TABLE {table.sql} ADD COLUMN {new} {kind.value}")
        connection.execute(sql("UPDATE", table.sql, "SET", new, "=", value))
        connection.execute(f"ALTER TABLE {table.sql} DROP COLUMN {old}")
        connection.execute(f"ALTER TABLE {table.sql} RENAME COLUMN {new} TO {old}")
        if name in table.keys:
            _create_index(connection, table)
    column.kind = kind
    connection.execute(
        "UPDATE _sdc_columns SET kind = ? WHERE table_name = ? AND name = ?",
        (kind.value, table.name, name),
    )


def _index_sql(table: Table) -> str:
    return quoted(f"_sdc_keys_{table.physical}")


def _drop_index(connection: sqlite3.Connection, table: Table) -> None:
    connection.execute(f"DROP INDEX IF EXISTS {_index_sql(table)}")


def _create_index(connection: sqlite3.Connection, table: Table) -> None:
    if table.keys:
        connection.execute(
            f"CREATE UNIQUE INDEX {_index_sql(table)} ON {table.sql} ({table.key_sql}) "
            f"WHERE {table.current_sql}"
        )

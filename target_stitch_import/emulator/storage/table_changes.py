"""Changes of tables: new tables, new columns, other types, and a stop after other keys.

All of it runs inside the caller's transaction, and no row is lost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from target_stitch_import.emulator.storage.columns import ColumnType, merge_types
from target_stitch_import.emulator.storage.sql_names import (
    INDEX,
    WIDER,
    fold_case,
    join_sql,
    physical_name,
    quote,
)
from target_stitch_import.emulator.storage.tables import (
    MORE,
    REGISTRY_TABLES,
    ROWID,
    SYSTEM_COLUMNS,
    Column,
    Table,
    physical_names,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

MAX_COLUMNS: Final = 1900
"""Columns of a table. SQLite's limit is 2,000; the API accepts records of 10,000 fields."""


def create_table(
    connection: sqlite3.Connection,
    name: str,
    keys: Sequence[str],
    types: Mapping[str, ColumnType | None],
) -> Table:
    """Create a table with its keys and its first columns."""
    used = {fold_case(each) for each in physical_names(connection)}
    physical = physical_name(name, used | {*REGISTRY_TABLES})
    table = Table(name, physical, tuple(keys), {})
    connection.execute(
        "INSERT INTO _sdc_tables VALUES (?, ?, ?, NULL)", (name, physical, json.dumps(keys))
    )
    # Keys come first, so that each has a column, however many fields there are.
    _register_columns(connection, table, {key: types[key] for key in keys} | dict(types))
    declared = [
        f"{quote(column.physical)} {column.type.value}"
        for column in table.columns.values()
        if column.physical is not None
    ]
    declared += [f"{column} {type_.value}" for column, type_ in SYSTEM_COLUMNS.items()]
    connection.execute(f"CREATE TABLE {table.name_sql} ({', '.join(declared)})")
    if any(column.physical is None for column in table.columns.values()):
        _add_more(connection, table)
    _create_index(connection, table)
    return table


def extend_table(
    connection: sqlite3.Connection, table: Table, types: Mapping[str, ColumnType | None]
) -> None:
    """Add missing columns, and change the type of those that get values of another type."""
    added = [name for name in types if name not in table.columns]
    _register_columns(connection, table, {name: types[name] for name in added})
    for name in added:
        if table.columns[name].physical is None:
            _add_more(connection, table)
        else:
            _add_column(connection, table, name)
    for name, type_ in types.items():
        column = table.columns[name]
        wider = column.type if type_ is None else merge_types((column.type, type_))
        if wider is not column.type:
            _change_type(connection, table, name, wider)


def rename_columns(connection: sqlite3.Connection, table: Table, names: Mapping[str, str]) -> None:
    """Give columns other names, as a destination does when it splits one; ``names`` are by the old.

    Where a column has the new name already, because two fields have one name, they become one.
    """
    names = {old: new for old, new in names.items() if old in table.columns}
    for old, new in names.items():
        physical = table.columns[old].physical
        if new in table.columns:
            _merge_columns(connection, table, old, new)
            continue
        if physical is not None:
            used = _used_names(table)
            changed = physical_name(new, used)
            connection.execute(
                join_sql(
                    "ALTER TABLE", table.name_sql, "RENAME", quote(physical), "TO", quote(changed)
                )
            )
            table.columns[old].physical = changed
        connection.execute(
            "UPDATE _sdc_columns SET name = ?, physical = ? WHERE table_name = ? AND name = ?",
            (new, table.columns[old].physical, table.name, old),
        )
    keys = [names.get(key, key) for key in table.keys]
    connection.execute(
        "UPDATE _sdc_tables SET key_names = ? WHERE name = ?", (json.dumps(keys), table.name)
    )


def _merge_columns(connection: sqlite3.Connection, table: Table, old: str, new: str) -> None:
    source, target = table.columns.pop(old).physical, table.columns[new].physical
    if source is not None and target is not None:
        value = f"COALESCE({quote(target)}, {quote(source)})"
        connection.execute(join_sql("UPDATE", table.name_sql, "SET", quote(target), "=", value))
    connection.execute(
        "DELETE FROM _sdc_columns WHERE table_name = ? AND name = ?", (table.name, old)
    )


def stop_table(connection: sqlite3.Connection, table: Table, keys: Sequence[str]) -> None:
    """Load nothing more into a table, because a load had other ``keys``."""
    table.changed_keys = tuple(keys)
    connection.execute(
        "UPDATE _sdc_tables SET changed_keys = ? WHERE name = ?", (json.dumps(keys), table.name)
    )


def _register_columns(
    connection: sqlite3.Connection, table: Table, types: Mapping[str, ColumnType | None]
) -> None:
    used = _used_names(table)
    rows = []
    for name, type_ in types.items():
        column = Column(None, ColumnType.ANY)
        if len(used) < MAX_COLUMNS:
            column = Column(physical_name(name, used), type_ or ColumnType.ANY)
            used.add(fold_case(column.physical or ""))
        table.columns[name] = column
        rows.append((table.name, name, column.physical, column.type.value))
    connection.executemany("INSERT INTO _sdc_columns VALUES (?, ?, ?, ?)", rows)


def _used_names(table: Table) -> set[str]:
    columns = table.columns.values()
    used = {fold_case(column.physical) for column in columns if column.physical is not None}
    return used | {*SYSTEM_COLUMNS, MORE, ROWID}


def _add_column(connection: sqlite3.Connection, table: Table, name: str) -> None:
    column = f"{table.column_sql(name)} {table.columns[name].type.value}"
    connection.execute(f"ALTER TABLE {table.name_sql} ADD COLUMN {column}")


def _add_more(connection: sqlite3.Connection, table: Table) -> None:
    if not table.has_more:
        connection.execute(f"ALTER TABLE {table.name_sql} ADD COLUMN {MORE} TEXT")
        table.has_more = True


def _change_type(
    connection: sqlite3.Connection, table: Table, name: str, type_: ColumnType
) -> None:
    """Change the type of a column: SQLite can't, so the values move to a new column."""
    column = table.columns[name]
    if column.physical is not None:
        old, new = quote(column.physical), quote(f"{WIDER}{column.physical}")
        value = old
        if column.type is ColumnType.BOOLEAN:
            texts = "WHEN 1 THEN CAST('true' AS BLOB) WHEN 0 THEN CAST('false' AS BLOB)"
            value = f"CASE {old} {texts} ELSE {old} END"
        elif column.type in (ColumnType.JSON, ColumnType.DECIMAL):
            value = f"CAST({old} AS BLOB)"
        if name in table.keys:
            _drop_index(connection, table)
        connection.execute(f"ALTER TABLE {table.name_sql} ADD COLUMN {new} {type_.value}")
        connection.execute(join_sql("UPDATE", table.name_sql, "SET", new, "=", value))
        connection.execute(f"ALTER TABLE {table.name_sql} DROP COLUMN {old}")
        connection.execute(f"ALTER TABLE {table.name_sql} RENAME COLUMN {new} TO {old}")
        if name in table.keys:
            _create_index(connection, table)
    column.type = type_
    connection.execute(
        "UPDATE _sdc_columns SET kind = ? WHERE table_name = ? AND name = ?",
        (type_.value, table.name, name),
    )


def _index_sql(table: Table) -> str:
    return quote(f"{INDEX}{table.physical}")


def _drop_index(connection: sqlite3.Connection, table: Table) -> None:
    connection.execute(f"DROP INDEX IF EXISTS {_index_sql(table)}")


def _create_index(connection: sqlite3.Connection, table: Table) -> None:
    if table.keys:
        connection.execute(
            f"CREATE UNIQUE INDEX {_index_sql(table)} ON {table.name_sql} ({table.key_sql})"
        )

"""The definitions of the tables: names, columns, types and keys.

Two SQLite tables, ``_sdc_tables`` and ``_sdc_columns``, map names of the API to SQLite names,
types and keys.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from typing import Final

from target_stitch_import.emulator.storage.columns import ColumnType
from target_stitch_import.emulator.storage.sql_names import join_sql, quote

SEQUENCE: Final = "_sdc_sequence"
TABLE_VERSION: Final = "_sdc_table_version"
RECEIVED_AT: Final = "_sdc_received_at"
BATCHED_AT: Final = "_sdc_batched_at"
EXTRACTED_AT: Final = "_sdc_extracted_at"
MORE: Final = "_sdc_more"
"""The column that holds, as one JSON object, the fields that have no column of their own."""
SYSTEM_COLUMNS: Final = {
    SEQUENCE: ColumnType.INTEGER,
    TABLE_VERSION: ColumnType.INTEGER,
    RECEIVED_AT: ColumnType.STRING,
    BATCHED_AT: ColumnType.STRING,
    EXTRACTED_AT: ColumnType.STRING,
}
"""The columns of every table; ``MORE`` is added when it is needed."""
LAYOUT: Final = 2
"""The version of the layout of the database, its ``user_version``."""
ROWID: Final = "_rowid_"
REGISTRY_TABLES: Final = (
    "_sdc_tables",
    "_sdc_columns",
    "_sdc_loaded_for",
    "_sdc_destination",
)

_REGISTRY: Final = """
CREATE TABLE IF NOT EXISTS _sdc_tables (
  name TEXT PRIMARY KEY, physical TEXT NOT NULL, key_names TEXT NOT NULL, changed_keys TEXT
);
CREATE TABLE IF NOT EXISTS _sdc_columns (
  table_name TEXT, name TEXT, physical TEXT, kind TEXT NOT NULL, PRIMARY KEY (table_name, name)
);
"""


@dataclasses.dataclass
class Column:
    """A field of the records.

    ``physical`` is its SQLite name; if that is None, the field is kept in ``MORE``.
    """

    physical: str | None
    type: ColumnType


@dataclasses.dataclass
class Table:
    """The definition of a table; ``physical`` is its SQLite name."""

    name: str
    physical: str
    keys: tuple[str, ...]
    columns: dict[str, Column]
    changed_keys: tuple[str, ...] | None = None
    """The other keys that a load had, after which nothing more is loaded; None before."""
    has_more: bool = False
    """True if the table has the column ``MORE``."""

    @property
    def name_sql(self) -> str:
        """The table's name in SQL."""
        return quote(self.physical)

    @property
    def key_sql(self) -> str:
        """The table's key columns in SQL."""
        return ", ".join(self.column_sql(name) for name in self.keys)

    def column_sql(self, name: str) -> str:
        """Return a column's name in SQL; it must have a ``physical`` name."""
        return quote(self.columns[name].physical or "")


def create_registry(connection: sqlite3.Connection) -> None:
    """Create ``_sdc_tables`` and ``_sdc_columns`` if they are missing.

    Raises:
        sqlite3.DatabaseError: the database has another layout, or is none.
    """
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sdc_tables'").fetchone()
    if found and layout != LAYOUT:
        raise sqlite3.DatabaseError(
            "another version of the emulator wrote it; delete it, or name another file"
        )
    connection.executescript(f"{_REGISTRY}PRAGMA user_version = {LAYOUT};")


def require_destination(connection: sqlite3.Connection, key: str | None) -> None:
    """Note what the database is loaded for: a destination, or none.

    Raises:
        sqlite3.DatabaseError: it was loaded for another one.
    """
    if key is not None and not table_names(connection):
        connection.executescript(
            "CREATE TABLE IF NOT EXISTS _sdc_loaded_for (destination TEXT);"
            "CREATE TABLE IF NOT EXISTS _sdc_destination "
            "(stream TEXT PRIMARY KEY, name TEXT, state BLOB);"
        )
        connection.execute("INSERT INTO _sdc_loaded_for VALUES (?)", (key,))
    found = find_destination(connection)
    if found != key:
        raise sqlite3.DatabaseError(
            f"it was loaded like {found or 'no destination'}; delete it, or name another file"
        )


def find_destination(connection: sqlite3.Connection) -> str | None:
    """Return the destination that the database is loaded like, or None."""
    query = "SELECT 1 FROM sqlite_master WHERE name = '_sdc_loaded_for'"
    if connection.execute(query).fetchone() is None:
        return None
    query = "SELECT destination FROM _sdc_loaded_for ORDER BY rowid DESC"
    (found,) = connection.execute(query).fetchone()
    return str(found)


def table_names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all tables, oldest first."""
    return [name for (name,) in connection.execute("SELECT name FROM _sdc_tables ORDER BY rowid")]


def find_table(connection: sqlite3.Connection, name: str) -> Table | None:
    """Return the definition of a table, or None if there is no such table."""
    found = connection.execute(
        "SELECT physical, key_names, changed_keys FROM _sdc_tables WHERE name = ?", (name,)
    ).fetchone()
    if found is None:
        return None
    physical, keys, changed_keys = found
    columns = connection.execute(
        "SELECT name, physical, kind FROM _sdc_columns WHERE table_name = ? ORDER BY rowid", (name,)
    )
    more = connection.execute(
        "SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (physical, MORE)
    ).fetchone()
    return Table(
        name=name,
        physical=physical,
        keys=tuple(json.loads(keys)),
        columns={column: Column(physical, ColumnType(kind)) for column, physical, kind in columns},
        changed_keys=None if changed_keys is None else tuple(json.loads(changed_keys)),
        has_more=more is not None,
    )


def last_rowid(connection: sqlite3.Connection, physical: str) -> int:
    """Return the greatest row number of a table; SQLite gives each new row the next one."""
    query = join_sql("SELECT ifnull(max(", ROWID, "), 0) FROM", quote(physical))
    (number,) = connection.execute(query).fetchone()
    return int(number)


def physical_names(connection: sqlite3.Connection) -> set[str]:
    """Return the SQLite names of all tables."""
    return {name for (name,) in connection.execute("SELECT physical FROM _sdc_tables")}

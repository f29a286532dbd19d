"""The definitions of the tables: names, columns, types and keys.

Two SQLite tables, ``_sdc_tables`` and ``_sdc_columns``, map names of the API to SQLite names,
types and keys.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Final

from target_stitch_import.emulator.storage.columns import ColumnType
from target_stitch_import.emulator.storage.sql_names import quote

if TYPE_CHECKING:
    import sqlite3

SEQUENCE: Final = "_sdc_sequence"
TABLE_VERSION: Final = "_sdc_table_version"
BATCHED_AT: Final = "_sdc_batched_at"
SUPERSEDED: Final = "_sdc_superseded"
MORE: Final = "_sdc_more"
"""The column that holds, as one JSON object, the fields that have no column of their own."""
SYSTEM_COLUMNS: Final = {SEQUENCE: "INTEGER", TABLE_VERSION: "INTEGER", BATCHED_AT: "TEXT"}
"""The columns of every table; ``MORE`` and ``SUPERSEDED`` are added when they are needed."""
REGISTRY_TABLES: Final = ("_sdc_tables", "_sdc_columns")

_REGISTRY: Final = """
CREATE TABLE IF NOT EXISTS _sdc_tables (
  name TEXT PRIMARY KEY, physical TEXT NOT NULL, key_names TEXT NOT NULL
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
    extras: set[str] = dataclasses.field(default_factory=set)
    """Which of ``MORE`` and ``SUPERSEDED`` the table has."""

    @property
    def name_sql(self) -> str:
        """The table's name in SQL."""
        return quote(self.physical)

    @property
    def key_sql(self) -> str:
        """The table's key columns in SQL."""
        return ", ".join(self.column_sql(name) for name in self.keys)

    @property
    def replaceable_sql(self) -> str:
        """The condition on rows that an upsert may replace."""
        return f"{SUPERSEDED} IS NULL" if SUPERSEDED in self.extras else "TRUE"

    def column_sql(self, name: str) -> str:
        """Return a column's name in SQL; it must have a ``physical`` name."""
        return quote(self.columns[name].physical or "")


def create_registry(connection: sqlite3.Connection) -> None:
    """Create ``_sdc_tables`` and ``_sdc_columns`` if they are missing."""
    connection.executescript(_REGISTRY)


def table_names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all tables, oldest first."""
    return [name for (name,) in connection.execute("SELECT name FROM _sdc_tables ORDER BY rowid")]


def find_table(connection: sqlite3.Connection, name: str) -> Table | None:
    """Return the definition of a table, or None if there is no such table."""
    found = connection.execute(
        "SELECT physical, key_names FROM _sdc_tables WHERE name = ?", (name,)
    ).fetchone()
    if found is None:
        return None
    physical, keys = found
    columns = connection.execute(
        "SELECT name, physical, kind FROM _sdc_columns WHERE table_name = ? ORDER BY rowid", (name,)
    )
    existing = connection.execute("SELECT name FROM pragma_table_info(?)", (physical,))
    return Table(
        name=name,
        physical=physical,
        keys=tuple(json.loads(keys)),
        columns={column: Column(physical, ColumnType(kind)) for column, physical, kind in columns},
        extras={column for (column,) in existing} & {MORE, SUPERSEDED},
    )


def physical_names(connection: sqlite3.Connection) -> set[str]:
    """Return the SQLite names of all tables."""
    return {name for (name,) in connection.execute("SELECT physical FROM _sdc_tables")}

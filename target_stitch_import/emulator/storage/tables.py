"""The tables of the database as they are.

Two registry tables, ``_sdc_tables`` and ``_sdc_columns``, keep which SQLite name, kind and
keys belong to which name of the API. Knows nothing of rows.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Final

from target_stitch_import.emulator.storage.columns import Kind
from target_stitch_import.emulator.storage.sql_names import quoted

if TYPE_CHECKING:
    import sqlite3

SEQUENCE: Final = "_sdc_sequence"
TABLE_VERSION: Final = "_sdc_table_version"
BATCHED_AT: Final = "_sdc_batched_at"
SUPERSEDED: Final = "_sdc_superseded"
MORE: Final = "_sdc_more"
"""Holds, as one JSON object, the fields for which a table has no column left."""
SYSTEM_COLUMNS: Final = {SEQUENCE: "INTEGER", TABLE_VERSION: "INTEGER", BATCHED_AT: "TEXT"}
"""What every table has; ``MORE`` and ``SUPERSEDED`` come when they are needed."""
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
    """A field of the records; without a ``physical`` name it is kept in ``MORE``."""

    physical: str | None
    kind: Kind


@dataclasses.dataclass
class Table:
    """A table as it is."""

    name: str
    physical: str
    keys: tuple[str, ...]
    columns: dict[str, Column]
    extras: set[str] = dataclasses.field(default_factory=set)
    """Which of ``MORE`` and ``SUPERSEDED`` the table has."""

    @property
    def sql(self) -> str:
        """The table's name in SQL."""
        return quoted(self.physical)

    @property
    def key_sql(self) -> str:
        """The table's key columns in SQL."""
        return ", ".join(self.column_sql(name) for name in self.keys)

    @property
    def current_sql(self) -> str:
        """The condition on rows that an upsert may replace."""
        return f"{SUPERSEDED} IS NULL" if SUPERSEDED in self.extras else "TRUE"

    def column_sql(self, name: str) -> str:
        """Return a column's name in SQL; only for those that have one."""
        return quoted(self.columns[name].physical or "")


def create_registry(connection: sqlite3.Connection) -> None:
    """Make the registry where there is none."""
    connection.executescript(_REGISTRY)


def table_names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all tables, oldest first."""
    return [name for (name,) in connection.execute("SELECT name FROM _sdc_tables ORDER BY rowid")]


def find_table(connection: sqlite3.Connection, name: str) -> Table | None:
    """Return a table as it is."""
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
        columns={column: Column(place, Kind(kind)) for column, place, kind in columns},
        extras={column for (column,) in existing} & {MORE, SUPERSEDED},
    )


def physical_names(connection: sqlite3.Connection) -> set[str]:
    """Return the SQLite names of all tables."""
    return {name for (name,) in connection.execute("SELECT physical FROM _sdc_tables")}

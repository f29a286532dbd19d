"""The tables of a test on both sides: in PostgreSQL as the tap says them, and as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_stitch_import.emulator import read_table

if TYPE_CHECKING:
    from target_stitch_import.emulator import Emulator
    from tests.support.postgres import Postgres

GREATEST = 2**63 - 1


def create_tables(postgres: Postgres, *names: str) -> None:
    for name in names:
        postgres.run(f"CREATE TABLE {name} (LIKE samples.everything INCLUDING ALL);")
        postgres.run(f"INSERT INTO {name} TABLE samples.everything;")


def in_postgres(
    postgres: Postgres, table: str, changes: dict[str, str], where: str = "true"
) -> dict[int, dict[str, Any]]:
    """Return PostgreSQL's rows by their id, with these changes of the tap's made to them."""
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'samples'"
    columns += " AND table_name = 'everything' ORDER BY ordinal_position;"
    selected = [f"{changes.get(name, name)} AS {name}" for name in postgres.run(columns).split()]
    rows = postgres.rows(f"SELECT {', '.join(selected)} FROM {table} WHERE {where}")
    return {row["id"]: row for row in rows}


def in_stitch(emulator: Emulator, table: str) -> dict[int, dict[str, Any]]:
    """Return the rows that arrived, by their id."""
    return {row["id"]: row for row in read_table(emulator.database, f"public-{table}")}


def sequences(emulator: Emulator, table: str) -> dict[int, int]:
    """Return the sequence of each row: a new one if it was sent again."""
    rows = read_table(emulator.database, f"public-{table}", system_columns=True)
    return {row["id"]: row["_sdc_sequence"] for row in rows}


def differences(
    found: dict[int, dict[str, Any]], expected: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    """Return what is not the same, by row and column, so that a failure names it."""
    keys = sorted(found.keys() | expected.keys())
    pairs = [(key, found.get(key, {}), expected.get(key, {})) for key in keys]
    return {
        f"{key}.{name}": (one.get(name, "no column"), other.get(name, "no column"))
        for key, one, other in pairs
        for name in sorted(one.keys() | other.keys())
        if one.get(name, "no column") != other.get(name, "no column")
    }


def with_log_columns(rows: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return rows with the columns that a log-based tap adds to what a query has found."""
    return {key: {**row, "_sdc_deleted_at": None, "_sdc_lsn": None} for key, row in rows.items()}

"""A real MariaDB, a real tap, a real Meltano: docs/recipes/mysql.md, and what it says."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.mariadb import DATABASE, PASSWORD, USER, has_mariadb, running_mariadb
from tests.support.recipes import QUARANTINE, Recipe, quarantined, tap_output
from tests.support.running import piped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.mariadb import MariaDB

pytestmark = pytest.mark.external

RECIPE = Recipe("mysql.md", "tap-mysql")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    """Run a server."""
    if not has_mariadb():
        reason = "there is no MariaDB server"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}: .ci/services installs it")
        pytest.skip(f"{reason} on this machine")
    with running_mariadb() as running:
        yield running


@pytest.fixture
def mariadb(server: MariaDB) -> Iterator[MariaDB]:
    """Give a server whose database has no table."""
    yield server
    server.run(f"DROP DATABASE {DATABASE}; CREATE DATABASE {DATABASE};")


def settings(mariadb: MariaDB) -> dict[str, Any]:
    """Return what the tap has to know of the server."""
    return {"host": "127.0.0.1", "port": mariadb.port, "user": USER, "password": PASSWORD}


def load(folder: Path, mariadb: MariaDB, emulator: Emulator, *tables: str) -> str:
    """Run the project in ``folder`` for some tables, and return its log."""
    streams = [f"{DATABASE}-{table}" for table in tables]
    return RECIPE.run(folder, settings(mariadb), streams, emulator.url)


def rows(emulator: Emulator, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table in Stitch, in an order of their own."""
    return sorted(read_table(emulator.database, f"{DATABASE}-{table}"), key=repr)


def test_a_deleted_row_stays_and_shows_when_it_was_deleted(
    mariadb: MariaDB, emulator: Emulator, tmp_path: Path
) -> None:
    # Given a table with a key and one without, which are loaded from the binlog
    mariadb.run(
        "CREATE TABLE orders (id integer PRIMARY KEY, label varchar(20), amount decimal(38, 18));"
        "INSERT INTO orders VALUES (1, 'é', 99999999999999999999.999999999999999999),"
        " (2, 'two', 0.1), (3, NULL, NULL);"
        "CREATE TABLE visits (page varchar(20)); INSERT INTO visits VALUES ('/'), ('/about');"
    )
    RECIPE.write_project(tmp_path)
    # When the recipe runs
    log = load(tmp_path, mariadb, emulator, "orders", "visits")
    # Then what is there is loaded by a query
    assert [(row["id"], row["label"]) for row in rows(emulator, "orders")] == [
        (1, "é"),
        (2, "two"),
        (3, None),
    ]
    assert str(rows(emulator, "orders")[0]["amount"]) == "99999999999999999999.999999999999999999"
    assert rows(emulator, "visits") == [{"page": "/"}, {"page": "/about"}]

    # And when rows are inserted, updated and deleted, and it runs again
    mariadb.run(
        "INSERT INTO orders VALUES (4, '🙂', 4), (5, 'five', 5);"
        "UPDATE orders SET label = 'three' WHERE id = 3;"
        "DELETE FROM orders WHERE id IN (2, 5);"
        "DELETE FROM visits WHERE page = '/';"
    )
    log += load(tmp_path, mariadb, emulator, "orders", "visits")

    # Then the rows that are left are those of MariaDB, each once
    found = {row["id"]: row for row in rows(emulator, "orders")}
    assert len(rows(emulator, "orders")) == len(found) == 5
    assert {key: found[key]["label"] for key in (1, 3, 4)} == {1: "é", 3: "three", 4: "🙂"}
    assert [found[key]["_sdc_deleted_at"] for key in (1, 3, 4)] == [None] * 3
    # And the deleted ones, which the tap had seen and had not, have what they had last, and a time
    assert {key: found[key]["label"] for key in (2, 5)} == {2: "two", 5: "five"}
    for key in (2, 5):
        assert datetime.fromisoformat(found[key]["_sdc_deleted_at"])
    # And in the table without a key there is a row more
    visits = rows(emulator, "visits")
    assert [row["page"] for row in visits] == ["/", "/", "/about"]
    assert sorted(row["_sdc_deleted_at"] is None for row in visits) == [False, True, True]
    # And nothing was left out, or set aside
    assert "left out" not in log
    assert quarantined(tmp_path) == []


def test_a_row_that_is_gone_disappears_from_a_table_that_is_loaded_in_full(
    mariadb: MariaDB, emulator: Emulator, tmp_path: Path
) -> None:
    # Given a table that is loaded in full
    mariadb.run(
        "CREATE TABLE countries (code char(2) PRIMARY KEY);"
        "INSERT INTO countries VALUES ('de'), ('fr');"
    )
    RECIPE.write_project(tmp_path)
    load(tmp_path, mariadb, emulator, "countries")
    assert rows(emulator, "countries") == [{"code": "de"}, {"code": "fr"}]
    # When a row is deleted, and it is loaded again
    mariadb.run("DELETE FROM countries WHERE code = 'de'; INSERT INTO countries VALUES ('np');")
    load(tmp_path, mariadb, emulator, "countries")
    # Then the row is no longer there
    assert rows(emulator, "countries") == [{"code": "fr"}, {"code": "np"}]


COLUMNS = {
    "amount": ("decimal(38, 18)", "-0.000000000000000001"),
    "big": ("bigint unsigned", "18446744073709551615"),
    "day": ("date", "'2024-03-01'"),
    "at": ("datetime", "'2024-03-01 12:00:00'"),
    "at6": ("datetime(6)", "'2024-03-01 12:00:00.1'"),
    "stamp": ("timestamp NULL", "'2024-03-01 12:00:00'"),
    "zero_day": ("date", "'0000-00-00'"),
    "zero_at": ("datetime", "'0000-00-00 00:00:00'"),
    "zero_stamp": ("timestamp NULL", "'0000-00-00 00:00:00'"),
    "no_month": ("date", "'2024-00-10'"),
    "clock": ("time", "'12:00:00'"),
    "flag": ("tinyint(1)", "2"),
    "bits": ("bit(8)", "5"),
    "bytes": ("varbinary(4)", "'ab'"),
    "document": ("json", """'{"a": 1.10}'"""),
    "words": ("text", "'é🙂'"),
}
ZEROS = ("zero_day", "zero_at", "zero_stamp", "no_month")
OF_QUERIES = {
    "amount": "-1E-18",
    "big": 18446744073709551615,
    "day": "2024-03-01T00:00:00+00:00",
    "at": "2024-03-01T12:00:00+00:00",
    "at6": "2024-03-01T12:00:00.100000+00:00",
    "stamp": "2024-03-01T06:15:00+00:00",
    "zero_day": "0000-00-00",
    "zero_at": "0000-00-00 00:00:00",
    "zero_stamp": "0000-00-00 00:00:00",
    "no_month": "2024-00-10",
    "clock": "12:00:00",
    "flag": True,
    "bits": True,
    "bytes": "6162",
    "document": '{"a": 1.10}',
    "words": "é?",
}
OF_THE_BINLOG = {
    **OF_QUERIES,
    "zero_day": None,
    "zero_at": None,
    "zero_stamp": "1970-01-01T00:00:00+00:00",
    "no_month": None,
    "words": "é🙂",
}


def test_values_are_written_by_the_tap_and_arrive_as_the_page_says(
    mariadb: MariaDB, emulator: Emulator, tmp_path: Path
) -> None:
    # Given a row of a table of many types
    types = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    values = ", ".join(value for _, value in COLUMNS.values())
    mariadb.run(f"CREATE TABLE samples (id integer PRIMARY KEY, {types});")
    mariadb.run(f"INSERT INTO samples VALUES (1, {values});")
    # When the tap reads it by a query, and then from the binlog
    config = {**settings(mariadb), "filter_dbs": DATABASE, "engine": "mariadb"}
    method = {"replication-method": "LOG_BASED"}
    written = tap_output(RECIPE, tmp_path, config, method)
    mariadb.run(f"INSERT INTO samples VALUES (2, {values});")
    (state,) = re.findall(rb'^\{"type": "STATE", "value": (.*)\}$', written, re.MULTILINE)[-1:]
    written += tap_output(RECIPE, tmp_path, config, method, state)
    # Then it writes them as the page says
    lines = [json.loads(line, parse_float=str) for line in written.splitlines()]
    first, second = (line["record"] for line in lines if line["type"] == "RECORD")
    assert first == {"id": 1, **OF_QUERIES}
    assert second == {"id": 2, **OF_THE_BINLOG}

    # And when the target loads that, the row with zero dates is set aside
    to_emulator = {"token": "any", "api_url": emulator.url}
    path = str(tmp_path / QUARANTINE)
    aside = {**to_emulator, "on_invalid_record": "quarantine", "quarantine_path": path}
    run = piped(aside, tmp_path, written)
    assert run.exit_code == 0, run.stderr
    assert [row["id"] for row in rows(emulator, "samples")] == [2]
    (refused,) = quarantined(tmp_path)
    assert refused["record"]["zero_at"] == "0000-00-00 00:00:00"
    assert "is not a valid date-time" in refused["error"]

    # And with the setting that the page names they are null; all else arrives as it was written
    run = piped({**to_emulator, "on_invalid_datetime": "null"}, tmp_path, written)
    assert run.exit_code == 0, run.stderr
    arrived = {row["id"]: arrived_values(row) for row in rows(emulator, "samples")}
    assert arrived == {
        1: {"id": 1, **OF_QUERIES, **dict.fromkeys(ZEROS)},
        2: {"id": 2, **OF_THE_BINLOG},
    }


def arrived_values(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of the table in a row, decimals as they are written."""
    values = {name: row[name] for name in ("id", *COLUMNS)}
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()
    }

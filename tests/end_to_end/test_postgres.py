"""A real PostgreSQL, a real tap, a real Meltano: docs/recipes/postgres.md, and what it says."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest

from target_stitch_import.emulator import read_table
from tests.end_to_end.postgres import tap
from tests.end_to_end.postgres.tables import (
    GREATEST,
    create_tables,
    differences,
    in_postgres,
    in_stitch,
    sequences,
    with_log_columns,
)
from tests.support.postgres import DATABASE, USER, find_binaries, has_wal2json, running_postgres
from tests.support.recipes import Recipe, quarantined, tap_output
from tests.support.running import piped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.postgres import Postgres
    from tests.support.service import Service

pytestmark = pytest.mark.external

RECIPE = Recipe("postgres.md", "tap-postgres")
SAMPLES = "tests/end_to_end/postgres/everything.sql"
NEWER = "'2024-03-05 00:00:00+00'"  # than any row of the samples


class _Line(msgspec.Struct):
    type: str
    record: msgspec.Raw = msgspec.Raw(b"")


def settings(postgres: Postgres) -> dict[str, Any]:
    """Return what the tap has to know of the server."""
    connection = {"host": "127.0.0.1", "port": postgres.port, "database": DATABASE}
    return {**connection, "user": USER, "password": "any"}


def load(folder: Path, postgres: Postgres, emulator: Emulator, *tables: str) -> str:
    """Run the project in ``folder`` for some tables, and return its log."""
    streams = [f"public-{table}" for table in tables]
    return RECIPE.run(folder, settings(postgres), streams, emulator.url)


def missing(what: str) -> NoReturn:
    """Skip the test, but not in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"there is no {what}: .ci/services installs it")
    pytest.skip(f"there is no {what} on this machine")


@pytest.fixture(scope="module")
def server(pytestconfig: pytest.Config) -> Iterator[Postgres]:
    """Run a server, with a table of every type in a schema that the tap doesn't look at."""
    binaries = find_binaries()
    if binaries is None:
        missing("PostgreSQL server")
    with running_postgres(binaries) as running:
        running.run((pytestconfig.rootpath / SAMPLES).read_text(encoding="utf-8"))
        yield running


@pytest.fixture
def postgres(server: Postgres) -> Iterator[Postgres]:
    """Give a database with no table of its own."""
    server.run("CREATE SCHEMA IF NOT EXISTS public;")
    yield server
    server.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots;")
    server.run("SET client_min_messages = error; DROP SCHEMA public CASCADE;")


def test_rows_of_queries_arrive_to_the_last_digit_and_later_only_what_is_new(
    postgres: Postgres, emulator: Emulator, tmp_path: Path
) -> None:
    # Given two tables of every type, one to be replicated in full and one by its changed_at
    tables = ("countries", "orders")
    create_tables(postgres, *tables)
    RECIPE.write_project(tmp_path)

    # When the recipe runs
    load(tmp_path, postgres, emulator, *tables)

    # Then every row is there as PostgreSQL says it, but for the tap's own changes and date-times
    for table in tables:
        expected = in_postgres(postgres, table, tap.ARRIVED_OF_QUERIES)
        assert len(expected) == 5
        assert differences(in_stitch(emulator, table), expected) == {}
    assert quarantined(tmp_path) == []

    # And when a row is new, one has changed, and it runs again
    before = {table: sequences(emulator, table) for table in tables}
    for table in tables:
        postgres.run(
            f"UPDATE {table} SET exact = 1.000000000000000001, label = NULL, changed_at = {NEWER}"
            " WHERE id = 1;"
            f"INSERT INTO {table} (id, changed_at, big) VALUES (3, {NEWER}, {GREATEST});"
        )
    load(tmp_path, postgres, emulator, *tables)

    # Then the tables are PostgreSQL's again
    for table in tables:
        expected = in_postgres(postgres, table, tap.ARRIVED_OF_QUERIES)
        assert len(expected) == 6
        assert differences(in_stitch(emulator, table), expected) == {}
    # And of the one, all rows were sent; of the other, these two and the last of the run before
    sent = {
        table: {key for key, n in sequences(emulator, table).items() if before[table].get(key) != n}
        for table in tables
    }
    assert sent == {"countries": {GREATEST, -GREATEST - 1, 0, 1, 2, 3}, "orders": {1, 2, 3}}


def test_records_of_the_tap_are_posted_byte_for_byte(
    postgres: Postgres, service: Service, tmp_path: Path
) -> None:
    # Given what the tap writes of a table of every type
    create_tables(postgres, "orders")
    written = tap_output(RECIPE, tmp_path, {**settings(postgres), "filter_schemas": ["public"]})

    # When the target loads it
    ended = piped(service.config(), tmp_path, written)

    # Then each record is posted in the same bytes, but for a date-time that the service refuses
    assert ended.exit_code == 0, ended.stderr
    lines = [msgspec.json.decode(line, type=_Line) for line in written.splitlines()]
    records = [bytes(line.record) for line in lines if line.type == "RECORD"]
    assert len(records) == 5
    old, normalized = b'"0001-01-02T05:41:16.000001+05:41:16"', b'"0001-01-02T00:00:00.000001Z"'
    assert sum(old in record for record in records) == 1
    posted = [each for request in service.requests for each in request.records]
    assert posted == [record.replace(old, normalized) for record in records]
    # Among them what a float would have rounded
    assert b'"exact":99999999999999999999.999999999999999999,' in b"".join(records)


def test_changes_from_the_log_arrive_and_a_deleted_row_shows_when_it_was_deleted(
    postgres: Postgres, emulator: Emulator, tmp_path: Path
) -> None:
    if not has_wal2json(postgres.binaries):
        missing("wal2json for PostgreSQL")
    # Given a table of every type, and a slot from which its later changes are read
    create_tables(postgres, "accounts")
    postgres.run("SELECT pg_create_logical_replication_slot('stitch', 'wal2json');")
    RECIPE.write_project(tmp_path, {"schema": {"public-accounts": all_arrays()}})

    # When the recipe runs
    log = load(tmp_path, postgres, emulator, "accounts")

    # Then the rows that are there are loaded by a query, to the last digit
    loaded = with_log_columns(in_postgres(postgres, "accounts", tap.ARRIVED_OF_QUERIES))
    assert len(loaded) == 5
    assert differences(in_stitch(emulator, "accounts"), loaded) == {}
    # And the tap's own columns are ordinary ones
    assert "left out" not in log

    # And when rows are inserted, updated and deleted, and it runs again
    before = sequences(emulator, "accounts")
    whole = in_postgres(postgres, "accounts", tap.ARRIVED_OF_THE_LOG, "id = 0")[0]
    postgres.run(
        "DELETE FROM accounts WHERE id = 2;"
        "UPDATE accounts SET big = 5 WHERE id = 1;"
        f"INSERT INTO accounts (id, changed_at, exact) VALUES (3, {NEWER}, 0.1);"
        f"UPDATE accounts SET label = 'é🙂' WHERE id = {GREATEST};"
        f"UPDATE accounts SET label = '' WHERE id = {-GREATEST - 1};"
        "ALTER TABLE accounts REPLICA IDENTITY FULL;"
        "DELETE FROM accounts WHERE id = 0;"
    )
    load(tmp_path, postgres, emulator, "accounts")

    # Then what has changed is as the log says it
    found = in_stitch(emulator, "accounts")
    places = [row.pop("_sdc_lsn") for row in found.values()]
    assert all(type(place) is int for place in places)
    gone = {key: found.pop(key) for key in (0, 2)}
    changed = in_postgres(postgres, "accounts", tap.ARRIVED_OF_THE_LOG)
    assert len(changed) == 4
    assert [row.pop("_sdc_deleted_at") for row in found.values()] == [None] * 4
    assert differences(found, changed) == {}
    # And the rows that were deleted are marked: of the one, the log has nothing but its key
    for row in gone.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row.pop("_sdc_deleted_at"))
    assert differences(gone, {2: {**dict.fromkeys(whole), "id": 2}, 0: whole}) == {}
    # And every row was sent once more, for every one had changed
    assert set(before) < set(sequences(emulator, "accounts"))
    assert quarantined(tmp_path) == []

    # And when nothing has changed, nothing is sent
    before = sequences(emulator, "accounts")
    load(tmp_path, postgres, emulator, "accounts")
    assert sequences(emulator, "accounts") == before


def test_in_a_table_without_a_key_a_deleted_row_becomes_one_row_more(
    postgres: Postgres, emulator: Emulator, tmp_path: Path
) -> None:
    if not has_wal2json(postgres.binaries):
        missing("wal2json for PostgreSQL")
    # Given a table without a key, whose log has whole rows
    postgres.run(
        "CREATE TABLE accounts (page text); ALTER TABLE accounts REPLICA IDENTITY FULL;"
        "INSERT INTO accounts VALUES ('/'), ('/about');"
        "SELECT pg_create_logical_replication_slot('stitch', 'wal2json');"
    )
    RECIPE.write_project(tmp_path)
    load(tmp_path, postgres, emulator, "accounts")
    # When a row is deleted, and the recipe runs again
    postgres.run("DELETE FROM accounts WHERE page = '/';")
    load(tmp_path, postgres, emulator, "accounts")
    # Then it is there as before, and once more with the time
    rows = read_table(emulator.database, "public-accounts")
    found = sorted((row["page"], row["_sdc_deleted_at"] is not None) for row in rows)
    assert found == [("/", False), ("/", True), ("/about", False)]


def test_a_row_that_is_gone_disappears_where_the_tap_writes_activate_version(
    postgres: Postgres, emulator: Emulator, tmp_path: Path
) -> None:
    # Given a table that is loaded in full, with the setting that the page names
    postgres.run(
        "CREATE TABLE countries (id text PRIMARY KEY); INSERT INTO countries VALUES ('de'), ('fr');"
    )
    (versions,) = (each for each in RECIPE.snippets if set(each) == {"config"})
    RECIPE.write_project(tmp_path, versions)
    load(tmp_path, postgres, emulator, "countries")
    # When a row is deleted, and it is loaded again
    postgres.run("DELETE FROM countries WHERE id = 'de'; INSERT INTO countries VALUES ('np');")
    load(tmp_path, postgres, emulator, "countries")
    # Then the row is no longer there
    rows = read_table(emulator.database, "public-countries")
    assert sorted(row["id"] for row in rows) == ["fr", "np"]


def all_arrays() -> dict[str, Any]:
    """Return what the page says of the column ``numbers``, for every array but text[]."""
    expected_text = RECIPE.snippets[0]["plugins"]["extractors"][0]["schema"]["public-accounts"][
        "numbers"
    ]
    return dict.fromkeys(("numbers", "bigs", "decimals", "feelings"), expected_text)


def reason(error: str) -> str:
    """Return which rule of its schema a record breaks, without what to do."""
    return error.partition("schema: ")[2].partition(" (")[0]


def test_arrays_that_break_the_schema_of_the_tap_are_set_aside(
    postgres: Postgres, emulator: Emulator, tmp_path: Path
) -> None:
    # Given rows with a null in an array, and with an array in an array, among good ones
    postgres.run(
        "CREATE TABLE orders (id integer PRIMARY KEY, changed_at timestamptz NOT NULL,"
        " numbers integer[], words text[]);"
        "INSERT INTO orders VALUES (1, '2024-01-01', '{1}', '{a}'),"
        " (2, '2024-01-02', '{1,NULL,3}', '{b}'), (3, '2024-01-03', '{}', '{c,NULL}'),"
        " (4, '2024-01-04', '{{1,2},{3,4}}', '{d}'), (5, '2024-01-05', NULL, NULL);"
    )
    RECIPE.write_project(tmp_path)

    # When the recipe runs
    log = load(tmp_path, postgres, emulator, "orders")

    # Then the good ones are loaded
    assert sorted(in_stitch(emulator, "orders")) == [1, 5]
    # And the others stand in the quarantine, whole, each with its reason
    assert [
        (each["record"]["id"], each["record"]["numbers"], reason(each["error"]))
        for each in quarantined(tmp_path)
    ] == [
        (2, [1, None, 3], "#/numbers/1: expected: integer, found: null"),
        (3, [], "#/words/1: expected: string, found: null"),
        (4, [[1, 2], [3, 4]], "#/numbers/1: expected: integer, found: array"),
    ]
    assert "3 records were set aside" in log

    # And when the project says what may be in the arrays, as the page does
    (mended,) = (each for each in RECIPE.snippets if set(each) == {"schema"})
    RECIPE.write_project(tmp_path, mended)
    postgres.run(f"UPDATE orders SET changed_at = {NEWER};")
    load(tmp_path, postgres, emulator, "orders")

    # Then all of them are loaded
    rows = in_stitch(emulator, "orders")
    assert {key: (row["numbers"], row["words"]) for key, row in rows.items()} == {
        1: ([1], ["a"]),
        2: ([1, None, 3], ["b"]),
        3: ([], ["c", None]),
        4: ([[1, 2], [3, 4]], ["d"]),
        5: (None, None),
    }
    assert len(quarantined(tmp_path)) == 3


def test_a_full_table_sends_what_changed_and_marks_what_is_gone(
    postgres: Postgres, service: Service, tmp_path: Path
) -> None:
    # Given a table of 100 rows that is read in full, with versions
    postgres.run(
        "CREATE TABLE items (id int PRIMARY KEY, price numeric, label text);"
        "INSERT INTO items SELECT n, n / 7.0, 'item ' || n FROM generate_series(1, 100) AS n;"
    )
    known = {"skip_unchanged": str(tmp_path / "rows.db"), "detect_deletes": True}

    def load() -> list[dict[str, Any]]:
        """Run the tap and the target, and return what the service got."""
        settings_of_tap = {
            **settings(postgres),
            "filter_schemas": ["public"],
            "emit_activate_version_messages": True,
        }
        written = tap_output(
            RECIPE, tmp_path, settings_of_tap, {"replication-method": "FULL_TABLE"}
        )
        # This tap writes it in front of the rows only, and others behind them, too.
        *_, activation = [line for line in written.splitlines() if b"ACTIVATE_VERSION" in line]
        written += activation + b"\n"
        before = len(service.requests)
        assert piped(service.config(**known), tmp_path, written).exit_code == 0
        bodies = [request.batch for request in service.requests[before:]]
        return [message["data"] for body in bodies for message in body["messages"]]

    # When it is loaded, changes, is loaded, and is loaded once more
    assert len(load()) == 100
    postgres.run(
        "UPDATE items SET price = price + 1 WHERE id IN (7, 70);"
        "INSERT INTO items VALUES (101, 1, 'new'); DELETE FROM items WHERE id = 50;"
    )
    changed = load()

    # Then what changed is sent, and the row that is gone is marked
    assert sorted(row["id"] for row in changed) == [7, 50, 70, 101]
    (deleted,) = [row for row in changed if row.get("_sdc_deleted_at")]
    assert deleted.keys() == {"id", "_sdc_deleted_at"}
    assert deleted["id"] == 50

    # And of what has not changed, nothing is
    assert load() == []

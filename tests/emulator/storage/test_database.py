"""Loading as Stitch loads: upsert, append, and versions."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, read_table, running_emulator
from tests.emulator.client import ACCEPTED, ID, ID_AND_NAME, Api, load, upsert

if TYPE_CHECKING:
    from pathlib import Path

    import requests


def activate(sequence: int) -> dict[str, Any]:
    return {"action": "activate_version", "sequence": sequence}


@pytest.mark.parametrize("together", [True, False])
def test_the_greater_sequence_wins(api: Api, table: str, together: bool) -> None:
    # when records come with lower, equal and greater sequences, in one request or in several
    names = {10: "first", 9: "lower", 12: "greatest", 11: "greater"}
    messages = [upsert(sequence, id=1, name=name) for sequence, name in names.items()]
    messages += [upsert(12, id=1, name="equal"), upsert(-1, id=2, name="other")]
    requests = [messages] if together else [[each] for each in messages]
    for request in requests:
        load(api, table, ID_AND_NAME, *request, key_names=["id"])

    # then only the one that had the greatest first is left, in the place of the first
    assert api.rows(table) == [{"id": 1, "name": "greatest"}, {"id": 2, "name": "other"}]


def test_a_whole_row_is_replaced(api: Api, table: str) -> None:
    # given a row, and the table's system columns
    load(api, table, ID_AND_NAME, upsert(1, id=1, name="x"), key_names=["id"], table_version=3)

    # when a record without the field comes, without a version
    load(api, table, ID, upsert(2, id=1), key_names=["id"])

    # then the field is null, and so is the version
    (row,) = api.rows(table, system_columns=True)
    received_at, batched_at = row.pop("_sdc_received_at"), row.pop("_sdc_batched_at")
    assert row == {
        "id": 1,
        "name": None,
        "_sdc_sequence": 2,
        "_sdc_table_version": None,
        "_sdc_extracted_at": None,
    }
    # and the times of the request and of its loading are there
    for time in (received_at, batched_at):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)
    assert received_at <= batched_at


def test_a_row_has_the_time_of_its_extraction(api: Api, table: str) -> None:
    # given a row whose message says when it was extracted
    extracted = {"time_extracted": "2024-02-29T10:00:00.123456Z"}
    messages = [{**upsert(1, id=1), **extracted}, upsert(1, id=2)]
    load(api, table, ID, *messages, key_names=["id"])

    # then only that row has the time
    rows = api.rows(table, system_columns=True)
    times = [row["_sdc_extracted_at"] for row in rows]
    assert times == ["2024-02-29T10:00:00.123456Z", None]

    # and it has none when a record without it replaces it
    load(api, table, ID, upsert(2, id=1), key_names=["id"])
    assert api.rows(table, system_columns=True)[0]["_sdc_extracted_at"] is None


def test_several_keys(api: Api, table: str) -> None:
    # given a table with two keys
    properties = {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "integer"}}
    keys = {"key_names": ["a", "b"]}

    # when records that differ in one of them come, and the keys in another order
    load(api, table, properties, upsert(1, a=1, b="x", c=1), upsert(1, a=1, b="y", c=2), **keys)
    load(api, table, properties, upsert(2, a=1, b="x", c=3), key_names=["b", "a"])

    # then only equal ones are replaced
    assert api.rows(table) == [{"a": 1, "b": "x", "c": 3}, {"a": 1, "b": "y", "c": 2}]


@pytest.mark.parametrize("keys", [{}, {"key_names": []}])
def test_a_table_without_keys_is_appended_to(api: Api, table: str, keys: dict[str, Any]) -> None:
    # when the same records come twice
    for _ in range(2):
        load(api, table, ID, upsert(1, id=1), upsert(1, id=1), **keys)

    # then all of them are kept
    assert api.rows(table) == [{"id": 1}] * 4


@pytest.mark.parametrize("keys", [[], ["id"]])
def test_a_version_is_activated(api: Api, table: str, keys: list[str]) -> None:
    # given rows of no version and of two
    load(api, table, ID, upsert(1, id=1), key_names=keys)
    load(api, table, ID, upsert(1, id=2), key_names=keys, table_version=1)
    load(api, table, ID, upsert(1, id=3), key_names=keys, table_version=2)
    assert [row["id"] for row in api.rows(table)] == [1, 2, 3]

    # when the second is activated, between two records of its own
    messages = (upsert(2, id=4), activate(3), upsert(4, id=5))
    load(api, table, ID, *messages, key_names=keys, table_version=2)

    # then only its rows are left
    assert [row["id"] for row in api.rows(table)] == [3, 4, 5]


def test_messages_are_applied_in_order(api: Api, table: str) -> None:
    # given a row of an older version
    load(api, table, ID_AND_NAME, upsert(5, id=1, name="old"), key_names=["id"], table_version=1)

    # when the new version is activated before a record with a lower sequence
    messages = (activate(1), upsert(2, id=1, name="new"))
    load(api, table, ID_AND_NAME, *messages, key_names=["id"], table_version=2)

    # then the old row was gone by then
    assert api.rows(table) == [{"id": 1, "name": "new"}]


def test_activating_alone_makes_the_table(api: Api, table: str) -> None:
    # when the first that is heard of a table is its version
    load(api, table, ID, activate(1), key_names=["id"], table_version=1)

    # then it is there, and empty
    assert table in list_tables(api.database)
    assert api.rows(table) == []


def test_a_table_can_be_looked_at_with_sqlite(api: Api) -> None:
    # when a table has a column of each type
    types = ["integer", "number", "boolean", "string", "object", "array"]
    properties: dict[str, Any] = {name: {"type": ["null", name]} for name in types}
    properties |= {
        "any": {},
        "two": {"type": ["string", "integer"]},
        "date": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        "mixed": {"oneOf": [{"type": "string"}, {}]},
        "numbers": {"type": ["integer", "number"]},
        "nothing": {"type": "null"},
        "elsewhere": {"$ref": "#/properties/string", "type": "string"},
        "exact": {"type": ["null", "string"], "format": "singer.decimal"},
        "also": {"anyOf": [{"type": "string", "format": "singer.decimal"}, {"type": "null"}]},
        "_sdc_deleted_at": {"type": "string"},
    }
    values = {"integer": 5, "number": 1.5, "boolean": True, "string": "x", "object": {"a": 1}}
    load(api, "looked_at", properties, upsert(1, **values, array=[1]), key_names=["integer"])

    # then SQLite shows the types and the values
    with closing(sqlite3.connect(api.database)) as connection:
        declared = connection.execute("SELECT name, type FROM pragma_table_info('looked_at')")
        assert dict(declared) == {
            "integer": "INTEGER",
            "number": "NUMERIC",
            "boolean": "BOOLEAN",
            "string": "TEXT",
            "object": "JSON TEXT",
            "array": "JSON TEXT",
            "any": "",
            "two": "",
            "date": "TEXT",
            "mixed": "",
            "numbers": "NUMERIC",
            "nothing": "",
            "elsewhere": "",
            "exact": "DECIMAL TEXT",
            "also": "DECIMAL TEXT",
            "_sdc_deleted_at": "TEXT",
            "_sdc_sequence": "INTEGER",
            "_sdc_table_version": "INTEGER",
            "_sdc_received_at": "TEXT",
            "_sdc_batched_at": "TEXT",
            "_sdc_extracted_at": "TEXT",
        }
        (row,) = connection.execute("SELECT * FROM looked_at")
        assert row[:6] == (5, 1.5, 1, "x", '{"a": 1}', "[1]")


def test_a_database_is_taken_up_again(tmp_path: Path, session: requests.Session) -> None:
    # given tables that an emulator has loaded, with odd names, and one that is stopped
    database = tmp_path / "stitch.db"
    properties = {"Id": {"type": "integer"}, "ID": {"type": "string"}}
    with running_emulator(database) as emulator:
        api = Api(emulator.url, database, session)
        load(api, "T", properties, upsert(1, Id=1, ID="a"), upsert(2, Id=2, ID="a"))
        load(api, "t", properties, upsert(1, Id=1, ID="a"), key_names=["Id"])
        load(api, "stopped", properties, upsert(1, Id=1, ID="a"), key_names=["Id"])
        load(api, "stopped", properties, upsert(2, Id=2, ID="a"), key_names=["ID"])

    # when another emulator goes on with the database
    with running_emulator(str(database)) as emulator:
        api = Api(emulator.url, database, session)
        load(api, "T", properties, upsert(4, Id=4, ID="a"))
        load(api, "t", properties, upsert(2, Id=1, ID="b"), key_names=["Id"])
        load(api, "stopped", properties, upsert(3, Id=1, ID="b"), key_names=["Id"])

    # then it knows all about them
    assert list_tables(database) == ["T", "t", "stopped"]
    assert [row["Id"] for row in read_table(database, "T")] == [1, 2, 4]
    assert read_table(database, "t") == [{"Id": 1, "ID": "b"}]
    assert read_table(database, "stopped") == [{"Id": 1, "ID": "a"}]


def test_a_database_of_another_version_is_left_alone(tmp_path: Path) -> None:
    # given a database that an emulator of another layout has written
    database = tmp_path / "stitch.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE _sdc_tables (name, physical, key_names)")

    # when an emulator is to go on with it
    # then it says what to do
    with (
        pytest.raises(sqlite3.DatabaseError, match="delete it, or name another file"),
        running_emulator(database),
    ):
        pass


def test_there_is_nothing_to_read(api: Api, tmp_path: Path) -> None:
    # when there is no such database, or no such table
    # then reading says so, and makes none
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.db", "t")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(KeyError):
        api.rows("never heard of")


def test_a_database_that_can_not_be_written(tmp_path: Path, session: requests.Session) -> None:
    # given a table that SQLite lost behind the emulator's back
    database = tmp_path / "stitch.db"
    with running_emulator(database) as emulator:
        api = Api(emulator.url, database, session)
        load(api, "lost", ID, upsert(1, id=1), key_names=["id"])
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("DROP TABLE lost")

        # when a request has a record for a new table, and one for that
        records = [
            {"client_id": 1, "table_name": name, "key_names": ["id"], **upsert(2, id=2)}
            for name in ("new", "lost")
        ]
        answer = api.push(records)
        tables = list_tables(database)
        again = api.push(records[:1])

    # then it is answered as a problem of the service, nothing of it is stored, and the service
    # goes on
    message = "The Import API is experiencing problems."
    assert answer == (503, {"status": "ERROR", "message": message})
    assert tables == ["lost"]
    assert again == ACCEPTED
    assert read_table(database, "new") == [{"id": 2}]

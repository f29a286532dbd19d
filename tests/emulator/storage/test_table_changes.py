"""Tables whose columns, types, keys and names are never the same for long."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import running_emulator
from tests.emulator.client import ACCEPTED, ID, ID_AND_NAME, Api, load, upsert

if TYPE_CHECKING:
    from pathlib import Path

    import requests


def test_columns_are_added(api: Api, table: str) -> None:
    # given a table
    load(api, table, ID, upsert(1, id=1), key_names=["id"])

    # when the schema grows, and a record has a field that no schema has
    properties = {"name": {"type": "string"}, **ID}
    load(api, table, properties, upsert(1, id=2, name="x", more=[1]), key_names=["id"])

    # then all of it is stored
    assert api.rows(table) == [
        {"id": 1, "name": None, "more": None},
        {"id": 2, "name": "x", "more": [1]},
    ]


def test_a_table_may_have_no_column(api: Api, table: str) -> None:
    # when a schema and its records have no field
    load(api, table, {}, upsert(1), upsert(2))

    # then there are rows of nothing
    assert api.rows(table) == [{}, {}]


DECIMAL = {"type": ["null", "string"], "format": "singer.decimal"}
VALUES: dict[str, list[Any]] = {
    "integer": [0, 1, -(2**63), 2**70, None],
    "number": [0, 1.5, 2**70, None],
    "boolean": [True, False, None],
    "string": ["007", "1e3", "true", "", "null", None],
    "decimal": ["12.50", "-007", "1E+3", "0.1", "x", None],
    "array": [[1, "x"], [], None],
    "object": [{"a": {"b": None}}, {}, None],
}


DECIMALS = [Decimal("12.50"), Decimal(-7), Decimal(1000), Decimal("0.1"), "x", None]
"""The strings that are decimals, as a column of decimals has them."""


@pytest.mark.parametrize("before", VALUES)
@pytest.mark.parametrize("after", VALUES)
def test_a_column_changes_its_type(api: Api, table: str, before: str, after: str) -> None:
    # given a table of one type
    def post(kind: str, first: int, keys: list[str]) -> None:
        schema = DECIMAL if kind == "decimal" else {"type": ["null", kind]}
        properties = {**ID, "v": schema}
        records = [upsert(1, id=first + n, v=value) for n, value in enumerate(VALUES[kind])]
        load(api, table, properties, *records, key_names=keys)

    post(before, 0, ["id"])

    # when the next batch has another type
    post(after, 100, ["id"])

    # then every value is what it was
    values = [row["v"] for row in api.rows(table)]
    # but that a column without a type can't tell decimals from other strings
    expected = DECIMALS if before == "decimal" else VALUES[before]
    expected = expected + (DECIMALS if before == after == "decimal" else VALUES[after])
    assert values == expected
    assert [type(value) is bool for value in values] == [type(value) is bool for value in expected]


def test_a_key_changes_its_type(api: Api, table: str) -> None:
    # given a table whose key is an integer
    load(api, table, {"id": {"type": "integer"}}, upsert(1, id=7), key_names=["id"])

    # when it is a string, and then an integer again
    load(api, table, {"id": {"type": "string"}}, upsert(2, id="7"), key_names=["id"])
    load(api, table, {"id": {"type": "integer"}}, upsert(3, id=7), key_names=["id"])

    # then the two are told apart
    rows = api.rows(table, system_columns=True)
    assert [(row["id"], row["_sdc_sequence"]) for row in rows] == [(7, 3), ("7", 2)]


@pytest.mark.parametrize(
    ("before", "after"),
    [(["id"], ["code"]), (["id"], ["id", "code"]), (["id"], []), ([], ["id"])],
)
def test_a_changed_primary_key_stops_the_table(
    api: Api, table: str, before: list[str], after: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    # given a table
    properties = {**ID, "code": {"type": "string"}}
    load(api, table, properties, upsert(1, id=1, code="a"), key_names=before, table_version=1)

    # when a request has other keys, and then others come with its own
    more = {**properties, "more": {}}
    activate = {"action": "activate_version", "sequence": 3}
    with caplog.at_level("INFO", logger="stitch-import-emulator"):
        messages = (upsert(2, id=1, code="b"), upsert(2, id=2, code="c"))
        load(api, table, more, *messages, key_names=after, table_version=2)
        load(api, table, properties, upsert(4, id=3, code="d"), key_names=before, table_version=2)
        load(api, table, properties, activate, key_names=before, table_version=2)

    # then all are accepted, and nothing more is loaded: no row, no column, no version
    assert api.rows(table) == [{"id": 1, "code": "a"}]
    # and the log says so, the first time as a warning
    stops = [record for record in caplog.records if table in record.getMessage()]
    assert [record.levelname for record in stops] == ["WARNING", "INFO", "INFO"]
    assert stops[0].getMessage() == (
        f"Table {table} is stopped, for its keys changed from {before} to {after}: "
        "2 messages were accepted and not loaded"
    )


def test_a_table_is_stopped_for_itself(api: Api, table: str) -> None:
    # given a table of push
    record = {"client_id": 1, **upsert(1, id=1, code="a"), "key_names": ["id"]}
    assert api.push([{**record, "table_name": table}]) == ACCEPTED

    # when records with other keys come, before and after good ones of it and of another
    changed = {**record, "table_name": table, "key_names": ["code"]}
    good = {**record, "sequence": 2, "data": {"id": 2, "code": "b"}}
    body = [{**good, "table_name": table}, changed, {**good, "table_name": f"{table} 2"}]
    assert api.push(body) == ACCEPTED
    assert api.push([{**good, "table_name": table, "data": {"id": 3}}]) == ACCEPTED

    # then what came before the change is loaded, and so is the other table
    assert [row["id"] for row in api.rows(table)] == [1, 2]
    assert [row["id"] for row in api.rows(f"{table} 2")] == [2]


def test_a_change_that_is_not_stored_stops_nothing(
    tmp_path: Path, session: requests.Session
) -> None:
    # given a table, and one that SQLite lost behind the emulator's back
    database = tmp_path / "stitch.db"
    with running_emulator(database) as emulator:
        api = Api(emulator.url, database, session)
        for name in ("t", "lost"):
            load(api, name, ID, upsert(1, id=1), key_names=["id"])
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("DROP TABLE lost")

        # when a request that changes the keys of the one fails with the other
        record = {"client_id": 1, **upsert(2, id=2, code="a")}
        changed = {**record, "table_name": "t", "key_names": ["code"]}
        failing = {**record, "table_name": "lost", "key_names": ["id"]}
        status, _ = api.push([changed, failing])

        # then the table goes on
        assert status == 503
        load(api, "t", ID, upsert(2, id=2), key_names=["id"])
        assert api.rows("t") == [{"id": 1}, {"id": 2}]


def test_more_fields_than_a_table_has_columns(api: Api, table: str) -> None:
    # given a table with more fields than columns, whose key is the last of them
    names = [f"c{n}" for n in range(2500)]
    properties: dict[str, Any] = {name: {"type": ["null", "string"]} for name in names}
    keys = {"key_names": ["c2499"]}
    load(api, table, properties, upsert(1, **dict.fromkeys(names, "1")), **keys)

    # when rows come, one of them with another field
    load(api, table, properties, upsert(1, **dict.fromkeys(names, "2")), **keys)
    load(api, table, properties, upsert(2, c2499="2", c2450="x", new=5.50), **keys)

    # then every value can be read
    first, second = api.rows(table)
    assert first == {**dict.fromkeys(names, "1"), "new": None}
    assert second == {**dict.fromkeys([*names, "new"]), "c2499": "2", "c2450": "x", "new": 5.5}


def test_the_first_field_beyond_the_columns_comes_later(api: Api, table: str) -> None:
    # given a table with as many fields as columns
    names = [f"c{n}" for n in range(1900)]
    load(api, table, {}, upsert(1, **dict.fromkeys(names, "1")))

    # when two more come, one after the other
    load(api, table, {}, upsert(2, more=1))
    load(api, table, {}, upsert(3, another=2))

    # then they can be read
    assert [(row["more"], row["another"]) for row in api.rows(table)] == [
        (None, None),
        (1, None),
        (None, 2),
    ]


NAMES = [
    "Id",
    "ID",
    "id",
    "id__2",
    "",
    " ",
    'a"b',
    "a'b",
    "a;b",
    "a.b",
    "[a]",
    "`a`",
    "a\0b",
    "ab",
    "select",
    "sqlite_master",
    "sqlite_sequence",
    "_sdc_more",
    "_sdc_deleted_at",
    "_SDC_Sequence",
    "_sdc_wide_Id",
    "rowid",
    "oid",
    "_rowid_",
    "ROWID",
    "Ä",
    "ä",
    "\N{GRINNING FACE}",
    "n" * 3000,
    "n" * 3000 + "2",
    "?",
    ":name",
    "%s",
    "true",
]


def test_fields_of_any_name(api: Api, table: str) -> None:
    # when fields have names that SQLite takes for one, or for something else
    records = [{name: f"{n}{name}" for name in NAMES} for n in range(2)]
    properties = {name: {"type": "string"} for name in NAMES}
    load(api, table, properties, *(upsert(1, **each) for each in records), key_names=NAMES[:5])

    # then each is its own
    assert api.rows(table) == records


def test_tables_of_any_name(api: Api) -> None:
    # when tables have such names, or those of the emulator's own
    names = [*(name for name in NAMES if name), "_sdc_tables", "_SDC_COLUMNS", "_sdc_keys_Id"]
    for name in names:
        load(api, name, ID_AND_NAME, upsert(1, id=1, name=name), key_names=["id"])

    # then each is its own
    assert [api.rows(name) for name in names] == [[{"id": 1, "name": name}] for name in names]

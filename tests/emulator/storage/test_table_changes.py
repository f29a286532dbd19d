"""Tables whose columns, types, keys and names are never the same for long."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.client import ID, ID_AND_NAME, Api, load, upsert


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


VALUES: dict[str, list[Any]] = {
    "integer": [0, 1, -(2**63), 2**70, None],
    "number": [0, 1.5, 2**70, None],
    "boolean": [True, False, None],
    "string": ["007", "1e3", "true", "", "null", None],
    "array": [[1, "x"], [], None],
    "object": [{"a": {"b": None}}, {}, None],
}


@pytest.mark.parametrize("before", VALUES)
@pytest.mark.parametrize("after", VALUES)
def test_a_column_changes_its_type(api: Api, table: str, before: str, after: str) -> None:
    # given a table of one type
    def post(kind: str, first: int, keys: list[str]) -> None:
        properties = {**ID, "v": {"type": ["null", kind]}}
        records = [upsert(1, id=first + n, v=value) for n, value in enumerate(VALUES[kind])]
        load(api, table, properties, *records, key_names=keys)

    post(before, 0, ["id"])

    # when the next batch has another type
    post(after, 100, ["id"])

    # then every value is what it was
    values = [row["v"] for row in api.rows(table)]
    expected = VALUES[before] + VALUES[after]
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


def test_other_keys_lose_no_row(api: Api, table: str) -> None:
    # given a table with one key, in which three rows share a code
    properties = {**ID, "code": {"type": "string"}}
    records = [
        upsert(1, id=1, code="a"),
        upsert(5, id=2, code="a"),
        upsert(3, id=3, code="a"),
        upsert(1, id=4, code="b"),
    ]
    load(api, table, properties, *records, key_names=["id"])

    # when the code becomes the key
    messages = (upsert(4, id=5, code="a"), upsert(6, id=6, code="a"), upsert(2, id=7, code="b"))
    load(api, table, properties, *messages, key_names=["code"])

    # then only the newest row of each code can be replaced, and the others are kept
    assert [(row["id"], row["code"]) for row in api.rows(table)] == [
        (1, "a"),
        (6, "a"),
        (3, "a"),
        (7, "b"),
    ]

    # when there is no key any more, and then the first again, which two rows share by now
    load(api, table, properties, upsert(9, id=6, code="c"))
    load(api, table, properties, upsert(10, id=6, code="d"), key_names=["id"])

    # then still no row is lost but the one that was replaced
    rows = [(row["id"], row["code"]) for row in api.rows(table)]
    assert rows == [(1, "a"), (6, "a"), (3, "a"), (7, "b"), (6, "d")]


def test_a_table_gets_its_keys_later(api: Api, table: str) -> None:
    # given rows without a field
    load(api, table, ID, upsert(1, id=1), upsert(1, id=1))

    # when that field becomes the key
    properties = {**ID, "code": {"type": "string"}}
    load(api, table, properties, upsert(1, id=2, code="a"), key_names=["code"])
    load(api, table, properties, upsert(2, id=3, code="a"), key_names=["code"])

    # then the rows that lack it are all kept
    assert [row["id"] for row in api.rows(table)] == [1, 1, 3]


def test_more_fields_than_a_table_has_columns(api: Api, table: str) -> None:
    # given a table with more fields than columns
    names = [f"c{n}" for n in range(2500)]
    properties: dict[str, Any] = {name: {"type": ["null", "string"]} for name in names}
    keys = {"key_names": ["c2499"]}
    load(api, table, properties, upsert(1, **dict.fromkeys(names, "1")), **keys)

    # when one of those that have no column becomes a key, and another comes
    load(api, table, properties, upsert(1, **dict.fromkeys(names, "2")), key_names=["c2400"])
    load(api, table, properties, upsert(2, c2400="2", c2450="x", new=5.50), key_names=["c2400"])

    # then every value can be read
    first, second = api.rows(table)
    assert first == {**dict.fromkeys(names, "1"), "new": None}
    assert second == {**dict.fromkeys([*names, "new"]), "c2400": "2", "c2450": "x", "new": 5.5}


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

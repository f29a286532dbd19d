"""The tables that the page is sent: exact values, right counts, bounded sizes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.emulator.client import ID, ID_AND_NAME, Api, batch, load, upsert
from tests.emulator.page.page_data import get_counts, get_rows, get_state, get_table

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.emulator.faults.fault_client import RunWithFaults


def test_values_are_exact_texts(fresh_api: Api) -> None:
    # given values that JavaScript would round, and those that need care
    number = "12345678901234567890123456.789012345678"
    data = (
        f'{{"id": 9007199254740993, "huge": 123456789012345678901234567890, "decimal": {number},'
        ' "ratio": 0.1, "yes": true, "no": null, "text": "1", "inner": {"a": 1.10}, "any": false,'
        f' "exact": "{number}0"}}'
    )
    properties = {
        **ID,
        "huge": {"type": "integer"},
        "decimal": {"type": "number"},
        "ratio": {"type": "number"},
        "yes": {"type": "boolean"},
        "no": {"type": ["null", "string"]},
        "text": {"type": "string"},
        "inner": {"type": "object"},
        "any": {},
        "exact": {"type": "string", "format": "singer.decimal"},
    }
    body = batch("values", properties, [], key_names=["id"])
    body["messages"] = ["HERE"]
    message = f'{{"action": "upsert", "sequence": 9223372036854775807, "data": {data}}}'
    assert fresh_api.post("batch", json.dumps(body).replace('"HERE"', message)).status_code == 201

    # when the table is opened
    (row,) = get_rows(fresh_api, "values")

    # then every value is a text, to the last digit
    assert row == {
        "id": ["number", "9007199254740993"],
        "huge": ["number", "123456789012345678901234567890"],
        "decimal": ["number", number],
        "ratio": ["number", "0.1"],
        "yes": ["boolean", "true"],
        "no": None,
        "text": ["string", "1"],
        "inner": ["json", '{"a": 1.10}'],
        "any": ["boolean", "false"],
        "exact": ["number", f"{number}0"],
    }
    (whole,) = get_table(fresh_api, "values")["rows"]
    assert whole["cells"][-5] == ["number", "9223372036854775807"]


def test_a_table_has_its_schema_and_its_newest_rows_first(fresh_api: Api) -> None:
    # given a table of more rows than are shown, of which an old one is written again
    rows = [upsert(1, id=n, name=f"old {n}") for n in range(80)]
    load(fresh_api, "people", ID_AND_NAME, *rows, key_names=["id"])
    load(fresh_api, "people", ID_AND_NAME, upsert(2, id=3, name="new"), key_names=["id"])

    # when it is opened
    table = get_table(fresh_api, "people")

    # then it says what it is
    assert (table["name"], table["keys"], table["column_count"]) == ("people", ["id"], 2)
    assert table["columns"] == [
        {"name": "id", "type": "integer", "key": True},
        {"name": "name", "type": "string"},
    ]
    # and the row that was written last comes first, then the others from their end
    assert table["sorted"]
    assert len(table["rows"]) == 50
    names = [row["name"][1] for row in get_rows(fresh_api, "people")]
    assert names[:3] == ["new", "old 79", "old 78"]


def test_a_table_of_many_rows_shows_those_that_were_added_last(fresh_api: Api) -> None:
    # given more rows than are sorted each time
    load(fresh_api, "many", ID, *(upsert(1, id=n) for n in range(20_000)))
    load(fresh_api, "many", ID, upsert(1, id=-1))

    # when it is opened
    # then the last come first, and it says how they were chosen
    assert get_rows(fresh_api, "many")[0] == {"id": ["number", "-1"]}
    assert not get_table(fresh_api, "many")["sorted"]
    assert get_counts(fresh_api) == {"many": 20_001}


def test_counts_are_right_whatever_happens_to_the_rows(fresh_api: Api) -> None:
    # given a table that is counted
    keyed: dict[str, Any] = {"key_names": ["id"], "table_version": 1}
    load(fresh_api, "t", ID, *(upsert(1, id=n) for n in range(5)), **keyed)
    assert get_counts(fresh_api) == {"t": 5}

    # when rows are replaced, dropped and added
    load(fresh_api, "t", ID, upsert(2, id=0), upsert(0, id=1), upsert(1, id=9), **keyed)
    assert get_counts(fresh_api) == {"t": 6}

    # and when others take their place
    keyed["table_version"] = 2
    activate = {"action": "activate_version", "sequence": 5}
    load(fresh_api, "t", ID, upsert(3, id=0), upsert(3, id=20), activate, **keyed)
    assert get_counts(fresh_api) == {"t": 2}
    load(fresh_api, "t", ID, upsert(4, id=21), **keyed)

    # then the count is that of the table
    assert get_counts(fresh_api) == {"t": 3}
    assert len(fresh_api.rows("t")) == 3


def test_a_stopped_table_says_so(fresh_api: Api) -> None:
    # given two tables, of which a request changed the keys of one
    for name in ("t", "u"):
        load(fresh_api, name, ID_AND_NAME, upsert(1, id=1), key_names=["id"])
    load(fresh_api, "t", ID_AND_NAME, upsert(2, id=2, name="x"), key_names=["id", "name"])

    # when the page asks
    stopped = {table["name"]: table["stopped"] for table in get_state(fresh_api)["tables"]}

    # then it is told which one is stopped, and what keys stopped it
    assert stopped == {"t": True, "u": False}
    keys = [
        (table["keys"], table["changed_keys"])
        for table in (get_table(fresh_api, name) for name in "tu")
    ]
    assert keys == [(["id"], ["id", "name"]), (["id"], None)]
    assert get_counts(fresh_api) == {"t": 1, "u": 1}


def test_rows_that_were_there_before_are_counted(
    tmp_path: Path, run_with_faults: RunWithFaults
) -> None:
    # given a database that another emulator has left
    with run_with_faults("ok") as api:
        load(api, "t", ID, upsert(1, id=1), upsert(1, id=2))
        before = get_state(api)["run"]

    # when one goes on with it
    with run_with_faults("ok") as api:
        # then the rows are counted, and the page can tell that it is another one
        assert get_counts(api) == {"t": 2}
        assert get_state(api)["run"] != before
        assert get_state(api)["requests"] == []


def test_what_there_was_no_time_to_count_is_counted_at_the_next_look(
    fresh_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given no time
    load(fresh_api, "t", ID, upsert(1, id=1))
    with monkeypatch.context() as patch:
        patch.setattr("target_stitch_import.emulator.page.tables.COUNTING_SECONDS", -1)
        # then it is not known how many rows there are
        (table,) = get_state(fresh_api)["tables"]
        assert (table["name"], table["rows"], table["loads"]) == ("t", None, 1)

    # and with time it is
    assert get_counts(fresh_api) == {"t": 1}


def test_a_wide_table_is_cut(fresh_api: Api) -> None:
    # given a table with more columns than SQLite has
    fields = {f"f{n}": n for n in range(2500)}
    load(fresh_api, "wide", {name: {"type": "integer"} for name in fields}, upsert(1, **fields))

    # when it is opened
    table = get_table(fresh_api, "wide")

    # then it has the first columns, and says how many there are
    assert table["column_count"] == 2500
    assert len(table["columns"]) == 2000
    assert len(table["shown"]) == len(table["rows"][0]["cells"]) == 205

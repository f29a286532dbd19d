"""With ``--destination`` it loads like one: names, types, subtables, and what is rejected."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_stitch_import.destinations.facts import DESTINATIONS
from target_stitch_import.emulator import list_tables, running_emulator
from target_stitch_import.emulator.storage.database import Database
from tests.emulator.client import Api, batch, upsert
from tests.emulator.page.page_data import get_state, get_table
from tests.support.destinations import destination_types

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REJECTED = "_sdc_rejected"


@contextlib.contextmanager
def loading_like(destination: str | None, folder: Path) -> Iterator[Api]:
    with (
        running_emulator(folder / "stitch.db", destination=destination) as running,
        requests.Session() as session,
    ):
        session.trust_env = False
        yield Api(running.url, running.database, session)


def post(api: Api, *records: dict[str, Any], table: str = "orders", **schema: Any) -> None:
    messages = [upsert(place, **each) for place, each in enumerate(records)]
    body = batch(table, schema or {"id": {"type": "integer"}}, messages, key_names=["id"])
    assert api.batch(body)[0] == 201


def test_tables_and_columns_get_the_destination_s_names_and_types(tmp_path: Path) -> None:
    with loading_like("snowflake", tmp_path) as api:
        post(api, {"id": 1, "Full Name": "Finn", "tags": ["a"]}, table="My Orders")
        assert list_tables(api.database) == ["MY_ORDERS"]
        assert api.rows("MY_ORDERS") == [{"ID": 1, "FULL_NAME": "Finn", "TAGS": ["a"]}]
        assert destination_types(api.database) == {
            "MY_ORDERS": {"ID": "NUMBER(38,0)", "FULL_NAME": "VARCHAR(16777216)", "TAGS": "VARIANT"}
        }


def test_an_array_becomes_a_subtable_and_an_object_columns(tmp_path: Path) -> None:
    # given a nested record for a destination that keeps none
    lines = [{"sku": "a", "taxes": [{"rate": 1}, {"rate": 2}]}, {"sku": "b"}]
    with loading_like("redshift", tmp_path) as api:
        post(api, {"id": 7, "address": {"city": "Oslo"}, "lines": lines})
        # then each item is a row with its place, and the key of the record
        assert api.rows("orders") == [{"id": 7, "address__city": "Oslo"}]
        source = {"_sdc_source_key_id": 7}
        assert api.rows("orders__lines") == [
            {**source, "_sdc_level_0_id": 0, "sku": "a"},
            {**source, "_sdc_level_0_id": 1, "sku": "b"},
        ]
        assert api.rows("orders__lines__taxes") == [
            {**source, "_sdc_level_0_id": 0, "_sdc_level_1_id": 0, "rate": 1},
            {**source, "_sdc_level_0_id": 0, "_sdc_level_1_id": 1, "rate": 2},
        ]


def test_rows_without_keys_get_one_that_their_subtables_have_too(tmp_path: Path) -> None:
    with loading_like("redshift", tmp_path) as api:
        body = batch("events", {}, [upsert(1, tags=["a", "b"])], key_names=[])
        assert api.batch(body)[0] == 201
        (event,) = api.rows("events")
        assert [(row["_sdc_source_key___sdc_primary_key"], row["value"]) for row in
                api.rows("events__tags")] == [
            (event["__sdc_primary_key"], "a"), (event["__sdc_primary_key"], "b"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("destination", "first", "split"),
    [
        ("redshift", ["id", "cost"], ["id", "cost__it", "cost__do"]),
        ("bigquery", ["id", "cost"], ["id", "cost", "cost__fl"]),
    ],
)
def test_a_column_of_two_types_is_split(
    destination: str, first: list[str], split: list[str], tmp_path: Path
) -> None:
    with loading_like(destination, tmp_path) as api:
        # when numbers of another type come later
        post(api, {"id": 1, "cost": 3})
        assert list(api.rows("orders")[0]) == first
        post(api, {"id": 2, "cost": 3.5})
        # then they have a column of their own
        one, two = api.rows("orders")
        assert list(one) == split
        assert [one[split[1]], one[split[2]]] == [3, None]
        assert two[split[1]] is None
        assert float(two[split[2]]) == 3.5


def test_a_split_column_gets_the_suffix_of_the_wider_type(tmp_path: Path) -> None:
    with loading_like("redshift", tmp_path) as api:
        post(api, {"id": 1, "cost": 3}, {"id": 2, "cost": "x"})
        assert list(api.rows("orders")[0]) == ["id", "cost__it", "cost__st"]
        post(api, {"id": 2**40, "cost": 2**40})
        rows = api.rows("orders")
        assert list(rows[0]) == ["id", "cost__bi", "cost__st"]
        assert [row["cost__bi"] for row in rows] == [3, None, 2**40]
        assert destination_types(api.database)["orders"]["id"] == "BIGINT"


def test_columns_of_two_fields_with_one_name_are_split_into_the_same(tmp_path: Path) -> None:
    with loading_like("redshift", tmp_path) as api:
        # given two fields, never in one record, whose names are one for the destination
        post(api, {"id": 1, "cost": "a"})
        post(api, {"id": 2, "Cost": "b"})
        # when each gets values of another type
        post(api, {"id": 3, "cost": 3})
        post(api, {"id": 4, "Cost": "c"})
        post(api, {"id": 5, "Cost": 5})
        # then there is one column of each type
        rows = api.rows("orders")
        assert list(rows[0]) == ["id", "cost__st", "cost__it"]
        assert [row["cost__st"] or row["cost__it"] for row in rows] == ["a", "b", 3, "c", 5]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"id": 1, "Name": "a", "name": "b"}, "Field collision on name"),
        (
            {"id": 1, "cost__it": 1},
            "column names from client should not include reserved datatype suffix on cost__it",
        ),
        ({"id": 2**63}, "data on id falls outside the range supported for BIGINT"),
    ],
)
def test_what_a_destination_rejects_is_in_its_table_of_rejected_records(
    record: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with loading_like("redshift", tmp_path) as api:
        post(api, record, {"id": 5})
        assert [row["id"] for row in api.rows("orders")] == [5]
        (rejected,) = api.rows(REJECTED)
        assert (rejected["table_name"], rejected["reason"]) == ("orders", reason)
        assert json.loads(rejected["record"]) == record
        assert rejected["_sdc_rejected_at"].endswith("Z")


def test_a_column_whose_name_is_too_long_is_left_out(tmp_path: Path) -> None:
    with loading_like("postgres", tmp_path) as api:
        post(api, {"id": 1, "n" * 60: "x", "n" * 59: "y"})
        assert api.rows("orders") == [{"id": 1, "n" * 59: "y"}]
        assert list_tables(api.database) == ["orders"]


def test_a_table_whose_name_is_too_long_or_taken_is_rejected(tmp_path: Path) -> None:
    with loading_like("postgres", tmp_path) as api:
        post(api, {"id": 1}, table="t" * 64)
        post(api, {"id": 1}, table="orders")
        post(api, {"id": 2}, table="ord ers")
        assert list_tables(api.database) == [REJECTED, "orders"]
        assert [row["reason"] for row in api.rows(REJECTED)] == [
            f"Table name {'t' * 64} is too long for postgres",
            "Table collision on orders",
        ]


def test_a_table_with_too_many_columns_is_rejected_with_all_of_its_rows(tmp_path: Path) -> None:
    with loading_like("mysql", tmp_path) as api:
        post(api, {"id": 1})
        post(api, {"id": 2, **{f"c{n}": n for n in range(1017)}})
        post(api, {"id": 3})
        assert api.rows("orders") == []
        reasons = {row["reason"] for row in api.rows(REJECTED)}
        assert reasons == {"too many columns for mysql: more than 1,017"}
        assert len(api.rows(REJECTED)) == 3


def test_a_version_hides_the_rows_of_the_subtables_too(tmp_path: Path) -> None:
    with loading_like("redshift", tmp_path) as api:
        for version in (1, 2):
            body = batch("orders", {"id": {"type": "integer"}},
                         [upsert(version, id=version, tags=["x"])], key_names=["id"],
                         table_version=version)  # fmt: skip
            body["messages"].append({"action": "activate_version", "sequence": version})
            assert api.batch(body)[0] == 201
        assert [row["id"] for row in api.rows("orders")] == [2]
        assert [row["_sdc_source_key_id"] for row in api.rows("orders__tags")] == [2]


def test_it_goes_on_with_its_database_like_the_same_destination_only(tmp_path: Path) -> None:
    # given a database that was loaded like a destination
    with loading_like("redshift", tmp_path) as api:
        post(api, {"id": 1, "cost": 1})
    # when it goes on, then it knows the columns
    with loading_like("redshift", tmp_path) as api:
        post(api, {"id": 2, "cost": "x"})
        assert list(api.rows("orders")[0]) == ["id", "cost__it", "cost__st"]
    # and another destination, or none, is refused
    for other in ("bigquery", None):
        with (
            pytest.raises(sqlite3.DatabaseError, match="loaded like redshift"),
            loading_like(other, tmp_path),
        ):
            pass


def test_without_a_destination_nothing_of_it_is_there(tmp_path: Path) -> None:
    with loading_like(None, tmp_path) as api:
        post(api, {"id": 1, "Name": "a", "name": "b", "lines": [1]})
        assert api.rows("orders") == [{"id": 1, "Name": "a", "name": "b", "lines": [1]}]
        assert destination_types(api.database) == {}
    with contextlib.closing(sqlite3.connect(tmp_path / "stitch.db")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert not names & {"_sdc_loaded_for", "_sdc_destination"}
    # and a database with tables of its own can't become one of a destination
    with pytest.raises(sqlite3.DatabaseError, match="loaded like no destination"):
        Database(tmp_path / "stitch.db", DESTINATIONS["redshift"])


def test_the_page_has_subtables_under_their_table_and_rejected_rows_apart(tmp_path: Path) -> None:
    with loading_like("redshift", tmp_path) as api:
        post(api, {"id": 1, "ID": 2})
        post(api, {"id": 1}, table="customers")
        post(api, {"id": 1, "lines": [{"sku": "a"}]})
        # a subtable comes behind its table, and says so
        shown = [
            (table["name"], table.get("parent"), table.get("rejected"), table["rows"])
            for table in get_state(api)["tables"]
        ]
        assert shown == [
            ("orders", None, None, 1),
            ("orders__lines", "orders", None, 1),
            (REJECTED, None, True, 1),
            ("customers", None, None, 1),
        ]
        # and the types are the destination's
        columns = {
            each["name"]: each["type"] for each in get_table(api, "orders__lines")["columns"]
        }
        assert columns == {
            "_sdc_source_key_id": "INTEGER", "_sdc_level_0_id": "INTEGER", "sku": "VARCHAR",
        }  # fmt: skip

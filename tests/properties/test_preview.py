"""What a dry run foretells is what the emulator has when it loads like the same destination."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.delivery.dry_run import DryRun
from target_stitch_import.destinations.facts import DESTINATIONS, ONLY_NULL
from target_stitch_import.emulator import list_tables, read_table, running_emulator
from target_stitch_import.preview.reader import Preview
from target_stitch_import.preview.result import to_json
from target_stitch_import.target import TargetStitchImport
from tests.support.destinations import destination_types
from tests.support.messages import record, schema, tap_output
from tests.support.running import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator

USUAL = st.sampled_from(["a", "A", "b", "c", "a b", "ab", "AB", "a_b"])
ODD = st.sampled_from(
    ["1x", "x__it", "x__IT", "_rjm_a", "_sdc_x", "é", "n" * 70, "m" * 130, "a__b", "value",
     "_SDC_sequence"]
)  # fmt: skip
NAMES = st.integers(0, 9).flatmap(lambda n: USUAL if n else ODD)
DATE_TIMES = ["2024-03-01T12:00:00Z", "0500-01-01T00:00:00Z", "9999-12-31T23:59:59.5Z"]
LEAVES: list[dict[str, Any]] = [
    {"type": ["null", "integer"]},
    {"type": ["null", "number"]},
    {"type": ["null", "string"]},
    {"type": ["null", "boolean"]},
    {"type": ["null", "string"], "format": "date-time"},
    {"type": ["null", "string"], "format": "singer.decimal"},
    {"type": ["null", "integer", "string"]},
    {},
]
integers: st.SearchStrategy[Any] = st.sampled_from([0, 1, -5, 7, 2**31, 2**63 - 1, 2**63, 10**38])
texts: st.SearchStrategy[Any] = st.sampled_from(["", "x", "12"])
VALUES: list[st.SearchStrategy[Any]] = [
    integers,
    st.sampled_from([1, 2.5, -1e10]),
    texts,
    st.booleans(),
    st.sampled_from(DATE_TIMES),
    st.sampled_from(["1.50", "9" * 33, "0." + "1" * 39]),
    integers | texts,
    integers | texts | st.booleans() | st.just(2.5) | st.just([1, {"a": "x"}, None, [2]]),
]


@st.composite
def columns(draw: st.DrawFn, depth: int = 2) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
    """Draw the schema of a column, and a strategy for its values."""
    what = draw(st.sampled_from(["leaf", "leaf", "array", "object"])) if depth else "leaf"
    if what == "array":
        item, values = draw(columns(depth - 1))
        return {"type": ["null", "array"], "items": item}, st.lists(values, max_size=2)
    if what == "object":
        fields = draw(st.dictionaries(NAMES, columns(depth - 1), max_size=3))
        some = st.fixed_dictionaries({}, optional={name: each[1] for name, each in fields.items()})
        properties = {name: each[0] for name, each in fields.items()}
        return {"type": ["null", "object"], "properties": properties}, some
    place = draw(st.integers(0, len(LEAVES) - 1) | st.integers(len(LEAVES) - 2, len(LEAVES) - 1))
    return LEAVES[place], st.integers(0, 5).flatmap(lambda n: VALUES[place] if n else st.none())


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """Draw the properties of a stream, its records and its keys."""
    key = draw(st.sampled_from(["key", "Key ID", None]))
    fields = draw(st.dictionaries(NAMES, columns(), min_size=1, max_size=5))
    values = st.fixed_dictionaries({}, optional={name: each[1] for name, each in fields.items()})
    found = draw(st.lists(values, min_size=1, max_size=8))
    properties = {name: each[0] for name, each in fields.items()}
    if key is None:
        return properties, found, []
    # each record has a key of its own, so that none replaces another
    keyed = [{key: place, **each} for place, each in enumerate(found)]
    return {key: {"type": "integer"}, **properties}, keyed, [key]


@pytest.fixture(scope="module", params=list(DESTINATIONS))
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Emulator, str, Iterator[int]]]:
    """Run one emulator for all examples of a destination."""
    database = tmp_path_factory.mktemp("like") / "stitch.db"
    with running_emulator(database, destination=request.param) as running:
        yield running, request.param, itertools.count()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    drawn=st.lists(tables(), min_size=1, max_size=2),
    rows=st.sampled_from([1, 2, 1000]),
    push=st.sampled_from([None, "json", "transit"]),
)
def test_the_emulator_has_what_the_preview_foretells(
    shared: tuple[Emulator, str, Iterator[int]],
    drawn: list[tuple[dict[str, Any], list[dict[str, Any]], list[str]]],
    rows: int,
    push: str | None,
) -> None:
    # given any streams
    emulator, destination, count = shared
    lines = []
    for properties, records, keys in drawn:
        stream = f"Table {next(count)}"
        if push and not keys:
            continue  # it takes no record without
        lines += [schema(stream, properties, keys)]
        lines += [record(each, stream) for each in records]
    config = {
        "destination": destination,
        "token": "t",
        "api_url": emulator.url,
        "batch_size_rows": rows,
        "max_parallel_requests": 1,
        "max_batch_age_seconds": 1000,
        "max_retry_seconds": 0,
        **({"endpoint": "push", "client_id": 1, "push_format": push} if push else {}),
    }
    # when the preview foretells them, and they are loaded
    foretold = preview(config, tap_output(*lines))
    _, error = loaded(config, tap_output(*lines))
    # then the emulator has what was foretold
    assert error is None
    for table in foretold["tables"]:
        check_table(emulator.database, table)


def preview(config: dict[str, Any], data: Any) -> dict[str, Any]:
    dry_run = DryRun()
    target = TargetStitchImport(config=config, dry_run=dry_run)
    target.load(data if hasattr(data, "read") else io.TextIOWrapper(io.BytesIO(data)))
    assert target.preview is not None
    return to_json(target.preview)


def check_table(database: Path, table: dict[str, Any]) -> None:
    name, found = table["name"], list_tables(database)
    rejected = Counter(
        row["table_name"]
        for row in (read_table(database, "_sdc_rejected") if "_sdc_rejected" in found else [])
    )
    assert rejected[name] == table["rejected_rows"]
    if table["rejected"]:
        return
    assert len(read_table(database, name)) == table["rows"] - table["rejected_rows"]
    types = destination_types(database)
    shared_names = Counter(each["name"] for each in table["subtables"])
    for rows in (table, *table["subtables"]):
        if shared_names[rows["name"]] > 1:
            continue  # of two arrays whose names are one, at different depths
        # two names that are one and never in one record share a column, which may have any type
        named = Counter(each["name"] for each in rows["columns"])
        created = {
            each["name"]: each["type"]
            for each in rows["columns"]
            if is_created(each) and named[each["name"]] == 1
        }
        others = {each["name"] for each in rows["columns"]} - created.keys()
        assert created.items() <= types[rows["name"]].items()
        # a name that collides in one record may have been alone in another
        assert types[rows["name"]].keys() - created.keys() <= others
    subtables: Counter[str] = Counter()
    for each in table["subtables"]:
        subtables[each["name"]] += each["rows"]
    assert subtables.keys() == {each for each in types if each.startswith(f"{name}__")}
    if not table["rejected_rows"]:
        assert subtables == {each: len(read_table(database, each)) for each in subtables}
    assert table["billed_rows"] == table["rows"] + sum(subtables.values())


def is_created(column: dict[str, Any]) -> bool:
    """Return True for a column that is there, also if some of its values are rejected."""
    reason = column["rejected"] or "data on "
    return reason != ONLY_NULL and reason.startswith("data on ")


def test_an_array_and_two_names_that_are_one(tmp_path: Path) -> None:
    # given orders with lines, the second of which has two names that Redshift takes for one
    properties = {"Id": {"type": "integer"}, "lines": {"type": "array"}, "at": {"type": "null"}}
    lines = [
        schema("orders", properties, ["Id"]),
        record({"Id": 1, "lines": [{"sku": "a"}, {"sku": "b"}]}, "orders"),
        record({"Id": 2, "ID": 3, "lines": [{"sku": "c"}]}, "orders"),
        record({"Id": 2**40, "lines": []}, "orders"),
    ]
    with running_emulator(tmp_path / "stitch.db", destination="redshift") as emulator:
        config = {"destination": "redshift", "token": "t", "api_url": emulator.url}
        # when they are foretold, and loaded
        foretold = preview(config, tap_output(*lines))
        loaded(config, tap_output(*lines))
        # then this is what is there
        kind = {"type": "INTEGER", "rejected": None}
        assert foretold == {
            "destination": "redshift",
            "tables": [
                {
                    "stream": "orders",
                    "name": "orders",
                    "rows": 3,
                    "billed_rows": 6,
                    "columns": [
                        {"source": "Id", "name": "id", "type": "BIGINT",
                         "rejected": "Field collision on id"},
                        {"source": "ID", "name": "id", "type": "INTEGER",
                         "rejected": "Field collision on id"},
                        {"source": "at", "name": "at", "type": None, "rejected": ONLY_NULL},
                    ],
                    "subtables": [
                        {
                            "name": "orders__lines",
                            "rows": 3,
                            "columns": [
                                {"source": "Id", "name": "_sdc_source_key_id", "type": "BIGINT",
                                 "rejected": None},
                                {"source": None, "name": "_sdc_level_0_id", **kind},
                                {"source": "sku", "name": "sku", "type": "VARCHAR",
                                 "rejected": None},
                            ],
                        }
                    ],
                    "rejected": None,
                    "rejected_rows": 1,
                }
            ],
        }  # fmt: skip
        assert [row["id"] for row in read_table(emulator.database, "orders")] == [1, 2**40]
        (rejected,) = read_table(emulator.database, "_sdc_rejected")
        assert (rejected["table_name"], rejected["reason"]) == ("orders", "Field collision on id")
        assert json.loads(rejected["record"])["ID"] == 3


@pytest.mark.parametrize(
    ("destination", "lines", "expected"),
    [
        pytest.param(
            "microsoft-azure",
            [schema("t", {"id": {"type": "integer"}}, ["id"]),
             record({"id": 1, "text": "x" * 1_000_000}, "t"), record({"id": 2}, "t")],
            ("record is too large for Azure Synapse Analytics: more than 1,000,000 bytes", 1),
            id="a record that is too large",
        ),
        pytest.param(
            "redshift",
            [schema("t", {"id": {"type": "integer"}}, ["id"]), record({"id": 1, "a": 1}, "t"),
             schema("t", {"no": {"type": "integer"}}, ["no"]), record({"no": 1, "a": "x"}, "t"),
             schema("t", {"id": {"type": "integer"}}, ["id"]), record({"id": 2, "a": "x"}, "t")],
            ("Primary key changed from id to no: Stitch stops processing the table", 2),
            id="another primary key",
        ),
    ],
)  # fmt: skip
def test_records_that_are_rejected_as_a_whole(
    destination: str, lines: list[str], expected: tuple[str, int], tmp_path: Path
) -> None:
    with running_emulator(tmp_path / "stitch.db", destination=destination) as emulator:
        config = {"destination": destination, "token": "t", "api_url": emulator.url}
        # when records are foretold, and loaded
        (table,) = preview(config, tap_output(*lines))["tables"]
        loaded(config, tap_output(*lines))
        # then those are rejected, and the others are there
        assert (table["rejected"], table["rejected_rows"]) == expected
        rejected = [row["reason"] for row in read_table(emulator.database, "_sdc_rejected")]
        assert rejected == [expected[0]] * expected[1]
        assert len(read_table(emulator.database, "t")) == table["rows"] - expected[1]


def test_a_subtable_with_too_many_columns_is_left_out(tmp_path: Path) -> None:
    # given a subtable that is loaded, before one record makes it too wide
    wide = {f"c{number}": number for number in range(1_601)}
    lines = [
        schema("t", {"id": {"type": "integer"}}, ["id"]),
        record({"id": 1, "lines": [{"c1": 1}]}, "t"),
        record({"id": 2, "lines": [wide]}, "t"),
        record({"id": 3, "lines": [{"c1": 1}]}, "t"),
    ]
    with running_emulator(tmp_path / "stitch.db", destination="redshift") as emulator:
        config = {"destination": "redshift", "token": "t", "api_url": emulator.url,
                  "batch_size_rows": 1, "max_parallel_requests": 1}  # fmt: skip
        # when it is foretold, and loaded
        (table,) = preview(config, tap_output(*lines))["tables"]
        loaded(config, tap_output(*lines))
        # then its columns are rejected, and the records are there without it
        (subtable,) = table["subtables"]
        reasons = {each["rejected"] for each in subtable["columns"][2:]}
        assert reasons == {"too many columns for redshift: more than 1,600"}
        assert (table["rejected_rows"], table["billed_rows"]) == (0, 6)
        assert len(read_table(emulator.database, "t")) == 3
        assert read_table(emulator.database, "t__lines") == []
        assert "t__lines" not in destination_types(emulator.database)


def test_arrays_whose_names_are_one_share_a_subtable(tmp_path: Path) -> None:
    # given two arrays that Redshift takes for one, never in one record, and times that are texts
    time = {"type": "string", "format": "date-time"}
    arrays = {
        "Tags": {"type": "array", "items": {"type": "string"}},
        "tags": {"type": "array", "items": time},
    }
    lines = [
        schema("t", {"id": {"type": "integer"}, **arrays}, ["id"]),
        *(record({"id": n, "Tags": ["2024-01-01T00:00:00Z"]}, "t") for n in (1, 2)),
        *(record({"id": n, "tags": ["2024-01-01T00:00:00Z"]}, "t") for n in (3, 4)),
        record({"id": 5, "Tags": ["x", "y"]}, "t"),
    ]
    with running_emulator(tmp_path / "stitch.db", destination="redshift") as emulator:
        config = {"destination": "redshift", "token": "t", "api_url": emulator.url}
        (table,) = preview(config, tap_output(*lines))["tables"]
        loaded(config, tap_output(*lines))
        # then it has the rows of both, and both types
        (subtable,) = table["subtables"]
        assert subtable["rows"] == len(read_table(emulator.database, "t__tags")) == 6
        expected = {"value__st": "VARCHAR", "value__ti": "TIMESTAMP"}
        assert {each["name"]: each["type"] for each in subtable["columns"][2:]} == expected
        types = destination_types(emulator.database)["t__tags"]
        assert expected.items() <= types.items()


def test_names_that_are_data_take_no_more_memory() -> None:
    # given objects whose fields have ever other names
    preview = Preview(DESTINATIONS["redshift"])
    for start in range(0, 60_000, 1_000):
        data = {f"id{start + n}": {f"x{start + n}": None} for n in range(1_000)}
        batch = {"table_name": "t", "schema": {}, "messages": [{"data": {"map": data}}]}
        preview.add(json.dumps(batch).encode())
    # then no more of them is kept than one record may have
    rows = preview.tables["t"].top
    assert max(len(rows.checks), len(rows.nulls), *map(len, rows.checks.values())) <= 10_000

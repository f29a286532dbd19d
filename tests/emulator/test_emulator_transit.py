"""Push and validate take Transit too, which says what JSON has no type for."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from transit.writer import Writer

from target_stitch_import.emulator import list_tables
from tests.emulator.service import answer

if TYPE_CHECKING:
    from tests.emulator.service import Api

TRANSIT = "application/transit+json"
ACCEPTED = (201, {"status": "OK", "message": "Batch Accepted!"})
VALID = (200, {"status": "OK", "message": "Batch is valid!"})


def arguments(table: str) -> dict[str, Any]:
    """Return all that a record has beside its data."""
    return {
        "client_id": 4231,
        "table_name": table,
        "action": "upsert",
        "key_names": ["id"],
        "sequence": "~i1790000000000000000",
    }


def compact(table: str, data: Any) -> list[Any]:
    """Return a record as Transit writes maps where size counts."""
    return ["^ ", *(part for pair in arguments(table).items() for part in pair), "data", data]


def pushed(api: Api, body: Any, endpoint: str = "push") -> tuple[int, Any]:
    """Post a body of Transit."""
    return answer(api.post(endpoint, body, content_type=TRANSIT))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("~t2024-02-29T23:59:58.123456Z", "2024-02-29T23:59:58.123456Z"),
        ("~t2024-02-29T23:59:58.123456789+01:30", "2024-02-29T22:29:58.123456789Z"),
        ("~m1709251198123", "2024-02-29T23:59:58.123000Z"),
        ({"~#m": 1709251198123}, "2024-02-29T23:59:58.123000Z"),
        ("~f0.12345678901234567890123456789012345678", Decimal("0.12345678901234567890123456789012345678")),
        ("~n123456789012345678901234567890", 123456789012345678901234567890),
        ("~i9007199254740993", 9007199254740993),
        ("~d1.5", Decimal("1.5")),
        ("~:word", "word"),
        ("~$sign", "sign"),
        ("~~x", "~x"),
        ("~^x", "^x"),
        ("~`x", "`x"),
        ("~?t", True),
        ("~_", None),
        ("~u531a379e-31bb-4ce1-8690-158dceb64be6", "531a379e-31bb-4ce1-8690-158dceb64be6"),
        (["~#'", "x"], "x"),
        (["~#list", [1, "~i2"]], [1, 2]),
        ({"~#set": [1]}, [1]),
        (["^ ", "~:a", 1, "b", [["^ "]]], {"a": 1, "b": [{}]}),
        (["~#cmap", ["a", 1]], {"a": 1}),
        ({"a": {"b": ["x", "y"]}}, {"a": {"b": ["x", "y"]}}),
        ([], []),
        (1.5, Decimal("1.5")),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("form", ["compact", "verbose"])
def test_each_tag_is_loaded_as_what_it_stands_for(
    api: Api, table: str, written: Any, read: Any, form: str
) -> None:
    verbose = {**arguments(table), "data": {"id": 1, "x": written}}
    record = compact(table, ["^ ", "id", 1, "x", written]) if form == "compact" else verbose
    assert pushed(api, [record]) == ACCEPTED
    assert api.rows(table) == [{"id": 1, "x": read}]


def test_a_number_as_it_stands_keeps_its_digits(api: Api, table: str) -> None:
    body = json.dumps([compact(table, ["^ ", "id", 1, "x", "NUMBER"])])
    assert pushed(api, body.replace('"NUMBER"', "0.1234567890123456789")) == ACCEPTED
    assert api.rows(table) == [{"id": 1, "x": Decimal("0.1234567890123456789")}]


@pytest.mark.parametrize("protocol", ["json", "json_verbose"])
def test_what_a_library_writes_is_read(api: Api, table: str, protocol: str) -> None:
    # Given records as a library writes them, with references to what was written before
    at = datetime(2024, 2, 29, 23, 59, 58, 123000, tzinfo=timezone.utc)
    records = [
        {**arguments(table), "sequence": 2**53 + place, "data": {"id": place, "number": Decimal("1.10"),
         "at": at + timedelta(days=place), **{f"field {n}": n for n in range(100)}}}
        for place in range(50)
    ]  # fmt: skip
    out = io.StringIO()
    Writer(out, protocol).write(records)
    # When they are pushed
    assert pushed(api, out.getvalue()) == ACCEPTED
    # Then all of them are there
    rows = api.rows(table)
    assert [row["id"] for row in rows] == list(range(50))
    assert (rows[1]["number"], rows[1]["at"]) == (Decimal("1.10"), "2024-03-01T23:59:58.123000Z")
    assert all(row["field 99"] == 99 for row in rows)


def test_validate_takes_it_and_keeps_nothing(api: Api, table: str) -> None:
    assert pushed(api, [compact(table, ["^ ", "id", 1])], "validate") == VALID
    assert table not in list_tables(api.database)


def test_the_rules_are_those_of_json(api: Api, table: str) -> None:
    status, told = pushed(api, [compact(table, ["^ ", "x", 1])])
    assert (status, told["errors"]) == (422, [{"reason": {"data": ["data must include keys"]}}])
    assert pushed(api, ["^ ", "client_id", 1])[0] == 400
    without = [part for part in compact(table, ["^ "]) if part not in ("client_id", 4231)]
    assert pushed(api, [without])[0] == 401


@pytest.mark.parametrize(
    "wrong",
    [
        "~q1", "~?x", "~_x", "~fNaN", "~fx", "~ix", "~tsoon", "~mx", "^9", "^!", "^abc",
        ["^ ", "a"], ["^ ", 1, 2], ["~#list", 1], ["~#cmap", ["a"]], ["~#point", [1, 2]],
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_transit_is_refused(api: Api, table: str, wrong: Any) -> None:
    status, told = pushed(api, [compact(table, ["^ ", "id", 1, "x", wrong])])
    assert (status, told["message"]) == (400, "Malformed json in the body!")
    assert told["error"].startswith("no Transit")


@pytest.mark.parametrize("text", ["", "[", "nonsense", "[" * 100_000])
def test_what_is_no_json_is_refused(api: Api, text: str) -> None:
    assert pushed(api, text)[0] == 400


def test_batch_does_not_take_it(api: Api) -> None:
    assert api.post("batch", b"[]", content_type=TRANSIT).status_code == 415

"""Stream maps and flattening: the SDK's, with exact numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, read_table
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import loaded

if TYPE_CHECKING:
    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service

PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "amount": {"type": ["null", "number"]},
    "place": {"type": "object", "properties": {"city": {"type": "string"}}},
}
LINES = tap_output(
    schema(properties=PROPERTIES, bookmark_properties=["id"]),
    record('{"id": 1, "amount": 0.1234567890123456789012345, "place": {"city": "Oslo"}}'),
    record('{"id": 2, "amount": 2.50, "place": {"city": "Rome"}}'),
    state({"done": 1}),
)
EXACT = Decimal("0.1234567890123456789012345")
OSLO = {"city": "Oslo"}

MAPS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "rename a field and compute another",
        {"orders": {"total": "amount", "amount": "__NULL__", "twice": "int(id) * 2"}},
        {"id": 1, "total": EXACT, "twice": 2, "place": OSLO},
    ),
    (
        "filter",
        {"orders": {"__filter__": "id == 1"}},
        {"id": 1, "amount": EXACT, "place": OSLO},
    ),
    (
        "keep only what is named",
        {"orders": {"id": "id", "amount": "amount", "__else__": "__NULL__"}},
        {"id": 1, "amount": EXACT},
    ),
]


@pytest.mark.parametrize(("maps", "row"), [m[1:] for m in MAPS], ids=[m[0] for m in MAPS])
def test_a_stream_map_shapes_rows_and_keeps_their_digits(
    emulator: Emulator, maps: dict[str, Any], row: dict[str, Any]
) -> None:
    # given a stream with decimals that no float holds
    config = {"token": "t", "api_url": emulator.url, "stream_maps": maps}
    # when it is loaded through a stream map
    states, error = loaded(config, LINES)
    # then the first row is as the map makes it, exactly
    assert error is None
    assert read_table(emulator.database, "orders")[0] == row
    assert states == [b'{"done": 1}']


def test_streams_can_be_renamed_doubled_and_left_out(emulator: Emulator) -> None:
    # given a map with an alias, a copy under another key, and nothing of other streams
    maps = {
        "orders": {"__alias__": "sales"},
        "by_city": {
            "__source__": "orders",
            "city": "place['city']",
            "__key_properties__": ["city"],
            "__else__": "__NULL__",
        },
        "__else__": "__NULL__",
    }
    config = {"token": "t", "api_url": emulator.url, "stream_maps": maps}
    other = tap_output(schema("other"), record({"id": 1}, "other"), activate(1, "other"))
    # when it is loaded
    _, error = loaded(config, LINES + other)
    # then the tables are those of the map
    assert error is None
    assert sorted(list_tables(emulator.database)) == ["by_city", "sales"]
    assert [row["city"] for row in read_table(emulator.database, "by_city")] == ["Oslo", "Rome"]
    assert [row["id"] for row in read_table(emulator.database, "sales")] == [1, 2]


def test_flattening_takes_objects_apart(emulator: Emulator) -> None:
    # given nested records, and flattening switched on
    config = {
        "token": "t",
        "api_url": emulator.url,
        "flattening_enabled": True,
        "flattening_max_depth": 1,
    }
    # when they are loaded
    _, error = loaded(config, LINES)
    # then the inner fields are columns
    assert error is None
    assert read_table(emulator.database, "orders")[0] == {
        "id": 1,
        "amount": EXACT,
        "place__city": "Oslo",
    }


def test_an_empty_record_is_a_record(service: Service) -> None:
    # given a table without keys, and records that are empty after flattening
    config = service.config(flattening_enabled=True, flattening_max_depth=1)
    lines = [schema(properties=PROPERTIES, keys=[]), record({}), record({"place": {}})]
    # when they are loaded
    _, error = loaded(config, tap_output(*lines))
    # then none of them is lost
    assert error is None
    assert service.requests[0].records == [b"{}", b"{}"]


def test_streams_that_share_a_table_share_its_barriers(service: Service) -> None:
    # given two streams that a map loads into one table, with open batches of both
    aliases = {name: {"__alias__": "all"} for name in ("a", "b")}
    config = service.config(stream_maps=aliases)
    lines = [
        schema("a"),
        schema("b", {"id": {"type": "integer"}}),
        record({"id": 1}, "a"),
        record({"id": 2}, "b"),
    ]
    # when one of them is activated
    _, error = loaded(config, tap_output(*lines, activate(1, "b"), record({"id": 3}, "a")))
    # then the records of both that came before it are sent before it, and the other behind it
    assert error is None
    arrived = [
        [message.get("data", {}).get("id", "activation") for message in request.batch["messages"]]
        for request in service.requests
    ]
    where = arrived.index(["activation"])
    assert sorted(arrived[:where]) == [[1], [2]]
    assert arrived[where + 1 :] == [[3]]


@pytest.mark.parametrize(
    ("maps", "expected_text"),
    [
        ({"orders": {"x": "1 +"}}, "can't be applied to 'orders'"),
        ({"orders": {"x": "y = id"}}, "can't be applied to 'orders'"),
        ({"orders": {"x": "nobody + 1"}}, "can't be applied to a record"),
        ({"orders": {"x": "amount + 'a'"}}, "can't be applied to a record"),
        ({"orders": {"id": "__NULL__"}}, "can't be applied to 'orders'"),
    ],
)
def test_a_stream_map_that_cant_be_applied_is_named(
    emulator: Emulator, maps: dict[str, Any], expected_text: str
) -> None:
    # given a map with a mistake
    config = {"token": "t", "api_url": emulator.url, "stream_maps": maps}
    # when it is used
    _, error = loaded(config, LINES)
    # then the message names the stream and the line, and quotes no value
    assert expected_text in str(error)
    assert "Line " in str(error)
    assert "Oslo" not in str(error)

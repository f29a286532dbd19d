"""A sealed batch, taken apart again."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.batch import Batch, OpenBatch
from target_stitch_import.forms import batch_head
from target_stitch_import.jsontext import decode_exactly
from target_stitch_import.parts import (
    as_singer,
    describe_record,
    split_in_half,
    without_message,
)
from tests.support.fake_service import schema_messages

SCHEMA = {"properties": {"id": {"type": "integer"}}}
HEAD = batch_head("t", SCHEMA, ["id"])
AT = b"2024-01-01T00:00:00.000000Z"


def opened(head: bytes = HEAD) -> OpenBatch:
    """Return an open batch that never is full."""
    return OpenBatch(head, max_bytes=4_000_000, max_rows=10_000)


def sealed_with_records(*records: bytes) -> Batch:
    """Return a batch of these records, in lines 100, 101 and so on."""
    batch = opened()
    batch.number, batch.generation = 7, 3
    for place, data in enumerate(records):
        batch.add_record(data, 1_000 + place, AT if place % 2 else None, 100 + place)
    return batch.seal("t", schema_messages("t", SCHEMA, ["id"]))


def messages(batch: Batch) -> list[dict[str, object]]:
    """Return the decoded messages of a batch."""
    found: list[dict[str, object]] = decode_exactly(bytes(batch.body))["messages"]
    return found


records = st.integers(0, 300).map(lambda size: b'{"id":1,"x":"%b"}' % (b"]},{" * size))


@settings(deadline=None)
@given(st.lists(records, min_size=2, max_size=30))
def test_two_halves_are_the_whole_in_its_order(data: list[bytes]) -> None:
    # Given any batch of several records
    batch = sealed_with_records(*data)
    # When it is split
    first, second = split_in_half(batch)
    # Then nothing is lost, doubled, changed or moved, sequences and lines included
    assert messages(first) + messages(second) == messages(batch)
    assert [*first.lines, *second.lines] == list(batch.lines)
    for half in (first, second):
        assert half.rows >= 1
        assert len(messages(half)) == half.rows
        assert (half.number, half.table_name, half.generation) == (7, "t", 3)
        assert decode_exactly(bytes(half.body))["key_names"] == ["id"]


def test_a_batch_is_split_by_bytes_and_not_by_rows() -> None:
    # Given one large record in front of many small ones
    batch = sealed_with_records(b'{"id":1,"x":"%b"}' % (b"x" * 100_000), *[b'{"id":2}'] * 50)
    # Then it goes alone
    assert [half.rows for half in split_in_half(batch)] == [1, 50]
    # and so it does behind them
    batch = sealed_with_records(*[b'{"id":2}'] * 50, b'{"id":1,"x":"%b"}' % (b"x" * 100_000))
    assert [half.rows for half in split_in_half(batch)] == [50, 1]


def test_parts_are_copies() -> None:
    # Given a body in memory that is used again once nobody holds it
    plain = sealed_with_records(b'{"id":1}', b'{"id":2}', b'{"id":3}')
    memory = bytearray(plain.body)
    batch = replace(plain, body=memoryview(memory))
    # When it is taken apart, and another body takes its place
    parts = [*split_in_half(batch), *without_message(batch, 1)]
    memory[:] = bytes(len(memory))
    # Then the parts are what they would have been anyway
    assert [part.body for part in parts] == [
        part.body for part in (*split_in_half(plain), *without_message(plain, 1))
    ]


def test_splitting_ends_with_single_records() -> None:
    parts = [sealed_with_records(*(b'{"id":%d}' % place for place in range(11)))]
    while any(part.rows > 1 for part in parts):
        parts = [
            half for part in parts for half in (split_in_half(part) if part.rows > 1 else [part])
        ]
    head = bytes(sealed_with_records(b'{"id":0}').body).split(b"[{", 1)[0]
    assert [part.body for part in parts] == [
        head + b"[" + _message(place) + b"]}" for place in range(11)
    ]


def _message(place: int) -> bytes:
    time = b'"time_extracted":"%b",' % AT if place % 2 else b""
    return b'{"action":"upsert","sequence":%d,%b"data":{"id":%d}}' % (1_000 + place, time, place)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_without_one_record_the_others_stay(index: int) -> None:
    batch = sealed_with_records(b'{"id":0}', b'{"id":1}', b'{"id":2}')
    (rest,) = without_message(batch, index)
    expected = messages(batch)
    del expected[index]
    assert messages(rest) == expected
    assert list(rest.lines) == [line for line in (100, 101, 102) if line != 100 + index]


def test_without_its_only_record_nothing_is_left_of_a_batch() -> None:
    assert without_message(sealed_with_records(b'{"id":0}'), 0) == []


def test_a_record_is_given_back_as_a_tap_would_write_it() -> None:
    # Given a batch with all that a body may have
    head = batch_head("t", SCHEMA, ["id"], ["at"], 5)
    batch = opened(head)
    batch.add_record(b'{"id": 1.10}', 1, AT, 9)
    # When the record is asked for
    found = as_singer(batch.seal("t", schema_messages("t", SCHEMA, ["id"], ["at"])), 0)
    assert found is not None
    schema, record = found
    # Then its bytes are the tap's, and the rest is what the body says
    assert bytes(record.record) == b'{"id": 1.10}'
    assert (record.stream, record.version, record.time_extracted) == ("t", 5, AT.decode())
    assert msgspec.json.decode(bytes(schema.schema)) == SCHEMA
    assert (schema.stream, schema.key_properties, schema.bookmark_properties) == (
        "t",
        ["id"],
        ["at"],
    )


@pytest.mark.parametrize("index", [-1, 1, 10**30])
def test_a_place_that_is_none_gives_no_record(index: int) -> None:
    assert as_singer(sealed_with_records(b'{"id":0}'), index) is None


def test_an_activation_gives_no_record() -> None:
    batch = opened()
    batch.add_activation(5, 12)
    assert as_singer(batch.seal("t"), 0) is None


def sealed_with(data: bytes, keys: list[str]) -> Batch:
    """Return a sealed batch whose second record is this one."""
    batch = opened(head=batch_head("t", SCHEMA, keys))
    batch.add_record(b'{"id":0}', 1, None, 41)
    batch.add_record(data, 2, None, 1_042)
    return batch.seal("t", schema_messages("t", SCHEMA, keys))


@pytest.mark.parametrize(
    ("data", "keys", "said"),
    [
        (
            b'{"id":7,"x":"s3cret"}',
            ["id"],
            ' That record is line 1,042 of the input (key {"id":7}).',
        ),
        (
            b'{"id":7,"b":1.10}',
            ["b", "id"],
            ' That record is line 1,042 of the input (key {"b":1.10,"id":7}).',
        ),
        (b'{"x":"s3cret"}', ["id"], ' That record is line 1,042 of the input (key {"id":null}).'),
        (b'{"x":"s3cret"}', [], " That record is line 1,042 of the input."),
    ],
)
def test_a_message_is_named_by_its_line_and_keys(data: bytes, keys: list[str], said: str) -> None:
    assert describe_record(sealed_with(data, keys), 1) == said


@pytest.mark.parametrize("index", [-1, 2, 10**30])
def test_a_place_that_is_none_is_not_named(index: int) -> None:
    assert describe_record(sealed_with(b"{}", []), index) == ""


@pytest.mark.parametrize(
    "data",
    [b'{"id":1e99999999999999999999}', b'{"id":"\\ud800"}', b"[]", b'{"id":' + b"9" * 5000 + b"}"],
    ids=lambda data: data[:20].decode(),
)
def test_a_record_that_can_not_be_named_by_its_key_is_named_by_its_line(data: bytes) -> None:
    # Records like these come through where validate_records is off.
    assert "line 1,042 of the input" in describe_record(sealed_with(data, ["id"]), 1)


def test_an_activation_is_named_by_its_line() -> None:
    batch = opened()
    batch.add_activation(5, 12)
    assert "line 12 of the input" in describe_record(
        batch.seal("t", schema_messages("t", SCHEMA, ["id"])), 0
    )


def sealed_with_activation(*records: bytes) -> Batch:
    """Return a batch whose last message is an activation, in line 99."""
    batch = opened(head=batch_head("t", SCHEMA, ["id"], [], 5))
    for place, data in enumerate(records):
        batch.add_record(data, 1_000 + place, None, place + 1)
    batch.add_activation(2_000, 99)
    return batch.seal("t", schema_messages("t", SCHEMA, ["id"]), {"t": (len(records), 0)})


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=30))
def test_an_activation_behind_rows_stays_the_last_message(data: list[bytes]) -> None:
    # given a batch of rows with an activation behind them
    batch = sealed_with_activation(*data)
    # when it is split until each message stands alone
    parts = [batch]
    while any(part.rows > 1 for part in parts):
        parts = [
            half for part in parts for half in (split_in_half(part) if part.rows > 1 else [part])
        ]
        # then the activation is the last message of the last part, and of no other
        actions = [[message["action"] for message in messages(part)] for part in parts]
        assert actions[-1][-1] == "activate_version"
        assert sum(action.count("activate_version") for action in actions) == 1
        assert parts[-1].lines[-1] == 99
        # and it is no record
        assert sum(part.contents["t"][0] for part in parts) == len(data)


def test_without_its_rows_an_activation_is_left() -> None:
    # given a batch of one row and an activation, whose row is refused
    (rest,) = without_message(sealed_with_activation(b'{"id":1}'), 0)
    # then the activation is still sent
    assert [message["action"] for message in messages(rest)] == ["activate_version"]
    assert rest.contents == {"t": (0, len(rest.body))}
    assert decode_exactly(bytes(rest.body))["table_version"] == 5

"""A sealed batch, taken apart again."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.batches.body_formats import push_format
from target_stitch_import.batches.splitting import (
    as_singer,
    describe_record,
    each_alone,
    split_at,
    split_in_half,
    table_of,
    without_messages,
)
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.singer.messages import RecordMessage
from target_stitch_import.singer.positions import make_position
from tests.support.tables import AT, SCHEMA, TableFormat

if TYPE_CHECKING:
    from target_stitch_import.batches.batch import Batch

TABLE = TableFormat()


def sealed_with_records(*records: bytes) -> Batch:
    """Return a batch of these records, in lines 100, 101 and so on; each second has a time."""
    places = range(len(records))
    return TABLE.sealed(
        *records,
        number=7,
        generation=3,
        sequences=[1_000 + place for place in places],
        times=[AT if place % 2 else b"" for place in places],
        positions=[100 + place for place in places],
    )


def activation() -> Batch:
    """Return a batch of an activation alone, from line 12."""
    batch = TABLE.open()
    batch.add_activation(5, 12, TABLE.schema)
    return batch.seal(1, 0)


def messages(batch: Batch) -> list[dict[str, object]]:
    """Return the decoded messages of a batch."""
    found: list[dict[str, object]] = decode_exactly(batch.body)["messages"]
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
    assert [*first.positions, *second.positions] == list(batch.positions)
    for half in (first, second):
        assert half.rows >= 1
        assert len(messages(half)) == half.rows
        assert (half.number, half.table_name, half.generation) == (7, "t", 3)
        assert decode_exactly(half.body)["key_names"] == ["id"]


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=20), st.data())
def test_the_parts_between_some_indices_are_the_whole(
    data: list[bytes], draw: st.DataObject
) -> None:
    # given a batch, and places to cut it at, some of them twice or at an end
    batch = sealed_with_records(*data)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=4)))
    # when it is cut there
    parts = split_at(batch, *cuts)
    # then the parts have its messages and lines in their order, and none is empty
    assert [message for part in parts for message in messages(part)] == messages(batch)
    assert [at for part in parts for at in part.positions] == list(batch.positions)
    assert [part.rows for part in parts] == [
        end - start for start, end in pairwise([0, *cuts, len(data)]) if start < end
    ]


def test_each_of_some_messages_is_a_batch_of_its_own() -> None:
    batch = sealed_with_records(b'{"id":0}', b'{"id":1}', b'{"id":2}')
    alone = list(each_alone(batch, [2, 0]))
    assert [messages(each) for each in alone] == [[messages(batch)[2]], [messages(batch)[0]]]
    assert [list(each.positions) for each in alone] == [[102], [100]]
    assert all(each.contents == {"t": (1, len(each.body))} for each in alone)


def test_a_batch_is_split_by_bytes_and_not_by_rows() -> None:
    # Given one large record in front of many small ones
    batch = sealed_with_records(b'{"id":1,"x":"%b"}' % (b"x" * 100_000), *[b'{"id":2}'] * 50)
    # Then it goes alone
    assert [half.rows for half in split_in_half(batch)] == [1, 50]
    # and so it does behind them
    batch = sealed_with_records(*[b'{"id":2}'] * 50, b'{"id":1,"x":"%b"}' % (b"x" * 100_000))
    assert [half.rows for half in split_in_half(batch)] == [50, 1]


@pytest.mark.parametrize("rows", [2, 3, 4, 8, 9])
def test_records_of_one_size_are_split_in_the_middle(rows: int) -> None:
    first, second = split_in_half(sealed_with_records(*[b'{"id":1}'] * rows))
    assert (first.rows, second.rows) == (rows // 2, rows - rows // 2)


def test_the_counts_of_parts_are_those_of_the_whole() -> None:
    # given a batch of records with an activation behind them, which is no record
    batch = TABLE.open()
    TABLE.add(batch, b'{"id":1}', b'{"id":2}', b'{"id":3}')
    batch.add_activation(9, 4, TABLE.schema)
    whole = batch.seal(1, 0)
    # when it is split, and when a record is left out
    first, second = split_in_half(whole)
    (rest,) = without_messages(whole, [0])
    # then each part knows how many records it has, and in how many bytes
    assert [part.contents["t"][1] for part in (first, second, rest)] == [
        len(part.body) for part in (first, second, rest)
    ]
    assert first.contents["t"][0] + second.contents["t"][0] == 3
    assert rest.contents["t"][0] == 2
    # and the activation goes with the last of them
    assert b"activate_version" not in first.body
    assert b"activate_version" in second.body


def test_a_shared_body_is_split_into_what_each_table_has_in_it() -> None:
    # given a push body with records of two tables
    tables = [
        TableFormat(name, body_format=push_format(1, name, SCHEMA, ["id"])) for name in ("a", "b")
    ]
    batch = tables[0].open()
    for place, table in enumerate((tables[0], tables[1], tables[0], tables[1])):
        table.add(batch, b'{"id":%d}' % place, positions=[place])
    whole = batch.seal(1, 0)
    # when it is split, then both halves together have as many records and bytes of each table
    counts = [half.contents for half in split_in_half(whole)]
    for name in ("a", "b"):
        parts = [each.get(name, (0, 0)) for each in counts]
        assert tuple(map(sum, zip(*parts, strict=True))) == whole.contents[name]
    assert [table_of(each) for each in each_alone(whole, range(4))] == ["a", "b", "a", "b"]


def test_splitting_ends_with_single_records() -> None:
    parts = [sealed_with_records(*(b'{"id":%d}' % place for place in range(11)))]
    while any(part.rows > 1 for part in parts):
        parts = [
            half for part in parts for half in (split_in_half(part) if part.rows > 1 else [part])
        ]
    head = sealed_with_records(b'{"id":0}').body.split(b"[{", 1)[0]
    assert [part.body for part in parts] == [
        head + b"[" + _message(place) + b"]}" for place in range(11)
    ]


def _message(place: int) -> bytes:
    time = b'"time_extracted":"%bZ",' % AT if place % 2 else b""
    return b'{"action":"upsert","sequence":%d,%b"data":{"id":%d}}' % (1_000 + place, time, place)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_without_one_record_the_others_stay(index: int) -> None:
    batch = sealed_with_records(b'{"id":0}', b'{"id":1}', b'{"id":2}')
    (rest,) = without_messages(batch, [index])
    expected = messages(batch)
    del expected[index]
    assert messages(rest) == expected
    assert list(rest.positions) == [line for line in (100, 101, 102) if line != 100 + index]


def test_without_its_only_record_nothing_is_left_of_a_batch() -> None:
    assert without_messages(sealed_with_records(b'{"id":0}'), [0]) == []


def test_a_record_is_given_back_as_a_tap_would_write_it() -> None:
    # given a batch with all that a body may have
    table = TableFormat("t", ["id"], ["at"])
    batch = table.sealed(b'{"id": 1.10}', version=5, times=[AT], positions=[9])
    # when the record is asked for
    found = as_singer(batch)
    assert found is not None
    schema, record = found
    # Then its bytes are the tap's, and the rest is what the body says
    assert bytes(record.record) == b'{"id": 1.10}'
    assert (record.stream, record.version, record.time_extracted) == ("t", 5, AT.decode() + "Z")
    assert msgspec.json.decode(bytes(schema.schema)) == SCHEMA
    assert (schema.stream, schema.key_properties, schema.bookmark_properties) == (
        "t",
        ["id"],
        ["at"],
    )


def test_a_record_without_a_time_is_given_back_with_that_of_its_sequence() -> None:
    found = as_singer(TABLE.sealed(b'{"id":1}', sequences=[1_700_000_000_123_456_789]))
    assert found is not None
    assert found[1].time_extracted == "2023-11-14T22:13:20.123456789Z"


def test_a_record_that_a_stream_map_has_made_is_given_back_as_it_was() -> None:
    # given a record in line 5 that is no longer what the tap wrote
    schema = TableFormat("raw").schema
    original = RecordMessage("raw", msgspec.Raw(b'{"ID":1}'), 3, "2024")
    originals = {5: (schema, original)}
    batch = TABLE.sealed(b"{}", b'{"id":1}', positions=[4, 5], originals=originals)
    # when the records are asked for, then it is the tap's, and the other is the body's
    first, second = each_alone(batch, [0, 1])
    assert as_singer(second) == (schema, original)
    other = as_singer(first)
    assert other is not None
    assert other[1].stream == "t"


def test_an_activation_gives_no_record() -> None:
    assert as_singer(activation()) is None


def sealed_with(data: bytes, keys: list[str]) -> Batch:
    """Return a sealed batch of one record."""
    return TableFormat("t", keys).sealed(data, positions=[1_042])


@pytest.mark.parametrize(
    ("data", "keys", "sentence"),
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
def test_a_message_is_named_by_its_line_and_keys(
    data: bytes, keys: list[str], sentence: str
) -> None:
    assert describe_record(sealed_with(data, keys)) == sentence


@pytest.mark.parametrize(
    "data",
    [b'{"id":1e99999999999999999999}', b'{"id":"\\ud800"}', b"[]", b'{"id":' + b"9" * 5000 + b"}"],
    ids=lambda data: data[:20].decode(),
)
def test_a_record_that_can_not_be_named_by_its_key_is_named_by_its_line(data: bytes) -> None:
    # Records like these come through where validate_records is off.
    assert "line 1,042 of the input" in describe_record(sealed_with(data, ["id"]))


def test_an_activation_is_named_by_its_line() -> None:
    assert "line 12 of the input" in describe_record(activation())


def test_a_record_of_a_file_is_named_by_that_and_by_its_message() -> None:
    batch = TABLE.sealed(b'{"id":7}', positions=[make_position(1_042, 3)])
    assert describe_record(batch, "file 'a', line 3") == (
        " That record is file 'a', line 3, of the BATCH message in line 1,042 of the input"
        ' (key {"id":7}).'
    )


def sealed_with_activation(*records: bytes) -> Batch:
    """Return a batch whose last message is an activation, in line 99."""
    batch = TABLE.open(version=5)
    TABLE.add(batch, *records)
    batch.add_activation(2_000, 99, TABLE.schema)
    return batch.seal(1, 0)


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
        assert parts[-1].positions[-1] == 99
        # and it is no record
        assert sum(part.contents["t"][0] for part in parts) == len(data)


def test_without_its_rows_an_activation_is_left() -> None:
    # given a batch of one row and an activation, whose row is refused
    (rest,) = without_messages(sealed_with_activation(b'{"id":1}'), [0])
    # then the activation is still sent
    assert [message["action"] for message in messages(rest)] == ["activate_version"]
    assert rest.contents == {"t": (0, len(rest.body))}
    assert decode_exactly(bytes(rest.body))["table_version"] == 5

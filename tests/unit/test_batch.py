"""A body grows as bytes, and its size is known to the byte before it is sealed."""

from __future__ import annotations

import json
from decimal import Decimal
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import import batch as batch_module
from target_stitch_import.batch import OpenBatch
from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.forms import BATCH_FORM, MessageForm, batch_head, push_body
from target_stitch_import.jsontext import decode_exactly, encode_exactly
from target_stitch_import.limits import MAX_BATCH_BYTES, MAX_BATCH_ROWS

SCHEMA = {"properties": {"id": {"type": "integer"}}}
HEAD = batch_head("orders", SCHEMA, ["id"])
AT = b"2024-01-01T00:00:00.000000Z"


def opened(max_bytes: int = 4_000_000, max_rows: int = 10_000, head: bytes = HEAD) -> OpenBatch:
    """Return an open batch; its limits are the default ones."""
    return OpenBatch(head, max_bytes=max_bytes, max_rows=max_rows)


def test_a_body_is_exactly_this() -> None:
    batch = opened()
    batch.add_record(b'{"id": 1}', 5, None, 2)
    batch.add_record(msgspec.Raw(b'{"id":2}'), 6, AT, 3)
    assert batch.seal("orders").body == (
        b'{"table_name":"orders","schema":{"properties":{"id":{"type":"integer"}}},'
        b'"key_names":["id"],"messages":['
        b'{"action":"upsert","sequence":5,"data":{"id": 1}},'
        b'{"action":"upsert","sequence":6,"time_extracted":"2024-01-01T00:00:00.000000Z",'
        b'"data":{"id":2}}]}'
    )


def test_a_head_says_more_where_the_tap_does() -> None:
    batch = opened(head=batch_head('o"ñ', {"properties": {}}, [], ["at"], 0))
    batch.add_activation(9, 1)
    assert json.loads(bytes(batch.seal("x").body)) == {
        "table_name": 'o"ñ',
        "schema": {"properties": {}},
        "key_names": [],
        "bookmark_names": ["at"],
        "table_version": 0,
        "messages": [{"action": "activate_version", "sequence": 9}],
    }


def test_the_numbers_of_a_schema_are_posted_exactly() -> None:
    schema = {"properties": {"x": {"multipleOf": Decimal("1E-38"), "maximum": 10**38}}}
    assert decode_exactly(batch_head("t", schema, []) + b"]}")["schema"] == schema


def records(sizes: list[int]) -> list[bytes]:
    """Return records of these sizes in bytes."""
    return [b'{"a":"' + b"x" * (size - 8) + b'"}' for size in sizes]


@settings(deadline=None)
@given(
    st.lists(st.integers(8, 400), min_size=1, max_size=30),
    st.integers(200, 1200),
    st.integers(1, 20),
    st.none() | st.just(AT),
)
def test_bodies_stay_below_the_limit_and_are_filled_up_to_it(
    sizes: list[int], max_bytes: int, max_rows: int, extracted: bytes | None
) -> None:
    # Given records of any size, put into batches as a sink does it
    wanted = records(sizes)
    batch = opened(max_bytes, max_rows)
    bodies: list[bytes] = []
    refused: list[bytes | None] = []
    for place, record in enumerate(wanted):
        if not batch.full and batch.add_record(record, place, extracted, place):
            continue
        refused.append(None if batch.full else record)
        bodies.append(bytes(batch.seal("orders").body))
        batch = opened(max_bytes, max_rows)
        assert batch.add_record(record, place, extracted, place)
    bodies.append(bytes(batch.seal("orders").body))
    # Then each is below the limit, unless it holds a lone record
    found = []
    for body in bodies:
        messages = json.loads(body)["messages"]
        found += [encode_exactly(message["data"]) for message in messages]
        assert len(body) < max_bytes or len(messages) == 1
        assert len(messages) <= max_rows
    # and nothing is lost, changed or moved
    assert found == wanted
    # and what was not taken did not fit: one byte more than there is room for, at the least
    for body, left in zip(bodies, refused, strict=False):
        if left is not None:
            envelope = len(b'{"action":"upsert","sequence":,"data":},') + (
                len(AT) + len(b'"time_extracted":"",') if extracted else 0
            )
            assert len(body) + len(left) + envelope + len(str(len(wanted))) >= max_bytes


def test_the_limit_holds_to_the_byte() -> None:
    # Given the size of a body with two records
    both = opened()
    both.add_record(b"{}", 1, None, 1)
    both.add_record(b"{}", 2, None, 2)
    size = len(both.seal("t").body)
    # When the limit is one byte more, both fit; when it is that size, the second does not
    for max_bytes, fits in ((size + 1, True), (size, False)):
        batch = opened(max_bytes)
        assert batch.add_record(b"{}", 1, None, 1)
        assert bool(batch.add_record(b"{}", 2, None, 2)) is fits
        # and a record that is not taken leaves no trace
        sealed = batch.seal("t")
        assert len(json.loads(bytes(sealed.body))["messages"]) == sealed.rows == 1 + fits


def test_a_lone_larger_record_is_taken_and_fills_the_batch() -> None:
    batch = opened(1_000)
    assert batch.add_record(records([5_000])[0], 1, None, 1)
    assert batch.full
    assert len(json.loads(bytes(batch.seal("t").body))["messages"]) == 1


def test_a_lone_record_is_taken_up_to_what_the_service_takes() -> None:
    overhead = len(HEAD) + len(b'{"action":"upsert","sequence":1,"data":}') + len(b"]}")
    largest = opened()
    assert largest.add_record(records([MAX_BATCH_BYTES - overhead])[0], 1, None, 1)
    assert len(largest.seal("t").body) == MAX_BATCH_BYTES
    with pytest.raises(InvalidRecordError, match=r"20,000,001 bytes, .* at most 20,000,000"):
        opened().add_record(records([MAX_BATCH_BYTES - overhead + 1])[0], 1, None, 1)


@pytest.mark.parametrize("max_rows", [1, 2, MAX_BATCH_ROWS])
def test_a_batch_is_full_at_its_number_of_rows(max_rows: int) -> None:
    batch = opened(max_rows=max_rows)
    for row in range(max_rows):
        assert not batch.full
        batch.add_record(b"{}", row, None, row)
    assert batch.full
    assert batch.seal("t").rows == max_rows


def test_an_activation_is_a_message() -> None:
    batch = opened()
    batch.add_activation(5, 1)
    assert batch.seal("t").rows == 1


def test_a_sealed_batch_keeps_its_number_generation_and_lines() -> None:
    batch = opened()
    batch.number, batch.generation = 7, 3
    batch.add_record(b"{}", 1, None, 12)
    batch.add_record(b"{}", 2, None, 1_500)
    sealed = batch.seal("orders")
    assert (sealed.number, sealed.generation, list(sealed.lines)) == (7, 3, [12, 1_500])
    assert (
        str(sealed) == f"batch 7 of table 'orders' (2 rows, {len(sealed.body)} bytes, from line 12)"
    )


@settings(deadline=None)
@given(
    st.lists(st.integers(8, 400), min_size=1, max_size=40),
    st.integers(200, 3_000),
    st.integers(1, 30),
    st.sampled_from([None, AT]),
    st.sampled_from([BATCH_FORM, push_body(1, "50%d", {}, ["id"]).message]),
    st.booleans(),
    st.sampled_from([1, 200, batch_module._PIECE_BYTES]),
)
def test_records_at_once_make_the_same_body(
    sizes: list[int],
    max_bytes: int,
    max_rows: int,
    at: bytes | None,
    form: MessageForm,
    as_texts: bool,
    piece: int,
) -> None:
    # Given an open batch with a record, and as many more as are sure to fit
    at_once, alone = opened(max_bytes, max_rows), opened(max_bytes, max_rows)
    for batch in (at_once, alone):
        batch.add_record(b"{}", 2**63 - 1, at, 1, form)
    data = records(sizes)
    room = at_once.room_for(data, [at] * len(data) if at else None, form)
    lines = range(2, room + 2)
    sequences = [b"%d" % (2**63 - 1)] * room if as_texts else [2**63 - 1] * room
    # When they are added at once, and one by one
    with mock.patch.object(batch_module, "_PIECE_BYTES", piece):
        added = at_once.add_records(
            data[:room], sequences, [AT] * room if at else None, lines, form
        )
    one_by_one = [
        alone.add_record(text, 2**63 - 1, at, line, form)
        for text, line in zip(data[:room], lines, strict=True)
    ]
    # Then it comes to the same, and all of them fit
    assert 0 not in one_by_one
    assert (added, at_once.size, at_once.full) == (sum(one_by_one), alone.size, alone.full)
    # And the next one does not fit
    if room < len(data) and not alone.full:
        assert alone.add_record(data[room], 2**63 - 1, at, 0, form) == 0
    assert at_once.seal("x") == alone.seal("x")


def test_a_body_of_many_pieces_is_whole() -> None:
    # Given records that fill several pieces, with some taken back for want of room
    batch = opened(max_bytes=1_000_000)
    data = records([40_000] * 30)
    taken = [
        bool(batch.add_record(each, place + 1, None, place)) for place, each in enumerate(data)
    ]
    # When it is sealed, then it is what was taken
    body = json.loads(bytes(batch.seal("x").body))
    assert [m["data"] for m in body["messages"]] == [
        json.loads(each) for each in data[: sum(taken)]
    ]
    assert 20 < sum(taken) < 30

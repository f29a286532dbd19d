"""A body grows as bytes, and its size is known to the byte before it is sealed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.limits import MAX_BATCH_ROWS, MAX_SEQUENCE
from target_stitch_import.singer.messages import RecordMessage
from tests.support.tables import AT, SCHEMA, TableFormat, block

if TYPE_CHECKING:
    from target_stitch_import.batches.batch import Batch

TABLE = TableFormat("orders")


def padded(sizes: list[int]) -> list[bytes]:
    """Return records of these sizes in bytes."""
    return [b'{"a":"' + b"x" * (size - 8) + b'"}' for size in sizes]


def test_a_body_is_exactly_this() -> None:
    batch = TABLE.open()
    TABLE.add(batch, b'{"id": 1}', sequences=[5])
    TABLE.add(batch, b'{"id":2}', sequences=[6], times=[AT])
    assert batch.seal(1, 0).body == (
        b'{"table_name":"orders","schema":{"properties":{"id":{"type":"integer"}}},'
        b'"key_names":["id"],"messages":['
        b'{"action":"upsert","sequence":5,"data":{"id": 1}},'
        b'{"action":"upsert","sequence":6,"time_extracted":"2024-01-01T00:00:00.000000Z",'
        b'"data":{"id":2}}]}'
    )


def test_a_body_has_the_version_and_the_bookmarks_of_its_table() -> None:
    table = TableFormat('o"ñ', [], ["at"])
    batch = table.open(version=0)
    batch.add_activation(9, 1, table.schema)
    assert json.loads(batch.seal(1, 0).body) == {
        "table_name": 'o"ñ',
        "schema": SCHEMA,
        "key_names": [],
        "bookmark_names": ["at"],
        "table_version": 0,
        "messages": [{"action": "activate_version", "sequence": 9}],
    }


def into_batches(
    records: list[bytes], cuts: list[int], max_bytes: int, max_rows: int, time: bytes
) -> tuple[list[Batch], list[bytes]]:
    """Put records into batches as the builder does it, in blocks of these sizes.

    Returns:
        The sealed batches, and for each but the last the record that did not fit, or nothing where
        the batch was full.
    """
    batches, refused = [], []
    batch = TABLE.open(max_bytes=max_bytes, max_rows=max_rows)
    waiting = iter(cuts)
    start = 0
    while start < len(records):
        end = min(start + next(waiting, len(records)), len(records))
        while start < end:
            places = range(start, end)
            start += TABLE.add(
                batch,
                *records[start:end],
                sequences=[MAX_SEQUENCE - place for place in places],
                times=[time] * len(places),
                positions=places,
            )
            if start < end or batch.is_full:
                refused.append(b"" if batch.is_full else records[start])
                batches.append(batch.seal(1, 0))
                batch = TABLE.open(max_bytes=max_bytes, max_rows=max_rows)
    if batch.positions:
        batches.append(batch.seal(1, 0))
    return batches, refused


@settings(deadline=None)
@given(
    st.lists(st.integers(8, 400), min_size=1, max_size=30),
    st.lists(st.integers(1, 10)),
    st.integers(200, 1_200),
    st.integers(1, 20),
    st.sampled_from([b"", AT]),
)
def test_bodies_stay_below_the_limit_and_are_filled_up_to_it(
    sizes: list[int], cuts: list[int], max_bytes: int, max_rows: int, time: bytes
) -> None:
    # given records of any size in blocks of any size; when they are put into batches
    records = padded(sizes)
    batches, refused = into_batches(records, cuts, max_bytes, max_rows, time)
    # then each body is below the limit, unless it holds a lone record
    found = []
    for batch in batches:
        messages = json.loads(batch.body)["messages"]
        found += [encode_exactly(message["data"]) for message in messages]
        assert len(batch.body) < max_bytes or len(messages) == 1
        assert len(messages) == batch.rows <= max_rows
    # and nothing is lost, changed or moved
    assert found == records
    assert [at for batch in batches for at in batch.positions] == [*range(len(records))]
    # and what did not fit would have made the body too large
    overhead = TABLE.body_format.overhead(timed=bool(time))
    for batch, record in zip(batches, refused, strict=False):
        assert not record or len(batch.body) + len(record) + overhead >= max_bytes


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(2, 60), st.sampled_from([b"", AT])), min_size=1, max_size=20),
    st.booleans(),
)
def test_the_size_is_known_to_the_byte(items: list[tuple[int, bytes]], activated: bool) -> None:
    # given records with and without times, and perhaps an activation behind them
    batch = TABLE.open()
    records = [b"x" * size for size, _ in items]
    sequences = [MAX_SEQUENCE - place for place in range(len(items))]
    TABLE.add(batch, *records, sequences=sequences, times=[time for _, time in items])
    if activated:
        batch.add_activation(MAX_SEQUENCE, 1, TABLE.schema)
    # then the body has as many bytes, with its end in the place of the last comma
    assert len(batch.seal(1, 0).body) == batch.size - 1 + len(b"]}")


def test_the_limit_holds_to_the_byte() -> None:
    # given the size of a body with two records
    sequences = [MAX_SEQUENCE - 1, MAX_SEQUENCE]
    size = len(TABLE.sealed(b"{}", b"{}", sequences=sequences).body)
    # when the limit is one byte more, both fit; when it is that size, the second does not
    for max_bytes, fitting in ((size + 1, 2), (size, 1)):
        batch = TABLE.open(max_bytes=max_bytes)
        assert TABLE.add(batch, b"{}", b"{}", sequences=sequences) == fitting
        # and a record that does not fit leaves no trace
        sealed = batch.seal(1, 0)
        assert len(json.loads(sealed.body)["messages"]) == sealed.rows == fitting


def test_a_lone_larger_record_fits_and_fills_the_batch() -> None:
    batch = TABLE.open(max_bytes=1_000)
    assert TABLE.add(batch, *padded([5_000, 8])) == 1
    assert batch.is_full
    assert TABLE.add(batch, b"{}") == 0
    assert not batch.add_activation(1, 1, TABLE.schema)
    assert len(json.loads(batch.seal(1, 0).body)["messages"]) == 1


@pytest.mark.parametrize("max_rows", [1, 2, MAX_BATCH_ROWS])
def test_a_batch_is_full_at_its_number_of_rows(max_rows: int) -> None:
    batch = TABLE.open(max_rows=max_rows)
    assert TABLE.add(batch, *[b"{}"] * (max_rows - 1)) == max_rows - 1
    assert not batch.is_full
    assert TABLE.add(batch, b"{}", b"{}") == 1
    assert batch.is_full
    assert not batch.add_activation(1, 1, TABLE.schema)
    assert batch.seal(1, 0).rows == max_rows


def test_an_activation_is_the_last_message_where_it_fits() -> None:
    # given a batch with a record, and room for an activation or one byte less
    size = len(TABLE.sealed(b"{}").body)
    message = b'{"action":"activate_version","sequence":7}'
    enough = size + len(b",") + len(message) + 1
    for max_bytes, fits in ((enough + 1, True), (enough - 1, False)):
        batch = TABLE.open(max_bytes=max_bytes)
        TABLE.add(batch, b"{}", positions=[3])
        # when it is added, then it is there, or nothing has changed
        assert batch.add_activation(7, 4, TABLE.schema) is fits
        sealed = batch.seal(1, 0)
        assert len(sealed.body) < max_bytes
        assert [*sealed.positions] == [3, 4][: 1 + fits]
        assert sealed.body.endswith(b"," + message + b"]}") is fits


def test_an_activation_counts_as_no_record() -> None:
    batch = TABLE.open()
    TABLE.add(batch, b"{}", b"{}")
    batch.add_activation(7, 3, TABLE.schema)
    sealed = batch.seal(1, 0)
    assert sealed.rows == 3
    assert sealed.contents == {"orders": (2, len(sealed.body))}


def test_a_sealed_batch_keeps_its_number_generation_and_lines() -> None:
    sealed = TABLE.sealed(b"{}", b"{}", number=7, generation=3, positions=[12, 1_500])
    assert (sealed.number, sealed.generation, [*sealed.positions]) == (7, 3, [12, 1_500])
    assert (
        str(sealed) == f"batch 7 of table 'orders' (2 rows, {len(sealed.body)} bytes, from line 12)"
    )


def test_a_sealed_batch_has_what_the_tap_wrote_of_the_records_in_it_alone() -> None:
    # given records that a stream map has made, of which the first two fit
    message = RecordMessage("raw", TABLE.schema.schema)
    originals = dict.fromkeys((1, 2, 3), (TABLE.schema, message))
    batch = TABLE.open(max_rows=2)
    assert TABLE.add(batch, b"{}", b"{}", b"{}", originals=originals) == 2
    assert batch.seal(1, 0).originals.keys() == {1, 2}


def test_a_block_may_be_cut() -> None:
    whole = block(b"1", b"2", b"3", version=7, times=[b"", AT, b""], positions=[4, 5, 6])
    part = whole[1:]
    assert (part.version, part.originals) == (7, whole.originals)
    columns = (part.records, part.sequences, part.times, part.positions)
    assert [[*column] for column in columns] == [[b"2", b"3"], [2, 3], [AT, b""], [5, 6]]

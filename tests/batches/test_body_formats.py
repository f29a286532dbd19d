"""What stands around records in a body, for each endpoint."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.batches.body_formats import (
    PUSH_TAIL,
    BodyFormat,
    batch_format,
    body_format,
    push_format,
)
from target_stitch_import.errors import InvalidRecordError, InvalidSchemaError
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.limits import MAX_SEQUENCE
from tests.support.tables import AT, SCHEMA

BATCH = batch_format("50%d %b", SCHEMA, ["id"])
PUSH = push_format(7, "50%d %b", SCHEMA, ["100%"])
TRANSIT = push_format(7, "50%d %b", SCHEMA, ["100%"], transit=True)
FORMATS = [BATCH, PUSH, TRANSIT]


def test_the_numbers_of_a_schema_are_posted_exactly() -> None:
    schema = {"properties": {"x": {"multipleOf": Decimal("1E-38"), "maximum": 10**38}}}
    assert decode_exactly(batch_format("t", schema, []).head(None) + b"]}")["schema"] == schema


def test_a_message_of_a_push_body_has_its_table() -> None:
    body = PUSH.head(None) + PUSH.messages([5, 6], [b"", AT], [b'{"a":1}', b"{}"])[:-1] + PUSH_TAIL
    same = {"client_id": 7, "table_name": "50%d %b", "action": "upsert", "key_names": ["100%"]}
    assert json.loads(body) == [
        {**same, "sequence": 5, "data": {"a": 1}},
        {**same, "sequence": 6, "data": {}},
    ]


def test_a_message_of_transit_has_its_record_encoded() -> None:
    assert TRANSIT.encode is not None
    data = TRANSIT.encode(b'{"a":1.5}')
    assert TRANSIT.messages([5], [b""], [data]) == (
        b'["^ ","client_id",7,"table_name","50%d %b","action","upsert","key_names",["100%"],'
        b'"sequence","~i5","data",["^ ","a","~f1.5"]],'
    )


def test_a_record_that_transit_can_not_say_is_refused() -> None:
    assert TRANSIT.encode is not None
    with pytest.raises(InvalidRecordError, match="can't be written as Transit"):
        TRANSIT.encode(b'{"a":"\\ud800"}')


items = st.tuples(
    st.integers(0, MAX_SEQUENCE), st.sampled_from([b"", AT, AT + b"123Z"]), st.binary(max_size=20)
)


@settings(deadline=None)
@given(st.lists(items), st.sampled_from(FORMATS))
def test_many_messages_are_those_of_each_record(
    records: list[tuple[int, bytes, bytes]], each: BodyFormat
) -> None:
    # given records with times or without; when their messages are made at once
    sequences = [sequence for sequence, _, _ in records]
    times = [time for _, time, _ in records]
    data = [record for _, _, record in records]
    found = each.messages(sequences, times, data)
    # then they are as if made one by one
    alone = [each.messages([s], [t], [d]) for s, t, d in records]
    assert found == b"".join(alone)
    # and none is longer than what is reckoned with
    for message, (_, time, record) in zip(alone, records, strict=True):
        assert len(message) <= len(record) + each.overhead(timed=bool(time))


def test_the_settings_say_which_it_is() -> None:
    config = {"endpoint": "push", "push_format": "json", "client_id": 7}
    assert body_format(config, "t", SCHEMA, ["id"], []).encode is None
    config["push_format"] = "transit"
    assert body_format(config, "t", SCHEMA, ["id"], []).encode is not None
    with pytest.raises(InvalidSchemaError, match="stream 't' has no key properties, and push"):
        body_format(config, "t", SCHEMA, [], [])
    config["endpoint"] = "batch"
    assert not body_format(config, "t", SCHEMA, [], []).is_shared

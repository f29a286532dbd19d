"""Stream maps and flattening are the SDK's, with exact numbers, and errors without data."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.mapper import PluginMapper

from target_stitch_import.errors import InputError, InvalidRecordError
from target_stitch_import.streams.stream_maps import create_transform

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.mapper import StreamMap

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": ["null", "string"]},
        "amount": {"type": ["null", "number"]},
        "tags": {"type": ["null", "array"]},
        "place": {"type": ["null", "object"], "properties": {"city": {"type": "string"}}},
    },
}


def create_map(columns: dict[str, Any], **config: Any) -> StreamMap:
    """Return the SDK's map for the stream ``orders``."""
    mapper = PluginMapper(
        {"stream_maps": {"orders": columns}, **config}, logging.getLogger(__name__)
    )
    mapper.register_raw_stream_schema("orders", SCHEMA, [])
    return mapper.stream_maps["orders"][0]


def transforming(columns: dict[str, Any], **config: Any) -> Callable[[bytes], bytes | None]:
    """Return what applies a map, and flattening, to a record of ``orders``."""
    return create_transform(create_map(columns, **config), "orders")


def test_numbers_keep_their_digits_through_a_map() -> None:
    # given a map that renames a column, and computes one
    transform = transforming({"total": "amount", "amount": None, "half": "amount / 2"})
    # when a record has numbers that a float would round
    made = transform(b'{"id":12345678901234567890,"amount":1.10,"x":0.1234567890123456789012}')
    # then all digits are there
    assert made == (
        b'{"id":12345678901234567890,"x":0.1234567890123456789012,"total":1.10,"half":0.55}'
    )


def test_json_in_a_map_is_exact() -> None:
    # given a map that writes and reads JSON
    transform = transforming({"text": "json.dumps(amount)", "read": "json.loads(name)"})
    # when a record has numbers that a float would round
    made = transform(b'{"amount":0.1234567890123456789012,"name":"[1.10]"}')
    # then all digits are there
    assert made == (
        b'{"amount":0.1234567890123456789012,"name":"[1.10]",'
        b'"text":"0.1234567890123456789012","read":[1.10]}'
    )


def test_flattening_is_exact() -> None:
    # given flattening behind a map
    transform = transforming({"name": None}, flattening_enabled=True, flattening_max_depth=1)
    # when a record has objects and lists
    made = transform(
        b'{"name":"a","place":{"city":"Z","at":1.10},"tags":[0.1234567890123456789012]}'
    )
    # then numbers within them keep their digits
    assert made == b'{"place__city":"Z","place__at":1.10,"tags":"[0.1234567890123456789012]"}'


def test_a_record_that_the_filter_excludes_is_none() -> None:
    # given a filter
    transform = transforming({"__filter__": "id > 1"})
    # when records come, then those that it excludes are none
    assert transform(b'{"id":1}') is None
    assert transform(b'{"id":2}') == b'{"id":2}'


def test_two_transforms_can_share_a_map() -> None:
    # given a map that two schemas of a stream have in common, as only their bookmarks differ
    stream_map = create_map({"x": "json.dumps([y for y in tags]) + str(id)"})
    transforms = [create_transform(stream_map, "orders") for _ in range(2)]
    # when their records take turns
    made = [transforms[turn % 2](b'{"id":%d,"tags":[%d]}' % (turn, turn)) for turn in range(3)]
    # then each is transformed as itself
    assert made == [
        b'{"id":0,"tags":[0],"x":"[0]0"}',
        b'{"id":1,"tags":[1],"x":"[1]1"}',
        b'{"id":2,"tags":[2],"x":"[2]2"}',
    ]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"[1]", "a record of stream 'orders' is not a JSON object"),
        (b'{"id": 1', "a record of stream 'orders' can't be read: "),
        (b'{"id": 1e99999999999999999999}', "it has a number whose exponent is too large"),
        (b'{"id": 1}', "can't be applied to a record: Failed to evaluate"),
        (b'{"id": 1, "name": ["secret"]}', "can't be applied to a record: TypeError"),
        (
            b'{"id": 1, "name": {"a": "\\ud800"}}',
            "of 'orders' can't be written: UnicodeEncodeError",
        ),
    ],
)
def test_a_record_that_cant_be_transformed_is_refused_without_its_data(
    record: bytes, reason: str
) -> None:
    # given a map with expressions
    transform = transforming({"x": "id + 0", "y": "name['a']"})
    # when a record can't be transformed
    with pytest.raises(InvalidRecordError) as caught:
        transform(record)
    # then the message says why, and has no value of it
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_a_map_makes_may_be_no_json() -> None:
    # given a map that makes a list which is part of itself
    transform = transforming({"x": "tags.append(tags)", "__alias__": "sales"})
    # when a record is transformed
    with pytest.raises(InvalidRecordError) as caught:
        transform(b'{"tags": []}')
    # then the message names the table, and why
    assert "makes of a record of 'sales' can't be written: RecursionError" in str(caught.value)


def test_a_map_that_assigns_is_refused_before_any_record() -> None:
    # given a map with a statement instead of an expression
    # when it is to be applied
    # then it is the map that is wrong, and no record
    with pytest.raises(InputError, match="'y = id' is not an expression"):
        transforming({"x": "y = id"})

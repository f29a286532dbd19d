"""What is one row, and what is the same data."""

from __future__ import annotations

from typing import Any

import pytest

from target_stitch_import.batches.transit import encode_transit
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.unchanged.digests import Key, RecordDigests

NUMBER = {"type": ["null", "number"]}
COLUMNS: dict[str, Any] = {"id": {"type": "integer"}, "n": NUMBER, "o": {"type": "object"}}


def read(
    *records: str, columns: dict[str, Any] = COLUMNS, keys: tuple[str, ...] = ("id",)
) -> tuple[list[Key], list[bytes]]:
    """Return the keys and the digests of records."""
    digests = RecordDigests({"properties": columns}, keys, ["seen"])
    return digests.read([record.encode() for record in records])


@pytest.mark.parametrize("more", ["", ',"undeclared":1'])
def test_order_and_spaces_do_not_count(more: str) -> None:
    _, (one, other) = read(
        '{"id":1,"n":1.0,"o":{"a":1,"b":2}%s}' % more,  # noqa: UP031 - braces
        ' {"o": {"b": 2, "a": 1}, "n": 1.0, "id": 1%s}' % more,  # noqa: UP031
    )
    assert one == other


@pytest.mark.parametrize(
    "other",
    [
        '{"id":1,"n":0.1000000000000000001}',
        '{"id":1,"n":null}',
        '{"id":1}',
        '{"id":1,"n":0.1,"undeclared":null}',
        '{"id":1,"n":0.1,"o":{"a":0.1}}',
    ],
)
def test_any_other_value_counts(other: str) -> None:
    _, (first, second) = read('{"id":1,"n":0.1}', other)
    assert first != second


def test_ignored_columns_do_not_count_declared_or_not() -> None:
    columns = {**COLUMNS, "seen": {}}
    for declared in (COLUMNS, columns):
        _, (one, other) = read('{"id":1,"seen":1}', '{"id":1,"seen":2}', columns=declared)
        assert one == other


def test_transit_has_the_data_that_it_was_written_from() -> None:
    records = ['{"id":1,"n":0.5}', '{"id":1,"n":0.25}', '{"id":1,"n":0.5}']
    written = [encode_transit(decode_exactly(each.encode())).decode() for each in records]
    keys, (one, other, again) = read(*written)
    assert keys == [1, 1, 1]
    assert one == again != other


def test_equal_numbers_are_one_key_and_large_ones_are_keys() -> None:
    texts = ["1", "1.0", "10e-1", "9223372036854775807", "9223372036854775808", "1.5"]
    keys, _ = read(*(f'{{"id":{text}}}' for text in texts), columns={"id": NUMBER})
    assert keys == [1, 1, 1, 2**63 - 1, "[9223372036854775808]", "[1.5]"]


def test_text_is_no_number_and_a_name_may_be_anything() -> None:
    name = 'a "b"\\'
    columns = {name: {"type": ["integer", "string"]}}
    records = (r'{"a \"b\"\\":1}', r'{"a \"b\"\\":"1"}')
    keys, _ = read(*records, columns=columns, keys=(name,))
    assert keys == [1, '["1"]']


def test_several_columns_are_one_key() -> None:
    columns = {**COLUMNS, "at": {"type": "string", "format": "date-time"}}
    records = ('{"id":1,"at":"2024-01-01T01:00:00+01:00"}', '{"id":1,"at":"2024-01-01T00:00:00Z"}')
    (one, other), _ = read(*records, columns=columns, keys=("id", "at"))
    assert one == other


def test_a_key_that_may_be_a_time_or_a_number_may_be_either() -> None:
    columns = {"at": {"type": ["integer", "string"], "format": "date-time"}}
    keys, _ = read('{"at":5}', '{"at":"2024-01-01"}', columns=columns, keys=("at",))
    assert keys == [5, '["2024-01-01T00:00:00.000000000Z"]']


def test_a_number_among_times_is_one_of_several_keys() -> None:
    columns = {**COLUMNS, "at": {"type": ["integer", "string"], "format": "date-time"}}
    keys, _ = read('{"id":1,"at":5}', columns=columns, keys=("id", "at"))
    assert keys == ["[1,5]"]

"""Many records are judged as each of them is alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.limits import MAX_DATA_POINTS
from target_stitch_import.validation import RecordCheck

PLAIN = {"properties": {"id": {"type": "integer"}, "x": {"type": ["null", "string"]}}}
BEYOND_TYPES = {"properties": {"id": {"type": "integer"}, "x": {"not": {"type": "number"}}}}
BEYOND_ALL = {"properties": {"id": {"type": "integer"}, "x": {"not": {"pattern": "^b"}}}}

records = st.sampled_from(
    [
        b'{"id": 1}',
        b'{"id": 2, "x": "a_b"}',
        '{"id": 3, "x": "\u00e9"}'.encode(),
        b'{"id": 4, "y": {"z": [1, 2]}}',
        b'{"id": 5, "x": "_sdc"}',
        b'{"id": 6, "_sdc_x": 1}',
        b'{"id": 7, "\\u005fsdc": 1}',
        b'{"id": 8, "\\u005F\\u0073dc_y": 1}',
        b'{"id": 9, "_\\u0073\\u0064\\u0063": 1}',
        b'{"id": 10, "_id": 1}',
        b'{"id": null}',
        b'{"x": "a"}',
        b'{"id": 11, "x": "\xff"}',
        b'{"id": 12, "x": "\x00"}',
        b'{"id": 13, "x": "a\nb"}',
        b'{"id": 14, "x": NaN}',
        b'{"id": 15, "x": "\\ud800"}',
        b'{"id": 16',
        b"[]",
        b"",
        b'{"id": 17, "x": [' + b",".join([b"1"] * (MAX_DATA_POINTS + 1)) + b"]}",
    ]
)


def is_beyond_doubt(check: RecordCheck, record: bytes) -> bool:
    """Return True if a record alone may be posted as it is."""
    try:
        return check(record) == record
    except InvalidRecordError:
        return False


@settings(deadline=None, max_examples=300)
@given(
    st.lists(records, max_size=5), st.booleans(), st.sampled_from([PLAIN, BEYOND_TYPES, BEYOND_ALL])
)
def test_the_good_ones_are_good_one_by_one(
    data: list[bytes], validate: bool, schema: dict[str, Any]
) -> None:
    # Given any records of a stream
    check = RecordCheck(schema, ["id"], validate=validate)
    assert check.good_ones is not None
    # When they are looked at together
    good = check.good_ones(data)
    # Then those that are beyond doubt may be posted as they are
    assert [is_beyond_doubt(check, each) for each in data[:good]] == [True] * good


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("text", ["plain", "\u00e9", "_sdc"])
def test_of_records_like_most_all_are_beyond_doubt(text: str, validate: bool) -> None:
    good_ones = RecordCheck(PLAIN, ["id"], validate=validate).good_ones
    assert good_ones is not None
    data = [f'{{"id": {place}, "x": "{text}"}}'.encode() for place in range(50)]
    assert good_ones(data) == 50
    # And when one is in doubt, those before it are not
    assert good_ones([*data[:20], b'{"id": "1", "_sdc": 1}', *data]) == 20


def test_columns_that_no_schema_names_are_no_reason_for_doubt() -> None:
    # Given records with a column more, from some record on
    more = [f'{{"id": {place}, "y": {{"z": [{place}]}}}}'.encode() for place in range(20)]
    good_ones = RecordCheck(PLAIN, ["id"], validate=True).good_ones
    assert good_ones is not None
    # Then all are beyond doubt
    assert good_ones([b'{"id": 1}', *more]) == 21
    # But not one with a name that is Stitch's own, or with what no text or number is, or too much
    too_many = b"[" + b",".join([b"1"] * (MAX_DATA_POINTS + 1)) + b"]"
    absurd = [b'"\xff"', b'"\\ud800"', b"1e99999999999999999999", b"9" * 5_000, too_many]
    for doubtful in (b'{"id": 2, "_sdc_x": 1}', *(b'{"id": 2, "y": %b}' % each for each in absurd)):
        assert good_ones([b'{"id": 1}', *more, doubtful, *more]) == 21
    # And none where the schema permits no other
    closed = PLAIN | {"additionalProperties": False}
    good_ones = RecordCheck(closed, ["id"], validate=True).good_ones
    assert good_ones is not None
    assert good_ones([b'{"id": 1}', *more]) == 1


@pytest.mark.parametrize(("schema", "good"), [(BEYOND_TYPES, 2), (BEYOND_ALL, 0)])
def test_where_no_type_can_tell_records_are_judged_decoded(
    schema: dict[str, Any], good: int
) -> None:
    good_ones = RecordCheck(schema, ["id"], validate=True).good_ones
    assert good_ones is not None
    taken, refused = b'{"id": 1, "x": "a", "y": 1}', b'{"id": 1, "x": 5}'
    assert good_ones([taken, taken, refused, taken]) == good
    for doubtful in (b'{"id": null}', b'{"id": 1, "_sdc_x": 1}', b"[]", b'{"id": 1'):
        assert good_ones([doubtful]) == 0


def test_without_validation_a_schema_that_no_type_can_say_is_no_hindrance() -> None:
    # Given a schema with a pattern, and records of which the service needs nothing but their keys
    data = [b'{"id": 1, "x": "b"}'] * 3
    good_ones = RecordCheck(BEYOND_ALL, ["id"], validate=False).good_ones
    # Then they are beyond doubt, unless a name may be Stitch's own
    assert good_ones is not None
    assert good_ones(data) == 3
    assert good_ones([*data, b'{"id": 2, "_sdc_x": 1}']) == 0

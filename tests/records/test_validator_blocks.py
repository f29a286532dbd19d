"""Records that are judged together are judged as each of them is alone, and most of them quickly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.limits import MAX_DATA_POINTS
from target_stitch_import.records.validator import RecordValidator
from target_stitch_import.schemas.posted import posted_schema
from target_stitch_import.schemas.translate import to_draft4
from tests.records.judging import SingleValidator

PLAIN = {"properties": {"id": {"type": "integer"}, "x": {"type": ["null", "string"]}}}
CLOSED = PLAIN | {"additionalProperties": False}
NEGATED = {"properties": {"id": {"type": "integer"}, "x": {"not": {"type": "number"}}}}
NEGATED_PATTERN = {"properties": {"id": {"type": "integer"}, "x": {"not": {"pattern": "^b"}}}}
SCHEMAS = [PLAIN, CLOSED, NEGATED, NEGATED_PATTERN]

TOO_MANY = b"[" + b",".join([b"1"] * (MAX_DATA_POINTS + 1)) + b"]"
RECORDS = [
    b'{"id": 1}',
    b'{"id": 2, "x": "a_b"}',
    '{"id": 3, "x": "\u00e9"}'.encode(),
    b'{"id": 4, "y": {"z": [1, 2]}}',
    b'{"id": 5, "x": "_sdc"}',
    b'{"id": 6, "_sdc_sequence": 1}',
    b'{"id": 7, "\\u005fsdc_sequence": 1}',
    b'{"id": 8, "\\u005F\\u0073dc_level_0_id": 1, "_sdc_sequence": [2], "x": null}',
    b'{"id": 9, "_\\u0073\\u0064\\u0063_batched_at": 1}',
    b'{"id": 22, "_sdc_deleted_at": null}',
    b'{"id": 23, "_sdc_deleted_at": null, "x": "_sdc_sequence"}',
    b'{"id": 24, "\\u005fsdc_deleted_at": 1, "__sdc_primary_key": 1}',
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
    b'{"id": 17, "x": ' + TOO_MANY + b"}",
    b'{"id": 18, "y": ' + TOO_MANY + b"}",
    b'{"id": 19, "y": 1e99999999999999999999}',
    b'{"id": 20, "y": ' + b"9" * 5_000 + b"}",
    b'{"id": 21, "y": "\xff"}',
]


def plain_reading(
    records: list[bytes], schema: dict[str, Any], *, validate: bool
) -> tuple[list[bytes], str | None]:
    """Return what becomes of records that are judged one by one, each as the first of its stream."""
    posted: list[bytes] = []
    try:
        for record in records:
            alone = SingleValidator(schema, ["id"], validate=validate)
            posted.append(alone(record))
    except InvalidRecordError as error:
        return posted, str(error)
    return posted, None


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.lists(st.sampled_from(RECORDS), max_size=4), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(SCHEMAS),
)
def test_whatever_comes_together_is_judged_as_each_is_alone(
    blocks: list[list[bytes]], validate: bool, schema: dict[str, Any]
) -> None:
    # given any records of a stream, some blocks of them; when each block is judged
    validator = RecordValidator(schema, ["id"], validate=validate)
    for block in blocks:
        posted, error = validator.check(block)
        # then the verdict on each is the one that it gets alone
        assert (posted, None if error is None else str(error)) == plain_reading(
            block, schema, validate=validate
        )


class CountingValidator(RecordValidator):
    """A validator that counts the records which its quick test does not accept."""

    judged = 0

    def _judge(self, record: bytes) -> tuple[bytes, object]:
        self.judged += 1
        return super()._judge(record)


def records(count: int, more: str = "") -> list[bytes]:
    """Return valid records, with other fields if any are named."""
    return [f'{{"id": {number}, "x": "{number}"{more}}}'.encode() for number in range(count)]


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("schema", [PLAIN, CLOSED])
def test_most_records_are_accepted_quickly(schema: dict[str, Any], validate: bool) -> None:
    # given records that fit their schema
    validator = CountingValidator(schema, ["id"], validate=validate)
    some = records(50)
    # when they are judged, then none is looked at twice
    assert validator.check(some) == (some, None)
    assert validator.judged == 0


@pytest.mark.parametrize(
    ("schema", "more"),
    [
        (PLAIN, ', "y": {"z": [1]}'),
        (NEGATED, ""),
        (NEGATED, ', "y": 1'),
        (PLAIN, ', "é": 1'),
        (PLAIN, ', "_sdc_deleted_at": "\\u00e9"'),
    ],
)
def test_where_the_first_test_says_nothing_another_one_takes_its_place(
    schema: dict[str, Any], more: str
) -> None:
    # given a stream whose records have, from some record on, what its first test is no judge of
    validator = CountingValidator(schema, ["id"], validate=True)
    some = [*records(10), *records(50, more), *records(10), *records(50, more)]
    # when they are judged, then one at the most has to be looked at twice
    assert validator.check(some) == (some, None)
    assert validator.judged <= 1


def test_columns_that_stitch_writes_are_left_out_quickly_once_they_are_known() -> None:
    # given a stream with such a column
    validator = CountingValidator(PLAIN, ["id"], validate=True)
    some = records(50, ', "_sdc_sequence": 1')
    assert validator.check(some[:1])[1] is None
    # when more blocks come, then no record has to be looked at twice
    validator.judged = 0
    posted, error = validator.check(some)
    assert (len(posted), error) == (50, None)
    assert b"_sdc" not in b"".join(posted)
    assert validator.judged == 0


def test_what_comes_behind_an_invalid_record_is_left_to_the_next_call() -> None:
    validator = RecordValidator(PLAIN, ["id"], validate=True)
    some = [*records(2), b'{"id": 1, "x": 5}', *records(2), b'{"id": null}']
    posted, error = validator.check(some)
    assert posted == some[:2]
    assert "#/x" in str(error)
    posted, error = validator.check(some[3:])
    assert posted == some[3:5]
    assert "lacks key property 'id'" in str(error)


def test_decimals_that_become_strings_do_not_make_a_record_doubtful() -> None:
    # given a schema with a date-time and a decimal that is posted as a string
    declared = {
        "d": {"type": "string", "format": "date-time"},
        "x": {"type": "number", "multipleOf": 0.01},
    }
    schema = to_draft4({"properties": declared})
    posted = posted_schema(schema, decimals=True)
    for validate in (True, False):
        validator = CountingValidator(schema, [], validate=validate, posted=posted)
        # when right records come
        made, error = validator.check([b'{"d": "2024-03-01T00:00:00Z", "x": 1.10}'] * 9)
        # then they are edited, and none is judged by itself
        assert (made, error) == ([b'{"d":"2024-03-01T00:00:00Z","x":"1.10"}'] * 9, None)
        assert validator.judged == 0

"""The quick test of date-times accepts nothing that the service refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_stitch_import.datetimes import normalize_datetime
from target_stitch_import.records.datetime_check import DatetimeCheck
from target_stitch_import.records.struct_decoder import record_decoder
from target_stitch_import.schemas.places import find_places

TIME = {"type": "string", "format": "date-time"}
TIME_OR_NULL = {"type": ["null", "string"], "format": "date-time"}


def accepts(properties: dict[str, Any], *records: str) -> bool:
    """Return whether the check accepts records of columns that are declared so."""
    schema = {"properties": properties}
    decode, place = record_decoder(schema, []), find_places(schema)
    assert decode is not None
    assert place is not None
    return DatetimeCheck(place).normalize([decode(record.encode()) for record in records]) == []


@pytest.mark.parametrize("digits", range(10))
@pytest.mark.parametrize("zone", ["Z", "+00:00", "-00:00", "+05:45", "-18:00"])
def test_each_right_form_is_accepted(digits: int, zone: str) -> None:
    fraction = f".{'123456789'[:digits]}" if digits else ""
    assert accepts({"d": TIME}, f'{{"d": "2024-03-01T12:00:00{fraction}{zone}"}}')


def test_forms_may_differ_from_record_to_record() -> None:
    assert accepts(
        {"d": TIME_OR_NULL, "e": TIME},
        '{"d": "2024-03-01T12:00:00Z", "e": "2024-03-01T12:00:00.5Z"}',
        '{"d": null, "e": "2024-03-01T12:00:00+02:00"}',
        '{"e": "2024-03-01T12:00:00.123456-02:00"}',
        "{}",
    )


@pytest.mark.parametrize(
    "value",
    [
        '"2024-03-01 12:00:00Z"',
        '"2024-03-01t12:00:00Z"',
        '"2024-03-01T12:00:00z"',
        '"2024-03-01T12:00:00"',
        '"2024-03-01T12:00:00+00"',
        '"2024-03-01T12:00:00+0530"',
        '"2024-03-01T12:00:00+18:01"',
        '"2024-03-01T12:00:00+23:00"',
        '"2024-03-01T12:00:00.1234567890Z"',
        '"2024-03-01"',
        '"2024-02-30T12:00:00Z"',
        '"0000-00-00T00:00:00Z"',
        '""',
        '"2024-03-01T12:00:00\\u005a"',
        "null",
        "5",
        '["2024-03-01T12:00:00Z"]',
    ],
)
def test_one_doubtful_value_among_right_ones_is_not_accepted(value: str) -> None:
    right = '{"d": "2024-03-01T12:00:00Z"}'
    assert not accepts({"d": TIME}, right, f'{{"d": {value}}}', right)


def test_values_within_objects_and_lists_are_judged() -> None:
    # given date-times within an object that may be null, and within a list of objects
    item = {"type": ["null", "object"], "properties": {"d": TIME}}
    properties = {"o": item, "l": {"type": ["null", "array"], "items": item}}
    right, wrong = '{"d": "2024-03-01T12:00:00Z"}', '{"d": "2024-03-01"}'
    # when all are right, or missing, they are accepted
    assert accepts(properties, f'{{"o": {right}, "l": [{right}, null, {right}]}}', "{}")
    assert accepts(properties, '{"o": null, "l": null}', '{"l": []}', '{"o": {}}')
    # and not when one is wrong
    assert not accepts(properties, f'{{"o": {right}, "l": [{right}, {wrong}]}}')
    assert not accepts(properties, f'{{"o": {wrong}}}')


@given(st.lists(st.text("0123456789-:.+TZtz "), min_size=1, max_size=3))
def test_what_is_accepted_needs_no_other_form(texts: list[str]) -> None:
    values = [msgspec.json.encode(text).decode() for text in texts]
    if accepts({"d": TIME}, *(f'{{"d": {value}}}' for value in values)):
        assert [normalize_datetime(text) for text in texts] == texts

"""Where in a record a schema makes values date-times or decimals."""

from __future__ import annotations

from typing import Any

import pytest

from target_stitch_import.schemas.places import find_places

TIME = {"type": "string", "format": "date-time"}
TIME_OR_NULL = {"type": ["null", "string"], "format": "date-time"}
DECIMAL = {"type": ["null", "string"], "format": "singer.decimal"}
NULL = {"type": "null"}
TEXT = {"type": ["null", "string"]}


def is_datetime(part: dict[str, Any]) -> bool:
    """Return whether a string in a column that is declared so has to be a date-time."""
    place = find_places({"properties": {"x": part}})
    column = place.column("x") if place else None
    return column is not None and column.is_datetime


@pytest.mark.parametrize(
    "part",
    [
        TIME,
        TIME_OR_NULL,
        {"format": "date-time"},
        {"type": ["integer", "string"], "format": "date-time"},
        {"anyOf": [TIME, NULL]},
        {"anyOf": [NULL, TIME_OR_NULL]},
        {"oneOf": [TIME, {"type": "integer"}]},
        {"type": ["null", "string"], "anyOf": [{"format": "date-time"}, NULL]},
        {"allOf": [{"type": "string"}, {"format": "date-time"}]},
    ],
    ids=str,
)
def test_a_string_has_to_be_a_date_time_where_no_branch_takes_others(part: dict[str, Any]) -> None:
    assert is_datetime(part)


@pytest.mark.parametrize(
    "part",
    [
        TEXT,
        {"type": "string", "format": "date"},
        {"type": "integer", "format": "date-time"},
        {"anyOf": [TIME, TEXT]},  # as tap-mongodb declares each column
        {"anyOf": [TIME, {}]},
        {"anyOf": [TIME, {"type": "string", "format": "email"}]},
    ],
    ids=str,
)
def test_a_branch_that_takes_any_string_takes_it_as_it_is(part: dict[str, Any]) -> None:
    assert not is_datetime(part)


def test_places_are_found_at_any_depth() -> None:
    # given date-times within objects, lists, unions, and columns that no schema names
    place = find_places(
        {
            "properties": {
                "a": {"anyOf": [NULL, {"properties": {"b": {"items": TIME}}}]},
                "c": {"items": [TEXT, TIME], "additionalItems": DECIMAL},
                "d": {"additionalProperties": TIME},
                "e": {"patternProperties": {"_at$": TIME}},
                "f": {"additionalProperties": False, "properties": {"g": TEXT}},
            }
        }
    )
    assert place is not None
    # then each has its place
    within = place.columns["a"].columns["b"]
    assert [within.item(index) for index in (0, 7)] == [within.items[0]] * 2
    of_list = place.columns["c"]
    assert of_list.item(0) is None
    second, third = of_list.item(1), of_list.item(9)
    assert second is not None
    assert second.is_datetime
    assert third is not None
    assert third.is_decimal
    other, by_pattern = place.columns["d"].column("any"), place.columns["e"].column("made_at")
    assert other is not None
    assert other.is_datetime
    assert by_pattern is not None
    assert by_pattern.is_datetime
    assert place.columns["e"].column("made") is None
    # and what has none is not there
    assert place.columns.keys() == {"a", "c", "d", "e"}
    assert place.column("h") is None


def test_a_column_is_a_date_time_only_if_each_object_of_a_union_says_so() -> None:
    named = {"type": "object", "properties": {"d": TIME}}
    also = {"type": "object", "properties": {"d": TIME_OR_NULL}}
    other = {"type": "object", "properties": {"e": TEXT}}
    closed = {**other, "additionalProperties": False}
    assert find_places({"properties": {"x": {"anyOf": [named, also]}}}) is not None
    assert find_places({"properties": {"x": {"anyOf": [named, closed]}}}) is not None
    place = find_places({"properties": {"x": {"anyOf": [named, other]}}})
    assert place is not None
    column = place.columns["x"].columns["d"]
    assert (column.is_datetime, column.may_be_datetime) == (False, True)
    assert place.has_open_datetimes()


def test_numbers_become_strings_where_no_branch_takes_numbers() -> None:
    place = find_places(
        {
            "properties": {
                "a": DECIMAL,
                "b": {"anyOf": [DECIMAL, {"type": "number"}]},
                "c": {"anyOf": [DECIMAL, TEXT]},
            }
        }
    )
    assert place is not None
    assert place.columns.keys() == {"a", "c"}
    assert place.columns["a"].is_decimal
    assert place.columns["c"].is_decimal
    assert place.has_decimals()


def test_a_key_property_is_never_null() -> None:
    place = find_places({"properties": {"a": TIME_OR_NULL, "b": TIME_OR_NULL}}, not_null=["a", "c"])
    assert place is not None
    assert {name: part.permits_null for name, part in place.columns.items()} == {
        "a": False,
        "b": True,
    }


def test_a_schema_without_such_values_has_no_places() -> None:
    assert find_places({"properties": {"a": TEXT, "b": {"items": {"properties": {}}}}}) is None


def test_unions_that_multiply_without_end_are_left_to_the_service() -> None:
    union = {"anyOf": [{"format": "date-time"}] * 50}
    place = find_places({"properties": {"a": {"allOf": [union] * 10}}})
    assert place is not None
    assert place.columns["a"].is_datetime

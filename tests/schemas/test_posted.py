"""What is posted of a schema, and what of it only judges values."""

from __future__ import annotations

from typing import Any

import pytest

from target_stitch_import.schemas.posted import posted_schema, without_checks

NULL = {"type": "null"}
DECIMAL = {"type": ["null", "string"], "format": "singer.decimal"}
MONEY = {"type": ["null", "number"], "multipleOf": 0.01}


def posted(part: dict[str, Any], *, decimals: bool = False, **more: Any) -> Any:
    """Return what is posted of a column that is declared so."""
    schema = {"properties": {"x": part}, **more}
    return posted_schema(schema, [], decimals=decimals)["properties"]["x"]


@pytest.mark.parametrize(
    "name", ["date", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"]
)
def test_formats_that_mean_nothing_to_a_destination_are_left_out(name: str) -> None:
    assert posted({"type": "string", "format": name}) == {"type": "string"}
    nested = {"anyOf": [{"items": {"type": "string", "format": name}}, NULL]}
    assert posted(nested) == {"anyOf": [{"items": {"type": "string"}}, NULL]}


@pytest.mark.parametrize("name", ["singer.decimal", "x-singer.decimal"])
def test_decimals_of_taps_are_posted_by_the_name_that_stitch_knows(name: str) -> None:
    assert posted({"type": ["string", "null"], "format": name}) == {
        "type": ["string", "null"],
        "format": "singer.decimal",
    }


def test_what_judges_a_date_time_as_the_tap_wrote_it_is_left_out() -> None:
    declared = {"type": "string", "format": "date-time", "maxLength": 19, "pattern": " "}
    assert posted(declared) == {"type": "string", "format": "date-time"}


@pytest.mark.parametrize(
    "part",
    [
        MONEY,
        {"type": "number", "multipleOf": 1},
        {"type": ["number", "null"], "precision": 10, "scale": 2},
        {"type": ["null", "integer", "number"], "scale": 2},
    ],
    ids=str,
)
def test_decimal_columns_become_strings_if_asked(part: dict[str, Any]) -> None:
    assert posted(part, decimals=True) == DECIMAL
    assert posted({"items": {"properties": {"y": part}}}, decimals=True) == {
        "items": {"properties": {"y": DECIMAL}}
    }
    assert posted({"anyOf": [part, NULL]}, decimals=True) == {"anyOf": [DECIMAL, NULL]}


def test_decimal_columns_stay_numbers_if_not_asked() -> None:
    assert posted(MONEY) == MONEY
    assert posted({"type": "number", "precision": 10, "scale": 2}) == {"type": "number"}


@pytest.mark.parametrize(
    "part",
    [
        {"type": ["null", "number"]},
        {"type": "integer", "multipleOf": 5},
        {"type": ["number", "string"], "multipleOf": 0.01},
        {"type": "number", "anyOf": [MONEY, {"minimum": 5}]},
        {"allOf": [MONEY, {"type": "number", "minimum": 0}]},
    ],
    ids=str,
)
def test_other_numbers_stay_numbers(part: dict[str, Any]) -> None:
    assert posted(part, decimals=True) == part


def test_a_key_property_keeps_its_type() -> None:
    schema = {"properties": {"k": MONEY, "x": MONEY}}
    properties = posted_schema(schema, ["k"], decimals=True)["properties"]
    assert properties == {"k": MONEY, "x": DECIMAL}


def test_keywords_that_only_judge_values_are_left_out() -> None:
    declared = {
        "type": "object",
        "required": ["id", "name"],
        "additionalProperties": False,
        "minProperties": 1,
        "not": {"required": ["x"]},
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "name": {"type": "string", "maxLength": 4, "minLength": 1, "pattern": "^a"},
            "kind": {"enum": ["a", None, 1]},
            "at": {"type": "string", "format": "date-time"},
            "tags": {
                "type": "array",
                "uniqueItems": True,
                "items": {"type": "string", "enum": ["b"]},
            },
            "more": {"oneOf": [{"type": "string", "maxLength": 1}, {"type": "string"}]},
            "both": {"anyOf": [{"type": "string"}], "oneOf": [{"minLength": 1}]},
        },
    }
    assert without_checks(declared, ["id"]) == {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer"},
            "name": {"type": "string"},
            "kind": {"type": ["integer", "null", "string"]},
            "at": {"type": "string", "format": "date-time"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "more": {"anyOf": [{"type": "string"}, {"type": "string"}]},
            "both": {"anyOf": [{"type": "string"}], "allOf": [{"anyOf": [{}]}]},
        },
    }

"""What is posted is plain draft 4 that means the same as what the tap declared."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import (
    Draft4Validator,
    Draft6Validator,
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
)

from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.schemas.translate import to_draft4

VALIDATORS: dict[str, Any] = {
    "http://json-schema.org/draft-04/schema#": Draft4Validator,
    "http://json-schema.org/draft-06/schema#": Draft6Validator,
    "http://json-schema.org/draft-07/schema#": Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": Draft202012Validator,
}
ALL = tuple(VALIDATORS)
SINCE_6, SINCE_7, SINCE_2019, SINCE_2020 = ALL[1:], ALL[2:], ALL[3:], ALL[4:]
UNTIL_7, UNTIL_2019 = ALL[:3], ALL[:4]

INSTANCES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, 3, 4, 5, 9, 10, -1, -5, 10**20,
    Decimal("0.5"), Decimal("1.5"), Decimal("2.50"), Decimal("-0.1"), Decimal("1E-38"),
    "", "a", "ab", "abc", "b1", "é", "😀😀", "2024-01-01", "no date",
    [], [1], [1, 1], [1, 2], [0, False], [1, True], ["a"], ["a", 1], [1, "a"], [1, "a", None],
    ["a", "a", "a", 5], [[1], [True]], [[]], [{"a": 1}, {"a": 1}], [Decimal("0.5")],
    {}, {"a": 1}, {"a": "x"}, {"a": None}, {"b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": "x", "c": []},
    {"x1": 1}, {"x1": "s", "a": 1}, {"a": {"a": {"a": 1}}}, {"a": {"a": "x"}}, {"_sdc_x": 1},
)  # fmt: skip

SAME: tuple[tuple[tuple[str, ...], Any], ...] = (
    *((ALL, {"type": kind}) for kind in ("null", "boolean", "integer", "number", "string")),
    (ALL, {"type": "array"}),
    (ALL, {"type": "object"}),
    (ALL, {"type": ["null", "string", "integer"]}),
    (ALL, {}),
    (ALL, {"enum": [1, "a", None, [1, 2], {"a": 1}]}),
    (ALL, {"enum": [0, False]}),
    (ALL, {"enum": [False]}),
    (ALL, {"minimum": 2, "maximum": 5}),
    (ALL, {"minimum": Decimal("0.5")}),
    (ALL, {"multipleOf": 5}),
    (ALL, {"multipleOf": Decimal("0.5")}),
    (ALL, {"minLength": 2, "maxLength": 2}),
    (ALL, {"pattern": "^a"}),
    (ALL, {"items": {"type": "integer"}}),
    (ALL, {"minItems": 1, "maxItems": 2}),
    (ALL, {"uniqueItems": True}),
    (ALL, {"minProperties": 1, "maxProperties": 2}),
    (ALL, {"required": ["a"]}),
    (ALL, {"properties": {"a": {"type": "integer"}}}),
    (ALL, {"properties": {"a": {"type": "integer"}}, "additionalProperties": False}),
    (ALL, {"properties": {"a": {}}, "additionalProperties": {"type": "string"}}),
    (ALL, {"patternProperties": {"^x": {"type": "integer"}}}),
    (ALL, {"patternProperties": {"^x": {}}, "additionalProperties": False}),
    (ALL, {"allOf": [{"type": "integer"}, {"minimum": 3}]}),
    (ALL, {"anyOf": [{"type": "integer"}, {"minLength": 2}]}),
    (ALL, {"oneOf": [{"type": "integer"}, {"minimum": 3}]}),
    (ALL, {"not": {"type": "string"}}),
    (ALL, {"format": "date", "type": "string"}),
    (ALL, {"title": "t", "description": "d", "default": 5, "$comment": "c"}),
    (UNTIL_7, {"dependencies": {"a": ["b"]}}),
    (UNTIL_7, {"dependencies": {"a": {"required": ["b"]}, "b": {"minProperties": 2}}}),
    (UNTIL_2019, {"items": [{"type": "integer"}, {"type": "string"}]}),
    (UNTIL_2019, {"items": [{}], "additionalItems": False}),
    (UNTIL_2019, {"items": [{}], "additionalItems": {"type": "string"}}),
    (UNTIL_2019, {"additionalItems": False}),
    (ALL[:1], {"minimum": 2, "exclusiveMinimum": True}),
    (ALL[:1], {"maximum": 5, "exclusiveMaximum": True, "minimum": 1, "exclusiveMinimum": False}),
    # since draft 6
    (SINCE_6, True),
    (SINCE_6, False),
    (SINCE_6, {"exclusiveMinimum": 2}),
    (SINCE_6, {"exclusiveMinimum": 2, "minimum": 2}),
    (SINCE_6, {"exclusiveMinimum": 2, "minimum": 3}),
    (SINCE_6, {"exclusiveMinimum": 3, "minimum": 2}),
    (SINCE_6, {"exclusiveMaximum": 5, "maximum": 9}),
    (SINCE_6, {"exclusiveMaximum": 5, "maximum": 3}),
    (SINCE_6, {"exclusiveMinimum": Decimal("0.5"), "exclusiveMaximum": 4}),
    (SINCE_6, {"const": 1}),
    (SINCE_6, {"const": False}),
    (SINCE_6, {"const": None}),
    (SINCE_6, {"const": {"a": 1}}),
    (SINCE_6, {"const": 1, "enum": [1, 2]}),
    (SINCE_6, {"const": 3, "enum": [1, 2]}),
    (SINCE_6, {"enum": []}),
    (SINCE_6, {"enum": [1, 1, "a", "a"]}),
    (SINCE_6, {"enum": [[1], [True]]}),
    (SINCE_6, {"enum": [1, Decimal("1.0")]}),
    (SINCE_6, {"required": []}),
    (SINCE_6, {"contains": {"type": "string"}}),
    (SINCE_6, {"contains": True}),
    (SINCE_6, {"contains": False}),
    (SINCE_6, {"properties": {"a": False, "b": True}}),
    (SINCE_6, {"items": False}),
    (SINCE_6, {"not": True}),
    (SINCE_6, {"not": {"const": 1}}),
    (SINCE_6, {"anyOf": [False, {"const": "a"}], "allOf": [True]}),
    (SINCE_6, {"oneOf": [{"const": 1}, {"type": "integer"}, False]}),
    (SINCE_6, {"maxLength": Decimal("2.0")}),
    # since draft 7
    (SINCE_7, {"if": {"type": "integer"}, "then": {"minimum": 3}, "else": {"type": "string"}}),
    (SINCE_7, {"if": {"type": "integer"}, "then": {"minimum": 3}}),
    (SINCE_7, {"if": {"type": "integer"}, "else": {"type": "string"}}),
    (SINCE_7, {"if": {"type": "integer"}}),
    (SINCE_7, {"then": False, "else": False}),
    (SINCE_7, {"if": True, "then": False, "else": True}),
    (SINCE_7, {"if": {"const": 1}, "then": False, "contains": {"const": 1}, "const": [1]}),
    # since 2019-09
    (SINCE_2019, {"dependentRequired": {"a": ["b"], "c": []}}),
    (SINCE_2019, {"dependentSchemas": {"a": {"required": ["b"]}, "b": False}}),
    (SINCE_2019, {"contains": {"type": "string"}, "minContains": 0}),
    (SINCE_2019[:1], {"items": [], "additionalItems": {"type": "string"}}),
    # 2020-12
    (SINCE_2020, {"prefixItems": [{"type": "integer"}, {"type": "string"}]}),
    (SINCE_2020, {"prefixItems": [{}, {}], "items": False}),
    (SINCE_2020, {"prefixItems": [{}], "items": {"type": "string"}}),
    (SINCE_2020, {"prefixItems": [True, False]}),
)


def cases() -> list[Any]:
    """Return each dialect with each of its keywords."""
    return [
        pytest.param(dialect, sub, id=f"{dialect.split('/')[-2]}-{encode_exactly(sub).decode()}")
        for dialects, sub in SAME
        for dialect in dialects
    ]


def accepted(validator: Any) -> list[str]:
    """Return, as JSON, the instances that a validator accepts as the property ``x``."""
    return [encode_exactly(one).decode() for one in INSTANCES if validator.is_valid({"x": one})]


@pytest.mark.parametrize(("dialect", "sub"), cases())
def test_each_keyword_means_the_same_in_draft_4(dialect: str, sub: Any) -> None:
    # given a schema that the dialect permits
    declared = {"$schema": dialect, "properties": {"x": sub}}
    before = encode_exactly(declared)
    # when it is translated
    posted = to_draft4(declared)
    # then the verdicts are the same,
    assert accepted(Draft4Validator(posted)) == accepted(VALIDATORS[dialect](declared))
    # it is draft 4, that a second translation leaves alone, and that JSON holds exactly,
    Draft4Validator.check_schema(posted)
    assert to_draft4(posted) == posted
    assert decode_exactly(encode_exactly(posted)) == posted
    # and the tap's own is untouched.
    assert encode_exactly(declared) == before
    assert "$schema" not in posted


@pytest.mark.parametrize(
    "sub",
    [
        {"propertyNames": {"maxLength": 1}},
        {"contains": {"type": "string"}, "maxContains": 1},
        {"contains": {"type": "string"}, "minContains": 1},
        {"contains": {"type": "string"}, "minContains": 2},
        {"properties": {"a": {}}, "unevaluatedProperties": False},
        {"prefixItems": [{}], "unevaluatedItems": False},
        {"pattern": "^("},
        {"not": {"propertyNames": {"maxLength": 1}}},
        {"not": {"not": {"propertyNames": {"maxLength": 1}}}},
        {"oneOf": [{"propertyNames": {"maxLength": 1}}, {"type": "string"}, {"minProperties": 1}]},
        {"if": {"propertyNames": {"maxLength": 1}}, "then": False},
        {"if": {"type": "object"}, "then": {"propertyNames": {"maxLength": 1}}},
        {"contains": {"propertyNames": {"maxLength": 1}, "type": "object"}},
        {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": False}},
    ],
    ids=json.dumps,
)
def test_what_draft_4_cannot_say_is_left_out_rather_than_guessed(sub: Any) -> None:
    declared = {"properties": {"x": sub}}
    posted = to_draft4(declared)
    # A pattern that can't be read can't be judged by the original either.
    original = {"properties": {"x": {}}} if "pattern" in sub else declared
    loose, strict = (
        accepted(Draft4Validator(posted)),
        accepted(Draft202012Validator(original)),
    )
    # then nothing that was good is refused
    assert set(strict) <= set(loose)
    Draft4Validator.check_schema(posted)
    assert to_draft4(posted) == posted


def test_a_whole_number_with_a_fraction_is_no_integer_in_draft_4() -> None:
    # Draft 6 and later take 1.0 for an integer; the service reads draft 4, which does not.
    posted = to_draft4({"properties": {"x": {"type": "integer"}}})
    assert posted == {"properties": {"x": {"type": "integer"}}}
    assert not Draft4Validator(posted).is_valid({"x": Decimal("1.0")})


@pytest.mark.parametrize(
    "sub",
    [{"minimum": 0.1}, {"multipleOf": 1e-38}, {"exclusiveMaximum": 2.5}],
)
def test_a_float_that_a_stream_map_brings_is_taken_as_it_is_written(sub: dict[str, float]) -> None:
    posted = to_draft4({"properties": {"x": sub}})["properties"]["x"]
    (value,) = sub.values()
    assert Decimal(repr(value)) in posted.values()
    assert all(not isinstance(each, float) for each in posted.values())


def test_an_unknown_dialect_is_read_as_the_newest() -> None:
    declared = {"$schema": "https://example.com/mine", "properties": {"x": {"const": 1}}}
    assert to_draft4(declared) == {"properties": {"x": {"enum": [1]}}}


def test_columns_that_stitch_writes_are_left_out() -> None:
    posted = to_draft4(
        {
            "properties": {"a": {}, "_sdc_sequence": {}, "_sdc_deleted_at": {}},
            "required": ["a", "_sdc_sequence", "_sdc_deleted_at"],
        }
    )
    assert posted == {
        "properties": {"a": {}, "_sdc_deleted_at": {}},
        "required": ["a", "_sdc_deleted_at"],
    }
    # and a required list that nothing is left of is gone, as draft 4 permits no empty one
    alone = {"properties": {"_sdc_sequence": {}}, "required": ["_sdc_sequence"]}
    assert "required" not in to_draft4(alone)

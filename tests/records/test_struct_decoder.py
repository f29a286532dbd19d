"""A schema as a type: what decodes as the type fits the schema, as most taps write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.records.exact_verdict import exact_verdict
from target_stitch_import.records.struct_decoder import InDoubtError, record_decoder
from tests.records.test_validator_soundness import NUMBERS, TEXTS, VALUES

SIZES = st.integers(0, 3)
BOUNDS = st.integers(-3, 3) | st.sampled_from([2**53, 2**63 - 1, 2**63, -(2**63) - 1])
SCALARS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", ["null", "integer"], ["integer", "string"]])},
        optional={"minimum": BOUNDS, "maximum": BOUNDS},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", ["string", "null"]])},
        optional={
            "minLength": SIZES,
            "maxLength": SIZES,
            "pattern": st.sampled_from(["^a", "b$", "\\d", "^\\w+$", "."]),
        },
    ),
    st.fixed_dictionaries(
        {"enum": st.lists(VALUES, min_size=1, max_size=4)},
        optional={
            "type": st.sampled_from(["string", ["integer", "null"], "number", ["null", "string"]]),
            "maxLength": SIZES,
        },
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["number", ["null", "number"]]), "minimum": BOUNDS},
        optional={"maximum": BOUNDS, "exclusiveMinimum": st.booleans()},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["number", ["null", "number"], ["boolean", "null"], "null"])}
    ),
    st.just({}),
)
PARTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just(["null", "array"])}, optional={"items": inner}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["object", ["null", "object"]])},
            optional={
                "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
                "required": st.just(["a"]),
                "additionalProperties": st.booleans() | inner,
                "patternProperties": st.dictionaries(st.sampled_from("ab."), inner, min_size=1),
            },
        ),
    ),
    max_leaves=4,
)
SCHEMAS = st.fixed_dictionaries(
    {"properties": st.dictionaries(st.sampled_from(["a", "b", "é"]), PARTS, max_size=3)},
    optional={
        "type": st.sampled_from(["object", ["null", "object"], "array"]),
        "required": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True),
        "additionalProperties": st.booleans(),
    },
)
RECORDS = st.dictionaries(
    st.sampled_from(["a", "b", "é"]), NUMBERS | TEXTS | st.none() | VALUES, max_size=3
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    SCHEMAS,
    st.sets(st.sampled_from(["a", "b", "é"])),
    st.lists(RECORDS, min_size=1, max_size=8),
    st.booleans(),
)
def test_what_decodes_fits(
    schema: dict[str, Any], keys: set[str], records: list[dict[str, Any]], with_unnamed: bool
) -> None:
    keys &= schema["properties"].keys()
    decode = record_decoder(schema, sorted(keys), with_unnamed=with_unnamed)
    if decode is None:
        return
    judge = exact_verdict(schema)
    for record in records:
        text = encode_exactly(record)
        try:
            decode(text)
        except (msgspec.MsgspecError, InDoubtError):
            continue
        assert judge(decode_exactly(text)) is None
        for key in keys:
            assert record[key] is not None
            assert not isinstance(record[key], str) or len(record[key]) <= 255


@pytest.mark.parametrize(
    ("part", "good", "bad"),
    [
        ({}, ['"a"', "[1.5]", "null"], []),
        ({"type": "integer"}, ["1", "-0"], ["1.0", "1e2", "true", '"1"', "null"]),
        ({"type": "number"}, ["1", "1.5", "1e5"], ["true", '"1"', "null"]),
        ({"type": "boolean"}, ["true"], ["1", "null"]),
        ({"type": ["null", "string"]}, ["null", '"a"'], ["1"]),
        ({"type": "string", "maxLength": 2}, ['"😀😀"', '"\\ud83d\\ude00a"'], ['"abc"']),
        ({"type": "string", "minLength": 2}, ['"ab"'], ['"😀"', '"a"']),
        ({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, ["1"], ["0", str(2**63)]),
        ({"type": "array", "items": {"type": "integer"}}, ["[]", "[1]"], ["[null]", "{}"]),
        ({"type": "object"}, ["{}", '{"a":[1]}'], ["[]"]),
        ({"type": "object", "patternProperties": {".+": {}}}, ['{"a":[1]}'], ["[]"]),
        (
            {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]},
            ['{"a":null}'],
            ["{}", '{"a":1}', '{"a":null,"b":1}'],
        ),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ["1", "null"], ['"1"']),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, ["1", "null"], ['"1"']),
        ({"type": "string", "pattern": "^a+$"}, ['"aa"', '"a\\n"'], ['"ba"', "1"]),
        ({"pattern": "^a"}, ['"a"', "5", "null", "[]"], ['"b"']),
        (
            {"type": ["null", "string"], "format": "date-time", "pattern": "^2.*Z$"},
            ['"2024-01-01T00:00:00Z"', "null"],
            ['"1024-01-01T00:00:00Z"', '"2024-01-01 00:00:00"'],
        ),
        ({"type": ["string", "array"], "pattern": "^a"}, ['"a"', "[]"], ['"b"', "5"]),
        ({"type": ["null", "string"], "enum": ["a", None]}, ['"a"', "null"], ['"b"', "1"]),
        ({"enum": ["a", 1, True, Decimal("0.5")]}, ['"a"', "1"], ["true", "0.5", "1.0", "null"]),
        ({"type": "string", "enum": ["a", "abc"], "maxLength": 2}, ['"a"'], ['"abc"']),
        ({"type": "number", "enum": [1, 2**64]}, ["1"], ["1.0", str(2**64)]),
    ],
    ids=str,
)
def test_what_most_taps_write_is_decided_by_decoding(
    part: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    decode = record_decoder({"properties": {"x": part}}, [])
    assert decode is not None
    for value in good:
        decode(f'{{"x":{value}}}'.encode())
    for value in bad:
        with pytest.raises((msgspec.ValidationError, InDoubtError)):
            decode(f'{{"x":{value}}}'.encode())


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "properties": {}},
        {"properties": {}, "minProperties": 1},
        {"properties": {}, "required": ["missing"]},
        {"properties": {"x": {"minimum": 1}}},
        {"properties": {"x": {"type": "array", "items": {"type": "string", "pattern": "a"}}}},
        {"properties": {"x": {"enum": [Decimal("0.5"), True]}}},
        {"properties": {"x": {"enum": ["a"], "not": {}}}},
        {"properties": {"x": {"oneOf": [{"type": "integer"}, {"type": ["number", "object"]}]}}},
        {"properties": {"x": {"oneOf": [{"type": "string"}, {}]}}},
        {"properties": {"x": {"type": ["integer", "number"], "minimum": 1}}},
        {"properties": {"x": {"type": "integer", "minimum": 2**63}}},
        {"properties": {"x": {"type": "array", "items": [{}]}}},
        {"properties": {"x": {"type": "object", "required": ["a"]}}},
        {"properties": {"x": {"type": "object", "patternProperties": {"b": {"type": "null"}}}}},
        {"properties": {"x": {"type": "object", "additionalProperties": False}}},
        {"properties": {"x": {"anyOf": [{"type": "array"}, {"type": "array", "items": {}}]}}},
        {"properties": {"x": {"anyOf": [{"type": "null"}, {"type": "null"}]}}},
        {"properties": {'a"b': {}}},
    ],
    ids=str,
)
def test_what_has_no_type_is_left_to_others(schema: dict[str, Any]) -> None:
    decode = record_decoder(schema, [])
    # Either there is none, or it accepts no more than the schema does.
    if decode is not None:
        with pytest.raises(msgspec.ValidationError):
            decode(b'{"x":{"b":1},"y":1}')


@pytest.mark.parametrize(
    ("part", "good", "bad"),
    [
        ({"type": ["null", "integer"]}, ["1", "0"], ["null", '"1"']),
        ({"type": ["string", "null"]}, ['""', f'"{"é" * 255}"'], ["null", f'"{"é" * 256}"']),
        ({"type": "string", "maxLength": 2}, ['"ab"'], ['"abc"', "null"]),
        ({"type": "string", "maxLength": 999}, [f'"{"x" * 255}"'], [f'"{"x" * 256}"']),
        ({"type": "number"}, ["1.5", "1"], ["null"]),
    ],
    ids=str,
)
def test_a_key_is_there_and_neither_null_nor_too_long(
    part: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    decode = record_decoder({"properties": {"x": {}, "k": part}}, ["k"])
    assert decode is not None
    for value in good:
        decode(f'{{"k":{value}}}'.encode())
    for text in ["{}", '{"x":1}', *(f'{{"k":{value}}}' for value in bad)]:
        with pytest.raises(msgspec.ValidationError):
            decode(text.encode())


def test_properties_that_a_schema_does_not_name_are_passed_over_where_it_permits_them() -> None:
    # Given objects that permit others, and one that does not
    loose = {"type": "object", "properties": {"a": {"type": "integer"}}}
    strict = loose | {"additionalProperties": False}
    schema = {"properties": {"loose": loose, "strict": strict}}
    decode = record_decoder(schema, [], with_unnamed=True)
    assert decode is not None
    # When others come, then they are passed over in the first
    decode(b'{"x": {"y": [1]}, "loose": {"a": 1, "b": 1}, "strict": {"a": 1}}')
    for text in (b'{"strict": {"a": 1, "b": 1}}', b'{"loose": {"a": "1", "b": 1}}', b'{"x": tru}'):
        with pytest.raises(msgspec.MsgspecError):
            decode(text)
    # And in none where they are not asked for
    decode = record_decoder(schema, [])
    assert decode is not None
    for text in (b'{"x": 1}', b'{"loose": {"b": 1}}'):
        with pytest.raises(msgspec.ValidationError):
            decode(text)


@pytest.mark.parametrize("part", [{}, {"type": "null"}, {"anyOf": [{"type": "integer"}]}], ids=str)
def test_a_key_that_may_be_anything_is_left_to_others(part: dict[str, Any]) -> None:
    assert record_decoder({"properties": {"k": part}}, ["k"]) is None

"""Fast accept, exact reject: nothing is accepted that the exact verdict refuses, or the reverse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.records.exact_verdict import exact_verdict
from target_stitch_import.records.validator import RecordValidator
from target_stitch_import.schemas.translate import to_draft4
from tests.records.judging import SingleValidator

EDGES = (
    0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64,
    2**64 - 1, 10**22, 10**23, 10**30, 10**400,
    Decimal("0.1"), Decimal("0.10000000000000000555"), Decimal("1.0"), Decimal("-0.0"),
    Decimal("1E+22"), Decimal("1E+23"), Decimal("9007199254740993.0"), Decimal("1E+400"),
    Decimal("1E-400"), Decimal("1.7976931348623157E+308"), Decimal("1.7976931348623159E+308"),
    Decimal("9223372036854775807.5"), Decimal("0.3"), Decimal("5E-324"),
    Decimal("12345678901234567890.123456789012345678"),
)  # fmt: skip
NUMBERS = st.sampled_from(EDGES) | st.integers(-3, 3) | st.decimals(-10, 10, places=1)


def _is_positive(number: Any) -> bool:
    return bool(number > 0)


TEXTS = st.sampled_from(["", "a", "ab", "é", "😀", "e\u0301", "\0", "a\n", "1"]) | st.text(
    max_size=4
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcé"), inner, max_size=3)
    ),
    max_leaves=6,
)
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
SIZES = st.integers(0, 4)
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    "minimum": NUMBERS,
    "maximum": NUMBERS,
    "exclusiveMinimum": NUMBERS,
    "exclusiveMaximum": NUMBERS,
    "multipleOf": NUMBERS.filter(_is_positive),
    "enum": st.lists(VALUES, min_size=1, max_size=4),
    "const": VALUES,
    "minLength": SIZES,
    "maxLength": SIZES,
    "minItems": SIZES,
    "maxItems": SIZES,
    "minProperties": SIZES,
    "maxProperties": SIZES,
    "uniqueItems": st.booleans(),
    "required": st.lists(st.sampled_from("abc"), unique=True),
    "pattern": st.sampled_from(["^a", "b$", "\\d", "^\\w+$", "."]),
    "format": st.sampled_from(["email", "time"]),
}


def extended(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return schemas that hold other schemas."""
    lists = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": PLAIN["type"],
            "properties": st.dictionaries(st.sampled_from("abcé"), inner, max_size=3),
            "required": PLAIN["required"],
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "."]), inner, max_size=1),
            "items": inner,
            "prefixItems": lists,
            "anyOf": lists,
            "oneOf": lists,
            "allOf": lists,
            "not": inner,
        },
    )


PARTS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({}, optional=PLAIN)
    | st.fixed_dictionaries({"type": PLAIN["type"]}),
    extended,
    max_leaves=4,
)
SCHEMAS = st.fixed_dictionaries(
    {"properties": st.dictionaries(st.sampled_from("abcé"), PARTS, max_size=3)},
    optional={
        "required": PLAIN["required"],
        "type": st.sampled_from(["object", ["object", "null"]]),
        "additionalProperties": PARTS,
    },
)
RECORDS = st.dictionaries(st.sampled_from("abcéz"), VALUES, max_size=4)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, st.lists(RECORDS, min_size=1, max_size=6))
@example(
    {"properties": {"a": {"uniqueItems": True}}},
    [{"a": [2**53 + 1, Decimal("9007199254740993.0")]}],
)
@example({"properties": {"a": {"uniqueItems": True}}}, [{"a": [10**22, Decimal("1E+22")]}])
@example({"properties": {"a": {"type": "integer"}}}, [{"a": Decimal("1.0")}, {"a": 10**400}])
def test_a_record_is_accepted_if_and_only_if_the_exact_verdict_accepts_it(
    declared: dict[str, Any], records: list[dict[str, Any]]
) -> None:
    # given any schema and records
    schema = to_draft4(declared)
    validator, judge = RecordValidator(schema, [], validate=True), exact_verdict(schema)
    left = [encode_exactly(record) for record in records]
    # when they are judged together, up to the first invalid one, and then those behind it
    while left:
        posted, error = validator.check(left)
        # then those are accepted that the exact verdict accepts, and the next is refused
        assert posted == left[: len(posted)]
        assert [judge(decode_exactly(text)) for text in posted] == [None] * len(posted)
        refused = left[len(posted) : len(posted) + 1]
        assert (error is None) == (refused == [])
        assert None not in [judge(decode_exactly(text)) for text in refused]
        left = left[len(posted) + 1 :]


@pytest.mark.parametrize(
    ("part", "good", "bad"),
    [
        ({"type": "integer"}, ["1", "-0", "1" + "0" * 400], ["1.0", "1e5", "1E0", "true"]),
        ({"type": "number"}, ["1", "1.5", "1e400", "1" + "0" * 400], ["true", '"1"']),
        ({"type": "integer", "maximum": 2**53}, [str(2**53)], [str(2**53 + 1), "9" * 40]),
        ({"type": "integer", "minimum": -(2**63)}, [str(-(2**63))], [str(-(2**63) - 1)]),
        ({"maximum": Decimal("0.1")}, ["0.1", "0.10"], ["0.10000000000000000001"]),
        ({"minimum": Decimal("0.1")}, ["0.1"], ["0.09999999999999999999"]),
        ({"exclusiveMaximum": 1}, ["0.99999999999999999999"], ["1", "1.0"]),
        ({"enum": [Decimal("0.1")]}, ["0.1", "1e-1"], ["0.10000000000000000001"]),
        ({"enum": [2**53 + 1]}, ["9007199254740993"], ["9007199254740992"]),
        ({"enum": [1]}, ["1", "1.0"], ["true", '"1"']),
        ({"const": False}, ["false"], ["0", "0.0", "null"]),
        ({"type": "integer", "not": {"minimum": 5}}, ["1"], ["1e0", "1.5E+1", "1.0"]),
        (
            {"type": ["number", "null"], "multipleOf": Decimal("1.0"), "maximum": 1},
            ["1e0"],
            ["1e-400"],
        ),
        ({"type": ["null", "integer"]}, ["null", "5"], ["0.5"]),
        ({"type": "array", "items": {"type": "integer"}}, ["[]", "[1]"], ["[null]", "[1.0]"]),
        ({"maxLength": 2}, ['"😀😀"', '"\\ud83d\\ude00a"'], ['"abc"', '"😀😀😀"']),
        ({"type": "string", "maxLength": 2}, ['"😀😀"', '"éé"'], ['"abc"', '"e\u0301e"']),
        (
            {"uniqueItems": True},
            ["[1,true]", "[0.1,0.10000000000000000001]"],
            ["[1,1.0]", "[10,1e1]"],
        ),
    ],
    ids=str,
)
def test_numbers_and_characters_are_judged_exactly(
    part: dict[str, Any], good: list[str], bad: list[str]
) -> None:
    record_check = SingleValidator(to_draft4({"properties": {"x": part}}), [], validate=True)
    for value in good:
        record = f'{{"x":{value}}}'.encode()
        assert record_check(record) == record
    for value in bad:
        with pytest.raises(InvalidRecordError, match="does not fit its schema"):
            record_check(f'{{"x":{value}}}'.encode())


@pytest.mark.parametrize(
    ("of", "good", "bad"),
    [
        ("1e-38", ["0.12345678901234567890123456789012345678", "1", "9" * 38, "-1e-38"], ["1e-39"]),
        (
            "0.01",
            ["0.1", "1e400", "12345678901234567890.12", "-0.03", "0", "0.000"],
            ["0.001", "0.015"],
        ),
        ("3", ["0", "9" * 60, "3e10", "300.0"], ["1e10", "10" * 29, "0.3"]),
        ("7e5", ["7e5", "1400000"], ["7e4", "1"]),
        ("0.3", ["0.9", "3", "3e100"], ["0.1", "1e100"]),
        ("1", ["1e999999", "5"], ["0.5", "1e-999999", "12345678901234567890.5"]),
        ("2", ["12345678901234567890"], ["9315815211087698.6", "12345678901234567891"]),
    ],
)
def test_multiples_are_judged_exactly_and_quickly(of: str, good: list[str], bad: list[str]) -> None:
    schema = to_draft4({"properties": {"x": {"multipleOf": decode_exactly(of.encode())}}})
    record_check = SingleValidator(schema, [], validate=True)
    for value in good:
        record = f'{{"x":{value}}}'.encode()
        assert record_check(record) == record
    for value in bad:
        with pytest.raises(InvalidRecordError, match="breaks multipleOf"):
            record_check(f'{{"x":{value}}}'.encode())


def test_multiples_are_asked_of_numbers_only() -> None:
    schema = to_draft4({"properties": {"x": {"multipleOf": 2}}})
    record_check = SingleValidator(schema, [], validate=True)
    for value in (b"true", b'"a"', b"null", b"[1]", b'{"a":1}'):
        assert record_check(b'{"x":' + value + b"}") == b'{"x":' + value + b"}"


def test_a_schema_too_deep_for_the_fast_library_is_left_to_the_exact_verdict() -> None:
    # Given a schema of 70 objects in one another, the innermost of which no type can say
    depth = 70
    part: dict[str, Any] = {"not": {"type": "integer"}}
    for _ in range(depth):
        part = {"type": "object", "properties": {"x": part}}
    record_check = SingleValidator(to_draft4(part), [], validate=True)
    # When records come, then they are judged all the same
    good, bad = (b'{"x":' * depth + value + b"}" * depth for value in (b"1.5", b"1"))
    assert record_check(good) == good
    with pytest.raises(InvalidRecordError, match="breaks not"):
        record_check(bad)

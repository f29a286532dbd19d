"""Sizes, reserved columns, and what a message may say of a record."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.schemas.translate import to_draft4
from tests.records.judging import SingleValidator

BOTH = pytest.mark.parametrize("validate", [True, False], ids=["validating", "keys only"])


def check(properties: dict[str, Any], *, validate: bool = True, **more: Any) -> SingleValidator:
    """Return a check without keys for what a tap declares."""
    return SingleValidator(to_draft4({"properties": properties, **more}), [], validate=validate)


@BOTH
@pytest.mark.parametrize("form", ["list", "object", "deep", "of lists"])
def test_a_record_has_at_most_ten_thousand_data_points(form: str, validate: bool) -> None:
    def points(count: int) -> bytes:
        value: Any = {
            "list": [1] * count,
            "object": {str(n): None for n in range(count)},
            "deep": [[[1, {"a": "x,y"}] * (count // 2)], *[5] * (count % 2)],
            "of lists": [[n] for n in range(count)],
        }[form]
        return json.dumps({"x": value}).encode()

    record_check = check({"x": {}}, validate=validate)
    assert record_check(points(10_000)) == points(10_000)
    with pytest.raises(InvalidRecordError, match=r"has 10,001 data points, .* at most 10,000"):
        record_check(points(10_001))


@BOTH
def test_commas_within_strings_are_no_data_points(validate: bool) -> None:
    record = json.dumps({"x": "a," * 50_000}).encode()
    assert check({"x": {}}, validate=validate)(record) == record


@BOTH
def test_the_limit_holds_for_a_record_in_which_a_reserved_column_is_left_out(
    validate: bool,
) -> None:
    record = json.dumps({"_sdc_sequence": 1, "x": [1] * 10_001}).encode()
    with pytest.raises(InvalidRecordError, match="10,001 data points"):
        check({"x": {}}, validate=validate)(record)


@BOTH
@pytest.mark.parametrize(
    ("record", "posted"),
    [
        (b'{"x":1,"_sdc_sequence":5}', {"x": 1}),
        (b'{"__sdc_primary_key":5,"x":1}', {"x": 1}),
        (b'{"_sdc_level_0_id":5,"_sdc_source_key_id":6,"x":1}', {"x": 1}),
        (b'{"\\u005fsdc_sequence":5,"x":1}', {"x": 1}),
        (b'{"_\\u0073dc_sequence":5,"x":1}', {"x": 1}),
        (b'{"_sdc_se\\u0071uence":5,"x":1}', {"x": 1}),
        (b'{"_sdc_sequence":5,"_sdc_deleted_at":1}', {"_sdc_deleted_at": 1}),
        (b'{"_sdc_sequence":{"a":1},"x":{"_sdc_batched_at":1}}', {"x": {"_sdc_batched_at": 1}}),
        (
            b'{"_sdc_sequence":5,"x":123456789012345678901234567890}',
            {"x": 123456789012345678901234567890},
        ),
        (b'{"_sdc_sequence":5,"x":1.10}', {"x": Decimal("1.10")}),
        (b'{"_sdc_sequence":5,"x":1e400}', {"x": Decimal("1E+400")}),
    ],
)
def test_columns_that_stitch_writes_are_left_out(
    record: bytes, posted: dict[str, Any], validate: bool
) -> None:
    left = decode_exactly(bytes(check({"x": {}}, validate=validate)(record)))
    assert left == posted
    assert repr(left) == repr(posted)


@BOTH
@pytest.mark.parametrize("x", [b"1.10", b"[ 1e5,\t2 ]", b'"\\u00e9"', b"1e99", b'{ "a": 0.0 }'])
def test_what_stands_beside_a_reserved_column_stays_byte_for_byte(x: bytes, validate: bool) -> None:
    record = b'{ "_sdc_sequence" : 5, "x" : ' + x + b"}"
    assert check({"x": {}}, validate=validate)(record) == b'{"x":' + x + b"}"


@BOTH
def test_half_of_a_surrogate_pair_is_refused_beside_a_reserved_column(validate: bool) -> None:
    with pytest.raises(InvalidRecordError, match="has half of a surrogate pair"):
        check({"x": {}}, validate=validate)(b'{"_sdc_sequence":5,"x":"\\ud800"}')


@BOTH
def test_a_reserved_column_is_left_out_where_only_the_exact_decoding_reads_the_record(
    validate: bool,
) -> None:
    record = b'{"x":"\\ud800","x":1.10,"_sdc_sequence":5}'  # of a name that is there twice, the last counts
    assert check({"x": {"type": "number"}}, validate=validate)(record) == b'{"x":1.10}'


@BOTH
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"9" * 5000, "can't be read: it has an integer of 5,000 digits"),
        (b"1e99999999999999999999", "can't be read: it has a number whose exponent is too large"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_numbers_beyond_measure_are_refused(value: bytes, reason: str, validate: bool) -> None:
    for record in (b'{"x":' + value + b"}", b'{"_sdc_sequence":5,"x":' + value + b"}"):
        with pytest.raises(InvalidRecordError, match=reason):
            check({"x": {}}, validate=validate)(record)


@BOTH
def test_a_record_in_which_reserved_columns_can_not_be_read_is_refused(validate: bool) -> None:
    with pytest.raises(InvalidRecordError, match="nested too deeply"):
        check({"x": {}}, validate=validate)(
            b'{"_sdc_sequence":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        )


@BOTH
@pytest.mark.parametrize(
    "record",
    [
        b'{"x":"_sdc_sequence"}',
        b'{"x":["_sdc_sequence"]}',
        b'{"x":"\\"_sdc_sequence"}',
        b'{"sdc_sequence":1}',
        b'{ "_sdc_deleted_at": null, "_sdc": 1, "_sdc_extra": [ ], "x": "\\u00e9" }',
    ],
)
def test_a_reserved_name_elsewhere_and_names_of_taps_change_nothing(
    record: bytes, validate: bool
) -> None:
    assert check({"x": {}}, validate=validate)(record) is record


SECRET = "s3cret-value"


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ({"type": "integer"}, SECRET, "#/x: expected: integer, found: string"),
        ({"type": ["null", "integer"]}, SECRET, "#/x: expected: null, integer, found: string"),
        ({"type": "string"}, [SECRET], "#/x: expected: string, found: array"),
        ({"type": "string"}, {"a": SECRET}, "#/x: expected: string, found: object"),
        ({"type": "string"}, None, "#/x: expected: string, found: null"),
        ({"type": "integer"}, True, "#/x: expected: integer, found: boolean"),
        ({"type": "array", "items": {"type": "integer"}}, [1, SECRET], "#/x/1: expected: integer"),
        ({"properties": {"y": {"type": "null"}}}, {"y": SECRET}, "#/x/y: expected: null"),
        ({"enum": ["a", 1.5]}, SECRET, r'#/x: breaks enum \["a",1.5\]'),
        ({"maxLength": 3}, SECRET, "#/x: breaks maxLength 3"),
        ({"minLength": 300}, SECRET, "#/x: breaks minLength 300"),
        ({"pattern": "^z"}, SECRET, r'#/x: breaks pattern "\^z"'),
        ({"maximum": 5}, 777123, "#/x: breaks maximum 5"),
        ({"minimum": 999999}, 777123, "#/x: breaks minimum 999999"),
        ({"multipleOf": 2}, 777123, "#/x: breaks multipleOf 2"),
        ({"not": {"type": "string"}}, SECRET, "#/x: breaks not"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, SECRET, "#/x"),
        ({"oneOf": [{"type": "string"}, {"minLength": 1}]}, SECRET, "#/x: breaks oneOf"),
        ({"uniqueItems": True}, [SECRET, SECRET], "#/x: breaks uniqueItems true"),
        ({"minItems": 2}, [SECRET], "#/x: breaks minItems 2"),
        ({"maxProperties": 0}, {"a": SECRET}, "#/x: breaks maxProperties 0"),
        ({"required": ["y"]}, {"a": SECRET}, "#/x: 'y' is a required property"),
        ({"additionalProperties": False}, {"a": SECRET}, "#/x: .*'a' was unexpected"),
        ({"dependencies": {"a": ["b"]}}, {"a": SECRET}, "#/x: 'b' is a dependency of 'a'"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_message_names_the_place_and_the_rule_but_no_value(
    part: dict[str, Any], value: Any, message: str
) -> None:
    with pytest.raises(InvalidRecordError, match=message) as refused:
        check({"x": part})(json.dumps({"x": value}).encode())
    assert SECRET not in str(refused.value)
    assert "777123" not in str(refused.value)


def test_a_long_rule_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidRecordError) as refused:
        check({"x": {"enum": ["x" * 10_000]}})(b'{"x":1}')
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "part",
    [{"type": "string"}, {"maximum": 5}, {"enum": [1]}, {"not": {}}, {"type": "integer"}],
    ids=str,
)
@pytest.mark.parametrize("record", [b'{"x":%b}', b'{"y":[%b]}'])
def test_an_integer_of_5000_digits_is_refused_in_one_line(
    part: dict[str, Any], record: bytes
) -> None:
    with pytest.raises(InvalidRecordError, match="it has an integer of 5,000 digits"):
        check({"x": part})(record % (b"9" * 5000))


@pytest.mark.parametrize(
    "part", [{"type": "string"}, {"maximum": 5}, {"enum": [1]}, {"not": {}}], ids=str
)
def test_an_integer_of_4300_digits_is_judged_like_another(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecordError, match="does not fit its schema: #/x"):
        check({"x": part})(b'{"x":' + b"9" * 4300 + b"}")
    with pytest.raises(InvalidRecordError, match="does not fit its schema: #/x"):
        check({"x": {"items": part}})(b'{"x":[' + b"9" * 4300 + b"]}")


@pytest.mark.parametrize("name", ["patternProperties", "pattern"])
def test_a_pattern_that_can_not_be_read_does_not_stop_the_stream(name: str) -> None:
    part: dict[str, Any] = {name: {"(": {}} if name == "patternProperties" else "("}
    record_check = check({"x": part})
    assert record_check(b'{"x":{"a":"b"}}') == b'{"x":{"a":"b"}}'
    assert record_check(b'{"x":"b"}') == b'{"x":"b"}'


@pytest.mark.parametrize("name", ["date", "email", "ipv4", "time", "uri", "singer.decimal"])
def test_of_all_formats_only_that_of_date_times_is_enforced(name: str) -> None:
    record_check = check({"x": {"type": "string", "format": name}})
    assert record_check(b'{"x":"none"}') == b'{"x":"none"}'


def test_without_validation_the_schema_does_not_count() -> None:
    assert check({"x": {"type": "integer"}}, validate=False)(b'{"x":"text"}') == b'{"x":"text"}'

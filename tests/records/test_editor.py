"""Values that are not posted as the tap wrote them; all else keeps its bytes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_stitch_import.datetimes import normalize_datetime
from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.records.validator import RecordValidator
from target_stitch_import.schemas.posted import posted_schema
from target_stitch_import.schemas.translate import to_draft4
from tests.records.judging import SingleValidator

TIME = {"type": "string", "format": "date-time"}
TIME_OR_NULL = {"type": ["null", "string"], "format": "date-time"}
MONEY = {"type": ["null", "number"], "multipleOf": 0.01}
BOTH = pytest.mark.parametrize("validate", [True, False], ids=["validating", "keys only"])


def editing(
    properties: dict[str, Any],
    *,
    keys: tuple[str, ...] = (),
    validate: bool = True,
    decimals: bool = False,
    normalize: bool = True,
    invalid_as_null: bool = False,
    **more: Any,
) -> SingleValidator:
    """Return a validator for what a tap declares."""
    schema = to_draft4({"properties": properties, **more})
    posted = posted_schema(schema, keys, decimals=decimals)
    return SingleValidator(
        schema,
        keys,
        validate=validate,
        posted=posted,
        normalize=normalize,
        invalid_as_null=invalid_as_null,
    )


@BOTH
@pytest.mark.parametrize(
    ("record", "posted"),
    [
        ('{"d": "2024-03-01 12:00:00"}', '{"d":"2024-03-01T12:00:00Z"}'),
        ('{"d": "2024-03-01 12:00:00.5+00"}', '{"d":"2024-03-01T12:00:00.5+00:00"}'),
        (
            '{ "d":\t"2024-03-01", "n": 1.10, "t": "\\u00e9" }',
            '{"d":"2024-03-01T00:00:00Z","n":1.10,"t":"\\u00e9"}',
        ),
        (
            '{"d":null,"e":"2024-03-01","n":[1, 2]}',
            '{"d":null,"e":"2024-03-01T00:00:00Z","n":[1,2]}',
        ),
        # two of them have the same text
        (
            '{"d": "2024-03-01 12:00:00", "e": "2024-03-01 12:00:00"}',
            '{"d":"2024-03-01T12:00:00Z","e":"2024-03-01T12:00:00Z"}',
        ),
        # another column, or a name, has the same text
        (
            '{"d": "2024-03-01 12:00:00", "n": {"2024-03-01 12:00:00": 1.10}}',
            '{"d":"2024-03-01T12:00:00Z","n":{"2024-03-01 12:00:00":1.10}}',
        ),
        (
            '{"t":"2024-03-01","d":"2024-03-01"}',
            '{"t":"2024-03-01","d":"2024-03-01T00:00:00Z"}',
        ),
        ('{"d":"2024-03-0\\u0031"}', '{"d":"2024-03-01T00:00:00Z"}'),
    ],
)
def test_a_date_time_gets_the_form_that_the_service_takes(
    record: str, posted: str, validate: bool
) -> None:
    edit = editing({"d": TIME_OR_NULL, "e": TIME_OR_NULL, "t": {}, "n": {}}, validate=validate)
    assert msgspec.json.format(edit(record.encode()), indent=-1) == posted.encode()


@BOTH
@pytest.mark.parametrize("text", ["2024-03-01T12:00:00\\u005a", "2024-03-01T12:00:00.10+00:00"])
def test_a_date_time_that_is_right_keeps_its_bytes(text: str, validate: bool) -> None:
    record = f'{{ "d":\t"{text}" }}'.encode()
    assert editing({"d": TIME_OR_NULL}, validate=validate)(record) == record


@given(
    st.dictionaries(
        st.sampled_from(["d", "e", "t", "2024-03-01"]),
        st.sampled_from([None, "2024-03-01", "2024-03-01 00:00:00", "2024-03-01T00:00:00Z"]),
    )
)
def test_no_other_value_changes_though_it_has_the_same_text(record: dict[str, Any]) -> None:
    # given columns of which two are date-times, whose values stand elsewhere, too
    edit = editing({"d": TIME_OR_NULL, "e": TIME_OR_NULL, "t": {}})
    # when a record is edited
    posted = edit(json.dumps(record).encode())
    # then these have the form that the service takes, and all others are as they were
    normalized = {name: record[name] and "2024-03-01T00:00:00Z" for name in record.keys() & "de"}
    assert json.loads(posted) == record | normalized


@given(
    st.lists(
        st.from_regex(
            r"(1900|2024)-0[12]-(01|29|30)[ T]12:00:0[0-9](\.[0-9]{1,9})?(Z|\+00|\+00:00|-01:30)?",
            fullmatch=True,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_those_of_a_block_are_normalized_as_each_alone(texts: list[str]) -> None:
    # given records with date-times of several forms, of which no calendar has some
    validator = RecordValidator(to_draft4({"properties": {"d": TIME_OR_NULL}}), [], validate=True)
    # when they are checked together
    checked, error = validator.check([json.dumps({"d": text}).encode() for text in texts])
    # then each has the form that its text is normalized to, up to the first that can't be read
    normalized = [*map(normalize_datetime, texts), None]
    assert [json.loads(record)["d"] for record in checked] == normalized[: normalized.index(None)]
    assert (error is None) == (len(checked) == len(texts))


@BOTH
@pytest.mark.parametrize(
    "part",
    [
        {"items": {"properties": {"d": TIME}}},
        {"type": ["null", "array"], "items": {"type": "object", "properties": {"d": TIME}}},
        {"anyOf": [{"type": "null"}, {"type": "array", "items": {"properties": {"d": TIME}}}]},
        {"items": [{}, {"additionalProperties": TIME}]},
    ],
    ids=str,
)
def test_date_times_are_found_at_any_depth(part: dict[str, Any], validate: bool) -> None:
    # given a list whose second item has a date-time
    edit = editing({"lines": part}, validate=validate)
    # when it is not as the service takes it
    posted = edit(b'{"lines": [{}, {"d": "2024-03-01 12:00:00"}], "n": 1.10}')
    # then it is normalized
    assert json.loads(posted) == {"lines": [{}, {"d": "2024-03-01T12:00:00Z"}], "n": 1.1}
    # and one that can't be read is named
    with pytest.raises(InvalidRecordError, match="#/lines/1/d: is not a valid date-time"):
        edit(b'{"lines": [{}, {"d": "0000-00-00"}]}')


@BOTH
@pytest.mark.parametrize("text", ["0000-00-00 00:00:00", "", "infinity", "2024-02-30", "\\ud800"])
def test_what_cant_be_read_is_invalid_or_null(text: str, validate: bool) -> None:
    record = f'{{"d": "{text}", "n": 1}}'.encode()
    with pytest.raises(InvalidRecordError, match=r"#/d: is not a valid date-time|surrogate"):
        editing({"d": TIME_OR_NULL}, validate=validate)(record)
    if "ud800" not in text:
        as_null = editing({"d": TIME_OR_NULL}, validate=validate, invalid_as_null=True)
        assert json.loads(as_null(record)) == {"d": None, "n": 1}


@BOTH
def test_null_is_sent_only_where_the_schema_permits_it(validate: bool) -> None:
    properties = {"d": TIME, "k": TIME_OR_NULL}
    edit = editing(properties, keys=("k",), validate=validate, invalid_as_null=True)
    for record in (b'{"d": "x", "k": "2024-03-01"}', b'{"k": "x"}'):
        with pytest.raises(InvalidRecordError, match="is not a valid date-time"):
            edit(record)
    assert json.loads(edit(b'{"k": "2024-03-01"}')) == {"k": "2024-03-01T00:00:00Z"}


@BOTH
def test_a_key_that_is_a_date_time_has_to_be_there(validate: bool) -> None:
    edit = editing({"k": TIME_OR_NULL}, keys=("k",), validate=validate)
    for record in (b'{"k": null}', b"{}"):
        with pytest.raises(InvalidRecordError, match="lacks key property 'k', or has null in it"):
            edit(record)


@BOTH
def test_without_normalizing_only_right_ones_are_valid(validate: bool) -> None:
    edit = editing({"d": TIME}, validate=validate, normalize=False)
    assert edit(b'{"d": "2024-03-01T00:00:00Z"}') == b'{"d": "2024-03-01T00:00:00Z"}'
    with pytest.raises(InvalidRecordError, match="#/d: is not a valid date-time"):
        edit(b'{"d": "2024-03-01"}')


def test_a_date_time_that_is_no_string_is_judged_by_its_type() -> None:
    for value in (b"5", b"[]", b"null"):
        with pytest.raises(InvalidRecordError, match="#/d: expected: string"):
            editing({"d": TIME})(b'{"d": %b}' % value)


def test_a_union_with_a_plain_string_takes_any_string() -> None:
    edit = editing({"d": {"anyOf": [TIME, {"type": ["null", "string"]}]}, "e": TIME_OR_NULL})
    assert edit(b'{"d": "0000-00-00"}') == b'{"d": "0000-00-00"}'


def test_what_is_normalized_is_counted_by_column() -> None:
    edit = editing({"d": TIME, "l": {"type": "array", "items": TIME}})
    edit(b'{"d": "2024-03-01", "l": ["2024-03-01", "2024-03-02 00:00"]}')
    edit(b'{"d": "2024-03-01T00:00:00Z", "l": ["2024-03-01"]}')
    assert edit.editor is not None
    assert edit.editor.normalized == {"d": 1, "l": 3}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("12.30", "12.30"),
        ("-0.0", "-0.0"),
        ("5", "5"),
        ("1e3", "1000"),
        ("1.5E-7", "0.00000015"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
    ],
)
def test_a_decimal_keeps_its_digits(number: str, text: str) -> None:
    edit = editing({"x": {**MONEY, "multipleOf": 1e-10}, "y": {}}, decimals=True)
    assert edit(f'{{"x": {number}, "y": 1.10}}'.encode()) == f'{{"x":"{text}","y":1.10}}'.encode()


def test_decimals_are_judged_as_numbers_first() -> None:
    edit = editing(
        {"x": MONEY, "l": {"items": {"anyOf": [MONEY, {"type": "string"}]}}}, decimals=True
    )
    assert edit(b'{"x": null, "l": [1.5, "a"]}') == b'{"x":null,"l":["1.5","a"]}'
    with pytest.raises(InvalidRecordError, match="#/x: breaks multipleOf"):
        edit(b'{"x": 1.234}')


def test_a_decimal_with_an_absurd_exponent_is_invalid() -> None:
    edit = editing({"x": {"type": "number", "multipleOf": 1e-10}}, decimals=True, validate=False)
    with pytest.raises(InvalidRecordError, match="#/x: is a number of more than 1,000 digits"):
        edit(b'{"x": 1e1001}')


SHAPES = st.sampled_from(
    ["2024-03-01T12:00:00Z", "2024-03-01 12:00:00", "2024-03-01", "0000-00-00", "", "x", None, 5]
)


@given(
    st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys("adl", SHAPES)), max_size=6),
    st.booleans(),
)
def test_a_block_becomes_what_its_records_become_alone(
    records: list[dict[str, Any]], validate: bool
) -> None:
    # given records of date-times in any form, or of other types
    properties = {"a": TIME_OR_NULL, "d": {"anyOf": [TIME, {"type": "null"}]}, "l": {}}
    lines = [json.dumps(record).encode() for record in records]
    block = RecordValidator(to_draft4({"properties": properties}), [], validate=validate)
    # when they are judged as a block
    checked, error = block.check(lines)
    # then the valid ones in front have date-times that the service takes, and all else as it was
    for record, made in zip(records, checked, strict=False):
        assert json.loads(made) == {
            name: normalize_datetime(value) if name in "ad" and isinstance(value, str) else value
            for name, value in record.items()
        }
    # and the first one behind them is invalid by itself
    alone = SingleValidator(to_draft4({"properties": properties}), [], validate=validate)
    if error is None:
        assert len(checked) == len(records)
    else:
        with pytest.raises(type(error), match=r"date-time|expected"):
            alone(lines[len(checked)])

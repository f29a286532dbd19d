"""What was posted is what is read back, to the last digit."""

from __future__ import annotations

import json
import string
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.emulator.storage.exact_json import MalformedError, decode
from tests.emulator.client import ACCEPTED, Api

NUMBERS = [
    "0",
    "-0",
    "1.0",
    "1e0",
    "10.5e1",
    "1E5",
    "0.1",
    "0.10",
    "-0.0",
    "1.7976931348623157e308",
    "1.7976931348623157e309",
    "5e-324",
    "1e-400",
    "1e999999999",
    "9007199254740993",
    "9007199254740993.0",
    "1.2345678901234566e17",
    "-12345678901234567890.5",
    "9.2233720368547748e18",
    "9.3e18",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.12345678901234567890123456789012345678",
    "99999999999999999999.999999999999999999",
    "12345678901234567890123456789012345678e-38",
    "1" * 5000,
    "-" + "9" * 5000 + ".5",
]
TYPES: list[dict[str, Any]] = [
    {"type": "number"},
    {"type": ["number", "null"]},
    {"type": ["string", "number"]},
    {},
]


def post(api: Api, table: str, schema: dict[str, Any], texts: list[str], **more: Any) -> None:
    properties = json.dumps({"n": {"type": "integer"}, "v": schema})
    messages = ",".join(
        f'{{"action":"upsert","sequence":{n + 1},"data":{{"n":{n}, "v" : {text} }}}}'
        for n, text in enumerate(texts)
    )
    arguments = "".join(f", {json.dumps(name)}: {json.dumps(each)}" for name, each in more.items())
    body = (
        f'{{"table_name": {json.dumps(table)}, "schema": {{"properties": {properties}}}, '
        f'"messages": [{messages}]{arguments}}}'
    )
    assert api.batch(body) == ACCEPTED


@pytest.mark.parametrize("schema", TYPES)
def test_numbers(api: Api, table: str, schema: dict[str, Any]) -> None:
    # when numbers of every size and spelling are posted
    post(api, table, schema, NUMBERS)

    # then each is what it was, as an int or a Decimal and never as a float
    values = [row["v"] for row in api.rows(table)]
    assert values == [Decimal(text) for text in NUMBERS]
    assert {type(value) for value in values} == {int, Decimal}


def test_numbers_one_by_one(api: Api, table: str) -> None:
    # when each comes in a request of its own, behind a usual one
    for text in NUMBERS:
        post(api, table, {"type": "number"}, ["0.5", text])

    # then each is what it was
    values = [row["v"] for row in api.rows(table)]
    assert values[1::2] == [Decimal(text) for text in NUMBERS]


def test_integers(api: Api, table: str) -> None:
    # when integers of every size are posted
    texts = [text for text in NUMBERS if text.lstrip("-").isdigit()]
    post(api, table, {"type": "integer"}, texts)

    # then each is what it was
    assert [row["v"] for row in api.rows(table)] == [Decimal(text) for text in texts]


def test_equal_numbers_are_one_key(api: Api, table: str) -> None:
    # when keys are spelled in several ways, in and out of the range of doubles
    texts = [
        "1",
        "1.0",
        "10e-1",
        "1e400",
        "10e399",
        "0.1",
        "0.10",
        "1" * 30 + ".50",
        "1" * 30 + ".5",
    ]
    post(api, table, {"type": "number"}, texts, key_names=["v"])

    # then equal ones are one row, with the greatest sequence
    rows = [(row["n"], row["v"]) for row in api.rows(table)]
    assert rows == [(2, 1), (4, Decimal("1e400")), (6, Decimal("0.1")), (8, Decimal(texts[-1]))]


def test_unequal_keys_are_not_mixed_up(api: Api, table: str) -> None:
    # when keys differ in their type only, or behind the digits of a double
    texts = ["1", '"1"', "true", '"true"', "[1]", '"[1]"', "9007199254740993.0", "9007199254740992"]
    post(api, table, {}, texts, key_names=["v"])

    # then each is its own row
    rows = api.rows(table)
    assert [(row["n"], row["v"]) for row in rows] == list(
        enumerate([1, "1", True, "true", [1], "[1]", 9007199254740993, 9007199254740992])
    )
    assert rows[0]["v"] is not True
    assert rows[2]["v"] is True


def test_objects_and_arrays_keep_their_text(api: Api, table: str) -> None:
    # when objects and arrays come with odd spacing, numbers and escapes
    texts = [r'{"b" : 1.0 ,"a": [ 1e0, "\u00e9\/" ] }', "[]", "{}", "null"]
    post(api, table, {"type": ["null", "object", "array"]}, texts)

    # then what they say is kept, down to how a number was written
    first, *other_rows = [row["v"] for row in api.rows(table)]
    assert other_rows == [[], {}, None]
    assert first == {"b": Decimal("1.0"), "a": [Decimal("1.0"), "\u00e9/"]}
    assert str(first["b"]) == "1.0"


def test_strings(api: Api, table: str) -> None:
    # when strings look like something else, or have every kind of character
    texts = ["007", "1e3", "true", "", " ", "a\0b", "\u2028", "\N{GRINNING FACE}", "'", '"', "\\"]
    post(api, table, {"type": "string"}, [json.dumps(text) for text in texts])

    # then each is what it was
    assert [row["v"] for row in api.rows(table)] == texts


def test_null_and_missing_are_both_null(api: Api, table: str) -> None:
    # when a field is null, or not there
    body = {
        "table_name": table,
        "schema": {"properties": {"a": {"type": ["null", "integer"]}}},
        "messages": [
            {"action": "upsert", "sequence": 1, "data": {"a": None}},
            {"action": "upsert", "sequence": 1, "data": {}},
        ],
    }

    # then its column is null
    assert api.batch(body) == ACCEPTED
    assert api.rows(table) == [{"a": None}, {"a": None}]


def test_a_value_that_its_column_does_not_expect(api: Api, table: str) -> None:
    # given a schema whose properties draft 4 ignores, because of the reference beside them
    texts = ["5", '"007"', "true", "1.5", "[1]", "null"]
    kinds = ["integer", "number", "boolean", "string", "array"]
    properties = {kind: {"type": kind} for kind in kinds}
    messages = [
        f'{{"action":"upsert","sequence":1,"data":{{{", ".join(fields)}}}}}'
        for text in texts
        for fields in [[f'"{kind}": {text}' for kind in kinds]]
    ]
    body = (
        f'{{"table_name": {json.dumps(table)}, "schema": {{"$ref": "#/definitions/any", '
        f'"definitions": {{"any": {{}}}}, "properties": {json.dumps(properties)}}}, '
        f'"messages": [{",".join(messages)}]}}'
    )

    # when values of every type come for columns of every type
    assert api.batch(body) == ACCEPTED

    # then each is what it was
    expected = [5, "007", True, Decimal("1.5"), [1], None]
    for kind in kinds:
        values = [row[kind] for row in api.rows(table)]
        assert values == expected
        assert values[2] is True


JSON_NUMBERS = st.one_of(
    st.integers().map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
LEAVES = st.one_of(
    JSON_NUMBERS,
    st.text(st.characters(codec="utf-8"), max_size=20).map(json.dumps),
    st.text(st.characters(codec="utf-8")).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(["true", "false", "null"]),
)
JSON_TEXTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]"),
        st.dictionaries(st.text(string.ascii_letters, max_size=3), inner, max_size=3).map(
            lambda each: "{" + ",".join(f'"{k}": {v}' for k, v in each.items()) + "}"
        ),
    ),
    max_leaves=8,
)
KINDS = ["integer", "number", "boolean", "string", "object", "array"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(JSON_TEXTS, min_size=1, max_size=5),
    first=st.sampled_from([*TYPES, *({"type": ["null", kind]} for kind in KINDS)]),
)
def test_any_value_in_any_column(api: Api, texts: list[str], first: dict[str, Any]) -> None:
    # given a column that may have had another type before
    table = str(uuid.uuid4())
    post(api, table, first, ["null"] if "null" in str(first) else ["5"])

    # when any values are posted
    post(api, table, {}, texts)

    # then each is what it was, in value and in type
    values = [row["v"] for row in api.rows(table)][1:]
    assert _exact(values) == _exact([_reference(text) for text in texts])


def _reference(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def _exact(value: Any) -> Any:
    """Return a value in which True and 1 differ, and 1 and 1.0 do not."""
    if isinstance(value, list):
        return [_exact(each) for each in value]
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in value.items()}
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return ("number", Decimal(value))
    return (type(value).__name__, value)


@given(JSON_TEXTS)
def test_decoding_agrees_with_the_standard_library(text: str) -> None:
    # when JSON is decoded
    # then every value is the one that the standard library reads as a Decimal
    assert _exact(decode(text.encode())) == _exact(_reference(text))


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_decoding_refuses_or_agrees(data: bytes) -> None:
    # when bytes are decoded
    try:
        value = decode(data)
    except MalformedError:
        return

    # then what is not refused is JSON
    assert _exact(value) == _exact(_reference(data.decode()))


DECIMALS = {
    "0": "0",
    "12.50": "12.50",
    "-0.00": "-0.00",
    "007": "7",
    "+.5": "0.5",
    "5.": "5",
    "1e400": "1E+400",
    "12345678901234567890123456.789012345678": "12345678901234567890123456.789012345678",
    "9" * 5000: "9" * 5000,
}


def test_strings_that_are_decimals(api: Api, table: str) -> None:
    # when strings of digits are posted as decimals
    schema = {"type": ["null", "string"], "format": "singer.decimal"}
    post(api, table, schema, [json.dumps(text) for text in DECIMALS])

    # then they are numbers, with every digit that came
    values = [row["v"] for row in api.rows(table)]
    assert [str(value) for value in values] == list(DECIMALS.values())
    assert {type(value) for value in values} == {Decimal}


def test_strings_that_are_no_decimals_stay_strings(api: Api, table: str) -> None:
    # when a column of decimals gets strings that are none
    schema = {"type": ["null", "string"], "format": "singer.decimal"}
    texts = [
        "",
        "x",
        "NaN",
        "Infinity",
        "1,5",
        "1_0",
        " 1",
        "1\n",
        "\u0661",
        "1e99999999999999999999",
    ]
    post(api, table, schema, [json.dumps(text) for text in texts])

    # then they are what they were
    assert [row["v"] for row in api.rows(table)] == texts


def test_equal_decimals_are_one_key(api: Api, table: str) -> None:
    # when two records have one decimal as their key, written with other digits
    schema = {"type": "string", "format": "singer.decimal"}
    post(api, table, schema, ['"1.50"', '"1.5"', '"15e-1"', '"15"'], key_names=["v"])

    # then the later replaces the earlier
    assert [(row["n"], row["v"]) for row in api.rows(table)] == [
        (2, Decimal("1.5")),
        (3, Decimal(15)),
    ]

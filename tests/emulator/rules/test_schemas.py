"""Schemas that are none, and records that break theirs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from target_stitch_import.emulator import list_tables
from target_stitch_import.emulator.rules.exact_validator import is_multiple
from target_stitch_import.emulator.rules.schemas import SchemaCache
from tests.emulator.client import ACCEPTED, Api, batch, not_conforming, upsert


def post(api: Api, schema: Any, record: str, table: str = "refused") -> Any:
    """Post one record, given as JSON text, behind one that has no field."""
    body = batch(table, {}, [upsert(1), {**upsert(2), "data": "RECORD"}])
    body["schema"] = schema
    text = str(body).replace("'", '"').replace('"RECORD"', record)
    for python, json in (("True", "true"), ("False", "false"), ("None", "null")):
        text = text.replace(python, json)
    return api.batch(text)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"properties": {"a": {"type": "int"}}}, "unknown type: [int]"),
        ({"properties": {"a": {"type": ["null", "date"]}}}, "unknown type: [date]"),
        ({"properties": {"a": {"type": 5}}}, "unknown type: [5]"),
        ({"properties": {"a": {"type": []}}}, "unknown type: [JSONArray]"),
        ({"properties": {"a": {"type": ["null", "null"]}}}, "unknown type: [null]"),
        ({"properties": {"a": {"type": None}}}, "unknown type: [null]"),
        ({"type": "record", "properties": {}}, "unknown type: [record]"),
        (
            {"properties": {"type": 5}},
            "key null: expected type is one of JSONObject, found: Integer",
        ),
        (
            {"properties": {"a": True}},
            "key null: expected type is one of JSONObject, found: Boolean",
        ),
        (
            {"properties": {"a": {"properties": {"b": "x"}}}},
            "key null: expected type is one of JSONObject, found: String",
        ),
        (
            {"properties": {"a": {"minimum": 1, "exclusiveMinimum": 5}}},
            "#/properties/a/exclusiveMinimum: expected type: Boolean, found: Integer",
        ),
        (
            {"properties": {"a": {"items": True}}},
            "key null: expected type is one of JSONObject, JSONArray, found: Boolean",
        ),
        (
            {"properties": {"a": {"additionalProperties": "x"}}},
            "key null: expected type is one of Boolean, JSONObject, found: String",
        ),
        ({"properties": {"a": {"items": {"type": "text"}}}}, "unknown type: [text]"),
        (
            {"properties": {"a": {"dependencies": {"b": [1]}}}},
            "#/properties/a/dependencies/b/0: expected type: String, found: Integer",
        ),
        (
            {"properties": {"a": {"multipleOf": 0}}},
            "#/properties/a/multipleOf: 0 is not greater than 0",
        ),
        (
            {"properties": {}, "required": []},
            "#/required: expected minimum item count: 1, found: 0",
        ),
        (
            {"properties": {"a": {"$ref": "#/definitions/b"}}},
            "unresolvable reference: [/definitions/b]",
        ),
        (
            {"properties": {"a": {"$ref": "http://127.0.0.1:9/b"}}},
            "unresolvable reference: [http://127.0.0.1:9/b]",
        ),
        ({"properties": {"a": {"pattern": "("}}}, "invalid pattern: [missing ) at position 1]"),
        (
            {"properties": {"a": {"$ref": 5}}},
            "#/properties/a/$ref: expected type: String, found: Integer",
        ),
        (
            {"properties": {"a": {"$ref": "#/b"}}, "b": {"multipleOf": "x", "type": "text"}},
            "a reference leads to no schema",
        ),
    ],
)
def test_a_schema_that_is_none(api: Api, schema: dict[str, Any], reason: str) -> None:
    # when the schema is not one of draft 4
    # then the answer says why
    assert post(api, schema, '{"a": "x"}') == (400, {"error": f"Invalid JSON schema: {reason}"})
    assert "refused" not in list_tables(api.database)


@pytest.mark.parametrize(
    ("properties", "place", "reason"),
    [
        (None, "#/schema", "required key [properties] not found"),
        ([], "#/schema/properties", "expected type: JSONObject, found: JSONArray"),
    ],
)
def test_a_schema_needs_properties(api: Api, properties: Any, place: str, reason: str) -> None:
    # when a schema has no properties, or something else under that name
    schema = {} if properties is None else {"properties": properties}

    # then the answer says so
    assert post(api, schema, "{}") == (
        400,
        {"error": f"Request failed validation:{place}: {reason}"},
    )


@pytest.mark.parametrize(
    ("schema", "value", "lines"),
    [
        ({"type": "integer"}, '"1"', ["#/a: expected type: Integer, found: String"]),
        ({"type": "integer"}, "1.0", ["#/a: expected type: Integer, found: Number"]),
        ({"type": "integer"}, "1e0", ["#/a: expected type: Integer, found: Number"]),
        ({"type": "integer"}, "15.0e1", ["#/a: expected type: Integer, found: Number"]),
        ({"type": "integer"}, "1E5", ["#/a: expected type: Integer, found: Number"]),
        ({"type": "integer"}, "true", ["#/a: expected type: Integer, found: Boolean"]),
        ({"type": "number"}, "true", ["#/a: expected type: Number, found: Boolean"]),
        ({"type": "boolean"}, "1", ["#/a: expected type: Boolean, found: Integer"]),
        ({"type": "string"}, "null", ["#/a: expected type: String, found: Null"]),
        ({"type": "null"}, "1", ["#/a: expected: null, found: Integer"]),
        ({"type": "object"}, "[]", ["#/a: expected type: JSONObject, found: JSONArray"]),
        ({"type": "array"}, "{}", ["#/a: expected type: JSONArray, found: JSONObject"]),
        (
            {"type": ["null", "string"]},
            "{}",
            [
                "#/a: no subschema matched out of the total 2 subschemas",
                "#/a: expected: null, found: JSONObject",
                "#/a: expected type: String, found: JSONObject",
            ],
        ),
        (
            {"anyOf": [{"type": "string"}, {"minimum": 5, "multipleOf": 7}]},
            "1",
            [
                "#/a: no subschema matched out of the total 2 subschemas",
                "#/a: expected type: String, found: Integer",
                "#/a: 2 schema violations found",
                "#/a: 1 is not greater or equal to 5",
                "#/a: 1 is not a multiple of 7",
            ],
        ),
        (
            {"oneOf": [{"type": "string"}, {"items": {"type": "null"}, "type": "array"}]},
            "[1]",
            [
                "#/a: 0 subschemas matched instead of one",
                "#/a: expected type: String, found: JSONArray",
                "#/a/0: expected: null, found: Integer",
            ],
        ),
        (
            {"oneOf": [{}, {"type": "integer"}, {"type": "string"}, {"minimum": 0}]},
            "1",
            [
                "#/a: 3 subschemas matched instead of one",
                "#/a: expected type: String, found: Integer",
            ],
        ),
        ({"allOf": [{"type": "string"}]}, "1", ["#/a: expected type: String, found: Integer"]),
        (
            {"oneOf": [{"type": "integer"}, {"required": ["b"], "type": "string"}], "minimum": 5},
            "1",
            ["#/a: 1 is not greater or equal to 5"],
        ),
        ({"required": ["b"], "minimum": 5}, "1", ["#/a: 1 is not greater or equal to 5"]),
        (
            {"not": {"type": "null"}},
            "null",
            ['#/a: subject must not be valid against schema {"type": "null"}'],
        ),
        (
            {"type": "array", "items": {"type": "integer"}},
            "[1, null, 2, []]",
            [
                "#: 2 schema violations found",
                "#/a/1: expected type: Integer, found: Null",
                "#/a/3: expected type: Integer, found: JSONArray",
            ],
        ),
        (
            {"type": "object", "properties": {"b/c~d": {"type": "string"}}},
            '{"b/c~d": 1}',
            ["#/a/b~1c~0d: expected type: String, found: Integer"],
        ),
        (
            {"required": ["b", "c", "d"]},
            '{"c": 1}',
            [
                "#: 2 schema violations found",
                "#/a: required key [b] not found",
                "#/a: required key [d] not found",
            ],
        ),
        (
            {
                "properties": {"b": {}},
                "patternProperties": {"^x": {}},
                "additionalProperties": False,
            },
            '{"b": 1, "xx": 1, "c": 1}',
            ["#/a: extraneous key [c] is not permitted"],
        ),
        ({"dependencies": {"b": ["c"]}}, '{"b": 1}', ["#/a: property [c] is required"]),
        ({"enum": ["x", None]}, '"y"', ["#/a: y is not a valid enum value"]),
        ({"enum": ["x"]}, "null", ["#/a: null is not a valid enum value"]),
        ({"enum": ["x"]}, "{}", ["#/a: JSONObject is not a valid enum value"]),
        ({"enum": ["x"]}, f'"{"y" * 300}"', [f"#/a: {'y' * 200}... is not a valid enum value"]),
        ({"maxLength": 3}, '"four"', ["#/a: expected maxLength: 3, actual: 4"]),
        ({"minLength": 3}, '""', ["#/a: expected minLength: 3, actual: 0"]),
        ({"pattern": "^b"}, '"a"', ["#/a: string [a] does not match pattern ^b"]),
        ({"minimum": 0}, "-1", ["#/a: -1 is not greater or equal to 0"]),
        ({"minimum": 0, "exclusiveMinimum": True}, "0", ["#/a: 0 is not greater than 0"]),
        ({"maximum": 0, "exclusiveMaximum": True}, "0.5", ["#/a: 0.5 is not less than 0"]),
        (
            {"maximum": 0.1},
            "0.10000000000000000000000000000000000001",
            ["#/a: 0.10000000000000000000000000000000000001 is not less or equal to 0.1"],
        ),
        ({"multipleOf": 0.00001}, "1.275888", ["#/a: 1.275888 is not a multiple of 1.0E-5"]),
        ({"multipleOf": 0.1}, "-12345678.25", ["#/a: -1.234567825E7 is not a multiple of 0.1"]),
        ({"minItems": 2}, "[1]", ["#/a: expected minimum item count: 2, found: 1"]),
        ({"maxItems": 1}, "[1, 2]", ["#/a: expected maximum item count: 1, found: 2"]),
        ({"uniqueItems": True}, "[1, 1]", ["#/a: array items are not unique"]),
        (
            {"items": [{}], "additionalItems": False},
            "[1, 2]",
            ["#/a: expected: [1] array items, found: [2]"],
        ),
        ({"minProperties": 1}, "{}", ["#/a: minimum size: [1], found: [0]"]),
        ({"maxProperties": 0}, '{"b": 1}', ["#/a: maximum size: [0], found: [1]"]),
    ],
)
def test_a_record_that_breaks_its_schema(
    api: Api, schema: dict[str, Any], value: str, lines: list[str]
) -> None:
    # when the second record of a batch breaks the schema
    # then the answer has its place and a line for each violation, and the first is not stored
    expected = not_conforming(1, *lines)
    assert post(api, {"properties": {"a": schema}}, f'{{"a": {value}}}') == (400, expected)
    assert "refused" not in list_tables(api.database)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, "1" * 5000),
        ({"type": "number"}, "-" + "1" * 5000),
        ({"type": "number"}, "1e999999999"),
        ({"type": "string", "format": "uuid"}, '""'),
        ({"multipleOf": 0.1}, "0.3"),
        ({"multipleOf": 1e-38}, "1.00000000000000000000000000000000000001"),
        ({"multipleOf": 1e-38}, "99999999999999999999999999999999999.999"),
        ({"multipleOf": 3}, "1" * 4500),
        ({"maxLength": 1}, '"\\ud83d\\ude00"'),
        ({"pattern": "^(?!a)b"}, '"b"'),
        ({"$ref": "#/properties/b", "type": "string"}, "5"),
        ({"enum": [1]}, "1.0"),
        ({}, '{"anything": [1, "goes"]}'),
    ],
)
def test_a_record_that_conforms(api: Api, table: str, schema: dict[str, Any], value: str) -> None:
    # when a record is at the border of what its schema permits
    answer = post(api, {"properties": {"a": schema, "b": {}}}, f'{{"a": {value}}}', "conforms")

    # then it is taken
    assert answer == ACCEPTED


def test_what_only_the_exact_verdict_understands(api: Api, table: str) -> None:
    # given a pattern that the fast validator can't compile
    schema = {"properties": {"a": {"type": "string", "pattern": "^(?P<x>b)(?P=x)$"}}}

    # when two records come, of which one conforms
    taken = post(api, schema, '{"a": "bb"}', table)
    refused = post(api, schema, '{"a": "bc"}', table)

    # then the exact verdict counts
    reason = "#/a: string [bc] does not match pattern ^(?P<x>b)(?P=x)$"
    assert taken == ACCEPTED
    assert refused == (400, not_conforming(1, reason))


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": {"items": {"$ref": "#/properties/a"}}}},
        {"properties": {"a": {"allOf": [{"$ref": "#/properties/a"}, {"type": "string"}]}}},
    ],
)
def test_a_schema_that_never_ends(api: Api, schema: dict[str, Any]) -> None:
    # when a schema refers to itself
    status, _ = post(api, schema, '{"a": [[[[1]]]]}', "endless")

    # then there is an answer, and the emulator goes on
    assert status in (201, 400)
    assert api.batch(batch("endless", {}, [upsert(1)])) == ACCEPTED


def test_what_is_nested_too_deeply(api: Api) -> None:
    # when a record or a schema is nested more deeply than every Python survives
    deep = "[" * 600 + "]" * 600
    malformed = {
        "status": "ERROR",
        "message": "Malformed json in the body!",
        "error": "nested too deeply",
        "input": None,
    }

    # then it is refused
    assert post(api, {"properties": {}}, f'{{"a": {deep}}}') == (400, malformed)
    schema: dict[str, Any] = {"properties": {}}
    for _ in range(600):
        schema = {"properties": {}, "not": schema}
    assert post(api, schema, "{}") == (400, malformed)


@pytest.mark.parametrize(
    ("value", "divisor", "expected"),
    [
        ("0", "3", True),
        ("9", "3", True),
        ("10", "3", False),
        ("1E+999999999", "3", False),
        ("3E+999999999", "3", True),
        ("1E-999999999", "3", False),
        ("3", "1E-999999999", True),
        ("-0.3", "0.1", True),
        ("1200", "4E+2", True),
        ("1200", "5E+2", False),
        ("1", "1E+5", False),
    ],
)
def test_multiples_are_exact(value: str, divisor: str, expected: bool) -> None:
    # when a number of any size is divided by another
    # then the verdict is exact, and comes at once
    assert is_multiple(Decimal(value), Decimal(divisor)) is expected


def test_the_cache_of_schemas_is_bounded() -> None:
    # given a cache of two
    cache = SchemaCache(2)
    schemas: list[dict[str, Any]] = [{"properties": {name: {}}} for name in "abc"]

    # when a third schema comes, after the first was used again
    first, second = cache.compile(schemas[0]), cache.compile(schemas[1])
    again = cache.compile(schemas[0])
    cache.compile(schemas[2])

    # then the one that was not used is forgotten
    assert again is first
    assert cache.compile(schemas[0]) is first
    assert cache.compile(schemas[1]) is not second


def test_a_huge_schema_is_not_kept() -> None:
    # given a schema of more text than is worth keeping
    cache = SchemaCache()
    schema = {"properties": {}, "description": "x" * 100_000}

    # when it is compiled twice
    # then it is not kept
    assert cache.compile(schema) is not cache.compile(schema)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ({"pattern": "^(?:(?:a|aa)+)+$"}, "a" * 100 + "!"),
        (
            {"patternProperties": {"^(?:(?:a|aa)+)+$": {}, "!": {"type": "null"}}},
            {"a" * 100 + "!": 1},
        ),
        (
            {"patternProperties": {"^(?:(?:a|aa)+)+$": {}}, "additionalProperties": False},
            {"a" * 100 + "!": 1},
        ),
    ],
)
def test_a_pattern_that_takes_years_is_refused(api: Api, code: dict[str, Any], value: Any) -> None:
    # given a record whose pattern takes years to be judged
    body = batch("slow", {"code": code}, [upsert(1, id=1, code=value)])
    # when it is posted, then it is refused, with the reason, and the next one has its answer
    status, answer = api.batch(body)
    assert status == 400
    assert "can't be judged within a second" in str(answer)
    assert api.batch(batch("slow", {}, [upsert(2, id=1)])) == ACCEPTED

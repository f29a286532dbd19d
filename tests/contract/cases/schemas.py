"""Schemas: which are taken, and how records are checked against them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.contract.bodies import batch, upsert
from tests.contract.case import ACCEPTED, BATCH, REFUSALS, Case, Expected, Request, refused

if TYPE_CHECKING:
    from tests.contract.case import Source

DECIMAL: Final = {"type": ["null", "string"], "format": "singer.decimal"}
DIGITS: Final = "0.12345678901234567890123456789012345678"
INTEGER: Final = "123456789012345678901234567890"
_2020: Final = "https://json-schema.org/draft/2020-12/schema"
_DRAFT_4: Final = "http://json-schema.org/draft-04/schema#"
_TEXT: Final = {"type": "string"}
_NO_SCHEMA: Final = refused(400, "Invalid JSON schema")


def _breaks(*text: str) -> Expected:
    return refused(400, "did not conform to schema", *text)


def _type(place: str, wanted: str, found: str) -> Expected:
    """The refusal of a type; the reference and the real answers differ in one word."""
    line = f"{place}: expected type: {wanted}, found: {found}"
    return _breaks(f"{line} | {line.replace('expected type:', 'expected:')}")


_COLUMNS: Final[tuple[tuple[str, str, Any, Any, Expected, Source], ...]] = (
    ("An empty schema of a property takes a text", "any", {}, "x", ACCEPTED, "inferred"),
    (
        "A boolean schema of a property is refused",
        "bool",
        True,
        "x",
        refused(400, "Invalid JSON schema: key null: expected type is one of JSONObject"),
        "seen",
    ),
    (
        "A schema of a property that is a text is refused",
        "text",
        "string",
        "x",
        refused(400, "Invalid JSON schema: key null: expected type is one of JSONObject"),
        "seen",
    ),
    (
        "An unknown type is refused",
        "unknown",
        {"type": "decimal"},
        "x",
        refused(400, "Invalid JSON schema: unknown type: [decimal]"),
        "documentation",
    ),
    (
        "A numeric exclusiveMinimum, which is not draft 4, is refused",
        "above",
        {"type": "integer", "exclusiveMinimum": 5},
        6,
        _NO_SCHEMA,
        "inferred",
    ),
    (
        "const, which draft 4 does not know, judges nothing",
        "const",
        {"const": "a"},
        "b",
        ACCEPTED,
        "inferred",
    ),
    (
        "A record breaks a type",
        "number",
        {"type": "integer"},
        "x",
        _type("#/number", "Integer", "String"),
        "documentation",
    ),
    (
        "1.0 is no integer",
        "whole",
        {"type": "integer"},
        1.0,
        _breaks("#/whole: expected"),
        "inferred",
    ),
    (
        "A number for a text is refused",
        "name",
        _TEXT,
        1,
        _type("#/name", "String", "Integer"),
        "seen",
    ),
    (
        "An object for a nullable text is refused, with a line for each type",
        "both",
        {"type": ["null", "string"]},
        {"a": 1},
        _breaks(
            "#/both: no subschema matched out of the total 2 subschemas",
            "#/both: expected: null, found: JSONObject",
        ),
        "seen",
    ),
    ("A null where the type has none is refused", "nil", _TEXT, None, _breaks("#/nil"), "inferred"),
    (
        "What is no multipleOf is refused",
        "multiple",
        {"type": "number", "multipleOf": 1e-5},
        1.275888,
        _breaks("1.275888 is not a multiple of 1.0E-5"),
        "seen",
    ),
    (
        "A text longer than maxLength is refused",
        "short",
        {"type": "string", "maxLength": 3},
        "four",
        _breaks("#/short"),
        "inferred",
    ),
    (
        "A value that is not in the enum is refused",
        "choice",
        {"enum": ["a"]},
        "b",
        _breaks("#/choice"),
        "inferred",
    ),
    (
        "A text that breaks its pattern is refused",
        "pattern",
        {"type": "string", "pattern": "^a"},
        "b",
        _breaks("#/pattern"),
        "inferred",
    ),
    (
        "A union takes what one of its branches takes",
        "union",
        {"anyOf": [{"type": "integer"}, _TEXT]},
        "x",
        ACCEPTED,
        "inferred",
    ),
    (
        "An object with properties is taken",
        "object",
        {"type": "object", "properties": {"a": {"type": "integer"}}},
        {"a": 1},
        ACCEPTED,
        "documentation",
    ),
    (
        "A list of objects is taken",
        "list",
        {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        [{"a": 1}, {"a": 2}],
        ACCEPTED,
        "documentation",
    ),
    (
        "A record breaks a type below its top level",
        "deep",
        {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        [{"a": 1}, {"a": "x"}],
        _type("#/deep/1/a", "Integer", "String"),
        "inferred",
    ),
    ("singer.decimal takes a text of digits", "decimal", DECIMAL, DIGITS, ACCEPTED, "seen"),
    (
        "singer.decimal refuses a number, for its type is a text",
        "decimal_number",
        DECIMAL,
        1.5,
        _breaks("#/decimal_number"),
        "inferred",
    ),
)
_FORMATS: Final[tuple[tuple[str, str, str], ...]] = (
    ("email", "finn@example.com", "finn"),
    ("hostname", "example.com", "a b"),
    ("ipv4", "127.0.0.1", "127.0.0.256"),
    ("ipv6", "::1", "g::1"),
    ("uri", "https://example.com/", "a b"),
)
_UNCHECKED: Final = ("date", "time", "uuid", "no-such-format")


def _one(number: int, rule: str, column: str, schema: Any, value: Any, more: Any) -> Case:
    expected, source = more
    body = batch("schemas", {column: schema}, upsert({"id": number, column: value}))
    section = REFUSALS if source != "inferred" and not expected.acknowledges else BATCH
    return Case(rule, section, source, Request("batch", body), expected)


def _columns() -> list[Case]:
    return [
        _one(number, rule, column, schema, value, more)
        for number, (rule, column, schema, value, *more) in enumerate(_COLUMNS, start=1)
    ]


def _formats() -> list[Case]:
    cases = []
    for number, (name, good, bad) in enumerate(_FORMATS, start=100):
        schema = {"type": "string", "format": name}
        column = f"format_{name}"
        taken = f"The format {name} takes {good}"
        cases.append(_one(number, taken, column, schema, good, (ACCEPTED, "inferred")))
        refusal = (_breaks(f"#/{column}"), "inferred")
        cases.append(
            _one(number + 50, f"The format {name} refuses {bad}", column, schema, bad, refusal)
        )
    for number, name in enumerate(_UNCHECKED, start=200):
        schema = {"type": "string", "format": name}
        column = f"format_{name.replace('-', '_')}"
        rule = f"The format {name} takes any text"
        cases.append(_one(number, rule, column, schema, "any", (ACCEPTED, "inferred")))
    return cases


def _whole(
    number: int, rule: str, schema: Any, value: Any, expected: Expected, source: Source
) -> Case:
    """Return a case of the schema of a table; ``x`` is its column."""
    body = batch("whole_schemas", {}, upsert({"id": number, **value}), schema=schema)
    return Case(rule, BATCH, source, Request("batch", body), expected)


def _wholes() -> list[Case]:
    properties = {"id": {"type": "integer"}, "x": _TEXT}
    reference = {"id": {"type": "integer"}, "r": {"$ref": "#/definitions/t"}}
    newer = {"id": {"type": "integer"}, "n": {"$ref": "#/$defs/t"}}
    broken = {"id": {"type": "integer"}, "r": {"$ref": "#/definitions/none"}}
    x = {"x": "x"}
    return [
        _whole(
            1, "A schema needs no type", {"properties": properties}, x, ACCEPTED, "documentation"
        ),
        _whole(
            2,
            "$schema of draft 4 is taken",
            {"$schema": _DRAFT_4, "type": "object", "properties": properties},
            x,
            ACCEPTED,
            "inferred",
        ),
        _whole(
            3,
            "$schema of draft 2020-12 is taken",
            {"$schema": _2020, "type": "object", "properties": properties},
            x,
            ACCEPTED,
            "this project's",
        ),
        _whole(
            4,
            "$ref to definitions is followed: a text is taken",
            {"properties": reference, "definitions": {"t": _TEXT}},
            {"r": "x"},
            ACCEPTED,
            "inferred",
        ),
        _whole(
            5,
            "$ref to definitions is followed: a number is refused",
            {"properties": reference, "definitions": {"t": _TEXT}},
            {"r": 1},
            _type("#/r", "String", "Integer"),
            "inferred",
        ),
        _whole(
            6,
            "$ref to $defs is followed: a text is taken",
            {"properties": newer, "$defs": {"t": _TEXT}},
            {"n": "x"},
            ACCEPTED,
            "this project's",
        ),
        _whole(
            7,
            "$ref to nothing is refused",
            {"properties": broken},
            {"r": "x"},
            refused(400),
            "inferred",
        ),
        _whole(
            8,
            "A record without a property that the schema requires is refused",
            {"properties": properties, "required": ["x"]},
            {},
            _breaks("required key [x] not found"),
            "inferred",
        ),
        _whole(
            9,
            "additionalProperties false refuses a property that is not named",
            {"properties": properties, "additionalProperties": False},
            {"y": 1},
            _breaks("extraneous key [y] is not permitted"),
            "inferred",
        ),
        _whole(
            10,
            "A property that no schema names is taken",
            {"properties": properties},
            {"unnamed": "x"},
            ACCEPTED,
            "inferred",
        ),
        _whole(11, "A schema without properties is refused", {}, x, refused(400), "documentation"),
        _whole(
            12,
            "A schema that is a list is refused",
            [],
            x,
            refused(
                400,
                "Request failed validation:#/schema: expected type: JSONObject, found: JSONArray",
            ),
            "seen",
        ),
        _empty(),
    ]


def _empty() -> Case:
    body = batch("empty_schema", {}, upsert({}), schema={"properties": {}}, key_names=[])
    rule = "A schema with no property is taken"
    return Case(rule, BATCH, "inferred", Request("batch", body), ACCEPTED)


def _numbers() -> list[Case]:
    cases = []
    for number, (name, digits, type_) in enumerate(
        [
            ("a number of 38 digits", DIGITS, "number"),
            ("an integer of 30 digits", INTEGER, "integer"),
        ]
    ):
        column = f"{type_}_value"
        body = batch("numbers", {column: {"type": type_}}, upsert({"id": number, column: "DIGITS"}))
        text = json.dumps(body).replace('"DIGITS"', digits)
        rule = f"{name[0].upper()}{name[1:]} is taken"
        cases.append(Case(rule, BATCH, "inferred", Request("batch", text), ACCEPTED))
    return cases


CASES: Final = (*_columns(), *_formats(), *_wholes(), *_numbers())

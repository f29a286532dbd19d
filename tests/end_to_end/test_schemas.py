"""From a tap's schema of any draft to rows: posted as draft 4, and judged exactly."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft4Validator

from target_stitch_import.emulator import list_tables, read_table
from tests.support.messages import record, schema, tap_output
from tests.support.running import loaded, piped

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service

TEXT = {"type": "string"}
TIME = {"type": "string", "format": "date-time"}
NEW = "https://json-schema.org/draft/2020-12/schema"

PROPERTIES: list[tuple[str, Any, Any, Any]] = [
    # what it is, the tap's schema of the property, a value that fits, one that does not
    ("draft 4 bound", {"maximum": 5, "exclusiveMaximum": True}, 4, 5),
    ("draft 6 bound", {"type": "number", "exclusiveMinimum": 0}, 1, 0),
    ("const", {"const": "a"}, "a", "b"),
    ("a reference", {"$ref": "#/$defs/name"}, "x", 5),
    ("an old reference", {"$ref": "#/definitions/name"}, "x", 5),
    ("always", True, [1], None),
    ("tuple", {"type": "array", "prefixItems": [{"type": "integer"}], "items": False}, [1], [1, 2]),
    ("condition", {"if": {"type": "integer"}, "then": {"minimum": 3}}, 3, 2),
    ("38 digits", {"multipleOf": 1e-38}, Decimal("0.12345678901234567890123456789012345678"), None),
    ("a bound as a decimal", {"type": "number", "maximum": 10.5}, 10.5, 10.500000001),
    ("a date-time", {"type": "string", "format": "date-time"}, "2024-03-01", "not a date"),
    ("a format", {"type": "string", "format": "email"}, "not an email", 5),
    ("nested", {"type": "object", "properties": {"n": {"type": "integer"}}}, {"n": 1}, {"n": "1"}),
]


def declared(inner: Any) -> str:
    return schema(
        properties={"id": {"type": "integer"}, "v": inner},
    ).replace(
        '"schema": {',
        f'"schema": {{"$schema": "{NEW}", "$defs": {{"name": {{"type": "string"}}}}, '
        '"definitions": {"name": {"type": "string"}}, ',
    )


@pytest.mark.parametrize(
    ("inner", "good", "bad"), [row[1:] for row in PROPERTIES], ids=[row[0] for row in PROPERTIES]
)
def test_any_draft_is_posted_as_draft_4_that_means_the_same(
    service: Service, inner: Any, good: Any, bad: Any
) -> None:
    # given a tap that declares a property in a newer draft
    text = str(good) if isinstance(good, Decimal) else None
    lines = [
        declared(inner),
        record(f'{{"id": 1, "v": {text}}}' if text else {"id": 1, "v": good}),
    ]
    # when a value that fits is loaded
    _, error = loaded(service.config(), tap_output(*lines))
    # then the posted schema is plain draft 4
    assert error is None
    posted = service.requests[0].batch["schema"]
    Draft4Validator.check_schema(posted)
    assert not {"$schema", "$defs", "definitions", "$ref"} & set(str(posted).split("'"))
    # and a value that does not fit is refused
    if bad is not None:
        _, error = loaded(
            service.config(), tap_output(declared(inner), record({"id": 2, "v": bad}))
        )
        assert 'with key {"id":2}: it does not fit its schema: #/v' in str(error)


def test_a_grown_schema_adds_its_columns(emulator: Emulator) -> None:
    # given a stream whose schema grows, and a row of each time
    wider = {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}, "new": {}}
    lines = [
        schema(),
        record({"id": 1, "name": "a"}),
        schema(properties=wider),
        record({"id": 2, "new": 5}),
    ]
    # when it is loaded
    _, error = loaded({"token": "t", "api_url": emulator.url}, tap_output(*lines))
    # then the table has the new column, empty where it was not there yet
    assert error is None
    assert read_table(emulator.database, "orders") == [
        {"id": 1, "name": "a", "new": None},
        {"id": 2, "name": None, "new": 5},
    ]


def test_without_validation_the_service_has_the_word(service: Service) -> None:
    # given a record that does not fit, and validation switched off
    lines = tap_output(schema(), record({"id": 1, "name": 5}))
    # when it is loaded
    _, error = loaded(service.config(validate_records=False), lines)
    # then it is posted as it is
    assert error is None
    assert service.requests[0].records == [b'{"id": 1, "name": 5}']


@pytest.mark.parametrize(
    ("validate", "expected_text"),
    [(True, "it does not fit its schema: #/name"), (False, "Record 1 did not conform to schema")],
)
def test_a_record_that_does_not_fit_is_refused_by_the_target_or_by_the_service(
    validate: bool, expected_text: str, emulator: Emulator, tmp_path: Path
) -> None:
    # given a record that does not fit, behind one that does, and validation on or off
    config = {"token": "t", "api_url": emulator.url, "validate_records": validate}
    lines = tap_output(schema(), record({"id": 1}), record({"id": 2, "name": 5}))
    # when they are piped through the target
    run = piped(config, tmp_path, lines)
    # then the run ends with the words of the one that has looked, and the key of the record
    assert run.exit_code == 1
    assert expected_text in run.last_line
    assert '{"id":2}' in run.last_line
    # and what came before it is delivered where the target has looked: the batch went without it
    assert list_tables(emulator.database) == (["orders"] if validate else [])


@pytest.mark.parametrize("validate", [True, False])
def test_what_the_api_documents_as_a_limit_is_checked_before_it_is_sent(
    service: Service, validate: bool
) -> None:
    # given records at each limit, and beyond it
    keyed = {"id": {"type": "string"}, "list": {}}
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"id": "x" * 255}, None),
        ({"id": "x" * 256}, "256 characters"),
        ({"id": "a", "list": [1] * 9_999}, None),
        ({"id": "a", "list": [1] * 10_000}, "10,001 data points"),
    ]
    for data, expected_text in cases:
        # when each is loaded
        config = service.config(validate_records=validate)
        _, error = loaded(config, tap_output(schema(properties=keyed), record(data)))
        # then those beyond are refused here, with the limit
        assert (expected_text in str(error)) if expected_text else (error is None), (
            expected_text,
            error,
        )


def test_a_record_that_no_request_can_hold_is_refused(service: Service) -> None:
    # given a record of more than 20 MB
    lines = tap_output(schema(), record({"id": 1, "name": "x" * 20_000_000}), record({"id": 2}))
    # when it is loaded
    _, error = loaded(service.config(), lines)
    # then it is named and refused
    assert 'with key {"id":1}: it makes a request of 20,000,' in str(error)
    assert service.requests == []


@pytest.mark.parametrize(
    "text_format", ["date", "time", "email", "hostname", "ipv4", "ipv6", "uri", "uuid", "regex"]
)
def test_formats_that_mean_nothing_to_a_destination_are_left_out(
    text_format: str, emulator: Emulator, service: Service
) -> None:
    # given a text of a format that it does not have, at the top and within
    declared = {"type": "string", "format": text_format, "title": "T"}
    columns = {"id": {"type": "integer"}, "v": declared, "list": {"items": declared}}
    row = {"id": 1, "v": "not that", "list": ["nor that"]}
    lines = tap_output(schema(properties=columns), record(row))
    # when it is loaded
    _, error = loaded(service.config(), lines)
    assert error is None
    # then it is posted without the format
    plain = {"type": "string", "title": "T"}
    posted = service.requests[0].batch["schema"]["properties"]
    assert posted == {"id": {"type": "integer"}, "v": plain, "list": {"items": plain}}
    # and a service that would check the format takes it
    _, error = loaded({"token": "any", "api_url": emulator.url}, lines)
    assert error is None
    assert read_table(emulator.database, "orders") == [row]


def test_a_decimal_of_the_sdk_is_posted_as_one_of_stitch(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given a tap on the SDK that writes decimals as texts
    columns = {
        "id": {"type": "integer"},
        "v": {"type": ["null", "string"], "format": "x-singer.decimal"},
    }
    lines = tap_output(schema(properties=columns), record({"id": 1, "v": "0.10"}))
    # when it is loaded by the default settings
    run = piped({"token": "any", "api_url": emulator.url}, tmp_path, lines)
    # then the table has a decimal
    assert run.exit_code == 0, run.stderr
    assert read_table(emulator.database, "orders") == [{"id": 1, "v": Decimal("0.10")}]


@pytest.mark.parametrize("declared", [{"type": "object"}, {"properties": {}}, {}])
def test_a_stream_without_properties_is_loaded(
    declared: dict[str, Any], emulator: Emulator, service: Service
) -> None:
    # given a schema that names nothing, not even the key, as tap-mongodb and tap-dynamodb write it
    line = json.dumps(
        {"type": "SCHEMA", "stream": "orders", "schema": declared, "key_properties": ["_id"]}
    )
    rows: list[dict[str, Any]] = [
        {"_id": "a", "n": 1},
        {"_id": "b", "at": "2024-03-01", "o": {"x": [1, None]}},
    ]
    lines = tap_output(line, *map(record, rows), record({"_id": "a", "n": 2}))
    # when it is loaded
    _, error = loaded({"token": "any", "api_url": emulator.url}, lines)
    assert error is None
    # then each key is a row, and what no schema names is as it was written
    found = {row["_id"]: row for row in read_table(emulator.database, "orders")}
    assert found["a"]["n"] == 2
    assert (found["b"]["at"], found["b"]["o"]) == ("2024-03-01", {"x": [1, None]})
    # and the key is posted in the schema, with nothing said of its type
    _, error = loaded(service.config(), lines)
    assert error is None
    assert service.requests[0].batch["schema"]["properties"] == {"_id": {}}


CHECKED = {
    "id": {"type": "integer", "minimum": 0},
    "name": {"type": ["null", "string"], "maxLength": 4, "minLength": 1, "pattern": "^[a-z]+$"},
    "kind": {"type": "string", "enum": ["a", "b"]},
    "n": {"type": "number", "minimum": 0, "maximum": 5, "multipleOf": 0.5},
    "list": {"type": "array", "items": {"type": "integer", "enum": [1]}, "uniqueItems": True},
    "o": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
}
TYPED = {
    "id": {"type": "integer"},
    "name": {"type": ["null", "string"]},
    "kind": {"type": "string"},
    "n": {"type": "number"},
    "list": {"type": "array", "items": {"type": "integer"}},
    "o": {"type": "object", "properties": {"x": {"type": "string"}}},
}
BREAKS = {"id": -1, "name": "LONGER THAN 4", "kind": "c", "n": 7.3, "list": [2, 2], "o": {}}


def declared_checks() -> str:
    """Return the SCHEMA of a stream whose columns are judged, and required, more than typed."""
    declared = {"type": "object", "properties": CHECKED, "required": ["id", "kind", "missing"]}
    line = {"type": "SCHEMA", "stream": "orders", "schema": declared, "key_properties": ["id"]}
    return json.dumps(line)


def test_with_schema_checks_types_only_types_are_posted_and_checked(
    emulator: Emulator, service: Service, tmp_path: Path
) -> None:
    # given a record that breaks every rule of its schema but the types
    lines = tap_output(declared_checks(), record(BREAKS))
    types = {"schema_checks": "types"}
    # when it is loaded with schema_checks: types
    run = piped(service.config(**types), tmp_path, lines)
    # then the posted schema has the types and the key
    assert run.exit_code == 0, run.stderr
    posted = service.requests[0].batch["schema"]
    assert posted == {"type": "object", "properties": TYPED, "required": ["id"]}
    # and a service that checks the schema takes the record
    run = piped({"token": "any", "api_url": emulator.url, **types}, tmp_path, lines)
    assert run.exit_code == 0, run.stderr
    assert read_table(emulator.database, "orders") == [{**BREAKS, "n": Decimal("7.3")}]
    # and one that breaks a type is refused
    bad = tap_output(declared_checks(), record({**BREAKS, "name": 5}))
    run = piped(service.config(**types), tmp_path, bad)
    assert run.exit_code == 1
    assert "#/name: expected: null, string, found: integer" in run.last_line


@pytest.mark.parametrize(
    ("inner", "values"),
    [
        ({"oneOf": [TIME, TEXT]}, ["2024-03-01T12:00:00Z", "x"]),
        ({"oneOf": [{"items": TIME}, {"items": TEXT}]}, [["2024-03-01T12:00:00Z"], ["x"]]),
        ({"oneOf": [{**TEXT, "format": "uuid"}, {**TEXT, "format": "date"}]}, ["2024-03-01"]),
        ({"anyOf": [TEXT], "oneOf": [TIME, TEXT]}, ["2024-03-01T12:00:00Z"]),
    ],
    ids=str,
)
def test_texts_that_only_a_format_tells_apart_are_loaded(
    inner: dict[str, Any], values: list[Any], emulator: Emulator, tmp_path: Path
) -> None:
    # given a oneOf whose branches differ in the format alone, and values that fit more than one
    rows = [{"id": place, "v": value} for place, value in enumerate(values)]
    lines = tap_output(
        schema(properties={"id": {"type": "integer"}, "v": inner}), *map(record, rows)
    )
    # when they are loaded into a service that checks the posted schema
    run = piped({"token": "any", "api_url": emulator.url}, tmp_path, lines)
    # then it takes them as the tap wrote them
    assert read_table(emulator.database, "orders") == rows, run.stderr


@pytest.mark.parametrize(
    ("broken", "advice"),
    [
        ({"name": "longer"}, "schema_checks"),
        ({"kind": "c"}, "schema_checks"),
        ({"n": 7}, "schema_checks"),
        ({"o": {}}, "schema_checks"),
        ({"n": "7"}, "the tap's schema is wrong there"),
        ({"list": [None]}, "the tap's schema is wrong there"),
    ],
)
def test_a_record_that_breaks_its_schema_is_refused_with_what_to_do(
    broken: dict[str, Any], advice: str, service: Service
) -> None:
    # given a record that breaks a rule, or a type
    good = {"id": 1, "name": "ab", "kind": "a", "n": 1, "list": [1], "o": {"x": ""}}
    lines = tap_output(schema(properties=CHECKED), record({**good, **broken}))
    # when it is loaded by the default
    _, error = loaded(service.config(), lines)
    # then the message names the column, and the setting or that the schema is wrong
    assert f"#/{next(iter(broken))}" in str(error)
    assert advice in str(error)


def test_streams_of_one_schema_share_a_batch_of_their_table_with_schema_checks_types(
    service: Service, tmp_path: Path
) -> None:
    # given two streams with one schema, which a stream map puts into one table, and which take turns
    columns = {"id": {"type": "integer"}, "name": {"type": "string", "maxLength": 1}}
    config = service.config(
        schema_checks="types",
        stream_maps={name: {"__alias__": "all"} for name in ("orders", "items")},
    )
    lines = [schema(properties=columns), schema("items", columns)]
    for place in range(10):
        stream = ["orders", "items"][place % 2]
        lines += [schema(stream, columns), record({"id": place, "name": "long"}, stream)]
    # when they are loaded
    run = piped(config, tmp_path, tap_output(*lines))
    # then all records are in one batch
    assert run.exit_code == 0, run.stderr
    assert [len(request.records) for request in service.requests] == [10]


def test_a_change_of_key_properties_or_types_is_warned_of_before_it_is_posted(
    service: Service, tmp_path: Path
) -> None:
    # given a stream whose column gets another type, and that later gets another key
    text = {"id": {"type": "integer"}, "v": {"type": "string"}}
    number = {"id": {"type": "integer"}, "v": {"type": ["null", "number"]}}
    lines = [
        *[schema(properties=text), record({"id": 1, "v": "a"})],
        *[schema(properties=number), record({"id": 2, "v": 1.5})],
        *[schema(properties=number, keys=["id", "v"]), record({"id": 3, "v": 1.5})],
    ]
    # when it is loaded
    run = piped(service.config(), tmp_path, tap_output(*lines))
    # then each is warned of once, with what it was, and what Stitch does
    assert run.exit_code == 0, run.stderr
    types = "have number in column 'v' now, and had string. Stitch splits a column"
    keys = 'have key properties ["id","v"] now, and had ["id"]. Stitch stops loading a table'
    assert (run.stderr.count(types), run.stderr.count(keys)) == (1, 1)
    assert run.stderr.count("WARNING") == 2


def test_key_properties_that_come_again_are_compared_with_those_before_them(
    service: Service, tmp_path: Path
) -> None:
    # given a stream whose key changes, changes back, and changes to a third one
    columns = {name: {"type": "integer"} for name in ("id", "a", "b")}
    lines = [
        line
        for key in ("id", "a", "id", "b")
        for line in (schema(properties=columns, keys=[key]), record({"id": 1, "a": 1, "b": 1}))
    ]
    # when it is loaded
    run = piped(service.config(), tmp_path, tap_output(*lines))
    # then each change is said with the key that was there right before it
    assert run.exit_code == 0, run.stderr
    found = re.findall(r'have key properties \["(.)?.*"\] now, and had \["(.)?.*"\]', run.stderr)
    assert found == [("a", "i"), ("i", "a"), ("b", "i")]


def test_a_changed_key_is_warned_of_once_whatever_the_destination_is(
    service: Service, tmp_path: Path
) -> None:
    # given a destination, and a stream whose key changes
    columns = {"id": {"type": "integer"}, "a": {"type": "integer"}}
    lines = [
        line
        for key in ("id", "a")
        for line in (schema(properties=columns, keys=[key]), record({"id": 1, "a": 1}))
    ]
    # when it is loaded
    run = piped(service.config(destination="redshift"), tmp_path, tap_output(*lines))
    # then one warning says so
    assert run.exit_code == 0, run.stderr
    assert run.stderr.count("WARNING") == 1, run.stderr


def test_a_schema_that_only_permits_null_or_grows_is_not_warned_of(
    service: Service, tmp_path: Path
) -> None:
    # given a stream whose column may be null from some time on, and that gets a column
    columns = {"id": {"type": "integer"}, "v": {"type": "string"}}
    wider = {**columns, "v": {"type": ["null", "string"]}, "new": {"type": "number"}}
    lines = [schema(properties=columns), record({"id": 1, "v": "a"})]
    lines += [schema(properties=wider), record({"id": 2, "v": None})]
    # when it is loaded
    run = piped(service.config(), tmp_path, tap_output(*lines))
    # then nothing is said
    assert run.exit_code == 0
    assert "WARNING" not in run.stderr

"""From a tap's schema of any draft to rows: posted as draft 4, and judged exactly."""

from __future__ import annotations

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
    ("a format", {"type": "string", "format": "date-time"}, "not a date", 5),
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

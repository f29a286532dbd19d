"""``decimals: singer.decimal``: numbers are posted as strings of the tap's own digits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import record, schema, tap_output
from tests.support.running import loaded, piped

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service

DECIMALS = {"decimals": "singer.decimal"}
PUSH = {"endpoint": "push", "client_id": 4231}
DECIMAL = {"type": ["null", "string"], "format": "singer.decimal"}
ID: dict[str, Any] = {"id": {"type": "integer"}}
DIGITS = "99999999999999999999.999999999999999999"
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}
SCALED = {"type": "number", "multipleOf": 0.01}


@pytest.mark.parametrize(
    ("declared", "posted"),
    [
        pytest.param({"type": ["null", "number"], "multipleOf": 1e-18}, DECIMAL, id="multipleOf"),
        pytest.param({"type": "number", "precision": 38, "scale": 9}, DECIMAL, id="precision"),
        pytest.param({"type": ["number", "null"], "scale": 2}, DECIMAL, id="scale"),
        pytest.param({**SCALED, "title": "A", "maximum": 9}, {**DECIMAL, "title": "A"}, id="title"),
        pytest.param({"anyOf": [SCALED, {"type": "null"}]}, {"anyOf": [DECIMAL, {"type": "null"}]}, id="union"),
        pytest.param({"type": "array", "items": SCALED}, {"type": "array", "items": DECIMAL}, id="items"),
        pytest.param({"properties": {"n": SCALED, "m": NUMBER}}, {"properties": {"n": DECIMAL, "m": NUMBER}}, id="properties"),
        pytest.param({"type": "integer", "multipleOf": 5}, {"type": "integer", "multipleOf": 5}, id="an integer"),
        pytest.param(NUMBER, NUMBER, id="a plain number"),
        pytest.param({"type": ["string", "number"], "scale": 2}, {"type": ["string", "number"]}, id="a string, too"),
        pytest.param({"type": ["null", "string"], "format": "x-singer.decimal"}, DECIMAL, id="x-singer.decimal"),
    ],
)  # fmt: skip
def test_columns_of_decimals_are_posted_as_singer_decimal(
    declared: dict[str, Any], posted: dict[str, Any], service: Service
) -> None:
    # given a column as taps declare it
    lines = tap_output(schema(properties={**ID, "v": declared}), record({"id": 1}))
    # when it is loaded with decimals: singer.decimal
    _, error = loaded(service.config(**DECIMALS), lines)
    # then it is posted as a decimal if it is one, and otherwise as it is
    assert error is None
    assert service.requests[0].batch["schema"]["properties"] == {**ID, "v": posted}


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1.10", '"1.10"'),
        ("-0.0", '"-0.0"'),
        ("5", '"5"'),
        (DIGITS, f'"{DIGITS}"'),
        ("1E-18", '"0.000000000000000001"'),
        ("-1.50e+3", '"-1500"'),
        ("1e38", f'"1{"0" * 38}"'),
        ("null", "null"),
    ],
)
def test_a_number_is_posted_as_a_string_of_the_digits_that_the_tap_wrote(
    number: str, text: str, validate: bool, service: Service
) -> None:
    # given a number in a column of decimals, and in one of numbers
    columns = {**ID, "v": {"type": ["null", "number"], "multipleOf": 1e-18}, "n": {}}
    data = f'{{"id":1,"v":{number},"n":{number}}}'
    # when it is loaded with decimals: singer.decimal
    config = service.config(**DECIMALS, validate_records=validate)
    _, error = loaded(config, tap_output(schema(properties=columns), record(data)))
    # then it is a string of its digits, an exponent written out, and the other is as it was
    assert error is None
    assert service.requests[0].records == [f'{{"id":1,"v":{text},"n":{number}}}'.encode()]


def test_every_digit_is_in_the_table_at_every_depth(emulator: Emulator, tmp_path: Path) -> None:
    # given decimals of 38 digits in a column, a union, an object and a list
    amount = {"type": ["null", "number"], "multipleOf": 1e-18}
    columns = {
        **ID,
        "amount": amount,
        "either": {"anyOf": [{"type": "boolean"}, amount]},
        "order": {"type": "object", "properties": {"lines": {"items": {"properties": {"n": amount}}}}},
        "list": {"type": "array", "items": amount},
    }  # fmt: skip
    data = (
        f'{{"id": 1, "amount": {DIGITS}, "either": {DIGITS}, "list": [{DIGITS}, null],'
        f' "order": {{"lines": [{{"n": {DIGITS}, "other": 1.10}}]}}}}'
    )
    other = '{"id": 2, "amount": null, "either": true}'
    # when they are loaded with decimals: singer.decimal
    lines = tap_output(schema(properties=columns), record(data), record(other))
    config = {"token": "any", "api_url": emulator.url, **DECIMALS}
    run = piped(config, tmp_path, lines)
    assert run.exit_code == 0, run.stderr
    # then the table has them to the last digit, and all else as it was
    first, second = read_table(emulator.database, "orders")
    assert first == {
        "id": 1,
        "amount": Decimal(DIGITS),
        "either": DIGITS,
        "list": [DIGITS, None],
        "order": {"lines": [{"n": DIGITS, "other": Decimal("1.10")}]},
    }
    assert (second["amount"], second["either"]) == (None, True)


def test_what_a_schema_excludes_or_lists_stays_as_it_is(emulator: Emulator, tmp_path: Path) -> None:
    # given a decimal beside null in another form, beside integers, and one that is excluded
    columns = {
        **ID,
        "or_null": {"anyOf": [SCALED, {"enum": [None]}]},
        "or_integer": {
            "anyOf": [{"type": "integer"}, {"type": "string", "format": DECIMAL["format"]}]
        },
        "no_decimal": {"not": SCALED},
        "one_or_null": {"oneOf": [SCALED, {"type": "null"}]},
        "one_or_text": {"oneOf": [SCALED, {"type": "string"}]},
        "listed": {"enum": [1.1, 2.2, None], "anyOf": [SCALED, {"type": "null"}]},
    }
    data = (
        '{"id": 1, "or_null": 1.10, "or_integer": 5, "no_decimal": "x", "one_or_null": null,'
        ' "one_or_text": 1.10, "listed": 1.10}'
    )
    # when they are loaded with decimals: singer.decimal
    config = {"token": "any", "api_url": emulator.url, **DECIMALS}
    run = piped(config, tmp_path, tap_output(schema(properties=columns), record(data)))
    # then the service takes them, and only what is sent as a decimal is changed
    assert run.exit_code == 0, run.stderr
    (row,) = read_table(emulator.database, "orders")
    assert row == {
        "id": 1,
        "or_null": "1.10",
        "or_integer": 5,
        "no_decimal": "x",
        "one_or_null": None,
        "one_or_text": "1.10",
        "listed": Decimal("1.10"),
    }


def test_key_properties_keep_their_type(
    emulator: Emulator, service: Service, tmp_path: Path
) -> None:
    # given a key that is a decimal, and another column that is one
    columns = {"k": SCALED, "v": SCALED}
    lines = tap_output(schema(properties=columns, keys=["k"]), record('{"k":1.10,"v":1.10}'))
    # when they are loaded with decimals: singer.decimal
    run = piped(service.config(**DECIMALS), tmp_path, lines)
    # then the key is posted as the number that it is
    assert run.exit_code == 0, run.stderr
    (request,) = service.requests
    assert request.batch["schema"]["properties"] == {"k": SCALED, "v": DECIMAL}
    assert request.records == [b'{"k":1.10,"v":"1.10"}']
    # and the service takes that
    config = {"token": "any", "api_url": emulator.url, **DECIMALS}
    assert piped(config, tmp_path, lines).exit_code == 0
    (row,) = read_table(emulator.database, "orders")
    assert (row["k"], row["v"]) == (Decimal("1.1"), Decimal("1.10"))


def test_what_the_tap_declares_is_still_checked(service: Service, tmp_path: Path) -> None:
    # given a decimal beyond the bound of its schema, and one that is no number
    columns = {**ID, "v": {**SCALED, "maximum": 5}}
    for value, rule in [("5.5", "maximum"), ("1.005", "multiple"), ('"1.00"', "number")]:
        lines = tap_output(schema(properties=columns), record(f'{{"id": 1, "v": {value}}}'))
        # when it is loaded with decimals: singer.decimal
        run = piped(service.config(**DECIMALS), tmp_path, lines)
        # then it is judged as the number that the tap declares
        assert run.exit_code == 1
        assert "#/v" in run.last_line
        assert rule in run.last_line
    assert service.requests == []


def test_the_quarantine_has_the_numbers_of_the_tap_and_loads_again(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given records that are posted as strings, of which the service refuses one
    path = tmp_path / "quarantine.singer"
    config = {"token": "any", "api_url": emulator.url, **DECIMALS, "validate_records": False}
    aside = {**config, "on_invalid_record": "quarantine", "quarantine_path": str(path)}
    bad = f'{{ "id": 2, "v": {DIGITS}, "name": 5 }}'
    columns = {**ID, "v": {"type": "number", "multipleOf": 1e-18}, "name": {"type": "string"}}
    lines = [schema(properties=columns), record('{"id": 1, "v": 1.10}'), record(bad)]
    # when they are loaded with a quarantine
    run = piped(aside, tmp_path, tap_output(*lines))
    assert run.exit_code == 0, run.stderr
    # then the file has the tap's own schema and bytes
    declared, _ = map(json.loads, path.read_bytes().splitlines())
    assert declared["schema"]["properties"] == columns
    assert f'"record":{bad},'.encode() in path.read_bytes()
    # and when the name is corrected, the file is loaded as the rest was
    corrected = path.read_bytes().replace(b'"name": 5', b'"name": "x"')
    assert piped(config, tmp_path, corrected).exit_code == 0
    rows = {row["id"]: row["v"] for row in read_table(emulator.database, "orders")}
    assert rows == {1: Decimal("1.10"), 2: Decimal(DIGITS)}


def test_the_quarantine_has_the_schema_of_the_tap_with_schema_checks_types(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given a record with no number to edit, which the service refuses
    path = tmp_path / "quarantine.singer"
    config = {"token": "any", "api_url": emulator.url, **DECIMALS, "validate_records": False}
    config["schema_checks"] = "types"
    aside = {**config, "on_invalid_record": "quarantine", "quarantine_path": str(path)}
    columns = {**ID, "v": {"type": "number", "multipleOf": 1e-18}, "name": {"type": "string"}}
    lines = tap_output(schema(properties=columns), record('{"id": 1, "name": 5}'))
    # when it is loaded with a quarantine
    run = piped(aside, tmp_path, lines)
    assert run.exit_code == 0, run.stderr
    # then the file has the tap's own schema, by which a number that is added there is a decimal
    corrected = path.read_bytes().replace(b'"name": 5', b'"name": "x", "v": %b' % DIGITS.encode())
    assert json.loads(corrected.splitlines()[0])["schema"]["properties"] == columns
    assert piped(config, tmp_path, corrected).exit_code == 0
    assert read_table(emulator.database, "orders") == [{"id": 1, "name": "x", "v": Decimal(DIGITS)}]


@pytest.mark.parametrize("push_format", ["json", "transit"])
def test_a_push_has_numbers_whatever_the_setting_says(
    push_format: str, emulator: Emulator, tmp_path: Path
) -> None:
    # given a decimal
    columns = {**ID, "v": {"type": "number", "multipleOf": 1e-18}}
    lines = tap_output(schema(properties=columns), record(f'{{"id": 1, "v": {DIGITS}}}'))
    # when it is pushed with decimals: singer.decimal
    config = {"token": "any", "api_url": emulator.url, **PUSH, **DECIMALS}
    run = piped({**config, "push_format": push_format}, tmp_path, lines)
    # then it is the number that the tap wrote
    assert run.exit_code == 0, run.stderr
    assert read_table(emulator.database, "orders") == [{"id": 1, "v": Decimal(DIGITS)}]


def test_without_the_setting_numbers_are_posted_as_numbers(
    service: Service, tmp_path: Path
) -> None:
    # given a decimal
    columns = {**ID, "v": SCALED}
    lines = tap_output(schema(properties=columns), record('{"id": 1, "v": 1.10}'))
    # when it is loaded by the default
    assert piped(service.config(), tmp_path, lines).exit_code == 0
    # then its schema and its bytes are as they were
    assert service.requests[0].batch["schema"]["properties"] == {**ID, "v": SCALED}
    assert service.requests[0].records == [b'{"id": 1, "v": 1.10}']

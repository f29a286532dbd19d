"""What the tap wrote is what is posted."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import loaded, piped

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service

ANYTHING = {"id": {"type": "integer"}, "v": {}}

RECORDS = [
    '{"id": 1, "v": 0.12345678901234567890123456789012345678}',
    '{"id": 1, "v": 123456789012345678901234567890}',
    '{"id": 1, "v": -1.5E+300}',
    '{"id": 1, "v": 1e400}',
    '{"id": 1, "v": 1.0}',
    '{"id": 1, "v": 1}',
    '{"id": 1, "v": -0.0}',
    '{"id": 1, "v": null}',
    '{"id": 1}',
    '{"id":1,"v":"\\u0041\\n\\/\\"\\\\\\u00e9\\ud83d\\ude00"}',
    '{"id":1,"v":"é \u2028 \U0001f600 \x7f"}',
    '{ "id" : 1 , "v" : { "a" : [ 1.10, { } , [ ] , [[]] ] } }',
    '{"v":true,"id":1,"undeclared":{"x":[null]}}',
    '{"id":1,"v":"NaN","w":"Infinity -Infinity"}',
]


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("keys", [["id"], []], ids=["keyed", "keyless"])
def test_a_record_is_posted_as_the_bytes_that_the_tap_wrote(
    service: Service, keys: list[str], validate: bool
) -> None:
    # given a tap that writes numbers, escapes and gaps of every kind
    lines = [schema(properties=ANYTHING, keys=keys), *map(record, RECORDS)]
    # when its output is loaded
    _, error = loaded(service.config(validate_records=validate), tap_output(*lines))
    # then each record stands in the request as it was written
    assert error is None
    assert service.requests[0].records == [text.encode() for text in RECORDS]


def test_rows_have_every_digit(emulator: Emulator) -> None:
    # given amounts and numbers beyond what a float holds, under two keys
    properties = {
        "a": {"type": "integer"},
        "b": {"type": "string"},
        "amount": {"type": "number", "multipleOf": 1e-38},
    }
    amounts = ["0.10000000000000000000000000000000000001", "99999999999999999999.5", "1E+2"]
    lines = [schema(properties=properties, keys=["a", "b"])]
    lines += [
        record(f'{{"a": {10**29 + place}, "b": "k", "amount": {amount}}}')
        for place, amount in enumerate(amounts)
    ]
    # when they are loaded
    _, error = loaded({"token": "t", "api_url": emulator.url}, tap_output(*lines))
    # then the table has them to the last digit
    assert error is None
    rows = read_table(emulator.database, "orders")
    assert [row["amount"] for row in rows] == [Decimal(amount) for amount in amounts]
    assert [row["a"] for row in rows] == [10**29, 10**29 + 1, 10**29 + 2]


def test_not_a_number_is_sent_as_null_with_one_warning(service: Service, tmp_path: Path) -> None:
    # given a Python tap that writes what JSON lacks, beside strings that only look like it
    lines = tap_output(
        schema(properties=ANYTHING),
        record('{"id": 1, "v": NaN, "w": "NaN, \\"Infinity"}'),
        record('{"id": 2, "v": [Infinity, -Infinity, 1.10]}'),
    )
    # when it is loaded
    run = piped(service.config(), tmp_path, lines)
    # then those are null, the rest is untouched, and it is said once
    assert run.exit_code == 0
    assert service.requests[0].records == [
        b'{"id": 1, "v": null, "w": "NaN, \\"Infinity"}',
        b'{"id": 2, "v": [null, null, 1.10]}',
    ]
    assert run.stderr.count("null takes its place") == 1


def test_forms_of_a_line_that_taps_write(service: Service, tmp_path: Path) -> None:
    # given a byte order mark, CRLF, blank lines, unknown fields and no end of the last line
    data = (
        b"\xef\xbb\xbf"
        + schema(extra=[1]).encode()
        + b"\r\n\r\n   \n"
        + record({"id": 1}, x={"type": "STATE"}).encode()
        + b"\r\n"
        + b'{"record": {"id": 2}, "stream": "orders", "type": "RECORD"}'
    )
    # when it is loaded through a pipe
    run = piped(service.config(), tmp_path, data)
    # then every record arrives
    assert run.exit_code == 0
    assert service.ids == [1, 2]


def test_reserved_columns_are_left_out_and_the_rest_stays_exact(
    service: Service, tmp_path: Path
) -> None:
    # given a tap with columns that Stitch itself writes, declared and not
    properties = {"id": {"type": "integer"}, "n": {"type": "number"}, "_sdc_batched_at": {}}
    line = record('{"_sdc_batched_at": "x", "id": 1, "n": 1.10, "\\u005fsdc_sequence": 2}')
    # when it is loaded
    lines = [schema(properties=properties, bookmark_properties=["_sdc_batched_at"]), line, line]
    run = piped(service.config(batch_size_rows=1), tmp_path, tap_output(*lines))
    # then neither the schema, nor the record, nor the bookmarks have them, and it is said once
    assert run.exit_code == 0
    assert service.requests[0].records == [b'{"id":1,"n":1.10}']
    reported = 'that Stitch itself writes: ["_sdc_batched_at","_sdc_sequence"]. They are left out'
    assert run.stderr.count(reported) == 1
    assert list(service.requests[0].batch["schema"]["properties"]) == ["id", "n"]
    assert "bookmark_names" not in service.requests[0].batch


def test_a_state_is_written_as_the_bytes_that_the_tap_wrote(service: Service) -> None:
    # given a STATE with spacing, escapes and digits of its own
    value = '{ "a" : 1.0, "\\u00e9": [1e2, 12345678901234567890.5] }'
    # when it is loaded
    states, _ = loaded(service.config(), tap_output(f'{{"type": "STATE", "value": {value} }}'))
    # then it comes out unchanged
    assert states == [value.encode()]


def test_a_version_is_posted_with_its_activation_behind_it(service: Service) -> None:
    # given a full table under a version
    lines = [schema(), record({"id": 1}, version=7), record({"id": 2}, version=7), activate(7)]
    # when it is loaded
    _, error = loaded(service.config(), tap_output(*lines, state({"done": True})))
    # then the batch has the version, and the activation as its last message
    assert error is None
    (batch,) = (request.batch for request in service.requests)
    assert batch["table_version"] == 7
    assert [each["action"] for each in batch["messages"]] == ["upsert"] * 2 + ["activate_version"]
    assert batch["messages"][2]["sequence"] > batch["messages"][1]["sequence"]

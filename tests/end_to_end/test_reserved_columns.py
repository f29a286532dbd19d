"""Columns that begin with ``_sdc``: those that Stitch itself writes, and those of taps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import record, schema, tap_output
from tests.support.running import loaded, piped

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Request, Service

ID: dict[str, Any] = {"id": {"type": "integer"}}
TIME: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}
PUSH = {"endpoint": "push", "client_id": 4231}
WARNING = "have columns that Stitch itself writes: "


def posted(request: Request) -> list[dict[str, Any]]:
    """Return the records of a batch, or of a push."""
    body = request.batch
    messages = body if isinstance(body, list) else body["messages"]
    return [message["data"] for message in messages]


@pytest.mark.parametrize("endpoint", [{}, PUSH], ids=["batch", "push"])
@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize(
    "declared", [{}, {"_sdc_batched_at": TIME}], ids=["undeclared", "declared"]
)
@pytest.mark.parametrize("rows", [1, 1_000], ids=["one a batch", "all in one batch"])
def test_a_column_that_stitch_writes_is_named_when_a_later_record_is_the_first_to_have_it(
    service: Service,
    caplog: pytest.LogCaptureFixture,
    endpoint: dict[str, Any],
    validate: bool,
    declared: dict[str, Any],
    rows: int,
) -> None:
    # given a tap whose hundredth record has such a column, and whose 110th has another one
    records: list[dict[str, Any]] = [{"id": number} for number in range(120)]
    records[100]["_sdc_batched_at"] = "2024-03-01T12:00:00Z"
    records[110] |= {"_sdc_batched_at": None, "__sdc_primary_key": "k"}
    records[115]["_sdc_batched_at"] = "2024-03-01T12:00:00Z"
    lines = [schema(properties={**ID, **declared}), *map(record, records)]
    config = service.config(**endpoint, validate_records=validate, batch_size_rows=rows)
    # when it is loaded
    _, error = loaded(config, tap_output(*lines))
    # then every record arrives without them
    assert error is None
    arrived = [each for request in service.requests for each in posted(request)]
    assert sorted(arrived, key=lambda each: each["id"]) == [{"id": number} for number in range(120)]
    # and each is named once
    named = [json.loads(each.split(". They")[0]) for each in caplog.text.split(WARNING)[1:]]
    assert sorted(name for names in named for name in names) == [
        "__sdc_primary_key",
        "_sdc_batched_at",
    ]


def test_a_column_that_only_the_schema_has_is_no_reason_for_a_warning(
    service: Service, tmp_path: Path
) -> None:
    # given a tap that declares a column which Stitch itself writes, and never writes it
    lines = [schema(properties={**ID, "_sdc_batched_at": TIME}), record({"id": 1})]
    # when it is loaded
    run = piped(service.config(), tmp_path, tap_output(*lines))
    # then it is posted nowhere, and nothing is said of it
    assert run.exit_code == 0
    (request,) = service.requests
    assert list(request.batch["schema"]["properties"]) == ["id"]
    assert "_sdc" not in run.stderr


@pytest.mark.parametrize("validate", [True, False])
def test_columns_of_taps_are_loaded_as_any_other_is(
    emulator: Emulator, tmp_path: Path, validate: bool
) -> None:
    # given a tap with columns of its own, as tap-s3-csv, tap-postgres and others write them
    names = ["_sdc_deleted_at", "_sdc_source_file", "_sdc_source_lineno", "_sdc_extra"]
    properties = {**ID, "_sdc_deleted_at": TIME, "_sdc_source_file": {"type": "string"}}
    properties |= {"_sdc_source_lineno": {"type": "integer"}, "_sdc_extra": {"type": "array"}}
    row = {"id": 1, **dict(zip(names, ["2024-03-01T12:00:00Z", "a.csv", 3, []], strict=True))}
    # when it is loaded
    config = {"token": "any", "api_url": emulator.url, "validate_records": validate}
    lines = tap_output(schema(properties=properties), record(row))
    run = piped(config, tmp_path, lines)
    # then they are in the table, and no warning is given
    assert run.exit_code == 0, run.stderr
    assert read_table(emulator.database, "orders") == [row]
    assert "left out" not in run.stderr


def test_the_hash_of_a_record_may_be_its_key(emulator: Emulator, tmp_path: Path) -> None:
    # given a stream whose key is the hash of its records, as that of an advertising tap's is
    properties = {"_sdc_record_hash": {"type": "string"}, "clicks": {"type": "integer"}}
    rows = [("a", 1), ("b", 2), ("a", 3)]
    lines = [
        schema("ads", properties, ["_sdc_record_hash"]),
        *(record({"_sdc_record_hash": key, "clicks": clicks}, "ads") for key, clicks in rows),
    ]
    # when two of them have one hash
    config = {"token": "any", "api_url": emulator.url}
    run = piped(config, tmp_path, tap_output(*lines))
    # then the later one replaces the other
    assert run.exit_code == 0, run.stderr
    found = {row["_sdc_record_hash"]: row["clicks"] for row in read_table(emulator.database, "ads")}
    assert found == {"a": 3, "b": 2}


def test_a_key_that_stitch_itself_writes_ends_the_run_at_the_schema(
    service: Service, tmp_path: Path
) -> None:
    # given a stream with such a key, behind one that is good
    lines = [
        *[schema(), record({"id": 1, "name": "Finn"})],
        schema("events", {**ID, "_sdc_sequence": {"type": "integer"}}, ["id", "_sdc_sequence"]),
        record({"id": 1, "_sdc_sequence": 5}, "events"),
    ]
    # when it is loaded
    run = piped(service.config(), tmp_path, tap_output(*lines))
    # then the run ends there, with the key, the stream and what to do
    assert run.exit_code == 1
    expected = (
        "key property '_sdc_sequence' of stream 'events' is a column that Stitch itself writes"
    )
    assert expected in run.stderr
    assert "Line 3 of the input" in run.stderr
    assert {request.batch["table_name"] for request in service.requests} <= {"orders"}


def test_a_table_that_stitch_itself_writes_is_not_loaded(service: Service, tmp_path: Path) -> None:
    # given a stream of the name of Stitch's table for what a destination rejects
    lines = tap_output(schema("_sdc_rejected"), record({"id": 1, "name": "a"}, "_sdc_rejected"))
    # when it is loaded, or when a stream map calls another stream so
    first = piped(service.config(), tmp_path, lines)
    other = tap_output(schema(), record({"id": 1, "name": "a"}))
    renamed = service.config(stream_maps={"orders": {"__alias__": "_sdc_rejected"}})
    second = piped(renamed, tmp_path, other)
    # then the run ends at its SCHEMA
    for run, stream in [(first, "_sdc_rejected"), (second, "orders")]:
        assert run.exit_code == 1
        assert f"stream '{stream}' would load the table '_sdc_rejected'" in run.stderr
    assert service.requests == []
    # and when a stream map gives it another name, it is loaded
    config = service.config(stream_maps={"_sdc_rejected": {"__alias__": "rejected"}})
    assert piped(config, tmp_path, lines).exit_code == 0
    assert service.requests[0].batch["table_name"] == "rejected"

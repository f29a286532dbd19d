"""Where sequences come from, and which of two versions of a row is left by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import activate, record, schema, tap_output
from tests.support.running import loaded, piped

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z
ROWS = {
    "id": {"type": "integer"},
    "name": {"type": ["null", "string"]},
    "at": {"type": ["null", "string", "integer"]},
}
SOURCES = ["time_extracted", "replication_key", "received_at"]
ONE_FORM = 30  # lines, so that most of them are taken many at a time


def row(name: str, at: str, *, extracted: str | None = None, key: int = 1) -> str:
    """Return a RECORD line of a row that was changed ``at`` a time."""
    more = {} if extracted is None else {"time_extracted": extracted}
    return record({"id": key, "name": name, "at": at}, **more)


def rows(*lines: str, **more: Any) -> bytes:
    """Return a stream of rows whose bookmark is ``at``."""
    return tap_output(schema(properties=ROWS, bookmark_properties=["at"], **more), *lines)


def messages(service: Service) -> list[dict[str, Any]]:
    """Return the messages of all requests."""
    return [message for request in service.requests for message in request.batch["messages"]]


def sequences(service: Service) -> list[int]:
    """Return the sequences of all requests."""
    return [message["sequence"] for message in messages(service)]


@pytest.mark.parametrize(
    ("source", "left"),
    [("time_extracted", "old"), ("replication_key", "new"), ("received_at", "old")],
)
def test_an_old_extract_that_is_loaded_again_replaces_newer_rows_or_not(
    emulator: Emulator, source: str, left: str
) -> None:
    # given an extract without extraction times, and a newer version of its rows
    config = {"token": "t", "api_url": emulator.url, "sequence_source": source}
    old = [row("old", "2026-01-01T12:00:00Z", key=key) for key in range(ONE_FORM)]
    new = [row("new", "2026-01-02T12:00:00Z", key=key) for key in range(ONE_FORM)]
    # when both are loaded, and then the old one again
    for extract in (old, new, old):
        _, error = loaded(config, rows(*extract))
        assert error is None
    # then it depends on where sequences come from which version is left
    found = read_table(emulator.database, "orders")
    assert [each["name"] for each in found] == [left] * ONE_FORM


def test_with_its_extraction_times_an_old_extract_only_wins_by_arrival(
    emulator: Emulator,
) -> None:
    # given an old and a new extract, each with the time at which the tap has read it
    old = [row("old", "2026-01-03", extracted="2026-01-01T12:00:00.000000Z") for _ in range(30)]
    new = [row("new", "2026-01-02", extracted="2026-01-02T12:00:00.000000Z") for _ in range(30)]
    config = {"token": "t", "api_url": emulator.url}
    # when the old one is loaded behind the new one
    for extract in (new, old):
        assert loaded(config, rows(*extract))[1] is None
    # then the later read wins
    assert [each["name"] for each in read_table(emulator.database, "orders")] == ["new"]
    # but by arrival, the last one loaded
    assert loaded({**config, "sequence_source": "received_at"}, rows(*old))[1] is None
    assert [each["name"] for each in read_table(emulator.database, "orders")] == ["old"]


@pytest.mark.parametrize("source", SOURCES)
def test_the_extraction_time_is_posted_with_any_sequence_source(
    service: Service, source: str
) -> None:
    # given records with extraction times
    lines = [
        row("x", "2026-01-01", extracted=f"2025-12-31T00:00:00.{place:06}Z")
        for place in range(ONE_FORM)
    ]
    # when they are loaded
    before = time.time_ns()
    loaded(service.config(sequence_source=source), rows(*lines))
    # then each has its own
    found = [message["time_extracted"] for message in messages(service)]
    assert found == [f"2025-12-31T00:00:00.{place:06}Z" for place in range(ONE_FORM)]
    # and the sequences rise from where they should
    rising = sequences(service)
    assert rising == sorted(set(rising))
    if source == "received_at":
        assert before <= rising[0] <= time.time_ns()
    else:
        start = {
            "time_extracted": NOON - 129_600 * SECOND,
            "replication_key": NOON - 43_200 * SECOND,
        }
        assert rising[0] == start[source]


def test_integers_go_on_behind_an_activation_as_before_it(service: Service) -> None:
    # given a stream whose bookmark is a number, with a version that is activated
    lines = [
        record({"id": 1, "at": 7}, version=1),
        activate(1),
        record({"id": 1, "at": 9}, version=1),
        record({"id": 2}, version=1),
        record({"id": 3, "at": 8}, version=1),
    ]
    # when it is loaded
    loaded(service.config(sequence_source="replication_key"), rows(*lines))
    # then rows have the numbers, or what is next; the activation is newer than all before it
    first, activation, *rest = sequences(service)
    assert (first, rest) == (7, [9, 10, 11])
    assert activation > NOON


def test_the_value_is_that_of_the_record_that_is_posted(service: Service) -> None:
    # given a stream map that makes the bookmark of something else
    maps = {"orders": {"at": "str(2000 + id) + '-01-01'"}}
    config = service.config(sequence_source="replication_key", stream_maps=maps)
    # when a record is loaded
    _, error = loaded(config, rows(record({"id": 26, "at": "1999-01-01"})))
    # then what is posted counts
    assert error is None
    assert sequences(service) == [NOON - 43_200 * SECOND]


def test_a_value_that_is_none_is_told_once_a_stream(service: Service, tmp_path: Path) -> None:
    # given three batches of records, most of them without a value that can be a sequence
    lines = [
        row("a", "2026-01-01T12:00:00Z"),
        record({"id": 2, "at": None}),
        record({"id": 3}),
        row("d", "tomorrow"),
        row("e", "2200-01-01"),
    ]
    # when they are loaded
    config = service.config(
        sequence_source="replication_key", batch_size_rows=2, max_parallel_requests=1
    )
    run = piped(config, tmp_path, rows(*lines))
    # then they follow the one before them, a time far ahead is held to the clock, each told once
    assert run.exit_code == 0
    assert sequences(service)[:4] == [NOON, NOON + 1, NOON + 2, NOON + 3]
    assert NOON < sequences(service)[4] < 4_102_444_800 * SECOND
    assert run.stderr.count("no timestamp and no integer in bookmark property 'at'") == 1
    assert run.stderr.count("have a value of bookmark property 'at' more than five minutes") == 1
    # and none of their values is in the log
    assert "tomorrow" not in run.stderr


def test_a_stream_without_bookmark_goes_by_its_extraction_times_and_that_is_told_once(
    service: Service, tmp_path: Path
) -> None:
    # given a stream without bookmark properties, declared twice
    lines = [
        schema(),
        record({"id": 1}, time_extracted="2026-01-01T12:00:00Z"),
        schema(properties=ROWS),
        record({"id": 2}, time_extracted="2026-01-01T12:00:01Z"),
    ]
    # when it is loaded
    run = piped(service.config(sequence_source="replication_key"), tmp_path, tap_output(*lines))
    # then it is as by default, and the log says so once
    assert run.exit_code == 0
    assert sequences(service) == [NOON, NOON + SECOND]
    assert run.stderr.count("'orders' have no bookmark property") == 1


def test_behind_the_greatest_sequence_a_record_is_refused(service: Service) -> None:
    # given a record that takes the last sequence there is
    lines = [record({"id": 1, "at": 2**63 - 1}), record({"id": 2, "at": 5})]
    # when another one follows
    _, error = loaded(service.config(sequence_source="replication_key"), rows(*lines))
    # then the first is delivered, and the other one named with the reason
    assert service.ids == [1]
    assert 'with key {"id":2}: it would need a sequence above' in str(error)

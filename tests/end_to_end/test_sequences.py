"""Sequences: the last version of a key is the winner."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import activate, record, schema, tap_output
from tests.support.running import loaded, piped
from tests.support.service import ACCEPTED

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Request, Service, ServiceResponse

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z

FORMS = [
    ("2026-01-01T12:00:00Z", NOON),
    ("2026-01-01T12:00:00z", NOON),
    ("2026-01-01T12:00:00", NOON),
    ("2026-01-01 12:00:00", NOON),
    ("2026-01-01T14:00:00+02:00", NOON),
    ("2026-01-01T14:00:00+0200", NOON),
    ("2026-01-01T07:30:00-04:30", NOON),
    ("2026-01-01T12:00:00.5Z", NOON + SECOND // 2),
    ("2026-01-01T12:00:00.123456+00:00", NOON + 123_456_000),
    ("2026-01-01T12:00:00.123456789Z", NOON + 123_456_789),
    ("2026-01-01T12:00:00.000000001+00:00", NOON + 1),
]


@pytest.mark.parametrize(("text", "expected"), FORMS, ids=[text for text, _ in FORMS])
def test_a_sequence_is_the_records_time_in_nanoseconds(
    service: Service, text: str, expected: int
) -> None:
    # given a record with an extraction time as taps write it
    # when it is loaded
    loaded(service.config(), tap_output(schema(), record({"id": 1}, time_extracted=text)))
    # then that is its sequence
    assert service.requests[0].batch["messages"][0]["sequence"] == expected


@pytest.mark.parametrize("times", [None, "2026-01-01T12:00:00Z", "garbage"])
def test_a_thousand_versions_in_one_instant_end_in_the_last(
    emulator: Emulator, times: str | None
) -> None:
    # given a thousand versions of one key, all of one time, in many parallel batches
    versions = [
        record({"id": 1, "name": str(n)}, **({"time_extracted": times} if times else {}))
        for n in range(1000)
    ]
    # when they are loaded
    config = {"token": "t", "api_url": emulator.url, "batch_size_rows": 100}
    _, error = loaded(config, tap_output(schema(), *versions))
    # then the last one stays
    assert error is None
    assert read_table(emulator.database, "orders") == [{"id": 1, "name": "999"}]


def test_sequences_go_on_rising_where_a_schema_changes_or_a_clock_goes_back(
    service: Service,
) -> None:
    # given times that go back, over a change of the schema
    lines = [
        schema(),
        record({"id": 1}, time_extracted="2026-01-01T12:00:01Z"),
        record({"id": 1}, time_extracted="2026-01-01T12:00:00Z"),
        schema(properties={"id": {"type": "integer"}}),
        record({"id": 1}, time_extracted="2026-01-01T11:00:00Z"),
    ]
    # when they are loaded
    loaded(service.config(), tap_output(*lines))
    # then each sequence is greater than the one before
    found = [m["sequence"] for request in service.requests for m in request.batch["messages"]]
    assert found == [NOON + SECOND, NOON + SECOND + 1, NOON + SECOND + 2]


def test_a_clock_far_ahead_is_held_to_this_machines_with_one_warning(
    service: Service, tmp_path: Path
) -> None:
    # given records from the year 2200
    ahead = [record({"id": n}, time_extracted="2200-01-01T00:00:00Z") for n in range(3)]
    # when they are loaded
    run = piped(service.config(), tmp_path, tap_output(schema(), *ahead))
    # then they do not hide the updates of the next two centuries
    sequences = [m["sequence"] for m in service.requests[0].batch["messages"]]
    assert all(NOON < sequence < 4_102_444_800 * SECOND for sequence in sequences)
    assert sequences == sorted(set(sequences))
    assert run.stderr.count("ahead of this machine's clock") == 1


def test_an_activation_shows_its_version_alone(emulator: Emulator) -> None:
    # given a table of version 1, and then one of version 2 without a row of the first
    config = {"token": "t", "api_url": emulator.url, "batch_size_rows": 1}
    first = [record({"id": n}, version=1) for n in range(4)]
    second = [record({"id": n}, version=2) for n in range(2)]
    # when both are loaded and activated
    _, error = loaded(config, tap_output(schema(), *first, activate(1), *second, activate(2)))
    # then only the rows of the second are left
    assert error is None
    assert sorted(row["id"] for row in read_table(emulator.database, "orders")) == [0, 1]


def test_an_activation_does_not_hide_what_comes_behind_it(service: Service) -> None:
    # given records of another version right behind an activation
    lines = [
        schema(),
        record({"id": 1}, version=1),
        activate(1),
        *[record({"id": n}, version=2) for n in range(3)],
    ]
    arrived: list[Any] = []

    def slowly(request: Request) -> ServiceResponse:
        batch = request.batch
        if batch["messages"][0]["action"] == "activate_version":
            threading.Event().wait(0.2)
        arrived.append((batch["table_version"], batch["messages"][0]["action"]))
        return ACCEPTED

    service.answer = slowly
    # when they are loaded with an activation that is answered late
    loaded(service.config(batch_size_rows=1), tap_output(*lines))
    # then they were sent only once it was answered
    assert arrived == [(1, "upsert"), (1, "activate_version"), *[(2, "upsert")] * 3]


def test_an_activation_may_be_ignored(emulator: Emulator) -> None:
    # given the same, with activations switched off
    config = {
        "token": "t",
        "api_url": emulator.url,
        "process_activate_version_messages": False,
    }
    lines = [schema(), record({"id": 0}, version=1), record({"id": 1}, version=2), activate(2)]
    # when it is loaded
    _, error = loaded(config, tap_output(*lines))
    # then nothing disappears
    assert error is None
    assert sorted(row["id"] for row in read_table(emulator.database, "orders")) == [0, 1]


def test_an_unreadable_time_leaves_the_others_as_they_are(service: Service) -> None:
    # given many records in a row, one of them with a time that is none
    times = [f"2024-05-06T07:08:09.{place:06}Z" for place in range(60)]
    times[7] = times[7].replace("05-06", "02-30")
    lines = [record({"id": at}, time_extracted=time) for at, time in enumerate(times)]
    # when they are loaded
    loaded(service.config(), tap_output(schema(), *lines))
    # then each of the others has its own time
    messages = service.requests[0].batch["messages"]
    found = [message.get("time_extracted") for message in messages]
    assert found == [None if at == 7 else time for at, time in enumerate(times)]

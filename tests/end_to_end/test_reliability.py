"""Each row of "what can go wrong", against an emulator that misbehaves on purpose."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, read_table, running_emulator
from tests.support.messages import record, schema, state, tap_output
from tests.support.running import piped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.running import Run

TOKEN = "token-of-the-test"
ROWS = 40


def two_tables() -> bytes:
    """Return records of a table with keys and of one without, with a STATE after every fourth."""
    lines = [schema(), schema("events", keys=[])]
    for place in range(ROWS):
        lines += [record({"id": place}), record({"id": place}, "events")]
        if place % 4 == 3:
            lines.append(state({"at": place}))
    return tap_output(*lines)


@contextlib.contextmanager
def misbehaving(faults: str, folder: Path) -> Iterator[tuple[Emulator, dict[str, Any]]]:
    """Run an emulator with faults; yield it and a config for it, with small batches."""
    with running_emulator(folder / "stitch.db", token=TOKEN, faults=faults) as emulator:
        yield emulator, {"token": TOKEN, "api_url": emulator.url, "batch_size_rows": 5}


def ids(emulator: Emulator, table: str) -> list[int]:
    """Return the ids in a table, in order."""
    if table not in list_tables(emulator.database):
        return []
    return sorted(row["id"] for row in read_table(emulator.database, table))


def is_clean(run: Run) -> bool:
    """Return True if the log has no traceback and no token."""
    return "Traceback" not in run.stderr and TOKEN not in run.stderr


TRANSIENT = {
    "refuse,refuse_seconds=0.2": "refused",
    "reset_before": "Connection",
    "reset_after": "Connection",
    "cut": "Incomplete|Connection",
    "drop": "Connection",
    "408": "408",
    "429": "429",
    "429_seconds": "429",
    "429_date": "429",
    "500": "500",
    "502": "502 Bad Gateway",
    "503": "503",
    "504": "504 Gateway Timeout",
    "html": "200 without a JSON object",
    "empty": "200 without a JSON object",
    "error": "200 without a status of OK or Accepted",
    "stall": "timed out",
}
"""What is tried again, and what the log says of it."""

STORED = ("cut", "drop")
"""Faults after which a table without keys has records twice: nobody could know."""


@pytest.mark.parametrize("fault", TRANSIENT)
def test_what_may_pass_is_tried_again(fault: str, tmp_path: Path) -> None:
    # given a service at whose second and fifth post something goes wrong
    name, _, options = fault.partition(",")
    script = f"ok,{name},ok,ok,{name}" + (f",{options}" if options else "")
    with misbehaving(f"{script},retry_after=1", tmp_path) as (emulator, config):
        config["request_timeout_seconds"] = 5 if name == "stall" else 60
        # when two tables are loaded
        run = piped(config, tmp_path, two_tables())
        # then all is delivered, and the last STATE is written
        assert (run.exit_code, run.states[-1]) == (0, {"at": ROWS - 1})
        assert ids(emulator, "orders") == list(range(ROWS))
        events = ids(emulator, "events")
        assert sorted(set(events)) == list(range(ROWS))
        assert len(events) == ROWS or name in STORED
    # and those that failed are in the log, with the cause, the wait and the batches in flight
    attempts = [line for line in run.stderr.splitlines() if " of batch " in line]
    assert attempts
    assert " 0 retries" not in run.last_line
    assert any(word in line for line in attempts for word in TRANSIENT[fault].split("|"))
    assert all("Next attempt in" in line and "batches in flight: " in line for line in attempts)
    assert is_clean(run)


def test_a_queued_batch_is_an_accepted_one(tmp_path: Path) -> None:
    # given a service that takes batches to process them later
    with misbehaving("202*100", tmp_path) as (emulator, config):
        run = piped(config, tmp_path, two_tables())
        # then none is sent twice
        assert (run.exit_code, run.states[-1]) == (0, {"at": ROWS - 1})
        assert ids(emulator, "events") == list(range(ROWS))
    assert "Attempt " not in run.stderr


def test_a_slow_service_is_waited_for(tmp_path: Path) -> None:
    with misbehaving("slow*100,slow_seconds=0.1", tmp_path) as (emulator, config):
        run = piped(config, tmp_path, two_tables())
        assert (run.exit_code, run.states[-1]) == (0, {"at": ROWS - 1})
        assert ids(emulator, "events") == list(range(ROWS))
    assert "Attempt " not in run.stderr


def test_everything_at_once_is_got_over(tmp_path: Path) -> None:
    # given a service at which every third post meets one fault or another
    faults = "seed=3,all=0.3,retry_after=0,slow_seconds=0.02,refuse_seconds=0.05,maintenance=1"
    with misbehaving(faults, tmp_path) as (emulator, config):
        # when two tables are loaded in small batches
        run = piped({**config, "batch_size_rows": 2}, tmp_path, two_tables())
        # then nothing is missing
        assert (run.exit_code, run.states[-1]) == (0, {"at": ROWS - 1})
        assert ids(emulator, "orders") == list(range(ROWS))
        assert set(ids(emulator, "events")) == set(range(ROWS))
    assert is_clean(run)


@pytest.mark.parametrize("fault", ["503*9999", "reset_after*9999", "html*9999"])
def test_when_the_budget_is_spent_the_last_safe_state_is_written(
    fault: str, tmp_path: Path
) -> None:
    # given a service that breaks down for good after four batches
    with misbehaving(f"ok*4,{fault}", tmp_path) as (emulator, config):
        # when two tables are loaded with a small budget
        run = piped({**config, "max_retry_seconds": 1}, tmp_path, two_tables())
        # then the run says how long it tried, and what the last answer was
        assert run.exit_code == 75
        assert "given up after " in run.last_line
        assert " attempts in 1 s; the last ended with: " in run.last_line
        assert is_clean(run)
        # and what the last STATE covers is in the tables
        for last in run.states[-1:]:
            assert ids(emulator, "orders")[: last["at"] + 1] == list(range(last["at"] + 1))
            assert set(ids(emulator, "events")) >= set(range(last["at"] + 1))


@pytest.mark.parametrize("limit", [400, 700, 1500])
def test_what_is_too_large_is_split(limit: int, tmp_path: Path) -> None:
    # given a proxy that lets small bodies through
    with misbehaving(f"limit={limit}", tmp_path) as (emulator, config):
        # when larger ones are sent
        config |= {"batch_size_rows": 1000, "max_parallel_requests": 1}
        run = piped(config, tmp_path, two_tables())
        # then all arrives, in order and once
        assert (run.exit_code, run.states[-1]) == (0, {"at": ROWS - 1})
        rows = read_table(emulator.database, "events")
        assert [row["id"] for row in rows] == list(range(ROWS))
        assert ids(emulator, "orders") == list(range(ROWS))
    assert "413 Request Entity Too Large" in run.stderr or "413 Content Too Large" in run.stderr
    assert is_clean(run)


def test_a_limit_is_learned(tmp_path: Path) -> None:
    # given a proxy with a limit below that of the setting
    with misbehaving("limit=3000", tmp_path) as (emulator, config):
        config |= {"batch_size_rows": 20_000, "max_parallel_requests": 1}
        # when far more is sent than that
        data = tap_output(schema(), *(record({"id": place}) for place in range(2_000)))
        run = piped({**config, "max_batch_bytes": 20_000}, tmp_path, data)
        # then only the first bodies are refused
        assert run.exit_code == 0
        assert ids(emulator, "orders") == list(range(2_000))
    assert run.stderr.count("Split; later ones stay below ") == 3  # at 20, 10 and 5 kB


def test_a_lone_record_that_is_too_large_is_named(tmp_path: Path) -> None:
    with misbehaving("limit=1000", tmp_path) as (_, config):
        big = record({"id": 2, "name": "x" * 2_000})
        run = piped(config, tmp_path, tap_output(schema(), record({"id": 1}), big))
    assert run.exit_code == 1
    assert "413" in run.last_line
    assert 'That record is line 3 of the input (key {"id":2}).' in run.last_line


@pytest.mark.parametrize(
    ("fault", "expected_text"),
    [
        ("401", "Check the setting token"),
        ("403", "403 "),
        ("404", "404 "),
        ("405", "405 "),
        ("415", "415 "),
        ("422", "422 "),
    ],
)
def test_what_no_retry_mends_stops_at_once(fault: str, expected_text: str, tmp_path: Path) -> None:
    # given a service that refuses the second batch
    with misbehaving(f"ok,{fault}", tmp_path) as (emulator, config):
        config["max_parallel_requests"] = 1
        run = piped(config, tmp_path, two_tables())
        # then what came before it is safe, and nothing after it is sent
        assert run.exit_code == 1
        assert expected_text in run.last_line
        assert "Attempt 1" not in run.stderr
        assert len(ids(emulator, "orders") + ids(emulator, "events")) == 5
    assert run.states in ([], [{"at": 3}])
    assert is_clean(run)


def test_while_the_service_is_down_nothing_is_posted(tmp_path: Path) -> None:
    # given a maintenance window, in which a post would be answered 401
    with misbehaving("maintenance=2", tmp_path) as (emulator, config):
        run = piped(config, tmp_path, two_tables())
        assert (run.exit_code, ids(emulator, "events")) == (0, list(range(ROWS)))
    # then it was waited for, and the checks that failed alike are one line
    assert run.stderr.count(" of the status check failed: 503 ") == 1


def test_a_window_longer_than_the_budget_ends_the_run(tmp_path: Path) -> None:
    with misbehaving("maintenance=99999", tmp_path) as (emulator, config):
        run = piped({**config, "max_retry_seconds": 0.5}, tmp_path, two_tables())
        assert (run.exit_code, run.stdout, list_tables(emulator.database)) == (75, b"", [])
    assert "given up after" in run.last_line
    assert "Down for maintenance" in run.last_line


def test_without_the_check_the_posts_decide(tmp_path: Path) -> None:
    with misbehaving("maintenance=99999", tmp_path) as (emulator, config):
        run = piped({**config, "check_status": False}, tmp_path, two_tables())
        assert (run.exit_code, ids(emulator, "events")) == (0, list(range(ROWS)))


def test_a_nan_is_sent_as_null(tmp_path: Path) -> None:
    # given the values that Python taps write and JSON lacks
    lines = [
        schema(properties={"id": {"type": "integer"}, "x": {"type": ["null", "number"]}}),
        '{"type": "RECORD", "stream": "orders", "record": {"id": 1, "x": NaN}}',
        '{"type": "RECORD", "stream": "orders", "record": {"id": 2, "x": -Infinity}}',
    ]
    with misbehaving("ok", tmp_path) as (emulator, config):
        run = piped(config, tmp_path, tap_output(*lines))
        # then they arrive as null, with one warning
        assert run.exit_code == 0
        assert {row["id"]: row["x"] for row in read_table(emulator.database, "orders")} == {
            1: None,
            2: None,
        }
    assert run.stderr.count("has NaN or Infinity") == 1

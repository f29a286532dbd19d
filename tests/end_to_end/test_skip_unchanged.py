"""Rows that have not changed are not sent again, and never is one left out that Stitch lacks."""

from __future__ import annotations

import fcntl
import json
import logging
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import loaded, piped
from tests.support.service import ACCEPTED, HANG_UP

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Request, Service, ServiceResponse

COLUMNS = {"id": {"type": "integer"}, "v": {"type": ["null", "string", "number"]}}
BUSY = (503, b'{"message": "busy"}', {"Retry-After": "0"})


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, Any]:
    """Return the settings that leave out what has not changed."""
    return {"skip_unchanged": str(tmp_path / "rows.db")}


def load(service: Service, settings: dict[str, Any], *lines: str) -> list[Any]:
    """Load lines behind a SCHEMA; return what the service got of them."""
    before = len(service.requests)
    _, error = loaded(service.config(**settings), tap_output(schema("orders", COLUMNS), *lines))
    assert error is None
    return sent(service, before)


def sent(service: Service, before: int = 0) -> list[Any]:
    """Return the data of all records that came from one request on."""
    messages = [each for request in service.requests[before:] for each in request.batch["messages"]]
    return [message["data"] for message in messages if "data" in message]


def test_a_second_full_load_sends_what_changed(service: Service, rows: dict[str, Any]) -> None:
    # given a table that was loaded
    first = [record({"id": place, "v": "a"}) for place in range(50)]
    assert len(load(service, rows, *first, state({"n": 1}))) == 50
    # when it is read again with one row changed, one new, and all in other bytes
    again = [record(f'{{ "v" : "\\u0061",  "id":{place}}}') for place in range(49)]
    again += [record({"id": 49, "v": "b"}), record({"id": 50, "v": "c"})]
    found = load(service, rows, *again, state({"n": 2}))
    # then only these two are sent
    assert found == [{"id": 49, "v": "b"}, {"id": 50, "v": "c"}]


def test_unchanged_records_are_counted_in_the_summary(
    service: Service, rows: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    # given a table that was loaded
    lines = [record({"id": place}) for place in range(3)]
    load(service, rows, *lines)
    # when the same comes again
    caplog.set_level(logging.INFO, "target-stitch-import")
    load(service, rows, *lines)
    # then the summary and its event count it
    (run,) = [each for each in caplog.records if getattr(each, "event_name", "") == "run_summary"]
    assert "3 unchanged" in run.getMessage()
    assert run.unchanged == 3  # type: ignore[attr-defined]


def test_a_number_is_another_one_by_its_last_digit(service: Service, rows: dict[str, Any]) -> None:
    # given a number that a float can't hold
    load(service, rows, record('{"id":1,"v":0.1}'))
    # then another one that a float would not tell apart is sent
    assert len(load(service, rows, record('{"id":1,"v":0.1000000000000000001}'))) == 1


def test_columns_that_are_ignored_send_no_row_again(service: Service, rows: dict[str, Any]) -> None:
    # given a row with a column that is ignored, and one that taps write anew in each run
    settings = {**rows, "skip_unchanged_ignore": ["seen"]}
    load(service, settings, record({"id": 1, "seen": 1, "_sdc_sync_started_at": 1}))
    # then a change of these is none, but one of _sdc_deleted_at is
    again = {"id": 1, "seen": 2, "_sdc_sync_started_at": 2}
    assert load(service, settings, record(again)) == []
    deleted = {**again, "_sdc_deleted_at": "2024-01-01T00:00:00Z"}
    assert load(service, settings, record(deleted)) == [deleted]


def test_a_column_that_is_no_longer_ignored_sends_its_rows_again(
    service: Service, rows: dict[str, Any]
) -> None:
    # given a row with a column that is ignored
    load(service, {**rows, "skip_unchanged_ignore": ["seen"]}, record({"id": 1, "seen": 1}))
    # when it counts again, and the row comes without it
    # then Stitch gets that
    assert load(service, rows, record({"id": 1})) == [{"id": 1}]


def test_of_several_versions_in_a_run_each_counts_against_the_one_before(
    service: Service, rows: dict[str, Any]
) -> None:
    # given a row
    load(service, rows, record({"id": 1, "v": "a"}))
    # when it changes and changes back within a run
    lines = [record({"id": 1, "v": v}) for v in ("a", "b", "b", "a", "a")]
    # then each change is sent, and none of the copies
    assert [each["v"] for each in load(service, rows, *lines)] == ["b", "a"]
    assert load(service, rows, record({"id": 1, "v": "a"})) == []


def test_a_row_that_changed_back_while_an_answer_was_lost_is_sent(
    service: Service, rows: dict[str, Any]
) -> None:
    # given a row, and a run whose request arrived and was never answered
    load(service, rows, record({"id": 1, "v": "a"}))
    service.answer = lambda _: HANG_UP
    data = tap_output(schema("orders", COLUMNS), record({"id": 1, "v": "b"}))
    _, error = loaded(service.config(**rows, max_retry_seconds=0), data)
    assert error is not None
    # when the row is as before again
    service.answer = lambda _: ACCEPTED
    # then it is sent
    assert load(service, rows, record({"id": 1, "v": "a"})) == [{"id": 1, "v": "a"}]


def test_a_record_that_is_refused_is_no_known_row(
    service: Service, rows: dict[str, Any], tmp_path: Path
) -> None:
    # given a service that refuses a record of a row that it has
    load(service, rows, record({"id": 1, "v": "a"}), record({"id": 2, "v": "a"}))

    def answer(request: Request) -> ServiceResponse:
        values = [message["data"]["v"] for message in request.batch["messages"]]
        if "bad" not in values:
            return ACCEPTED
        text = f"Record {values.index('bad')} did not conform to schema: #/v: bad"
        return 400, json.dumps({"error": text}).encode(), {}

    service.answer = answer
    settings = {
        **rows,
        "on_invalid_record": "quarantine",
        "quarantine_path": str(tmp_path / "quarantine.jsonl"),
    }
    bad = [record({"id": 1, "v": "bad"}), record({"id": 2, "v": "b"})]
    load(service, settings, *bad)
    # then it is tried again, and the one beside it is not
    service.answer = lambda _: ACCEPTED
    assert load(service, rows, *bad) == [{"id": 1, "v": "bad"}]


def test_equal_keys_are_one_row_however_they_are_written(
    service: Service, rows: dict[str, Any]
) -> None:
    # given keys that are a number and a time
    keys = {"id": {"type": "number"}, "at": {"type": "string", "format": "date-time"}}
    declared = schema("orders", {**keys, "v": {"type": "string"}}, ["id", "at"])

    def row(number: str, time: str, value: str) -> str:
        return record(f'{{"id":{number},"at":"{time}","v":"{value}"}}')

    lines = [
        row("1", "2024-01-01T00:00:00Z", "a"),
        row("1.0", "2024-01-01T01:00:00+01:00", "b"),
        row("1", "2024-01-01T00:00:00Z", "a"),
    ]
    # when a row comes three times, written differently
    for line in lines:
        _, error = loaded(service.config(**rows), tap_output(declared, line))
        assert error is None
    # then the third is sent, as the second has replaced the first in Stitch
    assert [each["v"] for each in sent(service)] == ["a", "b", "a"]


def test_a_version_that_stitch_drops_for_its_sequence_is_not_known(
    service: Service, rows: dict[str, Any]
) -> None:
    # given two versions of a row with one time, in two runs: Stitch drops the second
    time = "2024-01-01T00:00:00Z"
    load(service, rows, record({"id": 1, "v": "a"}, time_extracted=time))
    load(service, rows, record({"id": 1, "v": "b"}, time_extracted=time))
    # then the second is sent again, when it has a newer time
    newer = record({"id": 1, "v": "b"}, time_extracted="2024-01-02T00:00:00Z")
    assert load(service, rows, newer) == [{"id": 1, "v": "b"}]


def test_a_changed_schema_sends_its_rows_again(service: Service, rows: dict[str, Any]) -> None:
    # given a row
    load(service, rows, record({"id": 1}))
    # when it comes under another schema
    columns = {**COLUMNS, "new": {"type": "string"}}
    data = tap_output(schema("orders", columns), record({"id": 1}))
    before = len(service.requests)
    loaded(service.config(**rows), data)
    # then it is sent
    assert sent(service, before) == [{"id": 1}]


def test_versions_are_not_sent_and_a_warning_says_what_stays(
    service: Service, rows: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    # when a full load is loaded
    load(service, rows, activate(1), record({"id": 1}, version=1), activate(1))
    # then nothing of its version is sent
    (request,) = [each for each in service.requests if each.body]
    assert "table_version" not in request.batch
    assert len(request.batch["messages"]) == 1
    # and one warning says that deleted rows stay
    warned = [each for each in caplog.records if "rows that are gone" in each.getMessage()]
    assert len(warned) == 1


@pytest.mark.parametrize("settings", [{}, {"load_method": "append-only"}])
def test_tables_without_keys_are_loaded_as_ever(
    service: Service, rows: dict[str, Any], settings: dict[str, Any]
) -> None:
    # given a stream without keys, or a load method that sends none
    keys = ["id"] if settings else []
    data = tap_output(schema("orders", COLUMNS, keys), record({"id": 1}, version=7), activate(7))
    # when it is loaded twice
    for _ in range(2):
        _, error = loaded(service.config(**rows, **settings), data)
        assert error is None
    # then its records and versions come twice
    assert sent(service) == [{"id": 1}, {"id": 1}]
    assert {request.batch["table_version"] for request in service.requests} == {7}


def test_a_preview_says_how_many_rows_are_unchanged(
    service: Service, rows: dict[str, Any], tmp_path: Path
) -> None:
    # given two tables that were loaded
    columns = tap_output(schema("orders", COLUMNS), schema("users", COLUMNS))
    loaded_before = [record({"id": 1}), record({"id": 1}, "users"), record({"id": 2}, "users")]
    loaded(service.config(**rows), columns + tap_output(*loaded_before))
    # when a dry run reads them again, with one row more in the first
    again = columns + tap_output(*loaded_before, record({"id": 2}))
    run = piped(service.config(**rows), tmp_path, again, "--dry-run", "--format", "json")
    # then it counts for each table what is sent, and what is not
    tables = {each["name"]: each for each in json.loads(run.stdout)["tables"]}
    assert (tables["orders"]["rows"], tables["orders"]["unchanged_rows"]) == (1, 1)
    assert (tables["users"]["rows"], tables["users"]["unchanged_rows"]) == (0, 2)
    # and so does the text
    text = piped(service.config(**rows), tmp_path, again, "--dry-run").stderr
    assert "1 row, 1 billable row, 1 unchanged" in text
    assert "0 rows, 0 billable rows, 2 unchanged" in text


def test_a_dry_run_says_what_is_unchanged_and_changes_no_file(
    service: Service, rows: dict[str, Any], tmp_path: Path
) -> None:
    # given a table that was loaded
    load(service, rows, record({"id": 1}), record({"id": 2}))
    config = service.config(**rows)
    data = tap_output(schema("orders", COLUMNS), record({"id": 1}), record({"id": 3}))
    # when a dry run reads it again, twice
    runs = [piped(config, tmp_path, data, "--dry-run") for _ in range(2)]
    # then both say the same, as none of them is remembered
    for run in runs:
        assert "orders: 1 record, " in run.stderr
        assert "; 1 unchanged" in run.stderr
    # and without the file, none is made
    missing = {**config, "skip_unchanged": str(tmp_path / "missing.db")}
    assert "orders: 2 records, " in piped(missing, tmp_path, data, "--dry-run").stderr
    assert not (tmp_path / "missing.db").exists()


# Killed

KILLED_AT = {
    "before the digest is removed": "RowStore.post",
    "before the post": "ImportClient.post",
    "before the acknowledgement": "RowStore.acknowledge",
    "before the STATE": "StateWriter.__call__",
}
STARTER = """
import os, signal
from target_stitch_import.api.client import ImportClient
from target_stitch_import.cli import main
from target_stitch_import.delivery.pipeline import StateWriter
from target_stitch_import.unchanged.store import RowStore
def kill(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
{} = kill
main()
"""


@pytest.mark.parametrize("place", KILLED_AT)
def test_a_kill_at_any_instant_leaves_out_no_row(
    emulator: Emulator, tmp_path: Path, rows: dict[str, Any], place: str
) -> None:
    # given a row, and a starter that kills the process at an instant
    config = {"token": "t", "api_url": emulator.url, **rows}
    starter = tmp_path / "starter.py"
    starter.write_text(STARTER.format(KILLED_AT[place]))

    def data(value: str) -> bytes:
        return tap_output(schema("orders", COLUMNS), record({"id": 1, "v": value}), state({"n": 1}))

    assert loaded(config, data("a"))[1] is None
    # when it changes, and the run is killed
    run = piped(config, tmp_path, data("b"), starter=str(starter))
    assert run.exit_code == -9
    assert run.states == []
    # and it has changed back before the next run
    assert loaded(config, data("a"))[1] is None
    # then the table has it so
    assert [row["v"] for row in read_table(emulator.database, "orders")] == ["a"]


# The file


def failure(service: Service, settings: dict[str, Any]) -> str:
    """Load a row; return what went wrong, after which nothing was sent."""
    before = len(service.requests)
    data = tap_output(schema("orders", COLUMNS), record({"id": 1}))
    try:
        error = loaded(service.config(**settings), data)[1]
    except Exception as raised:  # noqa: BLE001 - of the kind that loaded does not return
        error = raised
    assert error is not None
    assert len(service.requests) == before
    return str(error)


def test_a_file_of_another_pipe_is_refused(service: Service, rows: dict[str, Any]) -> None:
    # given the file of one pipe
    load(service, rows, record({"id": 1}))
    # then another endpoint, address or set of stream maps is refused
    other: list[tuple[str, dict[str, Any]]] = [
        ("endpoint", {"endpoint": "push", "client_id": 1}),
        ("API address", {"api_url": "http://127.0.0.1:1"}),
        ("set of stream maps", {"stream_maps": {"orders": {"v": "'x'"}}}),
    ]
    for name, settings in other:
        config = {**service.config(**rows), **settings}
        assert f"was made for another {name}" in failure(service, config)
    # and another token is not
    assert load(service, {**rows, "token": "rotated"}, record({"id": 1})) == []


def test_a_file_that_another_run_has_is_refused(
    service: Service, rows: dict[str, Any], tmp_path: Path
) -> None:
    # given a lock of the system's on the file
    with (tmp_path / "rows.db.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # then a run ends before anything is sent
        assert "in use by another run" in failure(service, rows)
    # and goes on once the lock is gone
    assert load(service, rows, record({"id": 1})) == [{"id": 1}]


def test_a_damaged_file_is_refused(service: Service, rows: dict[str, Any], tmp_path: Path) -> None:
    # given a file that is no database, and one with a page that is damaged
    path = tmp_path / "rows.db"
    path.write_bytes(b"no database" * 1_000)
    assert "can't be used: file is not a database" in failure(service, rows)
    path.unlink()
    load(service, rows, *[record({"id": place}) for place in range(2_000)])
    content = bytearray(path.read_bytes())
    content[-4096 * 3 : -4096] = b"\xff" * 4096 * 2
    path.write_bytes(content)
    # then a run ends before anything is sent
    assert "can't be used" in failure(service, rows)


def test_a_file_of_another_format_is_refused(service: Service, rows: dict[str, Any]) -> None:
    # given a file that a later version has written
    load(service, rows, record({"id": 1}))
    with sqlite3.connect(rows["skip_unchanged"]) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    # then it is refused
    assert "has format 99" in failure(service, rows)


def test_a_folder_that_is_missing_is_named(service: Service, tmp_path: Path) -> None:
    missing = {"skip_unchanged": str(tmp_path / "missing" / "rows.db")}
    reason = f"the folder of {tmp_path / 'missing' / 'rows.db'} does not exist"
    assert reason in failure(service, missing)
    assert "can't be used" in failure(service, {"skip_unchanged": "rows\0.db"})


def test_a_disk_that_is_full_ends_the_run_before_the_post(
    service: Service, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a file that may not grow
    load(service, rows, record({"id": 1}))
    connect = sqlite3.connect

    def full(*args: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **more)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(sqlite3, "connect", full)
    # when many rows come
    before = len(service.requests)
    many = [record({"id": place, "v": "x"}) for place in range(5_000)]
    _, error = loaded(service.config(**rows), tap_output(schema("orders", COLUMNS), *many))
    # then the run ends, and none of them is sent
    assert "disk is full" in str(error)
    assert sent(service, before) == []


def test_forget_sends_a_table_again_or_all(
    service: Service, rows: dict[str, Any], tmp_path: Path
) -> None:
    # given two tables
    both = tap_output(
        schema("orders", COLUMNS),
        record({"id": 1}),
        schema("users", COLUMNS),
        record({"id": 1}, "users"),
    )
    loaded(service.config(**rows), both)
    config = service.config(**rows)

    def tables() -> set[str]:
        before = len(service.requests)
        loaded(config, both)
        return {request.batch["table_name"] for request in service.requests[before:]}

    # then what is forgotten is sent again
    assert tables() == set()
    assert piped(config, tmp_path, b"", "--forget", "users").exit_code == 0
    assert tables() == {"users"}
    assert piped(config, tmp_path, b"", "--forget").exit_code == 0
    assert tables() == {"orders", "users"}
    # and a table that is not there is named, with those that are
    run = piped(config, tmp_path, b"", "--forget", "order")
    assert run.exit_code == 1
    assert "has no table 'order'; it has: orders, users" in run.last_line
    # and so is a file that is not there, which is not created
    elsewhere = tmp_path / "row.db"
    run = piped({**config, "skip_unchanged": str(elsewhere)}, tmp_path, b"", "--forget", "orders")
    assert run.exit_code == 1
    assert f"there is no file {elsewhere}" in run.last_line
    assert not elsewhere.exists()
    # and so is a variable that is empty
    run = piped(config, tmp_path, b"", "--forget", "")
    assert "--forget has an empty table name" in run.stderr
    assert tables() == set()
    # and without the setting there is nothing to forget
    run = piped(service.config(), tmp_path, b"", "--forget")
    assert "--forget needs the setting skip_unchanged" in run.stderr


def test_forget_removes_no_file_of_others(service: Service, tmp_path: Path) -> None:
    # given a setting that names a file of somebody else
    path = tmp_path / "precious.json"
    path.write_text("[1, 2, 3]")
    # when it is to be forgotten
    config = service.config(skip_unchanged=str(path))
    run = piped(config, tmp_path, b"", "--forget")
    # then it stays
    assert run.exit_code == 1
    assert f"{path} is not a file of this target and is not removed" in run.last_line
    assert path.read_text() == "[1, 2, 3]"


def test_without_it_nothing_of_it_is_imported(service: Service) -> None:
    # given a target without the setting, in a process of its own
    script = (
        "import io, json, sys\n"
        "from target_stitch_import.target import TargetStitchImport\n"
        "lines = io.BytesIO(sys.argv[2].encode())\n"
        "TargetStitchImport(config=json.loads(sys.argv[1])).load(lines)\n"
        "print([name for name in sys.modules if '.unchanged' in name])\n"
    )
    lines = tap_output(schema("orders", COLUMNS), record({"id": 1}))
    # when it has loaded a record
    command = [sys.executable, "-c", script, json.dumps(service.config()), lines.decode()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # then the package, which imports SQLite, is not there
    assert done.stdout == "[]\n"

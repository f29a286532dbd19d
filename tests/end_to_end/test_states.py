"""A STATE is written only when every record before it is acknowledged."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from tests.support.messages import record, schema, state, tap_output
from tests.support.running import COMMAND, environment, loaded, piped, started, wait_for
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service, ServiceResponse


def test_a_state_after_every_record_costs_no_request_of_its_own(service: Service) -> None:
    # given a tap that writes a STATE after each of a thousand records
    lines = [line for n in range(1000) for line in (record({"id": n}), state({"n": n}))]
    # when it is loaded
    states, error = loaded(service.config(), tap_output(schema(), *lines))
    # then one request carries all, and the last STATE stands for the others
    assert error is None
    assert len(service.requests) == 1
    assert states == [b'{"n": 999}']


def test_a_state_goes_as_soon_as_it_may_also_while_the_tap_is_held_back(service: Service) -> None:
    # given a tap that is ahead of the service, and writes a STATE after every record
    lines = [line for n in range(50) for line in (record({"id": n}), state({"n": n}))]
    # when each record is a request, and one goes at a time
    config = service.config(batch_size_rows=1, max_parallel_requests=1)
    states, error = loaded(config, tap_output(schema(), *lines), line_by_line=True)
    # then the STATE behind each is written with its acknowledgement
    assert error is None
    assert states == [f'{{"n": {n}}}'.encode() for n in range(50)]


def test_parallel_answers_in_reverse_order_do_not_let_a_state_run_ahead(tmp_path: Path) -> None:
    # given a service that answers the first of three batches last
    others_answered, may_answer = threading.Barrier(3), threading.Event()

    def answer(request: Request) -> ServiceResponse:
        if request.batch["messages"][0]["data"]["id"] == 0:
            may_answer.wait(60)
        else:
            others_answered.wait(60)
        return ACCEPTED

    lines = [line for n in range(3) for line in (record({"id": n}), state({"n": n}))]
    with running_service(answer) as service:
        config = service.config(batch_size_rows=1, max_parallel_requests=3)
        with started(config, tmp_path, LOGLEVEL="WARNING") as process:
            assert process.stdin is not None
            assert process.stdout is not None
            # when they are loaded
            process.stdin.write(tap_output(schema(), *lines))
            process.stdin.close()
            others_answered.wait(60)
            # then nothing is written before the first is answered, and then the newest comes
            assert select.select([process.stdout], [], [], 0.5)[0] == []
            may_answer.set()
            assert process.stdout.read().splitlines()[-1] == b'{"n": 2}'
            assert process.wait(60) == 0


def test_a_failed_batch_holds_its_states_back_for_ever() -> None:
    # given a service that refuses the second of three batches
    def answer(request: Request) -> ServiceResponse:
        if request.batch["messages"][0]["data"]["id"] == 1:
            return 400, b'{"error": "Record 0 did not conform to schema"}', {}
        return ACCEPTED

    lines = [line for n in range(3) for line in (record({"id": n}), state({"n": n}))]
    with running_service(answer) as service:
        # when they are loaded
        config = service.config(batch_size_rows=1, max_parallel_requests=3)
        states, error = loaded(config, tap_output(schema(), *lines), line_by_line=True)
    # then only the STATE before it is written, and the reason names the record
    assert states == [b'{"n": 0}']
    assert "Record 0 did not conform" in str(error)
    assert 'line 4 of the input (key {"id":1})' in str(error)


def test_a_state_that_may_go_is_written_although_the_next_batch_fails() -> None:
    # given a service that refuses everything, and a STATE before the first record
    lines = [schema(), state({"n": 0}), *[record({"id": n}) for n in range(3)], state({"n": 3})]
    with running_service(lambda _: (400, b'{"error": "no"}', {})) as service:
        # when the failure comes in the middle of what was read
        config = service.config(batch_size_rows=1, max_parallel_requests=1)
        states, error = loaded(config, tap_output(*lines), line_by_line=True)
    # then the STATE that waits for nothing is written all the same
    assert "could not be delivered" in str(error)
    assert states == [b'{"n": 0}']


def test_streams_that_rarely_write_do_not_hold_the_state_back(
    service: Service, tmp_path: Path
) -> None:
    # given three hundred streams of which one goes on writing
    names = [f"stream_{n}" for n in range(300)]
    config = service.config(max_batch_age_seconds=0.5)
    # nobody reads stderr here, and what is said of 300 streams at the end would fill its pipe
    with started(config, tmp_path, LOGLEVEL="WARNING") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = [line for name in names for line in (schema(name), record({"id": 1}, name))]
        process.stdin.write(tap_output(*first, state({"n": 0})))
        process.stdin.flush()
        written = threading.Event()
        lines: list[bytes] = []

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                written.set()

        reader = threading.Thread(target=read)
        reader.start()
        # when that one never falls silent
        place = 1
        while not written.wait(0.02) and place < 3000:
            process.stdin.write(tap_output(record({"id": place}, names[0]), state({"n": place})))
            process.stdin.flush()
            place += 1
        # then a STATE is written all the same, long before the tap ends
        assert written.is_set()
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(60) == 0
        reader.join()
    numbers = [json.loads(line)["n"] for line in lines]
    assert numbers == sorted(numbers)
    assert numbers[-1] == place - 1
    assert len({request.batch["table_name"] for request in service.requests}) == 300


def test_empty_and_missing_states_are_never_written(service: Service, tmp_path: Path) -> None:
    # given a tap that writes a STATE, and then an empty and a null one
    lines = [state({"a": 1}), state({}), state(None), '{"type": "STATE", "value": { } }']
    # when it is loaded
    run = piped(service.config(), tmp_path, tap_output(*lines))
    # then the good one is not overwritten
    assert (run.exit_code, run.stdout) == (0, b'{"a": 1}\n')


def test_a_state_that_is_no_object_is_refused(service: Service, tmp_path: Path) -> None:
    # given a tap that writes a number for a STATE
    run = piped(service.config(), tmp_path, tap_output(state({"a": 1}), state(5)))
    # then the line is named, and the STATE before it is written
    assert run.exit_code == 1
    assert run.states == [{"a": 1}]
    assert "Line 2 of the input: the value of a STATE is not a JSON object" in run.last_line


def test_a_state_waits_for_a_reader_that_is_slow(service: Service, tmp_path: Path) -> None:
    # given a stdout that does not block, and is full
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    (tmp_path / "config.json").write_text(json.dumps(service.config()))
    process = subprocess.Popen(
        [COMMAND, "--config", str(tmp_path / "config.json")],
        stdin=subprocess.PIPE,
        stdout=writer,
        env=environment(),
    )
    os.close(writer)
    assert process.stdin is not None
    with process, process.stdin, os.fdopen(reader, "rb") as stdout:
        process.stdin.write(tap_output(schema(), record({"id": 1}), state({"at": 1})))
        process.stdin.close()
        # when all is delivered, and somebody reads on
        wait_for(lambda: service.ids)
        read = stdout.read()
    # then the STATE is there
    assert process.returncode == 0
    assert read.endswith(b'x{"at": 1}\n')


FULL = """
import resource
from target_stitch_import.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
main()
"""
"""Starts the target where a file can't have more than a thousand bytes."""


def test_a_disk_that_is_full_leaves_whole_states(service: Service, tmp_path: Path) -> None:
    # given a file for STATEs, with one of an earlier run, on a disk that has no room for a long one
    path = tmp_path / "states.jsonl"
    path.write_text('{"at": 0}\n')
    (tmp_path / "full.py").write_text(FULL)
    (tmp_path / "config.json").write_text(json.dumps(service.config(batch_size_rows=1)))
    lines = tap_output(
        schema(),
        *(record({"id": 1}), state({"at": 1})),
        *(record({"id": 2}), state({"at": 2, "long": "x" * 2_000})),
    )
    # when a run appends its STATEs to it
    with path.open("ab") as stdout:
        ended = subprocess.run(
            [sys.executable, str(tmp_path / "full.py"), "--config", str(tmp_path / "config.json")],
            input=lines,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    # then everything is delivered, the run fails, and the last line is a whole STATE
    assert (ended.returncode, sorted(service.ids)) == (1, [1, 2])
    assert b"a STATE is lost" in ended.stderr
    assert json.loads(path.read_bytes().splitlines()[-1])["at"] < 2
    assert path.read_bytes().endswith(b"}\n")

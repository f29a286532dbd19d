"""Batches on their way: how many, over what, and when."""

from __future__ import annotations

import itertools
import os
import select
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.messages import record, schema, state, tap_output
from tests.support.running import loaded, piped, started
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service, ServiceResponse


def records(count: int, stream: str = "orders") -> list[str]:
    return [record({"id": place}, stream) for place in range(count)]


@pytest.mark.parametrize("parallel", [1, 3])
def test_so_many_requests_are_in_flight_over_as_many_connections(parallel: int) -> None:
    # given a service that answers only once as many requests are there as may be
    together = threading.Barrier(parallel, timeout=60)

    def answer(_: Request) -> ServiceResponse:
        together.wait()
        return ACCEPTED

    # when twelve batches are loaded
    with running_service(answer) as service:
        config = service.config(batch_size_rows=1, max_parallel_requests=parallel)
        _, error = loaded(config, tap_output(schema(), *records(12)))
        # then never more were there at once, and the connections were kept alive
        assert error is None
        assert service.most_at_once == parallel
        assert len({request.connection for request in service.requests}) == parallel
        assert sorted(service.ids) == list(range(12))


def test_the_tap_is_slowed_while_the_service_is_slow(tmp_path: Path) -> None:
    # given a service that does not answer yet
    may_answer = threading.Event()

    def answer(_: Request) -> ServiceResponse:
        may_answer.wait(120)
        return ACCEPTED

    with running_service(answer) as service:
        config = service.config(batch_size_rows=1, max_parallel_requests=2)
        # and a log that nobody reads, so that it must not be long
        with started(config, tmp_path, LOGLEVEL="WARNING") as process:
            assert process.stdin is not None
            # when a tap writes far more than the batches in flight and a pipe hold
            padded = [record({"id": place, "name": "x" * 10_000}) for place in range(500)]
            data = tap_output(schema(), *padded)
            descriptor = process.stdin.fileno()
            os.set_blocking(descriptor, False)
            written = 0
            while select.select([], [descriptor], [], 1.0)[1] and written < len(data):
                written += os.write(descriptor, data[written : written + 4096])
            # then it has to wait with the rest
            assert written < len(data) / 2
            may_answer.set()
            os.set_blocking(descriptor, True)
            process.stdin.write(data[written:])
            process.stdin.close()
            assert process.wait(60) == 0
        assert len(service.ids) == 500


def test_a_quiet_tap_is_served_without_its_next_line(service: Service, tmp_path: Path) -> None:
    # given a tap that writes a record and a STATE, and then says nothing more
    with started(service.config(max_batch_age_seconds=0.2), tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(tap_output(schema(), record({"id": 1}), state({"at": 1})))
        process.stdin.flush()
        # when the batch is old enough
        line = process.stdout.readline()
        # then the record is there and the STATE is written, while the tap still lives
        assert line == b'{"at": 1}\n'
        assert service.ids == [1]
        # and so it is with what it says next
        process.stdin.write(tap_output(record({"id": 2}), state({"at": 2})))
        process.stdin.flush()
        assert process.stdout.readline() == b'{"at": 2}\n'
        assert service.ids == [1, 2]
        process.stdin.close()
        assert process.wait(60) == 0


def test_an_input_file_may_stand_in_for_the_pipe(service: Service, tmp_path: Path) -> None:
    # given a tap's output in a file
    path = tmp_path / "tap.singer"
    path.write_bytes(tap_output(schema(), record({"id": 1}), state({"at": 1})))
    # when it is named
    run = piped(service.config(), tmp_path, b"", "--input", str(path))
    # then it is loaded
    assert (run.exit_code, run.states, service.ids) == (0, [{"at": 1}], [1])


def test_what_is_not_read_is_not_held(service: Service, tmp_path: Path) -> None:
    # given a line that fails in the middle of the input
    lines = [schema(), record({"id": 1}), state({"at": 1}), "no JSON", record({"id": 2})]
    # when it is loaded
    run = piped(service.config(), tmp_path, tap_output(*lines))
    # then what came before is there with its STATE, and the reason has the line's number
    assert run.exit_code == 1
    assert service.ids == [1]
    assert run.states == [{"at": 1}]
    assert "Line 4 of the input: it is not JSON" in run.last_line
    assert "Traceback" not in run.stderr


def test_an_input_that_stops_before_its_first_line_is_no_failure(
    service: Service, tmp_path: Path
) -> None:
    # given a tap with nothing to say
    # when it is loaded
    run = piped(service.config(), tmp_path, b"")
    # then nothing is sent, nothing is written, and that is fine
    assert (run.exit_code, run.stdout, service.requests) == (0, b"", [])


def test_a_closed_stdout_does_not_stop_the_delivery(service: Service, tmp_path: Path) -> None:
    # given a reader of STATEs that has gone
    with started(service.config(batch_size_rows=1), tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        # when a stream with STATEs is loaded
        lines = [
            line for place in range(5) for line in (record({"id": place}), state({"a": place}))
        ]
        process.stdin.write(tap_output(schema(), *lines))
        process.stdin.close()
        stderr = process.stderr.read().decode()
        # then every record arrives, and the exit code tells of the STATEs
        assert process.wait(60) == 1
    assert sorted(service.ids) == list(range(5))
    assert "a STATE is lost" in stderr
    assert "BrokenPipeError" not in stderr.replace("([Errno 32] Broken pipe)", "")


@pytest.mark.parametrize("taken", [True, False])
def test_an_interim_answer_is_no_acknowledgement(service: Service, taken: bool) -> None:
    # given a proxy that sends an early hint, and a moment later what the service answers
    service.interim = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    service.answer = lambda _: ACCEPTED if taken else (503, b"", {})
    # when a record is loaded
    lines = [schema(), record({"id": 1}), state({"at": 1})]
    states, error = loaded(service.config(max_retry_seconds=0), tap_output(*lines))
    # then the STATE is written if the service took it, and only then
    assert (states, error is None) == ([b'{"at": 1}'] if taken else [], taken)
    assert len(service.requests) == 1


def test_large_bodies_arrive_whole_whatever_becomes_of_them(tmp_path: Path) -> None:
    # given 24 MB of records, and a service that is busy at each third post and takes less than 3 MB
    records = [f'{{"id": {place}, "name": "{place:0790d}"}}' for place in range(30_000)]
    taken: list[bytes] = []
    posts = itertools.count(1)

    def answer(request: Request) -> ServiceResponse:
        if len(request.body) >= 3_000_000:
            return 413, b"", {}
        if next(posts) % 3 == 0:
            return 503, b"", {}
        taken.extend(request.records)
        return ACCEPTED

    # when they are loaded, four bodies at a time
    with running_service(answer) as service:
        run = piped(service.config(), tmp_path, tap_output(schema(), *map(record, records)))
    # then each is there once, to the byte: no body has come into the memory of another too early
    assert run.exit_code == 0
    assert any(len(request.body) >= 1_500_000 for request in service.requests)
    assert sorted(taken) == sorted(each.encode() for each in records)

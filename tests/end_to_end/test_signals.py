"""A run that is asked to end, or is killed."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from target_stitch_import.delivery.pipeline import Terminated
from target_stitch_import.target import TargetStitchImport
from tests.support.messages import record, schema, state, tap_output
from tests.support.running import loaded, piped, started, wait_for
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.service import Service, ServiceResponse

BUSY: ServiceResponse = (503, b'{"message": "not now"}', {"Retry-After": "600"})
LINES = tap_output(schema(), record({"id": 1}), state({"at": 1}))
SHORT = """
from target_stitch_import.delivery import pipeline
pipeline.GRACE_SECONDS = 1.0
from target_stitch_import.cli import main
main()
"""

BEGINNING = """
import os
from target_stitch_import import cli
cli.keep_freed_memory = lambda: os.write(2, b"beginning\\n")
cli.main()
"""
"""Writes a line once the command has begun; before that, a signal would meet this file."""


@contextlib.contextmanager
def fed(
    service: Service, folder: Path, data: bytes, *, short: bool = False, **settings: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the target and feed it; the tap goes on living, and says nothing more.

    With ``short``, a signal leaves one second.
    """
    starter = folder / "short.py"
    starter.write_text(SHORT)
    chosen = str(starter) if short else None
    with started(service.config(**settings), folder, starter=chosen) as process:
        assert process.stdin is not None
        process.stdin.write(data)
        process.stdin.flush()
        yield process


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, str]:
    """Wait for the end; return the exit code, stdout and stderr."""
    assert process.stdout is not None
    assert process.stderr is not None
    exit_code = process.wait(60)
    stderr = process.stderr.read().decode()
    assert "Traceback" not in stderr
    return exit_code, process.stdout.read(), stderr


@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_what_is_held_is_sent_while_the_tap_is_silent(
    signum: int, exit_code: int, service: Service, tmp_path: Path
) -> None:
    # given a first batch that is sent, and a record that is held for thirty seconds
    lines = tap_output(schema(), *(record({"id": place}) for place in range(3)), state({"at": 3}))
    with fed(service, tmp_path, lines, batch_size_rows=2) as process:
        wait_for(lambda: service.requests)
        # when the signal comes
        process.send_signal(signum)
        # then that is sent too, its STATE is written, and the exit code says why
        code, stdout, stderr = ended(process)
    assert (code, stdout, service.ids) == (exit_code, b'{"at": 3}\n', [0, 1, 2])
    assert f"Ended by signal {signum}: all that came before it is delivered." in stderr


def test_a_wait_between_two_attempts_is_cut_short(tmp_path: Path) -> None:
    # given a service that asks to wait for ten minutes, and then would take the batch
    answers = iter([BUSY])
    with (
        running_service(lambda _: next(answers, ACCEPTED)) as service,
        fed(service, tmp_path, LINES, batch_size_rows=1) as process,
    ):
        _read_until(process, b"Next attempt in")
        # when the signal comes
        process.terminate()
        # then the next try begins at once
        assert ended(process)[:2] == (143, b'{"at": 1}\n')
    assert service.ids == [1, 1]


def _read_until(process: subprocess.Popen[bytes], word: bytes) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return
    pytest.fail("it was not said")


@pytest.mark.parametrize("stalls", [True, False])
def test_what_can_not_be_sent_in_time_is_given_up(stalls: bool, tmp_path: Path) -> None:
    # given a service that does not answer, or never takes anything
    over = threading.Event()

    def answer(_: Request) -> ServiceResponse:
        over.wait(60 if stalls else 0)
        return BUSY

    with (
        running_service(answer) as service,
        fed(service, tmp_path, LINES, short=True, batch_size_rows=1) as process,
    ):
        wait_for(lambda: service.requests)
        # when the signal comes
        process.terminate()
        # then the run ends within its time, without the STATE, and says so
        code, stdout, stderr = ended(process)
        over.set()
    assert (code, stdout) == (143, b"")
    assert "Ended by signal 15: " in stderr
    assert "could not be delivered" in stderr


def test_a_tap_that_is_held_back_is_no_hindrance(tmp_path: Path) -> None:
    # given a service that never takes anything, and more records than may be held
    data = tap_output(schema(), *(record({"id": place}) for place in range(100)))
    settings = {"batch_size_rows": 1, "max_parallel_requests": 2}
    with (
        running_service(lambda _: BUSY) as service,
        fed(service, tmp_path, data, short=True, **settings) as process,
    ):
        wait_for(lambda: len(service.requests) >= 2)
        # when the signal comes
        process.send_signal(signal.SIGINT)
        # then the run ends within its time
        assert ended(process)[:2] == (130, b"")


def test_a_signal_behind_the_end_of_the_input_counts_too(tmp_path: Path) -> None:
    # given a tap that has ended, and a service that is slow with the last batch
    may_answer = threading.Event()

    def answer(_: Request) -> ServiceResponse:
        may_answer.wait(60)
        return ACCEPTED

    with running_service(answer) as service, fed(service, tmp_path, LINES) as process:
        assert process.stdin is not None
        process.stdin.close()
        wait_for(lambda: service.requests)
        # when the signal comes, and then the answer
        process.terminate()
        _read_until(process, b"A signal asks to end")
        may_answer.set()
        # then all is delivered, and the exit code still tells of the signal
        assert ended(process)[:2] == (143, b'{"at": 1}\n')


def test_a_signal_that_follows_another_does_not_cut_it_short(tmp_path: Path) -> None:
    # given a service that answers late
    may_answer = threading.Event()

    def answer(_: Request) -> ServiceResponse:
        may_answer.wait(60)
        return ACCEPTED

    with (
        running_service(answer) as service,
        fed(service, tmp_path, LINES, batch_size_rows=1) as process,
    ):
        wait_for(lambda: service.requests)
        # when Ctrl-C is followed by SIGTERM and by another Ctrl-C at once, and by SIGTERM much later
        process.send_signal(signal.SIGINT)
        _read_until(process, b"A signal asks to end")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        threading.Event().wait(2.2)
        process.send_signal(signal.SIGTERM)
        threading.Event().wait(0.2)
        may_answer.set()
        # then what was read is delivered all the same
        code, stdout, stderr = ended(process)
    assert (code, stdout) == (130, b'{"at": 1}\n')
    assert "Ended by signal 2: all that came before it is delivered." in stderr


@pytest.mark.parametrize(("signum", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_same_signal_again_stops_at_once(signum: int, exit_code: int, tmp_path: Path) -> None:
    # given a service that does not answer
    over = threading.Event()

    def answer(_: Request) -> ServiceResponse:
        over.wait(60)
        return ACCEPTED

    with (
        running_service(answer) as service,
        fed(service, tmp_path, LINES, batch_size_rows=1) as process,
    ):
        wait_for(lambda: service.requests)
        process.send_signal(signum)
        _read_until(process, b"A signal asks to end")
        # when it comes again after two seconds
        threading.Event().wait(2.2)
        process.send_signal(signum)
        # then the run ends before the first one's time is over
        code, stdout, stderr = ended(process)
        over.set()
    assert (code, stdout) == (exit_code, b"")
    assert "Ended by signal" not in stderr


def test_a_stdout_that_nobody_reads_does_not_hold_it_up(service: Service, tmp_path: Path) -> None:
    # given STATEs that are larger than what a pipe holds, and nobody who reads them
    big = state({"at": "x" * 200_000})
    lines = [line for n in range(5) for line in (record({"id": n}), big.replace("x", str(n), 1))]
    path = tmp_path / "tap.singer"
    path.write_bytes(tap_output(schema(), *lines))
    starter = tmp_path / "short.py"
    starter.write_text(SHORT)
    config = service.config(batch_size_rows=1)
    with started(config, tmp_path, "--input", str(path), starter=str(starter)) as process:
        wait_for(lambda: service.requests)
        threading.Event().wait(0.5)
        # when the signal comes
        process.terminate()
        # then the run ends all the same
        assert process.wait(60) == 143


def handlers() -> list[object]:
    """Return what this process does at the signals that the target handles, and its alarm."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    return [*map(signal.getsignal, signals), signal.getitimer(signal.ITIMER_REAL)]


def test_a_process_that_goes_on_has_its_own_signals_again(service: Service) -> None:
    # given a program that loads what a tap writes, and a tap that says nothing more
    before = handlers()
    target = TargetStitchImport(config=service.config(batch_size_rows=1))
    assert handlers() != before
    reading, writing = os.pipe()
    os.write(writing, LINES)

    def answer(_: Request) -> ServiceResponse:
        os.kill(os.getpid(), signal.SIGTERM)
        return ACCEPTED

    service.answer = answer
    # when a signal asks the load to end
    try:
        with (
            os.fdopen(reading, "rb") as source,
            mock.patch("sys.stdout", io.TextIOWrapper(io.BytesIO())),
            pytest.raises(Terminated),
        ):
            target.load(source)
        # then the program goes on, with the signals that it had, and nothing ends it later
        assert handlers() == before
    finally:
        os.close(writing)
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize("data", [LINES, b"nonsense\n"])
def test_a_load_that_no_signal_ends_gives_them_back_too(data: bytes, service: Service) -> None:
    # given a program with an alarm of its own
    before = handlers()[:3]
    signal.setitimer(signal.ITIMER_REAL, 600)
    try:
        # when it loads something, and that succeeds or fails
        loaded(service.config(), data)
        # then its alarm is still set
        assert handlers()[:3] == before
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_a_load_in_another_thread_leaves_signals_alone(service: Service) -> None:
    before = handlers()
    thread = threading.Thread(target=loaded, args=(service.config(), LINES))
    thread.start()
    thread.join(30)
    assert (service.ids, handlers()) == ([1], before)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
def test_a_signal_while_it_starts_ends_it_quietly(
    signum: int, seconds: float, service: Service, tmp_path: Path
) -> None:
    # given a target that is still loading its modules, or has just begun
    starter = tmp_path / "beginning.py"
    starter.write_text(BEGINNING)
    with started(service.config(), tmp_path, starter=str(starter)) as process:
        _read_until(process, b"beginning")
        threading.Event().wait(seconds)
        # when a signal comes
        process.send_signal(signum)
        # then it ends by it, without a word of Python's
        assert process.wait(60) in (128 + signum, -signum)
        assert process.stderr is not None
        stderr = process.stderr.read()
    assert b"Traceback" not in stderr
    assert b"KeyboardInterrupt" not in stderr


def test_a_kill_at_any_instant_loses_nothing_that_a_state_covers(tmp_path: Path) -> None:
    # given a stream with a STATE behind each record
    lines = [line for n in range(300) for line in (record({"id": n}), state({"at": n}))]
    data = tap_output(schema(), *lines)
    for place in range(6):
        with running_service() as service:
            with started(service.config(batch_size_rows=3), tmp_path) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(data)
                process.stdin.flush()
                # when the process is killed at one instant or another
                wait_for(lambda at=10 * place, served=service: len(served.requests) > at)  # type: ignore[misc]
                os.kill(process.pid, signal.SIGKILL)
                process.wait(60)
                states = process.stdout.read().splitlines()
            # then the service has every record that the last STATE covers
            last = int(states[-1][7:-1]) if states else -1
            assert set(service.ids) >= set(range(last + 1))


@pytest.mark.parametrize(
    "column",
    [
        {"pattern": "^(?:(?:a|aa)+)+$"},
        {"patternProperties": {"^(?:(?:a|aa)+)+$": {"type": "null"}}},
    ],
)
def test_a_pattern_that_takes_years_loses_nothing(
    column: dict[str, object], service: Service, tmp_path: Path
) -> None:
    # given a record whose pattern takes years to be judged, behind one that is right
    value = "a" * 100 + "!"
    bad = {"id": 2, "code": value if "pattern" in column else {value: 1}}
    lines = tap_output(
        schema(properties={"id": {"type": "integer"}, "code": column}),
        record({"id": 1}),
        state({"at": 1}),
        record(bad),
    )
    # when the run comes to it
    run = piped(service.config(), tmp_path, lines)
    # then what came before is delivered, and the run ends with the line and the reason
    assert (run.exit_code, run.states, service.ids) == (1, [{"at": 1}], [1])
    assert "Line 4 of the input" in run.last_line
    assert "can't be judged within a second" in run.last_line


def test_a_signal_ends_a_run_whose_records_take_long(service: Service, tmp_path: Path) -> None:
    # given a thousand records that each take a second to be judged, and are set aside
    slow = [record({"id": place, "code": "a" * 100 + f"!{place}"}) for place in range(2, 1_000)]
    columns = {
        "id": {"type": "integer"},
        "code": {"type": "string", "pattern": "^(?:(?:a|aa)+)+!?$"},
    }
    settings: dict[str, Any] = {"on_invalid_record": "quarantine", "max_quarantined": 2_000}
    lines = tap_output(
        schema(properties=columns),
        record({"id": 1, "code": "a"}),
        state({"at": 1}),
        *slow,
        state({"at": 2}),
    )
    aside = tmp_path / "aside.jsonl"
    with fed(service, tmp_path, lines, quarantine_path=str(aside), **settings) as process:
        wait_for(lambda: aside.exists() and aside.stat().st_size)
        # when the signal comes while they are judged
        process.terminate()
        # then what came before is delivered, and the line is named
        code, stdout, stderr = ended(process)
    assert (code, stdout, service.ids) == (143, b'{"at": 1}\n', [1])
    assert "of the input was being judged when the run was asked to end" in stderr

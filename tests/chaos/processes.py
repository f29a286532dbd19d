"""Children of this process: forked, so that nothing is imported twice, and as good as fresh."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import backoff

import target_stitch_import.target  # noqa: F401 - once, for all children
from target_stitch_import.cli import main
from target_stitch_import.emulator import running_emulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = "token-of-chaos"
HURRY = 0.02
"""Waits between two tries are this much shorter than a user's."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Child:
    """A running target."""

    pid: int
    stdin: int
    stdout: int


@dataclass(frozen=True)
class Service:
    """A running emulator."""

    pid: int
    url: str
    hold: int
    """The emulator ends when nobody holds this any longer, however this process ends."""


def start_target(arguments: list[str], stderr: Path) -> Child:
    """Run the target as its command does, behind pipes."""
    stdin, to_stdin = os.pipe()
    from_stdout, stdout = os.pipe()
    log = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def work() -> int:
        _keep_only(stdin, stdout, log)
        backoff.full_jitter = lambda value: random.uniform(0, value) * HURRY
        try:
            sys.argv = ["target-stitch-import", *arguments]
            main()
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return 0

    pid = _forked(work)
    for descriptor in (stdin, stdout, log):
        os.close(descriptor)
    os.set_blocking(to_stdin, False)
    return Child(pid, to_stdin, from_stdout)


def start_emulator(database: Path, faults: str, stderr: Path, port: int = 0) -> Service:
    """Run an emulator that does wrong what ``faults`` says; at a free port, unless one is given."""
    from_url, url = os.pipe()
    kept_open, hold = os.pipe()
    log = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def work() -> int:
        _keep_only(kept_open, url, log)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        logging.basicConfig(format="%(message)s")
        logging.getLogger("stitch-import-emulator").setLevel(logging.INFO)
        with running_emulator(database, token=TOKEN, faults=faults or None, port=port) as emulator:
            os.write(1, emulator.url.encode())
            os.close(1)
            os.read(0, 1)
        return 0

    pid = _forked(work)
    for descriptor in (kept_open, url, log):
        os.close(descriptor)
    address = os.read(from_url, 1_000).decode()
    os.close(from_url)
    if not address:
        stop(pid)
        raise RuntimeError(f"the emulator did not start: {stderr.read_text()}")
    return Service(pid, address, hold)


def stop_emulator(service: Service) -> None:
    """End an emulator at once; what it answered is in its database."""
    stop(service.pid)
    os.close(service.hold)


def stop(pid: int) -> int:
    """End a child that was not waited for yet; return its exit code."""
    os.kill(pid, signal.SIGKILL)
    return ended(pid)


def ended(pid: int) -> int:
    """Wait for a child; return its exit code, or the negative number of what ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _forked(work: Callable[[], int]) -> int:
    """Do ``work`` in a child; return its process ID. The child never comes back from here."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid
    code = 1
    try:
        os.setpgid(0, 0)  # a Ctrl-C is for the parent, which ends its children
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)  # as the command does before all else
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        code = work()
    except BaseException:  # noqa: BLE001 - what a fresh interpreter does
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _keep_only(stdin: int, stdout: int, stderr: int) -> None:
    """Make these the standard streams, with nothing of the parent's open beside them."""
    for place, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, place)
    os.closerange(3, 1_024)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115

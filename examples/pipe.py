#!/usr/bin/env python3
"""``tap | target`` for one partition, with its state: what a container, a CronJob or an engine runs.

    pipe.py --state state/orders-0.json --tap 'tap-x --config orders-0.json' \
        --target 'target-stitch-import --config=ENV'

The tap begins at the state, if there is one. Each STATE that the target writes replaces it, whole
and at once, also when one of the two fails later: what the target has written is safe. The exit
code is that of ``set -o pipefail``: the target's, or the tap's where the target's is 0. SIGTERM and
SIGINT are passed on to both, once, and the target has its 20 seconds to deliver what it has read.

Copy it: it needs Python 3.10 and nothing else, and works with any tap, any target and any
scheduler.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

TAP_SECONDS = 5
"""What a tap has to end by itself, once the target has ended."""


def main(arguments: list[str] | None = None) -> int:
    """Run the pipe; return its exit code."""
    parser = argparse.ArgumentParser(description="Run a tap into a target, with its state.")
    parser.add_argument("--state", type=Path, required=True, help="file to begin at and to keep")
    parser.add_argument("--tap", type=shlex.split, required=True, help="command, in one argument")
    parser.add_argument(
        "--target", type=shlex.split, default="target-stitch-import --config=ENV", help="likewise"
    )
    given = parser.parse_args(arguments)
    for command in (given.tap, given.target):
        if not command or not shutil.which(command[0]):
            print(f"pipe: there is no command {shlex.join(command[:1])}", file=sys.stderr)
            return 127
    given.state.parent.mkdir(parents=True, exist_ok=True)
    if given.state.exists():
        given.tap += ["--state", str(given.state)]
    return run_pipe(given.tap, given.target, given.state)


def run_pipe(tap_command: list[str], target_command: list[str], state: Path) -> int:
    """Run ``tap | target``, keeping its STATEs; return the exit code, and print why to stderr."""
    asked: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def pass_on() -> None:
        while running:  # one signal each: a second one would end the target at once
            running.pop().terminate()

    def on_signal(signum: int, _: object) -> None:
        asked.append(signum)
        pass_on()

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, on_signal)
    tap, target = _started(tap_command, target_command)
    running.extend((tap, target))
    if asked:  # while they were being started
        pass_on()
    target_code = _until_target_ends(target, state)
    tap_code = _until_tap_ends(tap, in_vain=bool(target_code or asked))
    if tap_code or target_code:
        ends = f"{tap_command[0]} with {tap_code}, {target_command[0]} with {target_code}"
        print(f"pipe: ended with exit codes: {ends}; the state is {state}", file=sys.stderr)
    return 128 + asked[0] if asked else target_code or tap_code


def _started(
    tap: list[str], target: list[str]
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """Start both, in sessions of their own: a signal to a whole group must not reach them twice."""
    pipe = subprocess.PIPE
    reading = subprocess.Popen(target, stdin=pipe, stdout=pipe, start_new_session=True)
    writing = subprocess.Popen(tap, stdout=reading.stdin, start_new_session=True)
    assert reading.stdin is not None
    reading.stdin.close()  # only the tap may hold this end, or the target would not see its own end
    return writing, reading


def _until_target_ends(target: subprocess.Popen[bytes], state: Path) -> int:
    assert target.stdout is not None
    with ThreadPoolExecutor(1) as threads:  # a line that is being read is nothing to interrupt
        keeping = threads.submit(keep_states, target.stdout, state)
        code = _ended(target)
    if error := keeping.exception():
        print(f"pipe: the state {state} can't be kept: {error}", file=sys.stderr)
    return code or int(error is not None)


def _until_tap_ends(tap: subprocess.Popen[bytes], *, in_vain: bool) -> int:
    if in_vain:  # nobody reads any more what it writes
        tap.terminate()
        try:
            tap.wait(TAP_SECONDS)
        except subprocess.TimeoutExpired:
            tap.kill()
    return _ended(tap)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process; return its exit code, as a shell has it."""
    while True:  # a signal that comes just before a wait without an end is seen only behind it
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(1)
            return 128 - code if code < 0 else code


def keep_states(lines: IO[bytes], state: Path) -> None:
    """Replace the state by each line that comes; a line without an end is none."""
    new = state.with_name(f"{state.name}.new")
    with lines:  # closed also where a disk is full: the target goes on, and ends with an error
        for line in lines:
            if line.endswith(b"\n"):
                with new.open("wb") as file:
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
                new.replace(state)


if __name__ == "__main__":
    sys.exit(main())

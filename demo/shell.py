"""What a Singer user does in a shell: start the service, then ``tap | target >> states``."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BIN = Path(sys.executable).parent
"""Where the commands of this project are, beside the Python that runs the demo."""
START_SECONDS = 20
PIPE_SECONDS = 60


class DemoError(Exception):
    """Something is not as the demo expects it."""


def show(command: Sequence[str]) -> str:
    """Return a command as it would be typed, without the folder its program is in."""
    return shlex.join([Path(command[0]).name, *command[1:]])


@contextlib.contextmanager
def started_emulator(command: Sequence[str], work: Path, log: Path) -> Iterator[str]:
    """Run the emulator as long as the block lasts; yield the line with its address."""
    # A file and not a pipe: a pipe that nobody reads any more would block it one day.
    output = work / "emulator.out"
    with output.open("wb") as out, log.open("ab") as noise:
        emulator = subprocess.Popen(command, cwd=work, stdout=out, stderr=noise)
    try:
        yield _first_line(emulator, output)
    finally:
        emulator.terminate()
        try:
            emulator.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            emulator.kill()
            emulator.wait()


def _first_line(emulator: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        line, newline, _ = output.read_text(encoding="utf-8").partition("\n")
        if newline:
            return line
        if emulator.poll() is not None:
            raise DemoError(f"the emulator ended at once, with code {emulator.returncode}")
        time.sleep(0.02)
    raise DemoError(f"the emulator did not start within {START_SECONDS} seconds")


def run_pipe(
    tap: Sequence[str], target: Sequence[str], states: Path, work: Path, log: Path
) -> None:
    """Run ``tap | target >> states`` to its end; what both write to stderr goes to ``log``."""
    with log.open("ab") as noise, states.open("ab") as lines:
        reading = subprocess.Popen(tap, cwd=work, stdout=subprocess.PIPE, stderr=noise)
        writing = subprocess.Popen(
            target, cwd=work, stdin=reading.stdout, stdout=lines, stderr=noise
        )
    # Only the target may hold this end of the pipe, or the tap would not notice its death.
    if reading.stdout:
        reading.stdout.close()
    processes = {tap[0]: reading, target[0]: writing}
    try:
        codes = {Path(name).name: each.wait(PIPE_SECONDS) for name, each in processes.items()}
    except subprocess.TimeoutExpired as error:
        raise DemoError(f"a pipe did not end within {PIPE_SECONDS} seconds") from error
    finally:
        for each in processes.values():
            if each.poll() is None:
                each.kill()
                each.wait()
    failed = [f"{name} ended with exit code {code}" for name, code in codes.items() if code != 0]
    if failed:
        raise DemoError(", ".join(failed))


def keep_last_line(states: Path, state: Path) -> None:
    """``tail -1 states > state``: of the STATEs that the target wrote, the last counts."""
    lines = states.read_text(encoding="utf-8").splitlines()
    if not lines:
        raise DemoError(f"the target wrote no STATE to {states.name}")
    state.write_text(lines[-1] + "\n", encoding="utf-8")

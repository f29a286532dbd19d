"""Ways to run the target: as a process behind a pipe, or in this one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from target_stitch_import.errors import TargetStitchImportError
from target_stitch_import.target import TargetStitchImport
from tests.support import warm_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMAND = str(Path(sys.executable).with_name("target-stitch-import"))


@dataclass(frozen=True)
class Run:
    """What a run of the target left behind."""

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def states(self) -> list[Any]:
        """The STATEs that were written."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def last_line(self) -> str:
        """The last line on stderr that is no metric."""
        lines = [line for line in self.stderr.splitlines() if "METRIC:" not in line]
        return lines[-1] if lines else ""


def environment(**more: str) -> dict[str, str]:
    """Return the environment without settings of the target, or a word on an old Python, in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TARGET_")}
    return {**kept, "PYTHONWARNINGS": "ignore:Python 3", **more}


@contextlib.contextmanager
def started(
    config: dict[str, Any],
    folder: Path,
    *arguments: str,
    starter: str | None = None,
    **env: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the target as a process that waits on a pipe; it is ended with the block.

    ``starter`` is a Python file to run in the place of the command.
    """
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    whole = environment(**env)
    is_warm = starter is None and warm_start.is_possible(whole)
    process = (warm_start.Process if is_warm else subprocess.Popen)(
        [*([sys.executable, starter] if starter else [COMMAND]), "--config", str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=whole,
        cwd=folder,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def piped(
    config: dict[str, Any],
    folder: Path,
    data: bytes,
    *arguments: str,
    starter: str | None = None,
    **env: str,
) -> Run:
    """Run the target as a process and pipe ``data`` into it."""
    with started(config, folder, *arguments, starter=starter, **env) as process:
        stdout, stderr = process.communicate(data, timeout=180)
        return Run(process.returncode, stdout, stderr.decode())


class LineByLine(io.BytesIO):
    """An input that comes line by line, as a tap writes it that is slower than the target."""

    def read(self, _size: int | None = -1) -> bytes:
        """Return the next line."""
        return self.readline()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something holds; fail the test when it does not come for a minute."""
    for _ in range(3_000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come")


def loaded(
    config: dict[str, Any], data: bytes, *, line_by_line: bool = False
) -> tuple[list[bytes], Exception | None]:
    """Run the target in this process; return the STATEs and what it raised."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    error: Exception | None = None
    with mock.patch.object(sys, "stdout", stdout):
        target = TargetStitchImport(config=dict(config))
        try:
            target.load(LineByLine(data) if line_by_line else io.BytesIO(data))
        except TargetStitchImportError as raised:
            error = raised
    return stdout.buffer.getvalue().splitlines(), error

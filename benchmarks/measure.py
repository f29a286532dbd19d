"""One run of one program against the null server: what it took, and whether it did its work."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SERVER = Path(__file__).resolve().with_name("null_server.py")
LAUNCH = SERVER.with_name("launch.py")
MB = 1_000_000
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Linux counts the resident memory in KiB, macOS in bytes."""
LEAST = 0.9
"""A program must have posted this share of the records' bytes at least."""


class WrongError(Exception):
    """A program did not do its work, so its time means nothing."""


@dataclass(frozen=True)
class Sample:
    """What one run took."""

    wall: float
    cpu: float
    peak_mb: float
    requests: int
    posted_mb: float


@dataclass(frozen=True)
class Expected:
    """What a program must have done."""

    data_bytes: int = 0
    last_state: str | None = None


class NullServer:
    """The server's process, as it is seen from here."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.url = f"http://127.0.0.1:{port}"

    def stats(self) -> dict[str, Any]:
        """Return what came so far."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/stats")
            counts: dict[str, Any] = json.loads(connection.getresponse().read())
            return counts


@contextlib.contextmanager
def null_server(delay_ms: float = 0) -> Iterator[NullServer]:
    """Run the null server as long as the block lasts."""
    command = [sys.executable, str(SERVER), str(delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None  # noqa: S101
            yield NullServer(int(process.stdout.readline()))
        finally:
            process.terminate()


@dataclass(frozen=True)
class Source:
    """Where a program's stdin comes from: a file, or another program's stdout."""

    path: Path | None = None
    command: tuple[str, ...] = ()

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Yield the end to read from."""
        if not self.command:
            with (self.path or Path(os.devnull)).open("rb") as file:
                yield file.fileno()
            return
        with subprocess.Popen(self.command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None  # noqa: S101
            yield process.stdout.fileno()
            process.stdout.close()
            if process.wait():
                raise WrongError(f"the generator ended with {process.returncode}")


def run(
    command: Sequence[str], source: Source, server: NullServer, expected: Expected, work: Path
) -> Sample:
    """Run a program from its start to its exit, and check that it did its work."""
    before = server.stats()
    out, noise, taken = work / "stdout", work / "stderr", work / "taken"
    taken.unlink(missing_ok=True)
    with source.opened() as stdin, out.open("wb") as stdout, noise.open("wb") as stderr:
        subprocess.run(
            [sys.executable, "-I", "-S", str(LAUNCH), str(taken), *command],
            check=True,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        )
    after = server.stats()
    code, wall, cpu, rss = map(float, taken.read_text(encoding="ascii").split())
    sample = Sample(
        wall=wall,
        cpu=cpu,
        peak_mb=rss * RSS_UNIT / MB,
        requests=after["requests"] - before["requests"],
        posted_mb=(after["bytes"] - before["bytes"]) / MB,
    )
    if code:
        end = "\n".join(noise.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])
        raise WrongError(f"it ended with {code:.0f}:\n{end}")
    _check(sample, expected, out)
    return sample


def _check(sample: Sample, expected: Expected, out: Path) -> None:
    if sample.posted_mb * MB < expected.data_bytes * LEAST:
        raise WrongError(
            f"only {sample.posted_mb:.2f} MB of {expected.data_bytes / MB:.2f} MB were posted"
        )
    if expected.last_state is None:
        return
    last = _last_line(out)
    if not last or json.loads(last) != json.loads(expected.last_state):
        raise WrongError(f"{last[:200]!r} was written as the last STATE")


def _last_line(path: Path, most: int = 1 << 16) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - most))
        lines = file.read().decode().splitlines()
    return lines[-1] if lines else ""

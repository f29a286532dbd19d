"""Pages of the documentation: their blocks of code, run as they stand.

A block of ``sh`` is to be run, in the order of the page and all in one shell. A block of ``text`` behind
it is what it writes to stdout, with ``...`` for what may be anything. Other blocks are to be read.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PORT = "8787"  # what the pages write; another program may have it
SECONDS = 900

_BLOCK = re.compile(
    r"^```sh\n(?P<commands>.*?)^```\n(?:\n```text\n(?P<says>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
_MARK = "=== end of a block ==="


@dataclass(frozen=True)
class Block:
    """Commands of a page."""

    commands: str
    says: str | None
    """What the page says that they write, if it does."""


def blocks(page: str) -> list[Block]:
    """Return what is to be run of a page, named by its path in the repository."""
    text = (PROJECT / page).read_text(encoding="utf-8").replace(PORT, free_port())
    return [Block(match["commands"], match["says"]) for match in _BLOCK.finditer(text)]


def free_port() -> str:
    """Return a port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def run(those: list[Block], folder: Path, **environment: str) -> list[str]:
    """Run blocks in a folder, one after the other; return what each wrote to stdout.

    Everything that they have started ends with them.
    """
    script = "\n".join(f"{block.commands}\necho '{_MARK}'" for block in those)
    # Not pipes: what goes on in the background would keep those open.
    with (folder / ".stdout").open("w+") as stdout, (folder / ".stderr").open("w+") as stderr:
        shell = subprocess.Popen(
            ["bash", "-euc", script],
            cwd=folder,
            env={**_clean_environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            code = shell.wait(SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
        stdout.seek(0)
        stderr.seek(0)
        written = stdout.read()
        assert code == 0, written[-4000:] + stderr.read()[-4000:]
    return [part.lstrip("\n") for part in written.split(_MARK)[:-1]]


def is_as_said(expected_text: str, written: str) -> bool:
    """Return whether a block has written what its page says."""
    pattern = re.escape(expected_text.strip()).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, written.strip(), re.DOTALL) is not None


def _clean_environment() -> dict[str, str]:
    """Return the environment without what would change what the commands do."""
    rest = ("MELTANO", "TAP_", "TARGET_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(rest)}

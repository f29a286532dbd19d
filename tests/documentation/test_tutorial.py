"""Each command of the tutorial does what the tutorial says."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

import pytest

from tests.support.pages import PROJECT, Block, blocks, is_as_said, run

pytestmark = pytest.mark.external

PAGE = "docs/tutorial.md"
TAP = PROJECT / ".venv-tap-jsonfile"
TARGET = Path(sys.prefix)


def test_the_commands_write_what_the_page_says(tmp_path: Path) -> None:
    # given the two environments that its first block makes (test_readme.py installs as it says)
    install, *rest = blocks(PAGE)
    (tmp_path / "tap").symlink_to(TAP)
    (tmp_path / "target").symlink_to(TARGET)
    # when all others are run, in their order
    written = run(rest, tmp_path)
    # then each has written what stands below it
    assert len(written) == len(rest)
    differ = [
        (block.commands, block.says, found)
        for block, found in zip(rest, written, strict=True)
        if block.says is not None and not is_as_said(block.says, found)
    ]
    assert differ == []
    # and its first block installs what make does
    (tap,) = [line for line in install.commands.splitlines() if "tap-jsonfile" in line]
    requirement = tap.split()[-1].strip("'")
    assert requirement in (PROJECT / "Makefile").read_text(encoding="utf-8")


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    # given the block that starts the emulator, and its port in somebody's hands
    (tmp_path / "target").symlink_to(TARGET)
    (start,) = [block for block in blocks(PAGE) if "stitch-import-emulator" in block.commands]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        commands = re.sub(r"--port \d+", f"--port {port}", start.commands)
        # when it is run
        (written,) = run([Block(commands, None)], tmp_path)
    # then it says so, instead of going on with whoever is there
    assert written.strip() == "It has not started; is the port taken?"

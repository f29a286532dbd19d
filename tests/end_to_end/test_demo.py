"""``demo/run.py``, as ``make demo`` runs it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from target_stitch_import.emulator import list_tables

pytestmark = pytest.mark.external

PROJECT = Path(__file__).parents[2]
TAP = PROJECT / ".venv-tap-jsonfile" / "bin" / "tap-jsonfile"


def run_demo(work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not TAP.is_file():
        pytest.fail(f"there is no {TAP.relative_to(PROJECT)}: `make test` sets it up")
    command = [sys.executable, str(PROJECT / "demo" / "run.py"), *arguments]
    return subprocess.run(
        command,
        cwd=work,
        env={**os.environ, "TMPDIR": str(work)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def fake_tap(folder: Path, script: str) -> str:
    """Make a tap of a shell script; ``$tap`` in it is the real one."""
    path = folder / "tap-jsonfile"
    path.write_text(f"#!/bin/sh\ntap='{TAP}'\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def cells(output: str) -> list[list[str]]:
    """The lines of the output, cut where two spaces or more are between the columns."""
    return [re.split(r"  +", line.strip()) for line in output.splitlines()]


def test_demo_shows_two_runs_of_which_the_second_is_incremental(tmp_path: Path) -> None:
    # Given the repository / When the demo runs
    before = snapshot(PROJECT / "demo" / "data")
    demo = run_demo(tmp_path)

    # Then it ends well, on a screen or so, with nothing but the story
    assert (demo.returncode, demo.stderr) == (0, "")
    assert len(demo.stdout.splitlines()) <= 80
    # And shows each table after the first run, and what the second replicated
    for title in ("airlines, 16 rows", "planes, 111 rows", "flights, 120 rows"):
        assert f"{title}, as the source has them:" in demo.stdout
    shown = cells(demo.stdout)
    heading = shown.index(["table", "rows before", "replicated now", "rows after"])
    assert shown[heading + 1 : heading + 4] == [
        ["airlines", "16", "0", "16"],
        ["planes", "111", "0", "111"],
        ["flights", "120", "64", "183"],
    ]
    # And a row before and after its correction, with a greater sequence
    (old, new) = [line for line in shown if line[:3] == ["2013-01-02T13:00:00Z", "N3JPAA", "DFW"]]
    assert (old[3:-1], new[3:-1]) == (["-", "-", "-"], ["1151", "1", "229"])
    assert int(old[-1]) < int(new[-1])
    # And what Redshift would make of a table with an array and two names that are one
    assert ["carrier", "VARCHAR", "rejected: Field collision on carrier"] in shown
    assert ["bookings 2 rows, 5 billable rows"] in shown
    assert ["bookings__legs 3 rows"] in shown
    # And the STATE, with the hash of each file that was read
    assert '{"bookmarks": {"flights": {"file_hashes": {"2013-01-01.jsonl": ' in demo.stdout
    # And the database that a look at the tables is suggested at is there, and so is the command
    look = shlex.split(demo.stdout.splitlines()[-1].rpartition(": ")[2])
    command, database = (tmp_path / look[0]).resolve(), look[-1]
    assert (command.name, look[1]) == ("stitch-import-emulator", "--database")
    assert command.is_file()
    assert len(list_tables(Path(database))) == 3
    # And has changed nothing in the repository
    assert snapshot(PROJECT / "demo" / "data") == before


def test_demo_fails_when_the_second_run_is_not_incremental(tmp_path: Path) -> None:
    # Given a tap that takes its config and forgets its state
    tap = fake_tap(tmp_path, 'exec "$tap" "$1" "$2"')

    # When the demo runs
    demo = run_demo(tmp_path, "--tap", tap)

    # Then it says what is wrong, and does not say that it was checked
    assert demo.returncode == 1
    reason = "airlines: the second run replicated 16 rows, not the 0 that had changed"
    assert f"demo: {reason}\n" in demo.stderr
    assert "Checked" not in demo.stdout


def test_demo_shows_the_log_when_a_command_fails(tmp_path: Path) -> None:
    # Given a tap that fails
    tap = fake_tap(tmp_path, "echo 'the disk is gone' >&2; exit 3")

    # When the demo runs
    demo = run_demo(tmp_path, "--tap", tap)

    # Then it names the command and shows what it said
    assert demo.returncode == 1
    assert "demo: tap-jsonfile ended with exit code 3\n" in demo.stderr
    assert "the disk is gone" in demo.stderr


def test_demo_without_its_tap_says_how_to_get_it(tmp_path: Path) -> None:
    # Given no tap / When the demo runs
    demo = run_demo(tmp_path, "--tap", str(tmp_path / "none"))

    # Then it says so in a line
    assert demo.returncode == 1
    assert demo.stderr == f"demo: there is no {tmp_path / 'none'}; `make demo` sets it up\n"


def test_demo_installs_what_it_needs_and_says_how_long_that_takes() -> None:
    # Given a clone without any environment / When `make demo` is asked what it would run
    make = ["make", "--dry-run", "--always-make", "--no-print-directory", "demo"]
    plan = subprocess.run(make, cwd=PROJECT, capture_output=True, text=True, check=True).stdout

    # Then it says first that this takes a while
    assert "half a minute for the demo" in plan.splitlines()[0]
    # And it installs the target, the emulator and the tap, and none of the tools for development
    installs = [
        line.rpartition("/bin/python ")[2]
        for line in plan.splitlines()
        if "/uv pip install " in line
    ]
    assert installs == ["--editable '.[emulator]'", "'tap-jsonfile==0.1.2'"]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

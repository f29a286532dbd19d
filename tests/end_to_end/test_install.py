"""The package installs into an empty environment, and its commands work there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_an_empty_environment_gets_a_working_command(tmp_path: Path) -> None:
    # given an empty environment
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    # when the project is installed as a user would, without an extra
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", str(PROJECT)]
    subprocess.run(install, check=True)
    # then the command works
    command = python.with_name("target-stitch-import")
    version = subprocess.run(
        [str(command), "--version"], check=True, capture_output=True, text=True
    )
    assert version.stdout.startswith("target-stitch-import v")
    # and type checkers are told that there are types
    where = "import target_stitch_import as t; print(t.__path__[0])"
    folder = subprocess.run([str(python), "-c", where], check=True, capture_output=True, text=True)
    assert (Path(folder.stdout.strip()) / "py.typed").exists()
    # and the emulator says what it lacks
    emulator = subprocess.run(
        [str(python.with_name("stitch-import-emulator"))],
        check=False,
        capture_output=True,
        text=True,
    )
    assert emulator.returncode != 0
    assert "target-stitch-import[emulator]" in emulator.stderr

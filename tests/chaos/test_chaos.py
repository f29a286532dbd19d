"""Nothing is lost, whatever is killed: the short form of ``python -m tests.chaos``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("option", [[], ["--unchanged"]], ids=["all rows", "changed rows"])
def test_nothing_is_lost_whatever_is_killed(option: list[str]) -> None:
    # given an environment without settings of the target
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TARGET_")}
    # when a few random schedules are played, in a process that has no threads to fork
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--schedules", "25", "--seed", "20", *option],
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    # then no promise was broken
    assert done.returncode == 0, done.stdout + done.stderr
    # and there was enough to break it
    summary = done.stdout.splitlines()[-1]
    figures = dict(re.findall(r"([A-Za-z ]+): ([\d,]+)", summary))
    count = {name.strip(): int(value.replace(",", "")) for name, value in figures.items()}
    assert count["schedules"] == 25
    assert count["SIGKILLs"] >= 5
    assert count["SIGTERMs"] >= 5
    assert count["faults met"] >= 50
    assert count["records"] >= 500
    assert count["STATEs written"] >= 100

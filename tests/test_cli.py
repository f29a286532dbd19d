"""The entry point of the command, and what it sets up in the process."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from target_stitch_import import cli

BODIES = """
import resource, sys
from target_stitch_import import cli
if "keep" in sys.argv:
    cli.keep_freed_memory()
for _ in range(20):
    bodies = [b"x" * (4 << 20) for _ in range(6)]
    del bodies
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def pages_taken(*arguments: str) -> int:
    """Return how many pages a process takes from the system that makes bodies and drops them."""
    command = [sys.executable, "-c", BODIES, *arguments]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no such choice"
)
def test_the_memory_of_a_body_is_used_for_the_next_one() -> None:
    # given a process that makes six bodies of 4 MiB and drops them, twenty times
    # when freed memory is kept, then it takes about the pages of six bodies, not of 120
    assert pages_taken("keep") * 3 < pages_taken()


def test_a_c_library_without_this_choice_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a C library that does not know mallopt
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    # when freed memory is to be kept, then nothing happens
    cli.keep_freed_memory()


def test_the_package_runs_as_a_module() -> None:
    # given the package as a module, as where the command is not on the PATH
    command = [sys.executable, "-m", "target_stitch_import", "--version"]
    # when it is asked for its version
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    # then it is the command of that name that answers
    assert run.stdout.startswith("target-stitch-import ")


def test_the_package_can_be_run_in_the_place_of_the_command() -> None:
    # given an interpreter whose folder of commands is not on the path
    command = [sys.executable, "-m", "target_stitch_import", "--version"]
    # when it runs the package, then that is the command
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout.startswith("target-stitch-import v")

"""What a run holds at its peak, as the system counts it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.messages import record, schema, stream_of
from tests.support.running import COMMAND, environment
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Answer

FEW = 10
"""Requests, of nearly 4 MB each."""

SMALL = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts the target: what a process has held counts for those that it starts, too."""


def peak(config: dict[str, object], folder: Path, *, megabytes: int) -> int:
    """Return what a run holds that reads so much from a file."""
    lines = [record({"id": place, "name": f"{place:0700d}"}) for place in range(1_250)]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with (folder / "input").open("wb") as file:
        file.write(stream_of(schema()))
        for _ in range(megabytes):
            file.write(stream_of(*lines))
    command = [COMMAND, "--config", str(folder / "config.json")]
    with (folder / "input").open("rb") as file:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", "-c", SMALL, *command],
            stdin=file,
            capture_output=True,
            env=environment(),
            check=True,
        )
    return int(ended.stdout.split()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count otherwise")
def test_a_run_holds_as_much_after_many_records_as_after_few(tmp_path: Path) -> None:
    # given a service that is quick at first, and later so slow that as many batches as may be wait
    delays = iter([0.0] * FEW)

    def answer(_: Request) -> Answer:
        service.requests.clear()  # or this process would hold them all
        time.sleep(next(delays, 0.05))
        return ACCEPTED

    # when less is loaded than makes so many requests, and when a lot is
    with running_service(answer) as service:
        few = peak(service.config(), tmp_path, megabytes=3 * FEW)
        delays = iter([0.0] * FEW)
        many = peak(service.config(), tmp_path, megabytes=15 * FEW)
    # then the peak is the same
    assert many < few * 1.05

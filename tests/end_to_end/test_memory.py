"""What a run holds at its peak, as the system counts it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.messages import record, schema, tap_output
from tests.support.running import COMMAND, environment
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import ServiceResponse

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
        file.write(tap_output(schema()))
        for _ in range(megabytes):
            file.write(tap_output(*lines))
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
    # given a service so slow that as many batches as may be are in flight
    def answer(_: Request) -> ServiceResponse:
        service.requests.clear()  # or this process would hold them all
        time.sleep(0.05)
        return ACCEPTED

    # when some are loaded, and when three times as many are
    with running_service(answer) as service:
        few = peak(service.config(), tmp_path, megabytes=100)
        many = peak(service.config(), tmp_path, megabytes=300)
    # then the peak is the same, but for the gaps that the C library leaves
    assert many < few * 1.15


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count otherwise")
def test_places_that_no_batch_takes_cost_no_memory(tmp_path: Path) -> None:
    # given a service that is quick
    def answer(_: Request) -> ServiceResponse:
        service.requests.clear()
        return ACCEPTED

    # when many batches may be in flight, and no more are
    many_places = {"max_parallel_requests": 64, "max_batch_bytes": 20_000_000}
    with running_service(answer) as service:
        usual = peak(service.config(), tmp_path, megabytes=100)
        large = peak(service.config(**many_places), tmp_path, megabytes=100)
    # then the peak grows by some bodies of 20 MB, and not by 64
    assert large < usual + 5 * 20_000

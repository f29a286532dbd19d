"""The script of the recipe for a plain pipe, as cron would run it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.messages import record, schema, state, tap_output
from tests.support.pages import PROJECT
from tests.support.running import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service

PAGE = PROJECT / "docs" / "recipes" / "plain-pipe.md"
pytestmark = pytest.mark.skipif(not shutil.which("flock"), reason="there is no flock")


def run_script(service: Service, folder: Path, tap: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder, with a shell script as the tap."""
    (script,) = re.findall(r"```bash\n(#!.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert script.count("/srv/customers") == 1
    path = folder / "tap" / "bin" / "tap-anything"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{tap}\n", encoding="utf-8")
    path.chmod(0o755)
    (folder / "target").unlink(missing_ok=True)
    (folder / "target").symlink_to(sys.prefix)
    (folder / "target.json").write_text(f'{{"token": "t", "api_url": "{service.url}"}}')
    (folder / "lines").write_bytes(tap_output(schema(), record({"id": 1}), state({"read": 1})))
    return subprocess.run(
        ["bash", "-c", script.replace("/srv/customers", str(folder))],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_good_run_is_quiet_and_the_next_one_begins_at_its_state(
    service: Service, tmp_path: Path
) -> None:
    # given a tap that says what it was called with
    tap = 'echo "called: $*" >&2; cat lines'
    # when the script runs twice
    runs = [run_script(service, tmp_path, tap) for _ in range(2)]
    # then cron has nothing to send
    assert [(run.returncode, run.stdout, run.stderr) for run in runs] == [(0, "", "")] * 2
    # and the second run was given the STATE of the first
    called = (tmp_path / "tap.log").read_text(encoding="utf-8").splitlines()
    assert [line.count("--state state.json") for line in called] == [0, 1]
    assert (tmp_path / "state.json").is_file()


def test_cron_is_sent_what_a_tap_said_that_failed(service: Service, tmp_path: Path) -> None:
    # given a tap that fails, behind a target that ends well
    tap = "echo 'the password has expired' >&2; exit 3"
    # when the script runs
    run = run_script(service, tmp_path, tap)
    # then it fails as the tap did, and sends the last word of each side, by its name
    assert run.returncode == 3
    blocks = re.split(r"==> (\S+) <==", run.stderr)
    assert blocks[1::2] == ["tap.log", "target.log"]
    assert blocks[2].strip() == "the password has expired"
    assert "Nothing to load: 0 streams" in blocks[4]

"""The scripts of the README and of the recipe for a plain pipe, as a user or cron runs them."""

from __future__ import annotations

import json
import os
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

RECIPE = "docs/recipes/plain-pipe.md"
needs_flock = pytest.mark.skipif(not shutil.which("flock"), reason="there is no flock")
PAGES = ["README.md", pytest.param(RECIPE, marks=needs_flock)]
CONFIGS = ("config.json", "target.json")
"""What the pages call the config of the target."""


def run_script(
    page: str, service: Service, folder: Path, tap: str
) -> subprocess.CompletedProcess[str]:
    """Run the script of a page in a folder, with a shell script as the tap."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    (script,) = re.findall(r"```bash\n(#!.*?)```", text, re.DOTALL)
    script = script.replace("/srv/customers", str(folder))
    path = folder / "tap" / "bin" / "tap-anything"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{tap}\n", encoding="utf-8")
    path.chmod(0o755)
    (folder / "target").unlink(missing_ok=True)
    (folder / "target").symlink_to(sys.prefix)
    for name in CONFIGS:
        (folder / name).write_text(f'{{"token": "t", "api_url": "{service.url}"}}')
    (folder / "lines").write_bytes(tap_output(schema(), record({"id": 1}), state({"read": 1})))
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment(PATH=f"{path.parent}:{sys.prefix}/bin:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_second_run_begins_where_the_first_one_ended(
    page: str, service: Service, tmp_path: Path
) -> None:
    # given a tap that can't begin at a file that is not there, and writes its arguments down
    tap = 'echo "$*" >> calls; [ $# = 2 ] || cat "$4" > began_at || exit 1; cat lines'
    # when the script of the page runs for the first time, and once more
    runs = [run_script(page, service, tmp_path, tap) for _ in range(2)]
    # then both have loaded the record, and the second was given the STATE of the first
    assert [run.returncode for run in runs] == [0, 0]
    assert service.ids == [1, 1]
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["--config tap.json", "--config tap.json --state state.json"]
    assert json.loads((tmp_path / "began_at").read_text(encoding="utf-8")) == {"read": 1}


@pytest.mark.parametrize("page", PAGES)
def test_a_tap_that_fails_is_no_success_and_costs_no_state(
    page: str, service: Service, tmp_path: Path
) -> None:
    # given a state, and a tap that fails
    (tmp_path / "state.json").write_text('{"read": 7}\n')
    # when the script of the page runs
    run = run_script(page, service, tmp_path, "exit 3")
    # then it ends as the tap did, and the state is there for the next run
    assert run.returncode == 3
    assert (tmp_path / "state.json").read_text() == '{"read": 7}\n'


@needs_flock
def test_a_good_run_is_quiet_and_the_next_one_begins_at_its_state(
    service: Service, tmp_path: Path
) -> None:
    # given a tap that says what it was called with
    tap = 'echo "called: $*" >&2; cat lines'
    # when the script runs twice
    runs = [run_script(RECIPE, service, tmp_path, tap) for _ in range(2)]
    # then cron has nothing to send
    assert [(run.returncode, run.stdout, run.stderr) for run in runs] == [(0, "", "")] * 2
    # and the second run was given the STATE of the first
    called = (tmp_path / "tap.log").read_text(encoding="utf-8").splitlines()
    assert [line.count("--state state.json") for line in called] == [0, 1]
    assert (tmp_path / "state.json").is_file()


@needs_flock
def test_cron_is_sent_what_a_tap_said_that_failed(service: Service, tmp_path: Path) -> None:
    # given a tap that fails, behind a target that ends well
    tap = "echo 'the password has expired' >&2; exit 3"
    # when the script runs
    run = run_script(RECIPE, service, tmp_path, tap)
    # then it fails as the tap did, and sends the last word of each side, by its name
    assert run.returncode == 3
    blocks = re.split(r"==> (\S+) <==", run.stderr)
    assert blocks[1::2] == ["tap.log", "target.log"]
    assert blocks[2].strip() == "the password has expired"
    assert "Nothing to load: 0 streams" in blocks[4]

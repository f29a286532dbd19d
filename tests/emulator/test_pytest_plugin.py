"""A project of its own gets the fixture ``stitch_import_api`` from the package alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.messages import record, schema, state, tap_output
from tests.support.running import environment

PAGE = Path(__file__).parents[2] / "docs" / "recipes" / "local-testing.md"
ROWS = [schema("customers"), record({"id": 1, "name": "Finn"}, "customers"), state({"at": 1})]

TESTS = """
import urllib.error
import urllib.request

import pytest


def status(api):
    return urllib.request.urlopen(f"{api.url}/v2/import/status").status


def test_it_begins_empty(stitch_import_api):
    assert stitch_import_api.tables == {}
    assert stitch_import_api.faults == ""
    assert status(stitch_import_api) == 200


def test_faults_come_and_go_at_the_same_address(stitch_import_api):
    url = stitch_import_api.url
    stitch_import_api.faults = "maintenance=1"
    with pytest.raises(urllib.error.HTTPError, match="503"):
        status(stitch_import_api)
    stitch_import_api.faults = ""
    assert status(stitch_import_api) == 200
    assert stitch_import_api.url == url


def test_a_wrong_fault_changes_nothing(stitch_import_api):
    with pytest.raises(ValueError, match="'nonsense' is no fault"):
        stitch_import_api.faults = "nonsense"
    assert stitch_import_api.faults == ""
    assert status(stitch_import_api) == 200


def test_it_can_be_down(stitch_import_api):
    stitch_import_api.stop()
    with pytest.raises(urllib.error.URLError):
        status(stitch_import_api)
"""


def run_tests(folder: Path, text: str) -> str:
    """Run the tests of a project that has this one file; return what pytest printed."""
    (folder / "test_project.py").write_text(text)
    (folder / "bin").mkdir()
    (folder / "tap.singer").write_bytes(tap_output(*ROWS))
    tap = folder / "bin" / "tap-anything"
    tap.write_text(f"#!/bin/sh\ncat {folder}/tap.singer\n")
    tap.chmod(0o755)
    paths = [str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=folder,
        env=environment(PATH=os.pathsep.join(paths)),
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    return done.stdout + done.stderr


def test_a_project_gets_the_fixture(tmp_path: Path) -> None:
    assert re.search(r"^4 passed in ", run_tests(tmp_path, TESTS), re.MULTILINE)


def test_the_tests_that_the_page_shows_pass(tmp_path: Path) -> None:
    # given the Python on the page
    (code,) = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    # when a project has it, and a tap
    printed = run_tests(tmp_path, code)
    # then its tests pass
    assert re.search(r"^2 passed in ", printed, re.MULTILINE), printed


def test_without_the_extra_only_the_fixture_fails(tmp_path: Path) -> None:
    # given a project whose environment lacks what the extra brings
    hidden = "import sys\nsys.modules['uvicorn'] = None\n"
    text = hidden + "def test_other(): pass\ndef test_it(stitch_import_api): pass\n"
    # then other tests run, and what lacks is named
    printed = run_tests(tmp_path, text)
    assert "1 passed, 1 error" in printed
    assert "target-stitch-import[emulator]" in printed

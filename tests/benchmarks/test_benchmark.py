"""The benchmark runs, with few records, and writes what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pages import PROJECT

if TYPE_CHECKING:
    from pathlib import Path


def run(output: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, str(PROJECT / "benchmarks" / "run.py"), "--output", str(output)]
    command += ["--records", "200", "--runs", "1", "--programs", "ours,pump", *options]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found: dict[str, Any] = json.loads((output / "results.json").read_text(encoding="utf-8"))
    return found


def test_a_variant_is_measured_beside_those_that_are_there(tmp_path: Path) -> None:
    # given the results of a variant
    run(tmp_path, "--mode", "shapes", "--shapes", "narrow", "--variants", "base")
    # when another one is measured
    found = run(tmp_path, "--mode", "shapes", "--shapes", "narrow", "--variants", "go")
    # then there is a result for each program in both, and the chart shows them
    results = found["shapes"]["results"]
    names = [(each["variant"], each["program"]) for each in results]
    assert names == [("base", "ours"), ("base", "pump"), ("go", "ours"), ("go", "pump")]
    assert all(each["records"] == each["read"] == 200 for each in results)
    assert all(0 < each["shortest"] <= each["seconds"] <= each["longest"] for each in results)
    assert "target-stitch-import" in (tmp_path / "results.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["start", "live", "schemas"])
def test_a_mode_runs(tmp_path: Path, mode: str) -> None:
    # when a mode is run, with this target alone
    shapes = {"live": ["--shapes", "narrow"], "schemas": ["--shapes", "wide-enum"]}
    found = run(tmp_path, "--mode", mode, "--programs", "ours", *shapes.get(mode, []))
    # then it has results
    assert any(each["program"].startswith("ours") for each in found[mode]["results"])

"""The figures of speed: charts, the page's table and the README are those of the results."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.support.pages import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

BENCHMARKS = PROJECT / "benchmarks"
PAGE = PROJECT / "docs" / "performance.md"


def test_charts_and_table_are_drawn_from_the_results(tmp_path: Path) -> None:
    # given the results, and the page
    shutil.copy(BENCHMARKS / "results.json", tmp_path)
    shutil.copy(PAGE, tmp_path)
    # when the charts and the page's table are drawn again
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--draw", "--output", str(tmp_path)]
    subprocess.run([*command, "--page", str(tmp_path / PAGE.name)], check=True)
    # then they are what stands in the repository
    drawn = {path.name: path.read_bytes() for path in tmp_path.glob("*.svg")}
    assert set(drawn) == {"results.svg", "wide.svg"}
    assert drawn == {name: (BENCHMARKS / name).read_bytes() for name in drawn}
    assert (tmp_path / PAGE.name).read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
    assert "| wide: 20 fields" in PAGE.read_text(encoding="utf-8")


def test_the_readme_promises_what_the_slowest_variant_reaches() -> None:
    # given the results of wide records, in all variants
    results = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
    wide = [each for each in results["shapes"]["results"] if each["case"] == "wide"]

    def all_cases(program: str) -> list[dict[str, Any]]:
        return [e for e in wide if e["program"] == program and e["variant"] != "no-zone"]

    speed = min(each["records"] / each["seconds"] for each in all_cases("ours"))
    # when the README is read
    readme = " ".join((PROJECT / "README.md").read_text(encoding="utf-8").split())
    found = re.search(r"([\d,]+) records of 20 fields a second", readme)
    times = re.search(r"(\d+) times target-stitch 4\.0\.3 \((\d+) times at its fastest", readme)
    corrected = re.search(r"or ([\d,]+) and (\d+) times where it has to correct two", readme)
    # then it says no more than that
    assert found is not None
    assert times is not None
    assert 0 <= speed - int(found[1].replace(",", "")) < 20_000
    assert int(times[1]) == int(min(each["ratio"] for each in all_cases("vendor")))
    assert int(times[2]) == int(min(each["ratio"] for each in all_cases("vendor-fast")))
    # and what it costs to correct what a tap has written
    no_zone = {each["program"]: each for each in wide if each["variant"] == "no-zone"}
    speed = no_zone["ours"]["records"] / no_zone["ours"]["seconds"]
    assert corrected is not None
    assert 0 <= speed - int(corrected[1].replace(",", "")) < 20_000
    assert int(corrected[2]) == int(no_zone["vendor"]["ratio"])

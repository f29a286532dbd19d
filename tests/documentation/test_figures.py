"""The figures of speed: the charts are those of the results, the README's those of the page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.pages import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

BENCHMARKS = PROJECT / "benchmarks"
WORDS = {"twelve": 12, "seventeen": 17}


def test_the_charts_are_drawn_from_the_results(tmp_path: Path) -> None:
    # given the results
    shutil.copy(BENCHMARKS / "results.json", tmp_path)
    # when the charts are drawn again
    draw = [sys.executable, str(BENCHMARKS / "run.py"), "--draw", "--output", str(tmp_path)]
    subprocess.run(draw, check=True)
    # then they are what stands beside the results
    drawn = {path.name: path.read_bytes() for path in tmp_path.glob("*.svg")}
    assert drawn
    assert drawn == {name: (BENCHMARKS / name).read_bytes() for name in drawn}


def test_the_figures_of_the_readme_are_those_of_the_page() -> None:
    # given what the page says of wide records: records a second, and times that others take
    page = (PROJECT / "docs" / "performance.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| (wide \(.*) \|$", page, re.MULTILINE)
    speed, vendor, tuned = row.split(" | ")[-5:-2]
    # when the README is read
    readme = " ".join((PROJECT / "README.md").read_text(encoding="utf-8").split())
    found = re.search(r"([\d,]+) records of (\d+) fields a second", readme)
    times = re.search(r"(\w+) times the vendor's target at its defaults, (\w+) at its", readme)
    # then it says no more than that
    assert found is not None
    assert times is not None
    number, fields = (int(each.replace(",", "")) for each in found.groups())
    assert f"{fields} fields" in row
    assert 0 <= int(speed.replace(",", "")) - number < 10_000
    assert [WORDS[each] for each in times.groups()] == [int(float(vendor)), int(float(tuned))]

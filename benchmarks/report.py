"""What is told: text tables, ``results.json``, and the charts drawn from it."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

import chart
from cases import Result
from measure import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modes import Plan

OURS, PUMP, EMPTY = "ours", "pump", "empty input"
CHARTED = {
    "ours": "target-stitch-import",
    "ours-novalid": "... without validation",
    "vendor": "target-stitch 4.0.3",
    "vendor-fast": "... at its fastest",
    "sdk": "default SDK target",
    "sdk-novalid": "... without validation",
}
WIDE = "Records of 20 fields per second, into a server that only counts"
HEAD = ("program", "wall s", "min..max", "cpu s", "peak MB", "records/s", "MB/s")
NOTE = """
All from start to exit. A program that read fewer records is compared by the time that all of them
would have taken. Only ours and sdk check the records that they send."""
TIMES = {
    "times_ours": "x ours",
    "times_pump": "x pump",
    "times_ours_cpu": "x ours cpu",
    "times_pump_cpu": "x pump cpu",
}
"""What a ratio is called above its column."""


def machine() -> dict[str, Any]:
    """Say what was measured on, by its class and not by its name."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "target-stitch-import": metadata.version("target-stitch-import"),
    }


def machine_line(told: dict[str, Any]) -> str:
    """Say it in a line."""
    return (
        f"{told['cores']} cores, {told['system']} {told['architecture']}, Python {told['python']}"
    )


def compare(results: Sequence[Result]) -> None:
    """Add to each result how many times as long it took as ours, and as the pump.

    It is the ratio of the medians. A program that read fewer records is compared by the time that
    all of them would have taken: its start once, the rest in proportion.
    """
    started = {each.program: each for each in results if each.case.endswith(EMPTY)}
    for result in results:
        if start := started.get(result.program):
            result.start, result.start_cpu = start.wall, start.cpu
    for result in results:
        for name in (OURS, PUMP):
            for other in (e for e in results if e.case == result.case and e.program == name):
                walls = result.of_whole(result.wall) / other.of_whole(other.wall)
                cpus = result.whole_cpu / other.whole_cpu
                result.more |= {
                    f"times_{name}": round(walls, 3),
                    f"times_{name}_cpu": round(cpus, 3),
                }


def tables(results: Sequence[Result]) -> str:
    """Return a table for each case."""
    parts = []
    for case in dict.fromkeys(result.case for result in results):
        rows = [result for result in results if result.case == case]
        extra = list(rows[0].more)
        counts = dict.fromkeys(f"{row.records:,}" for row in rows)
        parts.append(f"\n{case} ({' or '.join(counts)} records)")
        head = [*HEAD, *(TIMES.get(name, name) for name in extra)]
        parts += _aligned([head, *(_cells(row, extra) for row in rows)])
    return "\n".join(parts)


def _cells(row: Result, extra: Sequence[str]) -> list[str]:
    shortest, longest = row.spread
    return [
        row.program,
        f"{row.wall:.3f}",
        f"{shortest:.3f}..{longest:.3f}",
        f"{row.cpu:.3f}",
        f"{row.peak_mb:.1f}",
        f"{row.speed:,.0f}" if row.records else "-",
        f"{row.mb_speed:.1f}" if row.input_mb else "-",
        *(f"{row.more[name]:,.2f}" for name in extra),
    ]


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for name, *numbers in cells:
        right = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
        lines.append("  " + "  ".join([name.ljust(widths[0]), *right]))
    return lines


def write(results: Sequence[Result], mode: str, plan: Plan, folder: Path) -> None:
    """Write the results of a mode; those of other modes stay in the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[mode] = {
        "machine": machine(),
        "records": plan.records,
        "runs": plan.runs,
        "results": [result.told() for result in results],
    }
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if mode == "shapes":
        draw(kept[mode], folder)


def draw(told: dict[str, Any], folder: Path) -> None:
    """Write the charts of what ``results.json`` tells of the shapes: all of them, and wide alone."""
    results = [_read(each) for each in told["results"]]
    compare(results)
    shown = [
        each for each in results if each.program in CHARTED and not each.case.startswith("start")
    ]
    note = f"median of {told['runs']} runs, longer is better, line: min to max; "
    note += machine_line(told["machine"])
    charts = {
        "results.svg": (shown, CHARTED, "Records per second"),
        "wide.svg": ([each for each in shown if each.case == "wide"], CHARTED, WIDE),
    }
    for name, (those, labels, title) in charts.items():
        if those:
            (folder / name).write_text(chart.draw(those, labels, title, note), encoding="utf-8")


def _read(told: dict[str, Any]) -> Result:
    """Return a result as ``told`` has told it."""
    samples = [Sample(**each) for each in told["runs"]]
    whole = told["compared_as"]
    return Result(
        told["case"], told["program"], told["records"], told["input_mb"], whole, samples=samples
    )

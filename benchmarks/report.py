"""The report: text tables, ``results.json``, and the charts and the page's table drawn from it."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

import chart
from cases import Result
from chart import Bar
from shapes import MAIN
from variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BASE = VARIANTS[0].name
CHARTED = {
    "ours": "target-stitch-import",
    "ours-novalid": "... without validation",
    "vendor": "target-stitch 4.0.3",
    "vendor-fast": "... at its fastest",
    "sdk": "default SDK target",
    "sdk-novalid": "... without validation",
}
HEAD = (
    "program", "seconds", "min..max", "cpu s", "peak MB", "records/s", "us/record", "cpu us/record",
    "ratio", "asked",
)  # fmt: skip
ROW = "  {:24}{:>10}{:>19}{:>10}{:>9}{:>12}{:>11}{:>15}{:>9}  {}"
NOTE = """
Times are from start to exit; those of a single record are without the start. A program that read a
part of the records is compared by the time that all of them would have taken. The ratio is that of
the time to this target's, or to the first line's; of live taps that of processor time per record."""
TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def machine() -> dict[str, Any]:
    """Return what is measured on, by its class and not by its name."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "target-stitch-import": metadata.version("target-stitch-import"),
    }


def machine_line(found: dict[str, Any]) -> str:
    """Return it as a line."""
    system = f"{found['system']} {found['architecture']}"
    return f"{found['cores']} cores, {system}, Python {found['python']}"


def tables(results: Sequence[Result]) -> str:
    """Return a text table for each case."""
    parts = []
    for case, variant in dict.fromkeys((each.case, each.variant) for each in results):
        rows = [each for each in results if (each.case, each.variant) == (case, variant)]
        parts.append(f"\n{case}, {variant} ({max(row.records for row in rows):,} records)")
        parts += [ROW.format(*cells).rstrip() for cells in (HEAD, *map(_cells, rows))]
    if missed := [each for each in results if each.missed]:
        parts.append("\nAims that are missed:")
        parts += [f"  {e.case}, {e.variant}, {e.program}: {e.ratio} {_aim(e)}" for e in missed]
    return "\n".join(parts)


def _aim(result: Result) -> str:
    return f"{result.aim[0]} {result.aim[1]:g}" if result.aim else ""


def _cells(row: Result) -> list[str]:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    return [
        row.program,
        f"{row.seconds:.3f}",
        f"{row.shortest:.3f}..{row.longest:.3f}",
        f"{row.cpu_seconds:.3f}",
        f"{row.peak_mb:.1f}",
        f"{row.speed:,.0f}" if row.records else "-",
        number(row.us_per_record),
        number(row.cpu_us_per_record),
        number(row.ratio),
        _aim(row),
    ]


def read(folder: Path) -> dict[str, Any]:
    """Return what ``results.json`` has, by mode."""
    path = folder / "results.json"
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for found in kept.values():
        found["results"] = [Result(**each) for each in found["results"]]
    return kept


def write(results: Sequence[Result], mode: str, runs: int, folder: Path) -> None:
    """Write the results of a mode; other cases and modes of this machine stay in the file."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = read(folder)
    before = kept.get(mode, {"machine": machine(), "results": []})
    measured = {(each.case, each.variant) for each in results}
    stay = before["results"] if before["machine"] == machine() else []
    stay = [each for each in stay if (each.case, each.variant) not in measured]
    kept[mode] = {"machine": machine(), "runs": runs, "results": [*stay, *results]}
    (folder / "results.json").write_text(_compact(kept), encoding="utf-8")


def _compact(kept: dict[str, Any]) -> str:
    """Return it as JSON with a line for each result."""
    modes = []
    for mode, found in kept.items():
        head = json.dumps({key: value for key, value in found.items() if key != "results"})
        rows = [
            "  " + json.dumps({k: v for k, v in asdict(each).items() if v is not None})
            for each in found["results"]
        ]
        modes.append(f' "{mode}": {head[:-1]}, "results": [\n' + ",\n".join(rows) + "\n ]}")
    return "{\n" + ",\n".join(modes) + "\n}\n"


def draw(folder: Path, page: Path | None = None) -> None:
    """Write the charts of the shapes, and their table into the page between its marks."""
    found = read(folder)["shapes"]
    results: list[Result] = found["results"]
    all_shapes = {shape.name: [e for e in results if e.case == shape.name] for shape in MAIN}
    wide = {v.about: [e for e in all_shapes["wide"] if e.variant == v.name] for v in VARIANTS}
    note = f"medians; line: slowest to fastest run; {machine_line(found['machine'])}"
    for name, title, about, groups in (
        ("results.svg", "Records per second", f"bar: the slowest variant; {note}", all_shapes),
        ("wide.svg", "Records of 20 fields per second, into a server that only counts", note, wide),
    ):
        if bars := {group: drawn for group, rows in groups.items() if (drawn := _bars(rows))}:
            svg = chart.draw(bars, title, about, one_scale=groups is wide)
            (folder / name).write_text(svg, encoding="utf-8")
    if page is not None:
        text = page.read_text(encoding="utf-8")
        page.write_text(TABLE.sub(lambda _: page_table(results), text), encoding="utf-8")


def _bars(results: Sequence[Result]) -> list[Bar]:
    """Return a bar for each program: its slowest variant, and the spread over all of them."""
    bars = []
    for program, label in CHARTED.items():
        if rows := [each for each in results if each.program == program]:
            lowest = min(row.records / row.longest for row in rows)
            highest = max(row.records / row.shortest for row in rows)
            speed = min(row.speed for row in rows)
            bars.append(Bar(label, program.startswith("ours"), speed, lowest, highest))
    return bars


def page_table(results: Sequence[Result]) -> str:
    """Return the table of the page: this target's slowest variant, and how long others take."""
    found = {(each.case, each.variant, each.program): each for each in results}
    variants = [each.name for each in VARIANTS if any(each.name == e.variant for e in results)]
    columns = {f"vendor: {name}": (name, "vendor") for name in variants}
    columns |= {"tuned": (BASE, "vendor-fast"), "sdk": (BASE, "sdk"), "pump": (BASE, "pump")}
    measured = {each[1:] for each in found}
    columns = {name: column for name, column in columns.items() if column in measured}
    lines = [
        "shape | seconds | records/s | " + " | ".join(columns),
        ":--" + " | --:" * (len(columns) + 2),
    ]
    for shape in MAIN:
        ours = [found[key] for v in variants if (key := (shape.name, v, "ours")) in found]
        if not ours:
            continue
        slowest = max(ours, key=lambda each: each.seconds)
        rest = [found.get((shape.name, *column)) for column in columns.values()]
        cells = [f"{each.ratio:.3g}" if each and each.ratio else "" for each in rest]
        speed = f"{slowest.seconds:.2f} | {round(slowest.speed, -3):,.0f}"
        lines.append(f"{shape.name}: {shape.about} | {speed} | {' | '.join(cells)}")
    return "".join(f"| {line} |\n" for line in lines)

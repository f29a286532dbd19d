"""The benchmark: this target beside others, on the same input, against a server that only counts.

``make bench`` runs it. It makes the environments and inputs that it needs, and writes
``results.json`` and its charts beside itself.
"""

from __future__ import annotations

import argparse
import compileall
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import modes
import report
from environments import PROJECT, SetUpError
from measure import WrongError
from modes import Plan
from programs import DEFAULT, PROGRAMS, Program, named
from shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cases import Result

PROGRAMS_OF_MODE = {
    "shapes": DEFAULT,
    "latency": "ours,vendor-fast",
    "memory": "ours,vendor,vendor-fast,pump",
    "growth": "ours,vendor-fast,sdk",
    "forms": "ours",
}
QUICK_RECORDS = 20_000


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    shapes, programs = [each.name for each in SHAPES], [each.name for each in PROGRAMS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=list(PROGRAMS_OF_MODE), default="shapes")
    parser.add_argument("--records", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--runs", type=int, default=5, help="of each program, default: 5")
    parser.add_argument("--shapes", default=",".join(shapes), help=f"of {', '.join(shapes)}")
    parser.add_argument("--programs", help=f"of {', '.join(programs)}")
    parser.add_argument("--quick", action="store_true", help="few records, two runs")
    parser.add_argument("--draw", action="store_true", help="the charts again, from results.json")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent)
    options = parser.parse_args(arguments)
    if options.quick:
        options.records, options.runs = QUICK_RECORDS, 2
    options.programs = options.programs or PROGRAMS_OF_MODE[options.mode]
    for asked, known in ((options.shapes, shapes), (options.programs, programs)):
        if unknown := set(asked.split(",")) - set(known):
            parser.error(f"not known: {', '.join(sorted(unknown))}")
    return options


def measured(mode: str, plan: Plan, output: Path) -> list[Result]:
    """Measure what the mode is about, and write after each case what is known by then."""
    ways: dict[str, tuple[Callable[[Plan], Iterator[list[Result]]], ...]] = {
        "shapes": (modes.start, modes.shapes),
        "latency": (modes.latency,),
        "memory": (modes.memory,),
        "growth": (modes.growth,),
        "forms": (modes.forms,),
    }
    results: list[Result] = []
    for way in ways[mode]:
        for found in way(plan):
            results += found
            report.compare(results)
            report.write(results, mode, plan, output)
    return results


def ready(programs: Sequence[Program]) -> None:
    """Make the environments that are needed, and have this target compiled as pip compiles the others."""
    compileall.compile_dir(PROJECT / "target_stitch_import", quiet=1)
    for environment in dict.fromkeys(program.environment for program in programs):
        if environment.requirements:
            environment.ready()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return its exit code."""
    options = options_of(arguments)
    if options.draw:
        kept = json.loads((options.output / "results.json").read_text(encoding="utf-8"))
        report.draw(kept["shapes"], options.output)
        return 0
    plan = Plan(
        folder=PROJECT / ".bench",
        records=options.records,
        runs=options.runs,
        shapes=[shape for shape in SHAPES if shape.name in options.shapes.split(",")],
        programs=named(options.programs),
    )
    plan.work.mkdir(parents=True, exist_ok=True)
    try:
        ready(plan.programs)
        results = measured(options.mode, plan, options.output)
    except (SetUpError, WrongError) as error:
        print(f"\nbench: {error}", file=sys.stderr)
        return 1
    print(f"\n{report.machine_line(report.machine())}; medians of {plan.runs} runs")
    for program in plan.programs:
        print(f"  {program.name}: {program.about}")
    print(report.tables(results))
    print(report.NOTE)
    print(f"\nWritten: results.json and its charts in {options.output.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

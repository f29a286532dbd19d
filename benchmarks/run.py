"""The benchmark: this target beside others, on the same input, against a server that only counts.

``make bench`` runs it. It makes the environments and inputs that it needs, and writes
``results.json`` and its charts beside itself; a quick run writes them into ``.bench``.
"""

from __future__ import annotations

import argparse
import compileall
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import modes
import report
from cases import Result, run_case
from environments import PROJECT, SetUpError
from measure import WrongError, null_server
from modes import MODES, Mode, Plan
from programs import PROGRAMS
from shapes import SHAPES
from variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from programs import Program

QUICK_RECORDS = 20_000
WORK = PROJECT / ".bench"
KNOWN: dict[str, dict[str, Any]] = {
    "mode": dict(MODES),
    "shapes": {each.name: each for each in SHAPES},
    "variants": {each.name: each for each in VARIANTS},
    "programs": {each.name: each for each in PROGRAMS},
}


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option, known in KNOWN.items():
        default = "start,shapes,growth,live" if option == "mode" else None
        parser.add_argument(f"--{option}", default=default, help=f"of {', '.join(known)}")
    parser.add_argument("--records", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--runs", type=int, default=3, help="of each program, default: 3")
    parser.add_argument("--quick", action="store_true", help="20,000 records, one run")
    parser.add_argument("--whole", action="store_true", help="slow programs read all records, too")
    parser.add_argument("--draw", action="store_true", help="only charts and table, of the results")
    parser.add_argument("--output", type=Path, help="the folder for the results")
    parser.add_argument("--page", type=Path, default=PROJECT / "docs" / "performance.md")
    options = parser.parse_args(arguments)
    if options.quick:
        options.records, options.runs = QUICK_RECORDS, 1
    options.output = options.output or (WORK if options.quick else Path(__file__).resolve().parent)
    for option, known in KNOWN.items():
        asked = getattr(options, option)
        if unknown := set(asked.split(",") if asked else ()) - set(known):
            parser.error(f"--{option}: not known: {', '.join(sorted(unknown))}")
    return options


def plan_mode(mode: Mode, options: argparse.Namespace, work: Path) -> Plan:
    """Return what to do for a mode: what was asked for, or else what the mode usually does."""

    def chosen(option: str, usual: str) -> list[Any]:
        names = (getattr(options, option) or usual).split(",")
        return [KNOWN[option][name] for name in names]

    return Plan(
        work=work,
        records=options.records,
        runs=options.runs,
        shapes=chosen("shapes", "") if options.shapes else mode.shapes,
        variants=chosen("variants", mode.variants),
        programs=chosen("programs", mode.programs),
        few=chosen("programs", mode.few),
        whole=options.whole,
    )


def prepare(programs: Sequence[Program]) -> None:
    """Make the environments that are needed, and have this target compiled as pip compiles the others."""
    compileall.compile_dir(PROJECT / "target_stitch_import", quiet=1)
    for environment in dict.fromkeys(program.environment for program in programs):
        if environment.requirements:
            environment.prepare()


def run_mode(name: str, plan: Plan, output: Path) -> list[Result]:
    """Measure what a mode is about, and write after each case what is known by then."""
    results: list[Result] = []
    with null_server() as server:
        found = run_case(modes.empty(plan, server), plan.runs, plan.work)
        starts = {each.program: (each.seconds, each.cpu_seconds) for each in found}
        for case in MODES[name].cases(replace(plan, starts=starts), server):
            results += run_case(case, plan.runs, plan.work)
            report.write(results, name, plan.runs, output)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return its exit code."""
    options = parse_options(arguments)
    if options.draw:
        report.draw(options.output, options.page)
        return 0
    WORK.mkdir(exist_ok=True)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="run-", dir=WORK) as work:
        names = options.mode.split(",")
        plans = {name: plan_mode(MODES[name], options, Path(work)) for name in names}
        programs = [e for plan in plans.values() for e in (*plan.programs, *plan.few)]
        try:
            prepare(programs)
            for mode, plan in plans.items():
                results += run_mode(mode, plan, options.output)
        except (SetUpError, WrongError) as error:
            print(f"\nbench: {error}", file=sys.stderr)
            return 1
    if "shapes" in plans:
        report.draw(options.output)
    print(f"\n{report.machine_line(report.machine())}; medians of {options.runs} runs")
    for program in dict.fromkeys(programs):
        print(f"  {program.name}: {program.about}")
    print(report.tables(results))
    print(report.NOTE)
    print(f"\nWritten: results.json and its charts in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

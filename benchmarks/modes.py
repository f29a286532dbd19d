"""What is measured: speed by shape, start-up, latency, memory, growth and other forms."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import inputs
from cases import Entry, Result, run_case
from environments import OURS
from forms import FORMS
from measure import Expected, NullServer, Source, null_server
from shapes import SHAPES, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from programs import Program

DELAYS_MS = (0, 50, 250)
PARALLEL = (1, 4, 8, 16)
LEAST_RECORDS = 10_000
LEAST_BYTES = 250
"""A record of the shapes wide and streams has no fewer."""
MANY_STREAMS = (1000, 10_000)
GROWING_STREAMS = (1, 10, 100, 1000)
INPUTS = Path(__file__).resolve().with_name("inputs.py")


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    folder: Path
    records: int
    runs: int
    shapes: Sequence[Shape]
    programs: Sequence[Program]

    @property
    def work(self) -> Path:
        """Return where configs and outputs of a run are."""
        return self.folder / "run"


def shape_named(name: str) -> Shape:
    """Return a shape."""
    return next(shape for shape in SHAPES if shape.name == name)


def part(program: Program, records: int) -> int:
    """Return how many records it reads, enough of them to see more than its start."""
    return max(records // program.part, min(records, LEAST_RECORDS))


def entry(
    program: Program,
    shape: Shape,
    records: int,
    server: NullServer,
    plan: Plan,
    *,
    streams: int | None = None,
    state_every: int | None = None,
) -> Entry:
    """Return a program with a file to read."""
    made = inputs.made(
        plan.folder, shape, max(records, 1), streams=streams, state_every=state_every
    )
    state = made.last_state if program.writes_states else None
    return Entry(
        program.name,
        program.command(server.url, shape, plan.work),
        Source(Path(made.path)),
        Expected(made.data_bytes, state),
        made.records,
        made.size,
    )


def shapes(plan: Plan) -> Iterator[list[Result]]:
    """Run every program on every shape."""
    with null_server() as server:
        for shape in plan.shapes:
            able = [program for program in plan.programs if program.can(shape)]
            records = plan.records // shape.part
            entries = [entry(each, shape, part(each, records), server, plan) for each in able]
            yield run_case(shape.name, entries, plan.runs, server, plan.work)


def start(plan: Plan) -> Iterator[list[Result]]:
    """Measure what every program needs before it does anything."""
    shape = shape_named("narrow")
    python = str(OURS.bin / "python")
    alone = {
        "python": [python, "-c", "pass"],
        "import singer_sdk": [python, "-c", "import singer_sdk.target_base"],
        "ours --version": [str(OURS.bin / "target-stitch-import"), "--version"],
    }
    with null_server() as server:
        entries = [Entry(name, each, Source(), Expected()) for name, each in alone.items()]
        yield run_case("start: alone", entries, plan.runs, server, plan.work)
        yield nothing("start", plan, server)
        entries = [entry(each, shape, 1, server, plan) for each in plan.programs]
        yield run_case("start: one record", entries, plan.runs, server, plan.work)


def latency(plan: Plan) -> Iterator[list[Result]]:
    """Measure how much of its speed ours, and the vendor's, keeps when the service is far away."""
    setting = {"ours": "max_parallel_requests", "vendor": "turbo_boost_factor"}
    able = [program for program in plan.programs if program.kind in setting]
    near: dict[str, float] = {}
    for delay in DELAYS_MS:
        with null_server(delay) as server:
            entries = []
            for program in able:
                for parallel in PARALLEL:
                    settings = program.settings | {setting[program.kind]: parallel}
                    name = f"{program.name} x{parallel}"
                    varied = replace(program, name=name.replace(" ", "-"), settings=settings)
                    made = entry(varied, shape_named("wide"), plan.records, server, plan)
                    entries.append(replace(made, program=name))
            found = run_case(f"latency: {delay} ms", entries, plan.runs, server, plan.work)
        for result in found:
            share = near.setdefault(result.program, result.wall) / result.wall
            result.more = {"delay_ms": delay, "share_of_no_delay": round(share, 3)}
        yield found


def memory(plan: Plan) -> Iterator[list[Result]]:
    """Measure the memory for more and more records out of a pipe, and for many streams."""
    records = plan.records
    cases = [("wide", size, 1) for size in (records // 10, records, records * 10)]
    cases += [("streams", max(records // 5, streams), streams) for streams in MANY_STREAMS]
    with null_server() as server:
        for name, size, streams in cases:
            shape = shape_named(name)
            command = [sys.executable, str(INPUTS), "--shape", name, "--records", str(size)]
            source = Source(command=(*command, "--streams", str(streams)))
            expected = Expected(data_bytes=size * LEAST_BYTES)
            entries = [
                Entry(each.name, each.command(server.url, shape, plan.work), source, expected, size)
                for each in plan.programs
            ]
            case = f"memory: {size:,} {name}, {streams:,} streams"
            yield run_case(case, entries, plan.runs, server, plan.work)


def growth(plan: Plan) -> Iterator[list[Result]]:
    """Measure the time per record as records, streams or STATEs become more."""
    few = plan.records // 10
    wide, streams, narrow = (shape_named(name) for name in ("wide", "streams", "narrow"))
    cases: list[tuple[str, Shape, int, int | None, int | None]] = [
        *((f"growth: {n:,} records", wide, n, None, None) for n in (few // 10, few, few * 10)),
        *((f"growth: {n:,} streams", streams, few, n, None) for n in GROWING_STREAMS),
        *((f"growth: {n} STATEs a record", narrow, few, None, n) for n in (0, 1)),
    ]
    with null_server() as server:
        starts = nothing("growth", plan, server)
        yield starts
        started = {result.program: result.wall for result in starts}
        for case, shape, size, count, every in cases:
            entries = [
                entry(each, shape, part(each, size), server, plan, streams=count, state_every=every)
                for each in plan.programs
            ]
            yield per_record(run_case(case, entries, plan.runs, server, plan.work), started)


def forms(plan: Plan) -> Iterator[list[Result]]:
    """Measure the time per record as other taps declare and write their records; they take turns."""
    with null_server() as server:
        starts = nothing("forms", plan, server)
        yield starts
        for program, start in zip(plan.programs, starts, strict=True):
            entries = [
                replace(entry(program, form, plan.records // 5, server, plan), program=form.name)
                for form in FORMS
            ]
            found = run_case(f"forms: {program.name}", entries, plan.runs, server, plan.work)
            yield per_record(found, dict.fromkeys((form.name for form in FORMS), start.wall))


def nothing(mode: str, plan: Plan, server: NullServer) -> list[Result]:
    """Run every program on an empty input."""
    shape = shape_named("narrow")
    entries = [
        Entry(each.name, each.command(server.url, shape, plan.work), Source(), Expected())
        for each in plan.programs
    ]
    return run_case(f"{mode}: empty input", entries, plan.runs, server, plan.work)


def per_record(results: list[Result], started: Mapping[str, float]) -> list[Result]:
    """Say of results what a record takes; what an empty input takes, in seconds, is taken off."""
    for result in results:
        seconds = max(0.0, result.wall - started[result.program])
        result.more = {"us_per_record": round(seconds / result.records * 1e6, 3)}
    return results

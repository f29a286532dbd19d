"""What is measured: start-up, speed by shape and variant, growth, live taps, latency, memory."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import inputs
from cases import Case, Entry
from environments import OURS
from inputs import BASE, Input
from measure import Expected, NullServer, Source, null_server
from programs import DEFAULT, FEW
from shapes import DECLARED, EVENTS, MAIN, NARROW, WIDE, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from programs import Program
    from variants import Variant

    Maker = Callable[[Shape, Variant, int], Input]

DELAYS_MS = (0, 50, 250)
PARALLEL = (1, 4, 8, 16)
LEAST_RECORDS = 10_000
LEAST_BYTES = 250
"""A record of the shapes wide and streams has no fewer."""
MANY_STREAMS = (1000, 10_000)
GROWING_STREAMS = (1, 10, 100, 1000)
LIVE_RECORDS, LIVE_RATE = 200_000, 25_000  # in all, and a second


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    work: Path
    """The folder for inputs, configs and outputs."""
    records: int
    runs: int
    shapes: Sequence[Shape]
    variants: Sequence[Variant]
    programs: Sequence[Program]
    few: Sequence[Program]
    """The programs that run on the variants beside the base."""
    whole: bool = False
    """Whether programs that are slow read all records, too."""
    starts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The seconds, and those of the processor, that a program takes with an empty input."""

    def part(self, program: Program, records: int) -> int:
        """Return how many records it reads, enough of them to see more than its start."""
        if self.whole:
            return records
        return max(records // program.part, min(records, LEAST_RECORDS))


@contextlib.contextmanager
def made_inputs(plan: Plan) -> Iterator[Maker]:
    """Yield what makes inputs, each once; their files are there as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="inputs-", dir=plan.work) as folder:
        yield functools.cache(functools.partial(inputs.write, Path(folder)))


def entry(
    program: Program, shape: Shape, made: Input, server: NullServer, plan: Plan, label: str = ""
) -> Entry:
    """Return a program that reads an input."""
    return Entry(
        label or program.name,
        program.command(server.url, shape, plan.work),
        Source(made.path),
        Expected(made.data_bytes, made.last_state if program.kind != "pump" else None),
        made.records,
        plan.starts.get(program.name, (0, 0)),
    )


def piped(shape: Shape, variant: Variant, records: int, *options: object) -> Source:
    """Return the same lines from another program."""
    tap = [sys.executable, inputs.__file__, "--shape", shape.name, "--variant", variant.name]
    return Source(command=tuple(map(str, [*tap, "--records", records, *options])))


def empty(plan: Plan, server: NullServer) -> Case:
    """Return the case that shows what a program takes with an empty input."""
    programs = {each.name: each for each in (*plan.programs, *plan.few)}
    entries = [
        Entry(name, each.command(server.url, NARROW, plan.work), Source(), Expected())
        for name, each in programs.items()
    ]
    return Case("empty input", entries, server)


def start(plan: Plan, server: NullServer) -> Iterator[Case]:
    """Run fifty records, as most runs of an hour have; the SDK's import is what to compare with."""
    sdk = [str(OURS.bin / "python"), "-c", "import singer_sdk.target_base"]
    with made_inputs(plan) as make:
        fifty = make(NARROW, BASE, 50)
        entries = [Entry("import singer_sdk", sdk, Source(), Expected())]
        for program in plan.programs:
            one = entry(program, NARROW, fifty, server, plan)
            entries.append(replace(one, aim=("at most", 1.15)) if program.name == "ours" else one)
        yield Case("start: 50 records", entries, server, "import singer_sdk", times=4)


def shapes(plan: Plan, server: NullServer) -> Iterator[Case]:
    """Run the programs on every shape, in every variant."""
    for shape, variant in itertools.product(plan.shapes, plan.variants):
        whole = plan.records // shape.part
        with made_inputs(plan) as make:
            entries = []
            for program in plan.programs if variant is BASE else plan.few:
                if not program.can(shape):
                    continue
                made = make(shape, variant, plan.part(program, whole))
                one = entry(program, shape, made, server, plan)
                aim = shape.vendor_aim if program.name == "vendor" else None
                entries.append(replace(one, whole=whole, aim=aim))
            yield Case(shape.name, entries, server, variant=variant.name)


def growth(plan: Plan, server: NullServer) -> Iterator[Case]:
    """Measure more and more records of one stream, and of more and more streams in turn."""
    sizes = [(plan.records // n, WIDE, "records") for n in (100, 10, 1)]
    turns = [(plan.records, replace(EVENTS, streams=n), "streams") for n in GROWING_STREAMS]
    for inputs_of_case, variant in itertools.product((sizes, turns), plan.variants):
        with made_inputs(plan) as make:
            entries = []
            for program, (size, shape, what) in itertools.product(plan.programs, inputs_of_case):
                count = size if what == "records" else shape.streams
                made = make(shape, variant, plan.part(program, size))
                one = entry(program, shape, made, server, plan, f"{program.name}, {count:,} {what}")
                is_bound = program.name == "ours" and shape.streams == GROWING_STREAMS[-1]
                entries.append(replace(one, whole=size, aim=("at most", 2.5) if is_bound else None))
            yield Case(f"growth: {what}", entries, server, entries[0].label, variant.name)


def live(plan: Plan, server: NullServer) -> Iterator[Case]:
    """Compare taps that flush each line with the same lines from a file, by processor time."""
    for shape, variant in itertools.product(plan.shapes, plan.variants):
        with made_inputs(plan) as make:
            entries = []
            for program in plan.programs:
                made = make(shape, variant, plan.part(program, min(plan.records, LIVE_RECORDS)))
                tap = piped(shape, variant, made.records, "--rate", LIVE_RATE)
                aim = ("at most", 2) if program.name == "ours" else None
                file = entry(program, shape, made, server, plan, f"{program.name}, file")
                flushed = replace(file, label=f"{program.name}, live", source=tap, aim=aim)
                entries += [file, flushed]
            name = f"live: {shape.name}"
            yield Case(name, entries, server, entries[0].label, variant.name, by_cpu=True)


def latency(plan: Plan, _server: NullServer) -> Iterator[Case]:
    """Measure what is left of the speed when the service is far away."""
    setting = {"ours": "max_parallel_requests", "vendor": "turbo_boost_factor"}
    with made_inputs(plan) as make:
        made = make(WIDE, BASE, plan.records)
        for delay in DELAYS_MS:
            with null_server(delay) as server:
                entries = []
                able = [program for program in plan.programs if program.kind in setting]
                for program, parallel in itertools.product(able, PARALLEL):
                    settings = program.settings | {setting[program.kind]: parallel}
                    name = f"{program.name}-x{parallel}"
                    varied = replace(program, name=name, settings=settings)
                    entries.append(entry(varied, WIDE, made, server, plan))
                yield Case(f"latency: {delay} ms", entries, server)


def memory(plan: Plan, server: NullServer) -> Iterator[Case]:
    """Measure the memory for more and more records out of a pipe, and for many streams."""
    records = plan.records
    cases = [(WIDE, size, 1) for size in (records // 10, records, records * 10)]
    cases += [(EVENTS, max(records // 5, streams), streams) for streams in MANY_STREAMS]
    for shape, size, streams in cases:
        source, expected = (
            piped(shape, BASE, size, "--streams", streams),
            Expected(size * LEAST_BYTES),
        )
        entries = []
        for program in plan.programs:
            command = program.command(server.url, shape, plan.work)
            entries.append(Entry(program.name, command, source, expected, size))
        yield Case(f"memory: {size:,} {shape.name}, {streams:,} streams", entries, server)


@dataclass(frozen=True)
class Mode:
    """One thing to measure, and what it is measured with if nothing else is asked for."""

    cases: Callable[[Plan, NullServer], Iterator[Case]]
    programs: str = FEW
    few: str = FEW
    shapes: tuple[Shape, ...] = ()
    """Empty if the mode has inputs of its own."""
    variants: str = "base"


MODES = {
    "start": Mode(start),
    "shapes": Mode(shapes, DEFAULT, FEW, MAIN, "base,isoformat,go,spaces,no-zone"),
    "growth": Mode(growth),
    "live": Mode(live, shapes=(NARROW, WIDE)),
    "schemas": Mode(shapes, "ours", "ours", (WIDE, *DECLARED)),
    "latency": Mode(latency, "ours,vendor-fast"),
    "memory": Mode(memory, "ours,vendor,vendor-fast,pump"),
}

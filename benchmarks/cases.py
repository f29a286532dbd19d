"""A case: the programs that take turns at the same work, and what their runs took."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from measure import Expected, Sample, Source, WrongError, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from measure import NullServer


@dataclass(frozen=True)
class Entry:
    """A program in a case."""

    label: str
    command: Sequence[str]
    source: Source
    expected: Expected
    records: int = 0
    start: tuple[float, float] = (0, 0)
    """The seconds, and those of the processor, with an empty input."""
    whole: int = 0
    """The records that the time is wanted for, if this program reads a part of them."""
    aim: tuple[str, float] | None = None
    """Its ratio to the reference shall be ``at least`` or ``at most`` that."""


@dataclass(frozen=True)
class Case:
    """What the programs do, and the label of the entry that the others are compared with."""

    name: str
    entries: Sequence[Entry]
    server: NullServer
    reference: str = "ours"
    variant: str = "base"
    by_cpu: bool = False
    """Compare processor time per record, start-up taken off, instead of the time from start to exit."""
    times: int = 1
    """So many times as many runs: where a run is short."""


@dataclass(frozen=True)
class Result:
    """The medians of an entry's runs, as ``results.json`` has them.

    The times, and the records a second, are those of ``records`` records, where the program
    read ``read`` of them: its start once, the rest in proportion.
    """

    case: str
    variant: str
    program: str
    records: int
    read: int
    seconds: float
    shortest: float
    longest: float
    cpu_seconds: float
    peak_mb: float
    us_per_record: float | None = None
    """Without the start; None if nothing is read."""
    cpu_us_per_record: float | None = None
    ratio: float | None = None
    """The time, as many times that of the case's reference; None without one."""
    aim: tuple[str, float] | None = None

    @property
    def missed(self) -> bool:
        """Return whether the ratio misses its aim."""
        if self.ratio is None or self.aim is None:
            return False
        bound, limit = self.aim
        return self.ratio < limit if bound == "at least" else self.ratio > limit

    @property
    def speed(self) -> float:
        """Return records per second, from start to exit."""
        return self.records / self.seconds


def run_case(case: Case, runs: int, work: Path) -> list[Result]:
    """Run every program ``runs`` times, one after the other in each round.

    Raises:
        WrongError: A program did not do its work.
    """
    name = f"{case.name}, {case.variant}"
    print(f"{name}: ", end="", flush=True)
    samples: list[list[Sample]] = [[] for _ in case.entries]
    for turn in range(runs * case.times):
        for place in range(len(case.entries)):
            index = (place + turn) % len(case.entries)  # nobody is always the first
            entry = case.entries[index]
            try:
                sample = run(entry.command, entry.source, case.server, entry.expected, work)
            except WrongError as error:
                raise WrongError(f"{name}, {entry.label}: {error}") from None
            samples[index].append(sample)
            print(".", end="", flush=True)
    print(flush=True)
    pairs = list(zip(case.entries, samples, strict=True))
    base = next((_compared(case, *pair) for pair in pairs if pair[0].label == case.reference), None)
    return [_result(case, entry, taken, base) for entry, taken in pairs]


def _compared(case: Case, entry: Entry, samples: Sequence[Sample]) -> float:
    """Return the number by which an entry is compared."""
    if case.by_cpu:
        cpu = statistics.median(sample.cpu for sample in samples)
        return max(0.0, cpu - entry.start[1]) / entry.records
    return _for_all(entry, statistics.median(sample.wall for sample in samples), entry.start[0])


def _for_all(entry: Entry, seconds: float, start: float) -> float:
    """Return what ``seconds`` would be with all records."""
    if entry.whole <= entry.records:
        return seconds
    return start + max(0.0, seconds - start) * entry.whole / entry.records


def _result(case: Case, entry: Entry, samples: Sequence[Sample], base: float | None) -> Result:
    walls = [sample.wall for sample in samples]
    wall = statistics.median(walls)
    cpu = statistics.median(sample.cpu for sample in samples)
    start, start_cpu = entry.start

    def per_record(seconds: float) -> float | None:
        return round(max(0.0, seconds) / entry.records * 1e6, 3) if entry.records else None

    return Result(
        case.name,
        case.variant,
        entry.label,
        records=max(entry.whole, entry.records),
        read=entry.records,
        seconds=round(_for_all(entry, wall, start), 4),
        shortest=round(_for_all(entry, min(walls), start), 4),
        longest=round(_for_all(entry, max(walls), start), 4),
        cpu_seconds=round(_for_all(entry, cpu, start_cpu), 4),
        peak_mb=round(statistics.median(sample.peak_mb for sample in samples), 1),
        us_per_record=per_record(wall - start),
        cpu_us_per_record=per_record(cpu - start_cpu),
        ratio=round(_compared(case, entry, samples) / base, 3) if base else None,
        aim=entry.aim,
    )

"""A case is something that each program does; the programs take turns, on the same machine."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import measure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from measure import Expected, NullServer, Sample, Source


@dataclass(frozen=True)
class Entry:
    """A program in a case."""

    program: str
    command: Sequence[str]
    source: Source
    expected: Expected
    records: int = 0
    input_bytes: int = 0


@dataclass
class Result:
    """What the runs of a program in a case took."""

    case: str
    program: str
    records: int
    input_mb: float
    whole: int
    """The records that the others read, where this program read a part of them."""
    start: float = 0
    """The seconds that it takes with an empty input."""
    start_cpu: float = 0
    samples: list[Sample] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    """What a mode has to say beyond it."""

    @property
    def wall(self) -> float:
        """Return the median seconds from start to exit."""
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """Return the median seconds of CPU."""
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def peak_mb(self) -> float:
        """Return the median of the most memory held."""
        return statistics.median(sample.peak_mb for sample in self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """Return the shortest and the longest run."""
        walls = [sample.wall for sample in self.samples]
        return min(walls), max(walls)

    def of_whole(self, seconds: float) -> float:
        """Return how long a run would have taken with the records that the others read."""
        return self._in_proportion(seconds, self.start)

    @property
    def whole_cpu(self) -> float:
        """Return the same for the CPU."""
        return self._in_proportion(self.cpu, self.start_cpu)

    def _in_proportion(self, seconds: float, start: float) -> float:
        if self.records == self.whole:
            return seconds
        return start + max(0.0, seconds - start) * self.whole / self.records

    @property
    def speed(self) -> float:
        """Return records per second, from start to exit."""
        return self.whole / self.of_whole(self.wall)

    @property
    def mb_speed(self) -> float:
        """Return MB of input per second, from start to exit."""
        return self.speed * self.input_mb / self.records if self.records else 0.0

    def told(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "case": self.case,
            "program": self.program,
            "records": self.records,
            "compared_as": self.whole,
            "input_mb": round(self.input_mb, 3),
            "wall_seconds": round(self.wall, 4),
            "wall_spread": [round(each, 4) for each in self.spread],
            "cpu_seconds": round(self.cpu, 4),
            "peak_mb": round(self.peak_mb, 1),
            "records_per_second": round(self.speed, 1),
            "mb_per_second": round(self.mb_speed, 2),
            **self.more,
            "runs": [
                {name: round(value, 4) for name, value in asdict(sample).items()}
                for sample in self.samples
            ],
        }


def run_case(
    case: str, entries: Sequence[Entry], runs: int, server: NullServer, work: Path
) -> list[Result]:
    """Run every program ``runs`` times, one after the other in each round."""
    print(f"{case}: ", end="", flush=True)
    whole = max(entry.records for entry in entries)
    results = [
        Result(case, entry.program, entry.records, entry.input_bytes / measure.MB, whole)
        for entry in entries
    ]
    for entry in entries:
        _warm(entry.source)
    for turn in range(runs):
        for place in range(len(entries)):
            index = (place + turn) % len(entries)  # nobody is always the first
            entry = entries[index]
            try:
                sample = measure.run(entry.command, entry.source, server, entry.expected, work)
            except measure.WrongError as error:
                raise measure.WrongError(f"{case}, {entry.program}: {error}") from None
            results[index].samples.append(sample)
            print(".", end="", flush=True)
    print()
    return results


def _warm(source: Source) -> None:
    """Read a file once, so that no run has to wait for the disk."""
    if source.path:
        with source.path.open("rb") as file:
            while file.read(1 << 20):
                pass

"""What the benchmarks read: Singer lines as taps write them, made with a seed.

The records of a shape are put together from a pool of bodies, so that ten million of them can be
made faster than any target reads them; each has an ``id`` and a time of its own. Called as a
program, it writes the lines to stdout.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from shapes import SHAPES, Shape
from variants import VARIANTS, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = 20240506
POOL = 512
BLOCK = 1000
START = datetime(2024, 5, 6, tzinfo=timezone.utc)
BASE = VARIANTS[0]


@dataclass(frozen=True)
class Input:
    """A file of Singer lines, and what a program that reads it must have done."""

    path: Path
    records: int
    data_bytes: int
    """The records alone: what is posted can't be much less."""
    last_state: str | None
    """As JSON; None if there is no STATE."""


@dataclass
class Tally:
    """What has been written so far."""

    data_bytes: int = 0
    last_state: str | None = None


def lines(shape: Shape, variant: Variant, records: int, tally: Tally) -> Iterator[bytes]:
    """Yield the lines of a shape in blocks, and count them in ``tally``."""
    name, turns = shape.stream, shape.streams
    names = [f"{name}_{number:05d}" for number in range(turns)] if turns > 1 else [name]
    for name in names:
        schema = {"schema": shape.schema(), "key_properties": list(shape.keys)}
        yield (variant.encode({"type": "SCHEMA", "stream": name} | schema) + "\n").encode()
    formats = [variant.record_line(name) for name in names]
    source = random.Random(SEED)
    pool = [variant.encode(shape.make(source))[1:] for _ in range(POOL)]
    comma, colon = variant.separators
    per_second = 1_000 if variant.whole_seconds else 10_000
    step = 1_000_000 // per_second
    for first in range(0, records, BLOCK):
        written = []
        second = START + timedelta(seconds=first // per_second)
        for number in range(first, min(first + BLOCK, records)):
            data = f'{{"id"{colon}{number}{comma}{pool[number * 7919 % POOL]}'
            tally.data_bytes += len(data)
            place = number % per_second
            micro, nano = divmod(place * step * 1000 + (number * 7919 % 1000 if place else 0), 1000)
            extracted = variant.write_time(second.replace(microsecond=micro), nano)
            written.append(formats[number % len(names)] % {"record": data, "time": extracted})
            if shape.state_every and (number + 1) % shape.state_every == 0:
                written.append(_state(variant, number + 1, tally))
        yield "".join(written).encode()
    if records and shape.state_every:
        yield _state(variant, records, tally).encode()


def _state(variant: Variant, records: int, tally: Tally) -> str:
    value = {"bookmarks": {"all": {"replication_key_value": records}}}
    tally.last_state = variant.encode(value)
    return variant.encode({"type": "STATE", "value": value}) + "\n"


def write(folder: Path, shape: Shape, variant: Variant, records: int) -> Input:
    """Write an input into a folder, and through to the disk: no run is to wait for that."""
    path = folder / f"{shape.name}-{shape.streams}-{variant.name}-{records}.jsonl"
    tally = Tally()
    with path.open("wb") as out:
        out.writelines(lines(shape, variant, records, tally))
        out.flush()
        os.fsync(out.fileno())
    return Input(path, records, tally.data_bytes, tally.last_state)


def write_live(made: list[bytes], rate: int) -> None:
    """Write each line to stdout as its time comes, at most so many a second.

    It is busy between two lines, as a tap is. It catches up with 10 ms that it lost, but not more.
    """
    next_at = 0.0
    for line in made:
        while (now := time.perf_counter()) < next_at:
            pass
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        next_at = max(next_at, now - 0.01) + 1 / rate


def main() -> int:
    """Write the lines of a shape to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=[shape.name for shape in SHAPES], default="wide")
    parser.add_argument("--variant", choices=[each.name for each in VARIANTS], default="base")
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--streams", type=int, help="instead of the shape's own")
    parser.add_argument("--rate", type=int, help="each line by itself, so many a second")
    options = parser.parse_args()
    shape = next(shape for shape in SHAPES if shape.name == options.shape)
    variant = next(each for each in VARIANTS if each.name == options.variant)
    if options.streams:
        shape = replace(shape, streams=options.streams)
    made = lines(shape, variant, options.records, Tally())
    if options.rate:
        write_live([line for block in made for line in block.splitlines(True)], options.rate)
    else:
        sys.stdout.buffer.writelines(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the benchmarks read: Singer lines as taps write them, made with a seed.

The records of a shape are put together from a pool of bodies, so that ten million of them can be
made faster than any target reads them; each has an ``id`` and a time of its own. Called as a
program, it writes the lines to stdout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from shapes import SHAPES, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20240506
POOL = 512
BLOCK = 1000
START = datetime(2024, 5, 6, tzinfo=timezone.utc)
PER_SECOND = 10_000
"""Records that the imagined tap extracts in a second."""


@dataclass(frozen=True)
class Input:
    """A file of Singer lines, and what a program that reads it must have done."""

    path: str
    records: int
    size: int
    data_bytes: int
    """The records alone: what is posted can't be much less."""
    last_state: str | None
    """As JSON; None if there is no STATE."""
    made_by: str
    """A digest of what made it; another one means that it is to be made again."""


@dataclass
class Tally:
    """What has been written so far."""

    data_bytes: int = 0
    last_state: str | None = None


def lines(
    shape: Shape,
    records: int,
    seed: int,
    tally: Tally,
    *,
    streams: int | None = None,
    state_every: int | None = None,
) -> Iterator[bytes]:
    """Yield the lines of a shape in blocks; ``streams`` and ``state_every`` replace its own."""
    names = _names(shape, shape.streams if streams is None else streams)
    every = shape.state_every if state_every is None else state_every
    for name in names:
        yield _line(
            {
                "type": "SCHEMA",
                "stream": name,
                "schema": shape.schema(),
                "key_properties": list(shape.keys),
            }
        )
    source = random.Random(seed)
    pool = [_open_end(shape.fields(source)) for _ in range(POOL)]
    for first in range(0, records, BLOCK):
        numbers = range(first, min(first + BLOCK, records))
        yield _block(shape, names, pool, numbers, every, tally)
    if records and every:
        yield _state(records, tally).encode()


def _block(
    shape: Shape, names: list[str], pool: list[str], numbers: range, every: int, tally: Tally
) -> bytes:
    second = (START + timedelta(seconds=numbers.start // PER_SECOND)).strftime("%Y-%m-%dT%H:%M:%S")
    written = []
    for number in numbers:
        data = f'{{"id":{number}{pool[number * 7919 % POOL]}'
        tally.data_bytes += len(data)
        name, micro = names[number % len(names)], number % PER_SECOND * 100
        written.append(shape.line(name, data, second, micro))
        if every and (number + 1) % every == 0:
            written.append(_state(number + 1, tally))
    return "".join(written).encode()


def _names(shape: Shape, streams: int) -> list[str]:
    stream = shape.stream
    return [stream] if streams == 1 else [f"{stream}_{number:05d}" for number in range(streams)]


def _open_end(fields: dict[str, object]) -> str:
    """Return the JSON text of a record without its beginning, which is for the id."""
    return "," + json.dumps(fields, separators=(",", ":"))[1:]


def _state(records: int, tally: Tally) -> str:
    tally.last_state = json.dumps({"bookmarks": {"all": {"replication_key_value": records}}})
    return f'{{"type":"STATE","value":{tally.last_state}}}\n'


def _line(message: dict[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def made(
    folder: Path,
    shape: Shape,
    records: int,
    *,
    seed: int = SEED,
    streams: int | None = None,
    state_every: int | None = None,
) -> Input:
    """Return the input; it is made once."""
    varied = f"-{streams}streams" if streams is not None else ""
    varied += f"-state{state_every}" if state_every is not None else ""
    path = folder / f"{shape.like or shape.name}{varied}-{records}.jsonl".replace(" ", "-")
    note = path.with_suffix(".json")
    digest = _digest(seed)
    if path.exists() and note.exists():
        found = json.loads(note.read_text(encoding="utf-8"))
        if found["made_by"] == digest:
            return Input(**found)
    folder.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    tally = Tally()
    with path.open("wb") as out:
        options = {"streams": streams, "state_every": state_every}
        size = sum(out.write(block) for block in lines(shape, records, seed, tally, **options))
    result = Input(str(path), records, size, tally.data_bytes, tally.last_state, digest)
    note.write_text(json.dumps(asdict(result)), encoding="utf-8")
    return result


def _digest(seed: int) -> str:
    sources = [
        Path(__file__).with_name(name)
        for name in ("inputs.py", "shapes.py", "fields.py", "forms.py")
    ]
    text = b"".join(source.read_bytes() for source in sources) + str(seed).encode()
    return hashlib.sha256(text).hexdigest()


def main() -> int:
    """Write the lines of a shape to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=[shape.name for shape in SHAPES], default="wide")
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--streams", type=int)
    parser.add_argument("--state-every", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    shape = next(shape for shape in SHAPES if shape.name == options.shape)
    out: BinaryIO = sys.stdout.buffer
    varied = {"streams": options.streams, "state_every": options.state_every}
    out.writelines(lines(shape, options.records, options.seed, Tally(), **varied))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The tap: the lines of a story as bytes, from the start or from a STATE on."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

from tests.support.messages import activate, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.chaos.plan import Line, Stream

BEFORE_ALL = -1
"""The place of the SCHEMA lines that a tap begins with when it goes on from a STATE."""


def lines_from(story: Sequence[Line], place: int) -> Iterator[tuple[int, bytes]]:
    """Yield each line from ``place`` on with its place, behind the SCHEMAs that hold there."""
    started = _now()
    current = {line.stream: line for line in story[:place] if line.kind == "schema"}
    for line in current.values():
        yield BEFORE_ALL, _written(line, started)
    for number, line in enumerate(story[place:], place):
        yield number, _written(line, started)


def state_value(line: Line) -> bytes:
    """Return the bytes of a STATE's value, as they must come back."""
    return json.dumps(line.data).encode()


def _written(line: Line, started: str) -> bytes:
    if line.stream is None:
        text = state(line.data)
    elif line.kind == "schema":
        text = schema(line.stream.name, line.data, list(line.stream.keys))
    elif line.kind == "activate":
        text = activate(line.version or 0, line.stream.name)
    else:
        more = {} if line.version is None else {"version": line.version}
        text = record(line.data, line.stream.name, **more, **_time(line.stream, started))
    return text.encode() + b"\n"


def _time(stream: Stream, started: str) -> dict[str, str]:
    times = {"none": {}, "row": {"time_extracted": _now()}, "sync": {"time_extracted": started}}
    return times[stream.clock]


def _now() -> str:
    return dt.datetime.now(dt.timezone.utc).isoformat()

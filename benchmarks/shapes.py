"""The shapes of the benchmark's inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fields import EVENT, NARROW, NESTED, WIDE, WIDE_EXACT, event, narrow, nested, wide

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from fields import Properties, Record


def plain_line(name: str, data: str, second: str, micro: int) -> str:
    """Return a RECORD line of a stream as taps on the SDK write it."""
    return (
        f'{{"type":"RECORD","stream":"{name}","record":{data},'
        f'"time_extracted":"{second}.{micro:06d}+00:00"}}\n'
    )


@dataclass(frozen=True)
class Shape:
    """A kind of input."""

    name: str
    stream: str
    properties: Properties
    fields: Callable[[random.Random], Record]
    """Makes a record, all but its id."""
    vendor_rows: int
    """Records in a batch of the vendor's target with which none has to be serialised twice."""
    keys: tuple[str, ...] = ("id",)
    streams: int = 1
    state_every: int = 10_000
    part: int = 1
    """This shape has that part of the records."""
    like: str = ""
    """The shape whose input it has, if not one of its own."""
    line: Callable[[str, str, str, int], str] = plain_line
    """Writes a line of a stream, with a record, at a second and so many microseconds."""
    config: dict[str, Any] = field(default_factory=dict)
    """Settings for the targets that are built on the SDK; others can't do it."""

    def schema(self) -> dict[str, Any]:
        """Return the schema of its streams."""
        return {"type": "object", "properties": self.properties, "required": list(self.keys)}


MAPS = {
    "stream_maps": {
        "wide": {"label": "status + '-' + str(id)", "customer_email": "email", "email": None}
    }
}
FLAT = {"flattening_enabled": True, "flattening_max_depth": 3}

SHAPES = (
    Shape("narrow", "narrow", NARROW, narrow, 15_000),
    Shape("wide", "wide", WIDE, wide, 4_500),
    Shape("wide-exact", "wide", WIDE_EXACT, wide, 4_500),
    Shape("nested", "nested", NESTED, nested, 650, part=5),
    Shape("streams", "events", EVENT, event, 20_000, streams=50),
    Shape("keyless", "events", EVENT, event, 9_000, keys=()),
    Shape("states", "narrow", NARROW, narrow, 15_000, state_every=1),
    Shape("mapped", "wide", WIDE, wide, 4_500, like="wide", config=MAPS),
    Shape("flattened", "nested", NESTED, nested, 650, part=5, like="nested", config=FLAT),
)

"""The shapes of the benchmark's inputs: what a tap declares, and how its streams follow each other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import fields

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from fields import Properties, Record


@dataclass(frozen=True, eq=False)
class Shape:
    """A kind of input."""

    name: str
    stream: str
    properties: Properties
    make: Callable[[random.Random], Record]
    """Makes a record, all but its id."""
    vendor_rows: int
    """Records in a batch of the vendor's target with which none has to be serialised twice."""
    about: str
    keys: tuple[str, ...] = ("id",)
    streams: int = 1
    state_every: int = 10_000
    part: int = 1
    """This shape has that part of the records."""
    config: dict[str, Any] = field(default_factory=dict)
    """Settings for the targets that are built on the SDK; others can't do it."""
    vendor_aim: tuple[str, float] | None = None
    """How many times as long as this target the vendor's shall take."""

    def schema(self) -> dict[str, Any]:
        """Return the schema of its streams."""
        return {"type": "object", "properties": self.properties, "required": list(self.keys)}


MAPS = {
    "stream_maps": {
        "wide": {"label": "status + '-' + str(id)", "customer_email": "email", "email": None}
    }
}
FLAT = {"flattening_enabled": True, "flattening_max_depth": 3}

NARROW = Shape("narrow", "narrow", fields.NARROW, fields.narrow, 15_000, "5 fields, 100 bytes")
WIDE = Shape("wide", "wide", fields.WIDE, fields.wide, 4_500, "20 fields, 700 bytes")
NESTED = Shape("nested", "nested", fields.NESTED, fields.nested, 650, "5 KB", part=5)
EVENTS = Shape("events", "events", fields.EVENT, fields.event, 9_000, "8 fields, 300 bytes")

MAIN = (
    replace(NARROW, vendor_aim=("at least", 8)),
    replace(WIDE, vendor_aim=("at least", 10)),
    replace(
        WIDE,
        name="wide-exact",
        about="decimals with `multipleOf` and bounds",
        properties=fields.WIDE_EXACT,
    ),
    replace(NESTED, vendor_aim=("at least", 8)),
    replace(
        EVENTS,
        name="streams",
        about="50, record by record",
        streams=50,
        vendor_rows=20_000,
        vendor_aim=("at least", 6),
    ),
    replace(EVENTS, name="keyless", about="no key, 300 bytes", keys=(), vendor_aim=("at least", 8)),
    replace(
        NARROW,
        name="states",
        about="a STATE after each record",
        state_every=1,
        vendor_aim=("at least", 8),
    ),
    replace(WIDE, name="mapped", about="one field renamed, one computed", part=5, config=MAPS),
    replace(NESTED, name="flattened", about="nested, three levels", part=20, config=FLAT),
)
"""The shapes of the mode ``shapes``."""


def _wide_with(**columns: Any) -> Callable[[random.Random], Record]:
    return lambda source: fields.wide(source) | columns


def _declared(name: str, **properties: Any) -> Shape:
    return replace(WIDE, name=f"wide-{name}", properties=fields.WIDE | properties, part=5)


_STATUS = {"type": ["string"], "enum": ["new", "paid", "sent", "returned"]}
_PERMITS_ALL = {"type": ["object"], "patternProperties": {".+": {}}}
_RANK = {"type": "number", "minimum": 0, "maximum": 5}
_OBJECT = {"type": "object", "properties": {"key": {"type": "string"}, "rank": _RANK}}
_WITH_OBJECT = _wide_with(comment={"key": "a", "rank": 1.5})
_TIME = {"type": "string", "format": "date-time"}

DECLARED = (
    _declared("enum", status=_STATUS),
    _declared("pattern", status={"type": ["string"], "pattern": "^[a-z]+$"}),
    _declared("bounds", price={"type": ["number"], "minimum": 0, "maximum": 1e9}),
    _declared("anyof", created_at={"anyOf": [_TIME, {"type": "null"}]}),
    _declared("oneof", created_at={"oneOf": [_TIME, {"type": "null"}]}),
    _declared("integer-or-text", quantity={"type": ["integer", "string", "null"]}),
    _declared("no-type", quantity={"not": {"type": "string"}}),
    replace(_declared("unnamed-column"), make=_wide_with(unnamed={"a": [1]})),
    replace(
        _declared("reserved-column", _sdc_batched_at=fields.STRING),
        make=_wide_with(_sdc_batched_at=None),
    ),
    replace(_declared("pattern-properties", comment=_PERMITS_ALL), make=_WITH_OBJECT),
    replace(_declared("bounds-in-object", comment=_OBJECT), make=_WITH_OBJECT),
)
"""The shapes of the mode ``schemas``: wide records as other taps declare them."""

SHAPES = (*MAIN, EVENTS, *DECLARED)

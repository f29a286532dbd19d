"""Wide records as other taps declare and write them: what costs more, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fields import STRING, WIDE, wide
from shapes import SHAPES, Shape

if TYPE_CHECKING:
    import random

    from fields import Properties, Record


def time_first(name: str, data: str, second: str, micro: int) -> str:
    """Write the time in front of the record."""
    time = f"{second}.{micro:06d}+00:00"
    return f'{{"type":"RECORD","stream":"{name}","time_extracted":"{time}","record":{data}}}\n'


def no_time(name: str, data: str, _second: str, _micro: int) -> str:
    """Write no time."""
    return f'{{"type":"RECORD","stream":"{name}","record":{data}}}\n'


def _timed(name: str, data: str, time: str) -> str:
    return f'{{"type":"RECORD","stream":"{name}","record":{data},"time_extracted":"{time}"}}\n'


def milliseconds(name: str, data: str, second: str, micro: int) -> str:
    """Write the time in milliseconds."""
    return _timed(name, data, f"{second}.{micro // 1000:03d}Z")


def nanoseconds(name: str, data: str, second: str, micro: int) -> str:
    """Write the time in nanoseconds."""
    return _timed(name, data, f"{second}.{micro:06d}000Z")


def other_zone(name: str, data: str, second: str, micro: int) -> str:
    """Write the time in another zone, with a blank for the T."""
    return _timed(name, data, f"{second.replace('T', ' ')}.{micro:06d}+02:00")


def with_unnamed(source: random.Random) -> Record:
    """Return a wide record with a column that the schema does not name."""
    return wide(source) | {"unnamed": {"a": [source.randint(1, 9)]}}


def with_own(source: random.Random) -> Record:
    """Return a wide record with a column of Stitch's own."""
    return wide(source) | {"_sdc_deleted_at": None}


def with_object(source: random.Random) -> Record:
    """Return a wide record with an object."""
    return wide(source) | {"comment": {"key": "a", "rank": 1.5}}


def _declared(**properties: Any) -> Properties:
    return WIDE | properties


_STATUS = {"type": ["string"], "enum": ["new", "paid", "sent", "returned"]}
_PERMITS_ALL = {"type": ["object"], "patternProperties": {".+": {}}}
_RANK = {"type": "number", "minimum": 0, "maximum": 5}
_OBJECT = {"type": "object", "properties": {"key": {"type": "string"}, "rank": _RANK}}
_TIME = {"type": "string", "format": "date-time"}

_WIDE = next(shape for shape in SHAPES if shape.name == "wide")
_LINES = {
    "time first": time_first,
    "no time": no_time,
    "milliseconds": milliseconds,
    "nanoseconds": nanoseconds,
    "other zone": other_zone,
}
_SCHEMAS = {
    "enum": _declared(status=_STATUS),
    "pattern": _declared(status={"type": ["string"], "pattern": "^[a-z]+$"}),
    "number bounds": _declared(price={"type": ["number"], "minimum": 0, "maximum": 1e9}),
    "anyOf": _declared(created_at={"anyOf": [_TIME, {"type": "null"}]}),
    "oneOf": _declared(created_at={"oneOf": [_TIME, {"type": "null"}]}),
    "integer or text": _declared(quantity={"type": ["integer", "string", "null"]}),
    "no type": _declared(quantity={"not": {"type": "string"}}),
}
_RECORDS = {
    "unnamed column": (WIDE, with_unnamed),
    "own column": (_declared(_sdc_deleted_at=STRING), with_own),
    "patternProperties": (_declared(comment=_PERMITS_ALL), with_object),
    "bounds within an object": (_declared(comment=_OBJECT), with_object),
}

FORMS = (
    replace(_WIDE, name="plain", like="wide"),
    *(replace(_WIDE, name=name, line=line) for name, line in _LINES.items()),
    *(replace(_WIDE, name=name, properties=schema) for name, schema in _SCHEMAS.items()),
    *(
        Shape(name, "wide", properties, fields, _WIDE.vendor_rows)
        for name, (properties, fields) in _RECORDS.items()
    ),
)

"""Where in the input a record stands, as one number that a batch can keep for each of its rows.

A record of a line of its own has the number of that line. Those of a BATCH message share its line,
so each has its own number among them as well. Knows numbers only.
"""

from __future__ import annotations

from typing import Final

__all__ = ["line_of", "place_of", "told"]

_LINE_BITS: Final = 34
"""So many lines can be told apart: hours of the fastest tap."""
_RECORD_BITS: Final = 30
"""So many records of one line; beyond that, numbers begin anew."""


def place_of(line: int, record: int) -> int:
    """Return the place of a record of a BATCH message in a ``line``; both count from 1."""
    return (record % (1 << _RECORD_BITS)) << _LINE_BITS | line


def line_of(place: int) -> int:
    """Return the number of the line in the input."""
    return place & ((1 << _LINE_BITS) - 1)


def told(place: int) -> str:
    """Name a place of the input in a message for people."""
    record = place >> _LINE_BITS
    line = f"line {line_of(place):,}"
    return f"record {record:,} of the BATCH message in {line}" if record else line

"""Positions: where in the input a record stands, as one number that a batch keeps for each row.

The position of a RECORD is the number of its line. Records of a BATCH message share its line, so each
has its own number among them as well, and the names of their files are kept for a while.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

_LINE_BITS: Final = 34  # enough for hours of the fastest tap
_RECORD_BITS: Final = 30  # with more records in one line, numbers begin anew
_REMEMBERED: Final = 1_000
"""BATCH messages whose files are known; records of older ones are no longer in flight."""


def make_position(line: int, record: int) -> int:
    """Return the position of a record of a BATCH message in a ``line``; both count from 1."""
    return (record % (1 << _RECORD_BITS)) << _LINE_BITS | line


def line_number(position: int) -> int:
    """Return the number of the line in the input."""
    return position & ((1 << _LINE_BITS) - 1)


def described(position: int) -> str:
    """Name a position in a message for people."""
    record = position >> _LINE_BITS
    line = f"line {line_number(position):,}"
    return f"record {record:,} of the BATCH message in {line}" if record else line


class Files:
    """Which file the records of BATCH messages are from; of the newest messages only."""

    def __init__(self) -> None:
        self._by_line: dict[int, list[tuple[int, str]]] = {}

    def begin(self, line: int, before: int, name: str) -> None:
        """Add the next file of a BATCH message in a ``line``; its records begin at ``before`` + 1."""
        self._by_line.setdefault(line, []).append((before, name))
        if len(self._by_line) > _REMEMBERED:
            del self._by_line[next(iter(self._by_line))]

    def where(self, position: int) -> str | None:
        """Name the file of a record, and its number there; None if that is not known."""
        files = self._by_line.get(line_number(position), [])
        number = position >> _LINE_BITS
        at = bisect_left(files, (number,)) - 1
        if at < 0 or files[-1][0] >> _RECORD_BITS:  # numbers have begun anew
            return None
        return f"{files[at][1]} {number - files[at][0]:,}"

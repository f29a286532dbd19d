"""RECORD lines of one form, taken without decoding what is the same in each.

A tap writes the lines of a stream alike: only the record and its time differ. Once a line was decoded,
its start, and what stands around the time, are known. A line with exactly these parts is a RECORD of
that stream, if what lies between them is one JSON value, which the check of the record finds out
anyway, and if the time is one. Anything else goes the usual way. Knows lines and messages; of what
becomes of a record only who takes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_stitch_import.messages import RecordMessage
    from target_stitch_import.quick import QuickWay

__all__ = ["SHORTEST_KEY", "Lane", "key_in", "lane_of"]

SHORTEST_KEY: Final = b'"record":'
_RECORD: Final = rb'"record"\s*:\s*'
_TIME: Final = rb'"time_extracted"\s*:\s*"'
_KEY: Final = re.compile(_RECORD + b"|" + _TIME)
_BEFORE_RECORD: Final = re.compile(_RECORD + b"$")
_BEFORE_TIME: Final = re.compile(_TIME + b"$")


def key_in(line: bytes) -> bytes:
    """Return the key of record or time, whichever this tap writes first, up to its value."""
    found = _KEY.search(line)
    return found[0] if found else SHORTEST_KEY


@dataclass(frozen=True, eq=False)
class Lane:
    """What lines of one form have in common, and the way that their records take."""

    start: bytes
    middle: bytes
    """What stands between record and time."""
    width: int
    """Bytes of the time; 0 where there is none."""
    end: bytes
    way: QuickWay
    time_first: bool = False

    def cut(self, lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes] | None] | None:
        """Return the records and times of lines that begin as this form does.

        None if one of them is not of this form.
        """
        if self.time_first:
            return self._cut_behind_time(lines)
        begin, end = len(self.start), len(self.end)  # where they overlap, the record is empty
        tail = len(self.middle) + self.width + end
        times = self._times([line[-tail:] for line in lines], self.middle, self.end)
        if times is None:
            return None
        return [line[begin:-tail] for line in lines], times if self.width else None

    def _cut_behind_time(self, lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes]] | None:
        begin, end = len(self.start), len(self.end)
        front = begin + self.width + len(self.middle)
        times = self._times([line[begin:front] for line in lines], b"", self.middle)
        if times is None or b"".join([line[-end:] for line in lines]) != self.end * len(lines):
            return None
        return [line[front:-end] for line in lines], times

    def _times(self, parts: Sequence[bytes], before: bytes, behind: bytes) -> list[bytes] | None:
        """Return the times in parts of lines; None if one is not between ``before`` and ``behind``."""
        joined = b"".join(parts)
        if not (joined.startswith(before) and joined.endswith(behind)):
            return None
        times = joined[len(before) : -len(behind)].split(behind + before)
        return times if len(times) == len(parts) and {*map(len, times)} == {self.width} else None


def lane_of(line: bytes, key: bytes, message: RecordMessage, way: QuickWay) -> Lane | None:
    """Return the lane of lines like this one, which was decoded to ``message``.

    Its start ends with ``key``. None if it can't be told where in the line the record and the
    time are.
    """
    time = message.time_extracted
    time_first = _BEFORE_TIME.search(key) is not None
    if not isinstance(time, str | None) or (time_first and not time):
        return None
    text, data = (time or "").encode(), bytes(message.record)
    head, _, rest = line.partition(key)
    blank, _, rest = rest.partition(text if time_first else data)
    other = data if time_first else text
    middle, _, end = rest.partition(other) if other else (b"", b"", rest)
    around = head + key + middle + end
    if blank.strip() or b"\\" in around or around.count(b'"record"') != 1:
        return None
    if text and around.count(b'"time_extracted"') != 1:
        return None
    behind_time = middle if time_first else end
    before_other = _BEFORE_RECORD if time_first else _BEFORE_TIME
    if text and not (before_other.search(middle) and behind_time.startswith(b'"')):
        return None
    return Lane(head + key, middle, len(text), end, way, time_first)

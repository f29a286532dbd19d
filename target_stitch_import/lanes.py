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
_KEY: Final = re.compile(rb'"record"\s*:\s*')
_BEFORE_TIME: Final = re.compile(rb'"time_extracted"\s*:\s*"$')


def key_in(line: bytes) -> bytes:
    """Return the key of the record and what stands around its colon, as this tap writes it."""
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

    def cut(self, lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes] | None] | None:
        """Return the records and times of lines that begin as this form does.

        None if one of them is not of this form.
        """
        begin, end = len(self.start), len(self.end)  # where they overlap, the record is empty
        tail = len(self.middle) + self.width + end
        tails = b"".join([line[-tail:] for line in lines])
        if not (tails.startswith(self.middle) and tails.endswith(self.end)):
            return None
        times = tails[len(self.middle) : -end].split(self.end + self.middle)
        if len(times) != len(lines) or {*map(len, times)} != {self.width}:
            return None
        return [line[begin:-tail] for line in lines], times if self.width else None


def lane_of(line: bytes, key: bytes, message: RecordMessage, way: QuickWay) -> Lane | None:
    """Return the lane of lines like this one, which was decoded to ``message``.

    Its start ends with ``key``. None if it can't be told where in the line the record and the
    time are.
    """
    time = message.time_extracted
    if not isinstance(time, str | None):
        return None
    head, _, rest = line.partition(key)
    blank, _, rest = rest.partition(bytes(message.record))
    middle, _, end = rest.partition(time.encode()) if time else (b"", b"", rest)
    around = head + middle + end
    if blank.strip() or b'"record"' in around or b"\\" in around:
        return None
    if time and not (
        _BEFORE_TIME.search(middle)
        and end.startswith(b'"')
        and around.count(b'"time_extracted"') == 1
    ):
        return None
    return Lane(head + key, middle, len((time or "").encode()), end, way)

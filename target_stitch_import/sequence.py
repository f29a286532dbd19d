"""Record timestamps -> strictly increasing sequences, per table.

Knows the rules of a sequence (Import API reference, section Sequence) and the forms in which taps
write a time; nothing of messages, batches or settings.
"""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from functools import lru_cache
from itertools import groupby, repeat
from operator import itemgetter, lt
from typing import TYPE_CHECKING, Final

from target_stitch_import.limits import MAX_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    Moments: TypeAlias = list[int] | list[bytes]
    """Unix nanoseconds of several records: numbers, or texts of 19 digits, which cost half of it."""

__all__ = ["MAX_AHEAD_NS", "ArrivalSequencer", "Sequencer", "TimeReader", "text_of"]

SECOND_NS: Final = 1_000_000_000

MAX_AHEAD_NS: Final = 5 * 60 * SECOND_NS
"""A time further ahead of this machine's clock is held to the clock."""

_TIME = re.compile(
    r"""
    (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})
    (?:[Tt ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,](?P<fraction>[0-9]{1,9})[0-9]*)?)?
    \ ?(?P<zone>[Zz]|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3])(?::?(?P<minutes>[0-5][0-9]))?)?
    """,
    re.VERBOSE,
)
_DIGITS_START: Final = 20  # of the microseconds in YYYY-MM-DDTHH:MM:SS.ffffff
_DIGITS_END: Final = 26
_FEW: Final = 4
"""With fewer times of a second, it would take longer to read them together than one by one."""
_UTC: Final = (b"+00:00", b"Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_OF_19_DIGITS: Final = range(10**18, 10**19)  # Unix nanoseconds from 2001 to 2286


def text_of(time_ns: int) -> str:
    """Return Unix nanoseconds as RFC 3339, to the last digit."""
    seconds, nanoseconds = divmod(time_ns, SECOND_NS)
    start = datetime.fromtimestamp(seconds, tz=timezone.utc).replace(tzinfo=None).isoformat()
    return f"{start}.{nanoseconds:09}Z"


class TimeReader:
    """Reads ``time_extracted``, once a second of the tap's clock instead of once a record."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._result: tuple[int, bytes] | None = None
        self._start = b""
        self._start_ns = 0

    def read(self, text: str) -> tuple[int, bytes] | None:
        """Return the time as Unix nanoseconds and as the API writes it, or None if unreadable.

        The second is RFC 3339, UTC, microseconds, ``Z`` (Import API reference, section The batch
        body). A time without a zone is UTC.
        """
        if plain := self._read_plain(text.encode()):
            return plain
        if text != self._text:
            self._text, self._result = text, self._read_any(text)
        return self._result

    def read_many(self, texts: Sequence[bytes]) -> tuple[Moments, Sequence[bytes]] | None:
        """Read times of one length, as ``read`` does each; None if one is unreadable.

        The texts may have another zone behind the microseconds, as long as it is UTC.

        They stand in a line that nobody has decoded, so what may be no JSON is not read.
        """
        if (plain := self._read_by_second(texts)) is not None:
            return plain
        if any(text != text.strip() for text in texts):
            return None
        found = [
            self._read_plain(text) or self.read(text.decode(errors="replace")) for text in texts
        ]
        if None in found:
            return None
        return [each[0] for each in found if each], [each[1] for each in found if each]

    def _read_by_second(self, texts: Sequence[bytes]) -> tuple[list[bytes], Sequence[bytes]] | None:
        """Read plain times, as most of a tap's are, those of one second at once.

        None if one is not plain, or where a second has too few for that.
        """
        runs: list[Sequence[bytes]] = [texts]
        if texts[0][:_DIGITS_START] != texts[-1][:_DIGITS_START]:
            runs = [[*run] for _, run in groupby(texts, itemgetter(slice(_DIGITS_START)))]
            if len(runs) * _FEW > len(texts):
                return None
        found: list[bytes] = []
        for run in runs:
            start = run[0][:_DIGITS_START]
            if start != self._start and not self._learn(start):
                return None
            if (moments := self._read_same_second(run)) is None:
                return None
            found += moments
        return found, texts

    def _read_same_second(self, texts: Sequence[bytes]) -> list[bytes] | None:
        """Read plain times of the second that is known; None if one is another."""
        start, zone = self._start, texts[0][_DIGITS_END:]
        joined = b"".join(texts)
        if zone not in _UTC or self._start_ns not in _OF_19_DIGITS:
            return None
        if not joined.startswith(start) or not joined.endswith(zone):
            return None
        digits = joined[_DIGITS_START : -len(zone)].split(zone + start)
        if len(digits) != len(texts) or {*map(len, digits)} != {_DIGITS_END - _DIGITS_START}:
            return None
        if not b"".join(digits).isdigit():
            return None
        second = b"%d" % (self._start_ns // SECOND_NS)
        return (second + (b"000 " + second).join(digits) + b"000").split()

    def _read_plain(self, text: bytes) -> tuple[int, bytes] | None:
        """Read the form that most taps write: where the second is known, its digits only."""
        digits = text[_DIGITS_START:_DIGITS_END]
        if text[_DIGITS_END:] not in _UTC or not digits.isdigit():
            return None
        if text[:_DIGITS_START] != self._start and not self._learn(text[:_DIGITS_START]):
            return None
        return self._start_ns + int(digits) * 1_000, text[:_DIGITS_END] + b"Z"

    def _learn(self, start: bytes) -> bool:
        """Take note of a second; return False if ``start`` is none, or not in the plain form."""
        if (seconds := _plain_second(start)) is None:
            return False
        self._start, self._start_ns = start, seconds * SECOND_NS
        return True

    def _read_any(self, text: str) -> tuple[int, bytes] | None:
        match = _TIME.fullmatch(text.strip())
        if match is None:
            return None
        try:
            second = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}")
        except ValueError:
            return None
        seconds = _unix_seconds(second)
        if match["sign"]:
            offset = int(match["hours"]) * 3600 + int(match["minutes"] or 0) * 60
            seconds += -offset if match["sign"] == "+" else offset
        digits = (match["fraction"] or "").ljust(9, "0")
        try:
            moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
        except (ValueError, OverflowError, OSError):
            return None
        start = moment.replace(tzinfo=None).isoformat()
        self._start, self._start_ns = f"{start}.".encode(), seconds * SECOND_NS
        return self._start_ns + int(digits), f"{start}.{digits[:6]}Z".encode()


@lru_cache(maxsize=1_000)  # streams that take turns come by the same seconds
def _plain_second(start: bytes) -> int | None:
    """Return the Unix seconds of ``YYYY-MM-DDTHH:MM:SS.``; None if it is of another form."""
    try:
        second = datetime.fromisoformat(start[:-1].decode())
    except ValueError:
        return None
    return _unix_seconds(second) if f"{second.isoformat()}.".encode() == start else None


def _unix_seconds(second: datetime) -> int:
    """Return a UTC second, which says no zone, as Unix seconds."""
    return int((second.replace(tzinfo=timezone.utc) - _EPOCH).total_seconds())


class Sequencer:
    """The sequences of one table: Unix nanoseconds, strictly increasing.

    Of two versions of a key the later one in the stream has the greater sequence, so it wins,
    whatever the clocks say and in whatever order the batches arrive.
    """

    def __init__(self) -> None:
        self._last = 0
        self.held_to_clock = False
        """True once a time was more than five minutes ahead of this machine's clock."""

    def next(self, time_ns: int | None = None) -> int:
        """Return the sequence for a record of this time (Unix ns; None: the time of receipt).

        A time before 1970, such as the zero time of many languages, is taken for none: with its
        sequence the service would drop every update of a row that is there, without a word.
        """
        now = time.time_ns()
        if time_ns is None or time_ns <= 0:
            time_ns = now
        elif time_ns > now + MAX_AHEAD_NS:
            self.held_to_clock = True
            time_ns = now
        self._last = time_ns if time_ns > self._last else self._last + 1
        return self._last

    def next_many(self, moments: Moments | None, count: int) -> Moments:
        """Return the sequences of several records, as ``next`` does each."""
        now = time.time_ns()
        times: Iterable[int] = repeat(now, count)
        if moments is not None:
            latest = int(moments[-1])
            if (
                int(moments[0]) > self._last
                and latest <= now + MAX_AHEAD_NS
                and all(map(lt, moments, moments[1:]))
            ):
                self._last = latest
                return moments
            times = [int(moment) for moment in moments]
            if min(times) <= 0 or max(times) > now + MAX_AHEAD_NS:
                return [self.next(time_ns) for time_ns in times]
        found = []
        last = self._last
        for time_ns in times:
            last = time_ns if time_ns > last else last + 1
            found.append(last)
        self._last = last
        return found

    def held_to_the_clock(self, time_ns: int) -> int:
        """Return a time, or this machine's where it is too far ahead of it (Unix ns)."""
        now = time.time_ns()
        if time_ns <= now + MAX_AHEAD_NS:
            return time_ns
        self.held_to_clock = True
        return now

    def next_own(self, own: int) -> int:
        """Return the sequence for a record that brings its own; 0 if it brings none."""
        self._last = own if own > self._last else self._last + 1
        return self._last

    def ahead(self) -> int:
        """Return a sequence that is greater than any so far, and counts for no record."""
        return min(max(self._last + 1, time.time_ns()), MAX_SEQUENCE)


class ArrivalSequencer(Sequencer):
    """The sequences of one table by the time of receipt, whatever times its records have."""

    def next(self, time_ns: int | None = None) -> int:  # noqa: ARG002 - the general signature
        """Return the sequence for a record that is here now."""
        return super().next()

    def next_many(self, moments: Moments | None, count: int) -> Moments:  # noqa: ARG002
        """Return the sequences of several records that are here now."""
        return super().next_many(None, count)

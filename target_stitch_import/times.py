"""The forms in which taps write a time -> Unix nanoseconds, and the form that the API takes.

Knows texts and the calendar; nothing of sequences, messages or settings.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Moments: TypeAlias = list[int] | list[bytes]
    """Unix nanoseconds of several records: numbers, or texts of 19 digits, which cost half of it."""

__all__ = ["SECOND_NS", "TimeReader", "text_of"]

SECOND_NS: Final = 1_000_000_000

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

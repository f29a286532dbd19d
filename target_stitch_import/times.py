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
_IN_A_ROW: Final = re.compile(
    rb"[0-9-]{10}[Tt ][0-9:]{8}(?P<fraction>\.[0-9]{1,9})?(?P<zone>[^0-9.,].*)?"
)
"""The times that are read many at once: whole seconds, and nanoseconds at the finest."""
_SECOND_END: Final = 19  # of YYYY-MM-DDTHH:MM:SS
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
            self._text, self._result = text, _read_any(text)
        return self._result

    def read_many(self, texts: Sequence[bytes]) -> tuple[Moments, Sequence[bytes]] | None:
        """Read times of one length, as ``read`` does each; None if one is unreadable.

        The texts are as ``read`` writes them up to the microseconds; what is behind these may differ.

        They stand in a line that nobody has decoded, so what may be no JSON is not read.
        """
        if (alike := _read_alike(texts)) is not None:
            return alike
        if any(
            text != text.strip() or not text.decode(errors="replace").isprintable()
            for text in texts
        ):
            return None
        found = [
            self._read_plain(text) or self.read(text.decode(errors="replace")) for text in texts
        ]
        if None in found:
            return None
        return [each[0] for each in found if each], [each[1] for each in found if each]

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
        second = _second_of(start[:-1])
        if second is None or second[1] + b"." != start:
            return False
        self._start, self._start_ns = start, second[0]
        return True


def _read_alike(texts: Sequence[bytes]) -> tuple[list[bytes], Sequence[bytes]] | None:
    """Read times of one form, those of one second at once.

    None if one is of another form, or where a second has too few for that.
    """
    if (form := _IN_A_ROW.fullmatch(texts[0])) is None:
        return None
    runs: list[Sequence[bytes]] = [texts]
    if texts[0][:_SECOND_END] != texts[-1][:_SECOND_END]:
        runs = [[*run] for _, run in groupby(texts, itemgetter(slice(_SECOND_END)))]
        if len(runs) * _FEW > len(texts):
            return None
    moments: list[bytes] = []
    written: list[bytes] = []
    for run in runs:
        found = _read_same_second(run, form["fraction"] or b"", form["zone"] or b"")
        if found is None:
            return None
        moments += found[0]
        written += found[1]
    return moments, written


def _read_same_second(
    texts: Sequence[bytes], fraction: bytes, zone: bytes
) -> tuple[list[bytes], Sequence[bytes]] | None:
    """Read times whose first one ends with ``fraction`` and ``zone``; None if one is of another form."""
    start = texts[0][:_SECOND_END]
    second = _second_of(start + zone)
    if second is None or second[0] not in _OF_19_DIGITS:
        return None
    digits = _digits(texts, start + fraction[:1], zone, len(fraction[1:]))
    if digits is None:
        return None
    moments = _around(digits, b"%d" % (second[0] // SECOND_NS), 9)
    if second[1] == start and len(fraction) > 6:  # noqa: PLR2004 - a point and microseconds
        return moments, texts
    return moments, _around(digits, second[1] + b".", 6)


def _digits(texts: Sequence[bytes], start: bytes, end: bytes, width: int) -> list[bytes] | None:
    """Return what stands between ``start`` and ``end``; None if that is not ``width`` digits."""
    if not width:
        return [b""] * len(texts) if {*texts} == {start + end} else None
    joined = b"".join(texts)
    if not joined.startswith(start) or not joined.endswith(end):
        return None
    digits = joined[len(start) : len(joined) - len(end)].split(end + start)
    if len(digits) != len(texts) or {*map(len, digits)} != {width}:
        return None
    return digits if b"".join(digits).isdigit() else None


def _around(digits: Sequence[bytes], start: bytes, least: int) -> list[bytes]:
    """Return texts of ``start`` and the digits of each, as ``least`` digits at least."""
    zeros = b"0" * (least - len(digits[0]))
    return (start + (zeros + b" " + start).join(digits) + zeros).split(b" ")


def _read_any(text: str) -> tuple[int, bytes] | None:
    match = _TIME.fullmatch(text.strip())
    if match is None or (second := _whole_second(match)) is None:
        return None
    digits = (match["fraction"] or "").ljust(9, "0")
    return second[0] + int(digits), second[1] + f".{digits[:6]}Z".encode()


@lru_cache(maxsize=1_000)  # streams that take turns come by the same seconds
def _second_of(text: bytes) -> tuple[int, bytes] | None:
    """Return a second, with a zone or none, as ``_whole_second`` does; None if it is none."""
    match = _TIME.fullmatch(text.decode(errors="replace"))
    return None if match is None or match["fraction"] else _whole_second(match)


def _whole_second(match: re.Match[str]) -> tuple[int, bytes] | None:
    """Return a time without its fraction in Unix nanoseconds, and as the API writes it but for that.

    None if no calendar has it.
    """
    try:
        second = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}")
    except ValueError:
        return None
    seconds = int((second.replace(tzinfo=timezone.utc) - _EPOCH).total_seconds())
    if match["sign"]:
        offset = int(match["hours"]) * 3600 + int(match["minutes"] or 0) * 60
        seconds += -offset if match["sign"] == "+" else offset
    try:
        moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return seconds * SECOND_NS, moment.replace(tzinfo=None).isoformat().encode()

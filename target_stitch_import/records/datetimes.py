"""Date-times as taps write them, in the form that the service takes.

The service enforces ``format: date-time`` (Import API reference, section The batch body): a ``T``,
seconds, a fraction of at most nine digits if any, and a zone as ``Z`` or ``+05:45``.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

_MAX_DIGITS: Final = 9  # of a fraction
_MAX_OFFSET: Final = timedelta(hours=18)

_DATETIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r" ?([Zz]|[+-][0-9:]+)?"
)
_OFFSET: Final = re.compile(r"([01][0-9]|2[0-3])(?::?([0-5][0-9])(?::?([0-5][0-9]))?)?")


def normalize_datetime(text: str) -> str | None:
    """Return a date-time in the form that the service takes; None if it can't be read.

    One that has that form stays as it is. One without a zone is in UTC, one without a time is
    midnight.
    """
    match = _DATETIME.fullmatch(text) or _DATETIME.fullmatch(text.strip())
    if match is None:
        return None
    date, minute, second, fraction, zone = match.groups()
    zone, shift = ("Z", None) if zone is None or zone in "Zz" else _read_offset(zone)
    if not zone:
        return None
    digits = f".{fraction[:_MAX_DIGITS]}" if fraction else ""
    time = f"{date}T{minute or '00:00'}:{second or '00'}"
    try:
        if shift:
            time = _shift(time, shift)
        else:
            datetime.fromisoformat(time)
    except (ValueError, OverflowError):
        time = _carry(time, shift, is_exact=not digits.strip(".0"))
    return f"{time}{digits}{zone}" if time else None


def _read_offset(text: str) -> tuple[str, timedelta | None]:
    """Return the zone to write for an offset, and what a time has to be shifted by for it.

    The zone is empty if there is no such offset.
    """
    match = _OFFSET.fullmatch(text[1:])
    if match is None:
        return "", None
    hours, minutes, seconds = match.groups("00")
    offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    if seconds == "00" and offset <= _MAX_OFFSET:
        return f"{text[0]}{hours}:{minutes}", None
    return "Z", -offset if text[0] == "+" else offset


def _shift(time: str, by: timedelta) -> str:
    return (datetime.fromisoformat(time) + by).isoformat()


def _carry(time: str, shift: timedelta | None, *, is_exact: bool) -> str:
    """Return the time that second 60 or the hour 24:00 means; empty if no clock has it.

    ``is_exact`` is true of a time without a fraction, as 24:00 has to be.
    """
    more = shift or timedelta()
    if time.endswith(":60"):
        time, more = f"{time[:-2]}59", more + timedelta(seconds=1)
    elif time.endswith("T24:00:00") and is_exact:
        time, more = f"{time[:10]}T00:00:00", more + timedelta(days=1)
    else:
        return ""
    try:
        return _shift(time, more)
    except (ValueError, OverflowError):
        return ""

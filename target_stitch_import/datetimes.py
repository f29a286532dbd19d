"""Date-times as taps write them: in the form that the service takes, and as Unix nanoseconds.

The service enforces ``format: date-time`` (Import API reference, section The batch body): a ``T``,
seconds, a fraction of at most nine digits if any, and a zone as ``Z`` or ``+05:45``.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

SECOND_NS: Final = 1_000_000_000

_CALENDAR: Final = range(-62_135_596_800, 253_402_300_800)  # the seconds of the years 1 to 9999
_MAX_OFFSET: Final = timedelta(hours=18)
_MAX_FRACTION: Final = 10  # characters: a point and nine digits

_USUAL: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"(?:(Z|[+-](?:0\d|1[0-7]):[0-5]\d)|([+-](?:0\d|1[0-7])))?",
    re.ASCII,
)
"""As nearly all taps write them: with a zone, with none, or with the hours of one."""

_USUAL_ENDS: Final = {1: "", 2: ":00", None: "Z"}
"""What is added, by the group that has matched last."""

_READABLE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](\d\d:\d\d)(?:(:\d\d)([.,]\d+)?)?)?"
    r" ?([Zz]|[+-][\d:]+)?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d))?)?", re.ASCII)


def normalize_datetime(text: str) -> str | None:
    """Return a date-time in the form that the service takes; None if it can't be read.

    One that has that form stays as it is. One without a zone is in UTC, one without a time is
    midnight.
    """
    match = _USUAL.fullmatch(text)
    if match is None:
        return _normalize_unusual(text)
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return _normalize_unusual(text)
    return f"{text[:10]}T{text[11:]}{_USUAL_ENDS[match.lastindex]}"


def to_unix_ns(text: str) -> int | None:
    """Return a date-time in any form that ``normalize_datetime`` reads; None if it can't be read."""
    if (normalized := normalize_datetime(text)) is None:
        return None
    end = -1 if normalized.endswith("Z") else -6
    zone = "+00:00" if end == -1 else normalized[end:]
    seconds = int(datetime.fromisoformat(f"{normalized[:19]}{zone}").timestamp())
    if seconds not in _CALENDAR:
        return None
    return seconds * SECOND_NS + int(normalized[20:end].ljust(9, "0"))


def format_unix_ns(time_ns: int) -> str:
    """Return Unix nanoseconds as RFC 3339 in UTC, to the last digit."""
    seconds, nanoseconds = divmod(time_ns, SECOND_NS)
    start = datetime.fromtimestamp(seconds, tz=timezone.utc).replace(tzinfo=None).isoformat()
    return f"{start}.{nanoseconds:09}Z"


def _normalize_unusual(text: str) -> str | None:
    match = _READABLE.fullmatch(text.strip())
    if match is None:
        return None
    date, minute, second, fraction, zone = match.groups()
    zone, shift = ("Z", timedelta()) if zone is None or zone in "Zz" else _read_offset(zone)
    if not zone:
        return None
    fraction = f".{fraction[1:_MAX_FRACTION]}" if fraction else ""
    time = f"{date}T{minute or '00:00'}{second or ':00'}"
    if time.endswith(":60"):
        time, shift = f"{time[:-2]}59", shift + timedelta(seconds=1)
    elif time.endswith("T24:00:00") and not fraction.strip(".0"):  # midnight, to the last digit
        time, shift = f"{date}T00:00:00", shift + timedelta(days=1)
    try:
        return f"{(datetime.fromisoformat(time) + shift).isoformat()}{fraction}{zone}"
    except (ValueError, OverflowError):
        return None


def _read_offset(text: str) -> tuple[str, timedelta]:
    """Return the zone to write for an offset, and what a time has to be shifted by for it.

    The zone is empty if there is no such offset.
    """
    match = _OFFSET.fullmatch(text[1:])
    if match is None:
        return "", timedelta()
    hours, minutes, seconds = match.groups("00")
    offset = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    if seconds == "00" and offset <= _MAX_OFFSET:
        return f"{text[0]}{hours}:{minutes}", timedelta()
    return "Z", -offset if text[0] == "+" else offset

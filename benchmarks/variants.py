"""The variants of an input: the same records, as different writers write their lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

LOCAL = timezone(timedelta(hours=2))


def microseconds(time: datetime, _nanoseconds: int = 0) -> str:
    """Return a time with six digits of a second, whatever they are."""
    return time.isoformat(timespec="microseconds")


def isoformat(time: datetime, _nanoseconds: int = 0) -> str:
    """Return a time as Python writes it: without a fraction where that is zero."""
    return time.isoformat()


def rfc3339_nano(time: datetime, nanoseconds: int = 0) -> str:
    """Return a time as Go writes it: without the zeros at the end of the fraction."""
    fraction = f"{time.microsecond:06}{nanoseconds:03}".rstrip("0")
    return time.isoformat()[:19] + (f".{fraction}" if fraction else "") + "Z"


def local(time: datetime, _nanoseconds: int = 0) -> str:
    """Return a time as a machine writes it whose zone is not UTC."""
    return time.astimezone(LOCAL).isoformat(timespec="microseconds")


def without_zone(time: datetime) -> str:
    """Return a time as SQL writes it."""
    return str(time.replace(tzinfo=None))


@dataclass(frozen=True)
class Variant:
    """How lines are written."""

    name: str
    about: str
    write_time: Callable[[datetime, int], str] = microseconds
    """Gets a time, and the nanoseconds beyond its microseconds."""
    write_row_time: Callable[[datetime], str] | None = None
    """The same for the times in the rows, if these are written in another way."""
    whole_seconds: bool = False
    """Whether half of the times in the rows, and 1 in 1,000 of the extraction, have no fraction."""
    separators: tuple[str, str] = (",", ":")
    keys: tuple[str, ...] = ("type", "stream", "record", "time_extracted")
    """The keys of a RECORD, in their order."""

    def encode(self, value: Any) -> str:
        """Return a value as JSON."""
        return json.dumps(value, separators=self.separators, default=self._row_time)

    def record_line(self, stream: str) -> str:
        """Return the line of a stream's RECORD, as a format for ``record`` and ``time``."""
        comma, colon = self.separators
        values = {
            "type": '"RECORD"',
            "stream": json.dumps(stream),
            "record": "%(record)s",
            "time_extracted": '"%(time)s"',
        }
        members = (f'"{key}"{colon}{values[key]}' for key in self.keys)
        return "{" + comma.join(members) + "}\n"

    def _row_time(self, time: datetime) -> str:
        if self.whole_seconds and time.microsecond % 2:
            time = time.replace(microsecond=0)
        return self.write_row_time(time) if self.write_row_time else self.write_time(time, 0)


VARIANTS = (
    Variant("base", "as taps on the SDK write lines, with microseconds in all times"),
    Variant(
        "isoformat", "times as Python's isoformat() writes them", isoformat, whole_seconds=True
    ),
    Variant("go", "times as Go's RFC3339Nano writes them", rfc3339_nano, whole_seconds=True),
    Variant(
        "local", "times in another zone than UTC, which the vendor's target does not read", local
    ),
    Variant("spaces", "spaces behind colons and commas", separators=(", ", ": ")),
    Variant(
        "no-zone",
        "times in rows as many SQL taps write them: 2024-03-01 12:00:00.5",
        write_row_time=without_zone,
    ),
    Variant(
        "time-first",
        "the time in front of the record",
        keys=("type", "stream", "time_extracted", "record"),
    ),
    Variant("no-time", "no time of extraction", keys=("type", "stream", "record")),
)

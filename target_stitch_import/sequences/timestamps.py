"""Timestamps as taps write them: Unix nanoseconds, and the form that the service takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, Final

SECOND_NS: Final = 1_000_000_000

_TIMESTAMP: Final = re.compile(
    r"""
    (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})
    (?:[Tt ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,](?P<fraction>[0-9]{1,9})[0-9]*)?)?
    \ ?(?P<zone>[Zz]|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3])(?::?(?P<minutes>[0-5][0-9]))?)?
    """,
    re.VERBOSE,
)
_PLAIN_SECOND: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SCALES: Final = tuple(10 ** (9 - digits) for digits in range(10))
"""By the number of digits of a fraction, the nanoseconds of its last one."""
_MAX_SECONDS: Final = 10_000  # that are remembered


def format_timestamp(time_ns: int) -> str:
    """Return Unix nanoseconds as RFC 3339, to the last digit."""
    seconds, nanoseconds = divmod(time_ns, SECOND_NS)
    start = datetime.fromtimestamp(seconds, tz=timezone.utc).replace(tzinfo=None).isoformat()
    return f"{start}.{nanoseconds:09}Z"


class TimestampReader:
    """Reads timestamps, and works out each second once."""

    def __init__(self) -> None:
        self._seconds: dict[str, int] = {}
        self._newest: tuple[str, tuple[int, bytes]] = ("", (0, b""))

    def read(self, texts: Iterable[Any]) -> tuple[list[int], list[bytes]]:
        """Read timestamps in any form that taps write; one without a zone is in UTC.

        Return for each its Unix nanoseconds, and RFC 3339 in UTC: the first 26 bytes are the time to
        the microsecond. 0 and ``b""`` for a value that is not a string, or can't be read.
        """
        times_ns: list[int] = []
        written: list[bytes] = []
        seconds = self._seconds
        for text in texts:
            try:
                zone = text[-6:]
                if zone == "+00:00":
                    digits = text[20:-6]
                elif zone[5] == "Z":
                    digits = text[20:-1]
                else:
                    raise LookupError  # noqa: TRY301 - as for a second that is new
                if text[19] != "." or not digits.isdecimal():
                    raise LookupError  # noqa: TRY301
                time_ns = seconds[text[:19]] + int(digits) * _SCALES[len(digits)]
                encoded = text.encode("ascii")
                if len(digits) < 6:  # noqa: PLR2004 - microseconds
                    encoded = encoded[: 20 + len(digits)].ljust(26, b"0")
            except (LookupError, TypeError, AttributeError, ValueError):
                time_ns, encoded = self._read_any(text)
            times_ns.append(time_ns)
            written.append(encoded)
        return times_ns, written

    def _read_any(self, text: Any) -> tuple[int, bytes]:
        if not isinstance(text, str):
            return 0, b""
        if text == self._newest[0]:
            return self._newest[1]
        parsed = _parse(text)
        self._newest = text, parsed
        if parsed[1] and _PLAIN_SECOND.match(text) and text.endswith(("Z", "+00:00")):
            if len(self._seconds) >= _MAX_SECONDS:
                self._seconds.clear()
            self._seconds[text[:19]] = parsed[0] // SECOND_NS * SECOND_NS
        return parsed


def _parse(text: str) -> tuple[int, bytes]:
    """Read one string as ``TimestampReader.read`` does."""
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        return 0, b""
    try:
        second = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}")
        seconds = int((second.replace(tzinfo=timezone.utc) - _EPOCH).total_seconds())
        if match["sign"]:
            offset = int(match["hours"]) * 3600 + int(match["minutes"] or 0) * 60
            seconds += -offset if match["sign"] == "+" else offset
        start = datetime.fromtimestamp(seconds, tz=timezone.utc).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError, OSError):  # no calendar has it
        return 0, b""
    digits = (match["fraction"] or "").ljust(9, "0")
    return seconds * SECOND_NS + int(digits), f"{start}.{digits[:6]}".encode()

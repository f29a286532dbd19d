"""Timestamps as taps write them: Unix nanoseconds, and the form that the service takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from target_stitch_import.datetimes import SECOND_NS, format_unix_ns, to_unix_ns

_WITH_FRACTION: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):\d\d:[0-5]\d)\.\d+(?:Z|\+00:00|([+-]\d\d:\d\d))?",
    re.ASCII,
)
"""As most taps write them: a second, a fraction, and a zone or none."""
_SCALES: Final = tuple(10 ** (9 - digits) for digits in range(10))
"""By the number of digits of a fraction, the nanoseconds of its last one."""
_MAX_REMEMBERED: Final = 10_000


class TimestampReader:
    """Reads timestamps, and works out each second once."""

    def __init__(self) -> None:
        self._seconds: dict[str, tuple[int, bytes]] = {}
        """By a second, with its zone if that is not UTC: its Unix nanoseconds, and its start in UTC."""
        self._others: dict[str, tuple[int, bytes]] = {}
        """By its text, what has no fraction or a form that few taps write."""

    def read(self, texts: Iterable[Any]) -> tuple[list[int], list[bytes]]:
        """Read timestamps in any form that taps write; one without a zone is in UTC.

        Return for each its Unix nanoseconds, and RFC 3339 in UTC: the first 26 bytes are the time to
        the microsecond. 0 and ``b""`` for a value that is not a string, or can't be read.
        """
        times_ns: list[int] = []
        written: list[bytes] = []
        seconds, others = self._seconds, self._others
        for text in texts:
            try:
                if text[19] != ".":
                    time_ns, encoded = others[text]
                else:
                    zone = text[-6:]
                    if zone == "+00:00":
                        second, digits = text[:19], text[20:-6]
                    elif zone[5] == "Z":
                        second, digits = text[:19], text[20:-1]
                    elif zone[0] in "+-":
                        second, digits = text[:19] + zone, text[20:-6]
                    else:
                        second, digits = text[:19], text[20:]
                    if not digits.isdecimal():
                        raise LookupError  # noqa: TRY301 - as for a second that is new
                    width = len(digits)
                    time_ns, encoded = seconds[second]
                    time_ns += int(digits) * _SCALES[width]
                    encoded += digits.encode("ascii")
                    if width < 6:  # noqa: PLR2004 - microseconds
                        encoded = encoded.ljust(26, b"0")
            except (LookupError, TypeError, AttributeError, ValueError):
                time_ns, encoded = self._read_any(text)
            times_ns.append(time_ns)
            written.append(encoded)
        return times_ns, written

    def _read_any(self, text: Any) -> tuple[int, bytes]:
        if not isinstance(text, str):
            return 0, b""
        if text in self._others:
            return self._others[text]
        if (time_ns := to_unix_ns(text)) is None:
            return 0, b""
        encoded = format_unix_ns(time_ns).encode()
        for known in (self._seconds, self._others):
            if len(known) >= _MAX_REMEMBERED:
                known.clear()
        if match := _WITH_FRACTION.fullmatch(text):
            second = "".join(match.groups(""))
            self._seconds[second] = time_ns // SECOND_NS * SECOND_NS, encoded[:20]
        else:
            self._others[text] = time_ns, encoded
        return time_ns, encoded

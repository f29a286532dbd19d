"""What the page remembers of the requests: the last of them, and how much came each second.

Bounded, and in memory: it is gone with the emulator. Only the event loop's thread writes
and reads it. Knows nothing of HTTP and of the tables.
"""

from __future__ import annotations

import collections
import dataclasses
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.visits import Visit

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT: Final = 500
"""Requests that are remembered."""
WINDOW_SECONDS: Final = 300
"""How far back the throughput goes."""


@dataclasses.dataclass
class _Second:
    """What came within a second of Unix time."""

    second: int
    records: int = 0
    size: int = 0


class Journal:
    """The requests of an emulator, from when it started."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.run = secrets.token_hex(8)
        """Another one for each start, so that a page notices it."""
        self.revision = 0
        """Grows with each change."""
        self._clock = clock
        self._visits: collections.deque[Visit] = collections.deque(maxlen=KEPT)
        self._seconds: collections.deque[_Second] = collections.deque(maxlen=WINDOW_SECONDS)
        self._totals = {"requests": 0, "records": 0, "bytes": 0}

    def begin(self, method: str, path: str, announced: int) -> Visit:
        """Note that a request has come, which announces a body of so many bytes."""
        self._totals["requests"] += 1
        visit = Visit(self._totals["requests"], self._clock(), method, path, announced)
        self._visits.append(visit)
        self._touch(visit)
        return visit

    def end(self, visit: Visit, took: float) -> None:
        """Note that a request has been answered, or will never be, after so many seconds."""
        visit.took = took
        self._touch(visit)
        second = int(self._clock())
        if not self._seconds or self._seconds[-1].second < second:
            self._seconds.append(_Second(second))
        records = visit.records if visit.stored else 0
        self._seconds[-1].records += records
        self._seconds[-1].size += visit.received
        self._totals["records"] += records
        self._totals["bytes"] += visit.received

    def since(self, revision: int) -> dict[str, Any]:
        """Return what has changed since a revision, as JSON has it.

        Throughput is a list of seconds in which something came, each with its Unix time,
        records that were stored and bytes that were received.
        """
        now = self._clock()
        return {
            "run": self.run,
            "revision": self.revision,
            "now": round(now * 1000),
            "kept": KEPT,
            "totals": dict(self._totals),
            "requests": [visit.shown() for visit in self._visits if visit.changed > revision],
            "window": WINDOW_SECONDS,
            "throughput": [
                [each.second, each.records, each.size]
                for each in self._seconds
                if each.second > now - WINDOW_SECONDS
            ],
        }

    def _touch(self, visit: Visit) -> None:
        self.revision += 1
        visit.changed = self.revision

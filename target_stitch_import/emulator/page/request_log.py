"""What came with one request, and what became of it: a line of the page's timeline.

Knows loads, and of a body that was refused only what can be seen at a glance. Never holds a header,
so no access token.
"""

from __future__ import annotations

import collections
import dataclasses
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.emulator.page.formatting import shortened
from target_stitch_import.emulator.storage.loads import Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from starlette.types import Scope

    from target_stitch_import.emulator.storage.loads import Load

KEPT: Final = 500
"""Requests that are remembered."""
WINDOW_SECONDS: Final = 300
"""How far back the throughput goes."""
_TABLES: Final = 5
_KEY: Final = "stitch-import-emulator.visit"


class _Batch(msgspec.Struct):
    table_name: str
    messages: list[msgspec.Raw] = []


class _Record(msgspec.Struct):
    table_name: str


_AT_A_GLANCE: Final = msgspec.json.Decoder(_Batch | list[_Record])


@dataclasses.dataclass(eq=False)
class Visit:
    """One request."""

    number: int
    at: float
    """When it came, in seconds of Unix time."""
    method: str
    path: str
    announced: int = 0
    """Bytes that the body is going to have, by its header; 0 where that does not say."""
    received: int = 0
    """Bytes of the body that have come."""
    changed: int = 0
    """The journal's revision when something of this was last noted."""
    tables: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """How many records came for each table."""
    stored: bool = False
    faults: list[str] = dataclasses.field(default_factory=list)
    status: int | None = None
    answer: bytes = b""
    """How the body of the answer begins."""
    took: float | None = None
    """Seconds to the end of the answer; None as long as there is none."""

    @property
    def records(self) -> int:
        """How many records came."""
        return sum(self.tables.values())

    def tell(self, loads: Iterable[Load]) -> None:
        """Note what a good request asks for."""
        tables: collections.Counter[str] = collections.Counter()
        for load in loads:
            tables[load.table] += sum(isinstance(step, Upsert) for step in load.steps)
        self.tables = tables

    def glimpse(self, body: bytes) -> None:
        """Note what a refused body seems to ask for, where that can be seen."""
        try:
            seen = _AT_A_GLANCE.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return
        if isinstance(seen, list):
            self.tables = collections.Counter(record.table_name for record in seen)
        else:
            self.tables = {seen.table_name: len(seen.messages)}

    def shown(self) -> dict[str, Any]:
        """Return what the page shows of it, as JSON has it."""
        names = [[shortened(name), count] for name, count in list(self.tables.items())[:_TABLES]]
        return {
            "number": self.number,
            "at": round(self.at * 1000),
            "method": self.method,
            "path": shortened(self.path),
            "size": max(self.announced, self.received),
            "records": self.records,
            "tables": names,
            "more_tables": len(self.tables) - len(names),
            "stored": self.stored,
            "faults": self.faults,
            "status": self.status,
            "message": shortened(_message(self.answer)),
            "took": None if self.took is None else round(self.took * 1000, 1),
        }


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


def carry(scope: Scope, visit: Visit) -> None:
    """Let a request have its visit with it."""
    scope[_KEY] = visit


def carried(scope: Scope) -> Visit:
    """Return the visit of a request."""
    visit: Visit = scope[_KEY]
    return visit


def _message(answer: bytes) -> str:
    """Return what an answer says, without the JSON around it."""
    text = answer.decode(errors="replace").strip()
    try:
        content = msgspec.json.decode(answer)
    except (msgspec.DecodeError, ValueError):
        return text
    return ": ".join(_sentences(content)) or text


def _sentences(content: Any) -> Sequence[str]:
    if not isinstance(content, dict):
        return []
    said = [content.get(name) for name in ("message", "error", "errors", "reason")]
    if not any(said):
        said = [content.get("status")]
    return [
        each if isinstance(each, str) else msgspec.json.encode(each).decode()
        for each in said
        if each is not None
    ]

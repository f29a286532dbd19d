"""The requests that the page shows: the last ones, and the throughput of each second.

All of it is in memory, bounded, and gone when the emulator stops. Only the thread of the event
loop changes the log. It contains no header, so no access token.
"""

from __future__ import annotations

import collections
import dataclasses
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.emulator.page.formatting import shorten
from target_stitch_import.emulator.storage.loads import Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from starlette.types import Scope

    from target_stitch_import.emulator.storage.loads import Load

MAX_REQUESTS: Final = 500
"""Number of requests that the log keeps."""
WINDOW_SECONDS: Final = 300
"""Seconds of throughput that the log keeps."""
_MAX_TABLES: Final = 5
_FIRST_ERROR: Final = 400
_KEY: Final = "stitch-import-emulator.request"


class _Batch(msgspec.Struct):
    table_name: str
    messages: list[msgspec.Raw] = []


class _Record(msgspec.Struct):
    table_name: str


_TABLES_DECODER: Final = msgspec.json.Decoder(_Batch | list[_Record])


@dataclasses.dataclass(eq=False)
class LoggedRequest:
    """A request, with what came of it."""

    number: int
    received_at: float
    """Time of arrival, in seconds of Unix time."""
    method: str
    path: str
    content_length: int = 0
    """Bytes of the body as its header has them; 0 if it has none."""
    received_bytes: int = 0
    """Bytes of the body that have arrived."""
    revision: int = 0
    """The log's revision when this request last changed."""
    tables: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Number of records for each table."""
    stored: bool = False
    """True if at least one record, or activation, was loaded."""
    rows_added: int = 0
    rows_replaced: int = 0
    stopped: Sequence[str] = ()
    """Names of stopped tables, of whose records none was loaded."""
    faults: list[str] = dataclasses.field(default_factory=list)
    status: int | None = None
    body_start: bytes = b""
    """The first bytes of the response's body."""
    seconds: float | None = None
    """Seconds from arrival to the end of the response; None before."""

    @property
    def records(self) -> int:
        """Number of records."""
        return sum(self.tables.values())

    def count_records(self, loads: Iterable[Load]) -> None:
        """Set ``tables`` from the loads of a valid request."""
        tables: collections.Counter[str] = collections.Counter()
        for load in loads:
            tables[load.table] += sum(isinstance(message, Upsert) for message in load.messages)
        self.tables = tables

    def guess_tables(self, body: bytes) -> None:
        """Set ``tables`` from a refused body, if its shape is that of a batch or a push."""
        try:
            decoded = _TABLES_DECODER.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return
        if isinstance(decoded, list):
            self.tables = collections.Counter(record.table_name for record in decoded)
        else:
            self.tables = {decoded.table_name: len(decoded.messages)}

    def to_json(self) -> dict[str, Any]:
        """Return what the page shows, ready for JSON."""
        names = [[shorten(name), count] for name, count in list(self.tables.items())[:_MAX_TABLES]]
        return {
            "number": self.number,
            "at": round(self.received_at * 1000),
            "method": self.method,
            "path": shorten(self.path),
            "size": max(self.content_length, self.received_bytes),
            "records": self.records,
            "tables": names,
            "more_tables": len(self.tables) - len(names),
            "stored": self.stored,
            "rows_added": self.rows_added,
            "rows_replaced": self.rows_replaced,
            "stopped": [shorten(name) for name in self.stopped[:_MAX_TABLES]],
            "faults": self.faults,
            "status": self.status,
            "message": shorten(_message(self.body_start)),
            "took": None if self.seconds is None else round(self.seconds * 1000, 1),
        }


@dataclasses.dataclass
class _Second:
    """The throughput of one second of Unix time."""

    second: int
    records: int = 0
    size: int = 0


class RequestLog:
    """The requests of an emulator since it started."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.run = secrets.token_hex(8)
        """Identifies this start of the emulator: a page notices a restart."""
        self.revision = 0
        """Increases with each change."""
        self._clock = clock
        self._requests: collections.deque[LoggedRequest] = collections.deque(maxlen=MAX_REQUESTS)
        self._seconds: collections.deque[_Second] = collections.deque(maxlen=WINDOW_SECONDS)
        names = ("requests", "errors", "records", "rows_added", "rows_replaced", "bytes")
        self._totals = dict.fromkeys(names, 0)

    def start(self, method: str, path: str, content_length: int) -> LoggedRequest:
        """Add a request that has arrived; ``content_length`` is its body's size in bytes."""
        self._totals["requests"] += 1
        request = LoggedRequest(
            self._totals["requests"], self._clock(), method, path, content_length
        )
        self._requests.append(request)
        self._mark_changed(request)
        return request

    def finish(self, request: LoggedRequest, seconds: float) -> None:
        """Finish a request, with or without a response, after some seconds."""
        request.seconds = seconds
        self._mark_changed(request)
        second = int(self._clock())
        if not self._seconds or self._seconds[-1].second < second:
            self._seconds.append(_Second(second))
        records = request.records if request.stored else 0
        self._seconds[-1].records += records
        self._seconds[-1].size += request.received_bytes
        self._totals["errors"] += request.status is None or request.status >= _FIRST_ERROR
        self._totals["records"] += records
        self._totals["rows_added"] += request.rows_added
        self._totals["rows_replaced"] += request.rows_replaced
        self._totals["bytes"] += request.received_bytes

    def changes_since(self, revision: int) -> dict[str, Any]:
        """Return what has changed since a revision, ready for JSON.

        The throughput lists seconds with requests: Unix time, records stored, bytes received.
        """
        now = self._clock()
        return {
            "run": self.run,
            "revision": self.revision,
            "now": round(now * 1000),
            "kept": MAX_REQUESTS,
            "totals": dict(self._totals),
            "requests": [
                request.to_json() for request in self._requests if request.revision > revision
            ],
            "window": WINDOW_SECONDS,
            "throughput": [
                [each.second, each.records, each.size]
                for each in self._seconds
                if each.second > now - WINDOW_SECONDS
            ],
        }

    def _mark_changed(self, request: LoggedRequest) -> None:
        self.revision += 1
        request.revision = self.revision


def attach(scope: Scope, request: LoggedRequest) -> None:
    """Add the logged request to an ASGI scope."""
    scope[_KEY] = request


def logged_request(scope: Scope) -> LoggedRequest:
    """Return the logged request of an ASGI scope."""
    request: LoggedRequest = scope[_KEY]
    return request


def _message(body: bytes) -> str:
    """Return the message in the body of a response, without the JSON around it."""
    text = body.decode(errors="replace").strip()
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        return text
    return ": ".join(_texts(content)) or text


def _texts(content: Any) -> Sequence[str]:
    if not isinstance(content, dict):
        return []
    texts = [content.get(name) for name in ("message", "error", "errors", "reason")]
    if not any(texts):
        texts = [content.get("status")]
    return [
        each if isinstance(each, str) else msgspec.json.encode(each).decode()
        for each in texts
        if each is not None
    ]

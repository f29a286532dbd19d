"""Middleware that notes each request in the journal.

Outermost, so that it sees what a client sees, also where a fault answers in the API's place
or nobody does. Knows ASGI; what the page itself asks for is not noted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from target_stitch_import.emulator.page.request_log import carry

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from target_stitch_import.emulator.page.request_log import Journal, Visit

PAGE: Final = "/"
PREFIX: Final = "/_emulator/"
"""Where the page's data is; the API has nothing there."""
_ANSWER_BYTES: Final = 1000
_DIGITS: Final = 18


class Recorder:
    """Notes each request from its arrival to its end."""

    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app = app
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request, and note what becomes of it."""
        if scope["type"] != "http" or _is_of_the_page(scope):
            await self._app(scope, receive, send)
            return
        visit = self._journal.begin(scope["method"], scope["path"], _announced(scope))
        carry(scope, visit)
        started = time.perf_counter()
        try:
            await self._app(scope, _counting(receive, visit), _noting(send, visit))
        finally:
            self._journal.end(visit, time.perf_counter() - started)


def _is_of_the_page(scope: Scope) -> bool:
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    path: str = scope["path"]
    return path == PAGE or path.startswith(PREFIX)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) <= _DIGITS:
            return int(value)
    return 0


def _counting(receive: Receive, visit: Visit) -> Receive:
    async def count() -> Message:
        message = await receive()
        visit.received += len(message.get("body", b""))
        return message

    return count


def _noting(send: Send, visit: Visit) -> Send:
    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            visit.status = message["status"]
        else:
            visit.answer += message.get("body", b"")[: _ANSWER_BYTES - len(visit.answer)]
        await send(message)

    return note

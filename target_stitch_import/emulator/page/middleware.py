"""Middleware that adds each request to the request log, but for those of the page.

It is the outermost one, so it sees what a client sees, faults included.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from target_stitch_import.emulator.page.request_log import attach

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from target_stitch_import.emulator.page.request_log import LoggedRequest, RequestLog

PAGE: Final = "/"
PREFIX: Final = "/_emulator/"
"""The paths of the page's data."""
_MAX_BODY_BYTES: Final = 1000
_MAX_DIGITS: Final = 18


class RequestLogMiddleware:
    """Logs each request from its arrival to its end."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request, and log it."""
        if scope["type"] != "http" or _is_page_request(scope):
            await self._app(scope, receive, send)
            return
        logged = self._log.start(scope["method"], scope["path"], _content_length(scope))
        attach(scope, logged)
        started = time.perf_counter()
        try:
            await self._app(scope, _count_received(receive, logged), _log_response(send, logged))
        finally:
            self._log.finish(logged, time.perf_counter() - started)


def _is_page_request(scope: Scope) -> bool:
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    path: str = scope["path"]
    return path == PAGE or path.startswith(PREFIX)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) <= _MAX_DIGITS:
            return int(value)
    return 0


def _count_received(receive: Receive, logged: LoggedRequest) -> Receive:
    async def count() -> Message:
        message = await receive()
        logged.received_bytes += len(message.get("body", b""))
        return message

    return count


def _log_response(send: Send, logged: LoggedRequest) -> Send:
    async def log_message(message: Message) -> None:
        if message["type"] == "http.response.start":
            logged.status = message["status"]
        else:
            logged.body_start += message.get("body", b"")[
                : _MAX_BODY_BYTES - len(logged.body_start)
            ]
        await send(message)

    return log_message

"""The emulator's page, and the data that it shows.

Knows HTTP and what a browser must not do with it: a page of another website can't read this
one's data, and nothing that was loaded can become markup or script. What is shown is the
journal's and the inventory's business.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sqlite3
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.routing import Route

from target_stitch_import.emulator.page.middleware import PAGE, PREFIX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from target_stitch_import.emulator.page.request_log import Journal
    from target_stitch_import.emulator.page.tables import Inventory

HOSTS: Final = ("127.0.0.1", "localhost")
"""A name of another website that leads here must not open the door (DNS rebinding)."""
_HEADERS: Final = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


def page_routes(journal: Journal, inventory: Inventory, *, is_guarded: bool) -> list[Route]:
    """Return the page and its data; ``is_guarded`` says that only one token is accepted."""
    html = Path(__file__).with_name("page.html").read_bytes()
    policy = {"content-security-policy": _policy(html.decode())}

    async def page(_: Request) -> Response:
        return Response(html, media_type="text/html", headers=_HEADERS | policy)

    async def state(request: Request) -> Response:
        query = request.query_params
        is_same_run = query.get("run") == journal.run
        # Before the tables are read, so that what comes meanwhile is told the next time.
        news = journal.since(_number(query.get("since")) if is_same_run else 0)
        try:
            found = await run_in_threadpool(inventory.look)
        except sqlite3.Error as error:
            return _unreadable(error)
        loads = {"tables": found, "guarded": is_guarded}
        return _json(news | loads)

    async def table(request: Request) -> Response:
        try:
            found = await run_in_threadpool(inventory.open, _number(request.query_params.get("id")))
        except sqlite3.Error as error:
            return _unreadable(error)
        if found is None:
            return _json({"message": "There is no such table."}, HTTPStatus.NOT_FOUND)
        return _json(found)

    return [
        _route(PAGE, page),
        _route(f"{PREFIX}state", state),
        _route(f"{PREFIX}table", table),
    ]


def _route(path: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)
    return Route(path, answer, methods=["GET"], middleware=[guard])


def _policy(html: str) -> str:
    """Return what the browser lets the page do: its own script and styles, its own data."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(html, 'script')}",
            f"style-src {_hash(html, 'style')}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(html: str, tag: str) -> str:
    content = html.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _number(text: str | None) -> int:
    return int(text) if text and _NUMBER.fullmatch(text) else 0


def _json(content: Any, status: int = HTTPStatus.OK) -> Response:
    return Response(
        msgspec.json.encode(content), status, media_type="application/json", headers=_HEADERS
    )


def _unreadable(error: sqlite3.Error) -> Response:
    message = f"The database can't be read: {error}"
    return _json({"message": message}, HTTPStatus.SERVICE_UNAVAILABLE)

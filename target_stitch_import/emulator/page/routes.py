"""The routes of the page and its data, for browsers on this machine.

A page of another website can't read the data, and nothing that was loaded can become markup
or script.
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
from starlette.responses import Response
from starlette.routing import Route

from target_stitch_import.emulator.page.middleware import PAGE, PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from target_stitch_import.emulator.page.request_log import RequestLog
    from target_stitch_import.emulator.page.tables import TableBrowser

_HEADERS: Final = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


def page_routes(
    log: RequestLog, tables: TableBrowser, settings: Mapping[str, str | bool]
) -> list[Route]:
    """Return the routes of the page.

    Args:
        log: the requests to show.
        tables: the tables to show.
        settings: what the page shows of the emulator: ``database``, ``region``, ``faults``, and
            ``guarded``, which is True if it accepts only one access token.
    """
    html = Path(__file__).with_name("page.html").read_bytes()
    policy = {"content-security-policy": _policy(html.decode())}

    async def page(_: Request) -> Response:
        return Response(html, media_type="text/html", headers=_HEADERS | policy)

    async def state(request: Request) -> Response:
        query = request.query_params
        is_same_run = query.get("run") == log.run
        # Before the tables are read: what comes meanwhile is sent the next time.
        changes = log.changes_since(_number(query.get("since")) if is_same_run else 0)
        try:
            found = await run_in_threadpool(tables.list_tables)
        except sqlite3.Error as error:
            return _database_error(error)
        return _json(changes | {"tables": found, "settings": settings})

    async def table(request: Request) -> Response:
        try:
            found = await run_in_threadpool(
                tables.describe_table, _number(request.query_params.get("id"))
            )
        except sqlite3.Error as error:
            return _database_error(error)
        if found is None:
            return _json({"message": "There is no such table."}, HTTPStatus.NOT_FOUND)
        return _json(found)

    return [
        Route(PAGE, page, methods=["GET"]),
        Route(f"{PREFIX}state", state, methods=["GET"]),
        Route(f"{PREFIX}table", table, methods=["GET"]),
    ]


def _policy(html: str) -> str:
    """Return a content security policy: the page's own script, styles and data, nothing else."""
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


def _database_error(error: sqlite3.Error) -> Response:
    message = f"The database can't be read: {error}"
    return _json({"message": message}, HTTPStatus.SERVICE_UNAVAILABLE)

"""The Import API as an ASGI application: endpoints, their rules and their responses.

Import API reference, sections Endpoints and Base URLs, version, authentication.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from target_stitch_import.emulator.faults.middleware import create_middleware
from target_stitch_import.emulator.http.access import Account, HostCheck, authenticate
from target_stitch_import.emulator.page.middleware import RequestLogMiddleware
from target_stitch_import.emulator.page.request_log import LoggedRequest, RequestLog, logged_request
from target_stitch_import.emulator.page.routes import page_routes
from target_stitch_import.emulator.page.tables import TableBrowser
from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.batches import parse_batch
from target_stitch_import.emulator.rules.pushes import parse_push, parse_transit_push
from target_stitch_import.emulator.rules.responses import Answers, ApiResponse, RefusedError
from target_stitch_import.emulator.rules.schemas import SchemaCache
from target_stitch_import.emulator.storage.exact_json import TOO_DEEP
from target_stitch_import.emulator.storage.loads import Load
from target_stitch_import.limits import MAX_BATCH_BYTES

if TYPE_CHECKING:
    from target_stitch_import.emulator.faults.spec import Faults
    from target_stitch_import.emulator.storage.database import Database

LOGGER: Final = logging.getLogger("stitch-import-emulator")

Handler = Callable[[bytes, LoggedRequest], ApiResponse]
Parser = Callable[[bytes, int | None], list[Load]]


@dataclasses.dataclass(frozen=True)
class _Endpoint:
    """One endpoint that accepts a body."""

    account: Account
    handlers: Mapping[str, Handler]
    """The handlers, by content type."""
    unsupported: Callable[[str], ApiResponse]

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        try:
            # The body is read to its end even when it is refused: a client that is still
            # sending would see a broken connection instead of the response.
            body, size = await _read_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            handle = self._handler(request, size)
            response = await run_in_threadpool(
                _call_handler, handle, body, logged_request(request.scope)
            )
        except RefusedError as refused:
            response = refused.response
        return _to_starlette(request, response)

    def _handler(self, request: Request, size: int) -> Handler:
        """Return the handler of the body; refuse what can be refused without the body.

        Raises:
            RefusedError: access, content type or size are wrong.
        """
        authenticate(self.account, request.headers.get("authorization", ""))
        content_type = request.headers.get("content-type", "")
        handle = self.handlers.get(content_type.partition(";")[0].strip().lower())
        if handle is None:
            raise RefusedError(self.unsupported(content_type))
        if size > MAX_BATCH_BYTES:
            raise RefusedError(responses.too_large(size))
        return handle


def create_app(
    database: Database,
    account: Account | None = None,
    middleware: Sequence[Middleware] = (),
    *,
    faults: Faults | None = None,
    answers: Answers = "placed",
) -> Starlette:
    """Return the Import API as an ASGI application.

    Args:
        database: the database that accepted requests are loaded into.
        account: the account whose requests are accepted; by default, any token is.
        middleware: Starlette middleware around the API, outermost first.
        faults: what goes wrong on purpose, behind the middleware. Those of the connection need
            the server that ``running_emulator`` runs.
        answers: "unplaced" refuses a record of a batch without its place in the batch.
    """
    account = account or Account()
    if faults is not None:
        middleware = [*middleware, *create_middleware(faults)]
    schemas = SchemaCache()
    log = RequestLog()
    tables = TableBrowser(database)

    def store(loads: list[Load], logged: LoggedRequest) -> ApiResponse:
        logged.count_records(loads)
        outcome = database.load(loads)
        logged.stored = len(outcome.stopped) < len(loads)
        logged.stopped = list(dict.fromkeys(load.table for load in outcome.stopped))
        logged.rows_added, logged.rows_replaced = outcome.added, outcome.replaced
        tables.count_loads(outcome.executed)
        return responses.BATCH_ACCEPTED

    def batch(body: bytes, logged: LoggedRequest) -> ApiResponse:
        return store([parse_batch(body, schemas, answers)], logged)

    def push(parse: Parser, body: bytes, logged: LoggedRequest) -> ApiResponse:
        return store(parse(body, account.client_id), logged)

    def validate(parse: Parser, body: bytes, logged: LoggedRequest) -> ApiResponse:
        logged.count_records(parse(body, account.client_id))
        return responses.BATCH_VALID

    def push_endpoint(handle: Callable[[Parser, bytes, LoggedRequest], ApiResponse]) -> _Endpoint:
        parsers = {responses.JSON: parse_push, responses.TRANSIT: parse_transit_push}
        handlers = {name: functools.partial(handle, parse) for name, parse in parsers.items()}
        return _Endpoint(account, handlers, responses.unsupported_push_content)

    settings: dict[str, str | bool] = {
        "database": str(Path(database.path).absolute()),
        "region": account.region,
        "faults": faults.text if faults else "",
        "guarded": account.token is not None,
    }
    batch_endpoint = _Endpoint(account, {responses.JSON: batch}, lambda _: responses.NOT_JSON)
    app = Starlette(
        routes=[
            Route("/v2/import/status", _status, methods=["GET"]),
            _route("/v2/import/batch", batch_endpoint),
            _route("/v2/import/push", push_endpoint(push)),
            _route("/v2/import/validate", push_endpoint(validate)),
            *page_routes(log, tables, settings),
        ],
        # Outermost: it logs what clients see, faults included.
        middleware=[Middleware(RequestLogMiddleware, log), Middleware(HostCheck), *middleware],
        exception_handlers={HTTPException: _no_such_endpoint},
    )
    app.router.redirect_slashes = False
    return app


def _route(path: str, endpoint: _Endpoint) -> Route:
    # Starlette treats any callable that is no function as an ASGI application.
    async def handle(request: Request) -> Response:
        return await endpoint(request)

    return Route(path, handle, methods=["POST"])


async def _status(request: Request) -> Response:
    return _to_starlette(request, responses.STATUS_OK)


async def _no_such_endpoint(request: Request, error: Exception) -> Response:
    try:
        await _read_body(request)
    except ClientDisconnect:
        return Response(status_code=400)
    status = error.status_code if isinstance(error, HTTPException) else None
    # The only other paths are those of the page, which are not posted to.
    is_api_path = request.url.path.startswith("/v2/import/")
    wrong_method = status == responses.METHOD_NOT_ALLOWED.status and is_api_path
    return _to_starlette(
        request, responses.METHOD_NOT_ALLOWED if wrong_method else responses.NOT_FOUND
    )


async def _read_body(request: Request) -> tuple[bytes, int]:
    """Return the body and its size in bytes; only the size if the body is too large."""
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BATCH_BYTES:
            chunks.append(chunk)
    return b"".join(chunks), size


def _call_handler(handle: Handler, body: bytes, logged: LoggedRequest) -> ApiResponse:
    try:
        return handle(body, logged)
    except RefusedError:
        logged.guess_tables(body)
        raise
    except RecursionError:
        return responses.malformed(TOO_DEEP)
    except sqlite3.Error:
        LOGGER.exception("The database can't be written")
        return responses.UNAVAILABLE


def _to_starlette(request: Request, response: ApiResponse) -> Response:
    detail = f": {response.body.decode()}" if response.status >= HTTPStatus.BAD_REQUEST else ""
    LOGGER.info("%s %s %s%s", request.method, request.url.path, response.status, detail)
    return Response(response.body, response.status, headers={"content-type": response.content_type})

"""The Import API over HTTP: which request goes to which rules, and which answer goes back.

Import API reference, sections Endpoints and Base URLs, version, authentication. Knows the
rules and the database, and nothing of processes and ports.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from target_stitch_import.emulator.http.access import Account, authenticate
from target_stitch_import.emulator.page.middleware import Recorder
from target_stitch_import.emulator.page.request_log import Journal, Visit, carried
from target_stitch_import.emulator.page.routes import page_routes
from target_stitch_import.emulator.page.tables import Inventory
from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.batches import read_batch
from target_stitch_import.emulator.rules.pushes import read_push, read_transit_push
from target_stitch_import.emulator.rules.responses import Answer, RefusedError
from target_stitch_import.emulator.rules.schemas import SchemaCache
from target_stitch_import.emulator.storage.exact_json import TOO_DEEP
from target_stitch_import.emulator.storage.loads import Load
from target_stitch_import.limits import MAX_BATCH_BYTES

if TYPE_CHECKING:
    from target_stitch_import.emulator.storage.database import Database

LOGGER: Final = logging.getLogger("stitch-import-emulator")

Handler = Callable[[bytes, Visit], Answer]
Reader = Callable[[bytes, int | None], list[Load]]


@dataclasses.dataclass(frozen=True)
class _Endpoint:
    """One endpoint that takes a body."""

    account: Account
    handlers: Mapping[str, Handler]
    """By the content types that it takes."""
    unsupported: Callable[[str], Answer]

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        try:
            # The body is read to its end even when it is refused: a client that is still
            # sending would see a broken connection instead of the answer.
            body, size = await _read_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            handle = self._handler(request, size)
            answer = await run_in_threadpool(_answer, handle, body, carried(request.scope))
        except RefusedError as refused:
            answer = refused.answer
        return _response(request, answer)

    def _handler(self, request: Request, size: int) -> Handler:
        """Return who reads the body; refuse what can be refused without looking at it."""
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
) -> Starlette:
    """Return the Import API as an ASGI application.

    Args:
        database: where accepted requests are loaded into.
        account: whose requests are accepted; by default anybody's who has a token.
        middleware: what stands between the server and the API, outermost first. Faults
            belong here: they may answer in the API's place, before or after it.
    """
    account = account or Account()
    schemas = SchemaCache()
    journal = Journal()
    inventory = Inventory(database)

    def store(loads: list[Load], visit: Visit) -> Answer:
        visit.tell(loads)
        database.load(loads)
        visit.stored = True
        inventory.note(loads)
        return responses.BATCH_ACCEPTED

    def batch(body: bytes, visit: Visit) -> Answer:
        return store([read_batch(body, schemas.read)], visit)

    def push(read: Reader, body: bytes, visit: Visit) -> Answer:
        return store(read(body, account.client_id), visit)

    def validate(read: Reader, body: bytes, visit: Visit) -> Answer:
        visit.tell(read(body, account.client_id))
        return responses.BATCH_VALID

    def of_records(do: Callable[[Reader, bytes, Visit], Answer]) -> _Endpoint:
        readers = {responses.JSON: read_push, responses.TRANSIT: read_transit_push}
        handlers = {name: functools.partial(do, read) for name, read in readers.items()}
        return _Endpoint(account, handlers, responses.unsupported_push_content)

    of_batches = _Endpoint(account, {responses.JSON: batch}, lambda _: responses.NOT_JSON_CONTENT)
    app = Starlette(
        routes=[
            Route("/v2/import/status", _status, methods=["GET"]),
            _route("/v2/import/batch", of_batches),
            _route("/v2/import/push", of_records(push)),
            _route("/v2/import/validate", of_records(validate)),
            *page_routes(journal, inventory, is_guarded=account.token is not None),
        ],
        # Outermost, for it notes what clients see, faults included.
        middleware=[Middleware(Recorder, journal), *middleware],
        exception_handlers={HTTPException: _no_such_endpoint},
    )
    app.router.redirect_slashes = False
    return app


def _route(path: str, endpoint: _Endpoint) -> Route:
    # A function, because Starlette takes any other callable for an ASGI application.
    async def answer(request: Request) -> Response:
        return await endpoint(request)

    return Route(path, answer, methods=["POST"])


async def _status(request: Request) -> Response:
    return _response(request, responses.STATUS_OK)


async def _no_such_endpoint(request: Request, error: Exception) -> Response:
    try:
        await _read_body(request)
    except ClientDisconnect:
        return Response(status_code=400)
    status = error.status_code if isinstance(error, HTTPException) else None
    # Beside the API there is nothing but the page, and that is no place to post to.
    is_of_api = request.url.path.startswith("/v2/import/")
    wrong_method = status == responses.METHOD_NOT_ALLOWED.status and is_of_api
    return _response(request, responses.METHOD_NOT_ALLOWED if wrong_method else responses.NOT_FOUND)


async def _read_body(request: Request) -> tuple[bytes, int]:
    """Return the body and its size; of one that is too large, only the size is right."""
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BATCH_BYTES:
            chunks.append(chunk)
    return b"".join(chunks), size


def _answer(handle: Handler, body: bytes, visit: Visit) -> Answer:
    try:
        return handle(body, visit)
    except RefusedError:
        visit.glimpse(body)
        raise
    except RecursionError:
        return responses.malformed(TOO_DEEP)
    except sqlite3.Error:
        LOGGER.exception("The database can't be written")
        return responses.UNAVAILABLE


def _response(request: Request, answer: Answer) -> Response:
    detail = f": {answer.body.decode()}" if answer.status >= HTTPStatus.BAD_REQUEST else ""
    LOGGER.info("%s %s %s%s", request.method, request.url.path, answer.status, detail)
    return Response(answer.body, answer.status, headers={"content-type": answer.content_type})

"""The Import API over HTTP: which request goes to which rules, and which answer goes back.

Import API reference, sections Endpoints and Base URLs, version, authentication. Knows the
rules and the database, and nothing of processes and ports.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import sqlite3
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from target_stitch_import.emulator import answers, transit
from target_stitch_import.emulator.access import Account, authenticate
from target_stitch_import.emulator.answers import Answer, RefusedError
from target_stitch_import.emulator.batches import read_batch
from target_stitch_import.emulator.decoding import TOO_DEEP, MalformedError
from target_stitch_import.emulator.pushes import read_push
from target_stitch_import.emulator.schemas import SchemaCache
from target_stitch_import.limits import MAX_BATCH_BYTES

if TYPE_CHECKING:
    from starlette.middleware import Middleware

    from target_stitch_import.emulator.database import Database

LOGGER: Final = logging.getLogger("stitch-import-emulator")

Handler = Callable[[bytes], Answer]


@dataclasses.dataclass(frozen=True)
class _Endpoint:
    """One endpoint that takes a body."""

    account: Account
    handle: Handler
    unsupported: Callable[[str], Answer]
    takes_transit: bool = False

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        try:
            # The body is read to its end even when it is refused: a client that is still
            # sending would see a broken connection instead of the answer.
            body, size = await _read_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            content_type = self._check(request, size)
            handle = (
                _of_transit(self.handle) if content_type == transit.CONTENT_TYPE else self.handle
            )
            answer = await run_in_threadpool(_answer, handle, body)
        except RefusedError as refused:
            answer = refused.answer
        return _response(request, answer)

    def _check(self, request: Request, size: int) -> str:
        """Refuse what can be refused without looking at the body; return what the body is."""
        authenticate(self.account, request.headers.get("authorization", ""))
        given = request.headers.get("content-type", "")
        content_type = given.partition(";")[0].strip().lower()
        taken = (answers.JSON, transit.CONTENT_TYPE) if self.takes_transit else (answers.JSON,)
        if content_type not in taken:
            raise RefusedError(self.unsupported(given))
        if size > MAX_BATCH_BYTES:
            raise RefusedError(answers.too_large(size))
        return content_type


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

    def batch(body: bytes) -> Answer:
        database.load([read_batch(body, schemas.read)])
        return answers.BATCH_ACCEPTED

    def push(body: bytes) -> Answer:
        database.load(read_push(body, account.client_id))
        return answers.BATCH_ACCEPTED

    def validate(body: bytes) -> Answer:
        read_push(body, account.client_id)
        return answers.BATCH_VALID

    endpoint = functools.partial(_Endpoint, account)
    pushing = functools.partial(
        endpoint, unsupported=answers.unsupported_push_content, takes_transit=True
    )
    app = Starlette(
        routes=[
            Route("/v2/import/status", _status, methods=["GET"]),
            _route("/v2/import/batch", endpoint(batch, lambda _: answers.NOT_JSON_CONTENT)),
            _route("/v2/import/push", pushing(push)),
            _route("/v2/import/validate", pushing(validate)),
        ],
        middleware=middleware,
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
    return _response(request, answers.STATUS_OK)


async def _no_such_endpoint(request: Request, error: Exception) -> Response:
    try:
        await _read_body(request)
    except ClientDisconnect:
        return Response(status_code=400)
    status = error.status_code if isinstance(error, HTTPException) else None
    wrong_method = status == answers.METHOD_NOT_ALLOWED.status
    return _response(request, answers.METHOD_NOT_ALLOWED if wrong_method else answers.NOT_FOUND)


async def _read_body(request: Request) -> tuple[bytes, int]:
    """Return the body and its size; of one that is too large, only the size is right."""
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BATCH_BYTES:
            chunks.append(chunk)
    return b"".join(chunks), size


def _answer(handle: Handler, body: bytes) -> Answer:
    try:
        return handle(body)
    except RecursionError:
        return answers.malformed(TOO_DEEP)
    except sqlite3.Error:
        LOGGER.exception("The database can't be written")
        return answers.UNAVAILABLE


def _of_transit(handle: Handler) -> Handler:
    def handle_transit(body: bytes) -> Answer:
        try:
            return handle(transit.to_json(body))
        except MalformedError as error:
            return answers.malformed(str(error))

    return handle_transit


def _response(request: Request, answer: Answer) -> Response:
    detail = f": {answer.body.decode()}" if answer.status >= HTTPStatus.BAD_REQUEST else ""
    LOGGER.info("%s %s %s%s", request.method, request.url.path, answer.status, detail)
    return Response(answer.body, answer.status, headers={"content-type": answer.content_type})

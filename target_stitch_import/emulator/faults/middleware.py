"""Middleware between the server and the API that makes requests go wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Final, cast

from starlette.middleware import Middleware

from target_stitch_import.emulator.faults import responses
from target_stitch_import.emulator.faults.connections import (
    CONNECTION,
    SERVER,
    Connection,
    RefusingServer,
)
from target_stitch_import.emulator.faults.spec import OK, STALL, Faults
from target_stitch_import.emulator.page.request_log import logged_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGGER: Final = logging.getLogger("stitch-import-emulator")

_READ_SECONDS: Final = 0.05
"""Time for a client to read half a response, before a reset may discard it."""


def create_middleware(faults: Faults) -> list[Middleware]:
    """Return the middleware for ``faults``, outermost first; it needs a ``RefusingServer``."""
    middleware = [Middleware(FaultMiddleware, faults)]
    if faults.limit is not None:
        middleware.append(Middleware(BodyLimitMiddleware, faults.limit))
    return middleware


@dataclasses.dataclass(frozen=True)
class _PostRequest:
    """A POST on its way to the API."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    faults: Faults

    @property
    def connection(self) -> Connection:
        """The connection of the request."""
        return cast("Connection", self.scope["state"][CONNECTION])

    @property
    def server(self) -> RefusingServer:
        """The server of the request."""
        return cast("RefusingServer", self.scope["state"][SERVER])

    async def call_app(self) -> list[Message]:
        """Return the response of the API instead of sending it."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self.receive, keep)
        return messages

    async def read_body(self) -> None:
        """Read the body to its end, for the request log only."""
        messages = await _read_body(self.receive)
        logged_request(self.scope).guess_tables(
            b"".join(each.get("body", b"") for each in messages)
        )


class FaultMiddleware:
    """Applies the faults to each POST, and maintenance to the first requests for the status."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._post_faults = faults.iterate_posts()
        self._maintenance = faults.maintenance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, with its fault."""
        if scope["method"] == "POST":
            # Before anything is awaited: the order is that of arrival.
            fault = next(self._post_faults)
            if fault != OK:
                _log(scope, fault)
            action = _ACTIONS.get(fault)
            post = _PostRequest(self._app, scope, receive, send, self._faults)
            await (_respond(post, fault) if action is None else action(post))
        elif scope["path"] == "/v2/import/status" and self._maintenance > 0:
            self._maintenance -= 1
            _log(scope, "maintenance")
            await responses.to_starlette(responses.MAINTENANCE)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class BodyLimitMiddleware:
    """Refuses large bodies as a proxy in front of the API does."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request, or refuse it."""
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        messages = await _read_body(receive)
        if sum(len(message.get("body", b"")) for message in messages) > self._limit:
            _log(scope, "limit")
            await responses.to_starlette(responses.TOO_LARGE)(scope, receive, send)
            return
        await self._app(scope, _replay(messages, receive), send)


async def _read_body(receive: Receive) -> list[Message]:
    """Read a body to its end, or to the end of the connection."""
    messages = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())
    return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    remaining = iter(messages)

    async def replay() -> Message:
        return next(remaining, None) or await receive()

    return replay


def _log(scope: Scope, fault: str) -> None:
    logged_request(scope).faults.append(fault)
    LOGGER.info("%s %s fault %s", scope["method"], scope["path"], fault)


async def _pass_on(post: _PostRequest) -> None:
    await post.app(post.scope, post.receive, post.send)


async def _refuse(post: _PostRequest) -> None:
    await post.server.refuse(post.faults.refuse_seconds)
    await post.connection.reset()


async def _reset_before(post: _PostRequest) -> None:
    await post.connection.reset()


async def _reset_after(post: _PostRequest) -> None:
    await post.read_body()
    await post.connection.reset()


async def _drop(post: _PostRequest) -> None:
    await post.call_app()
    await post.connection.reset()


async def _cut(post: _PostRequest) -> None:
    start, body = await post.call_app()
    await post.send(start)
    half = body["body"][: len(body["body"]) // 2]
    await post.send({**body, "body": half, "more_body": True})
    await post.server.pause(_READ_SECONDS)
    await post.connection.reset()


async def _queue(post: _PostRequest) -> None:
    messages = await post.call_app()
    if messages[0]["status"] < 300:  # noqa: PLR2004 - a refusal stays what it is
        await responses.to_starlette(responses.QUEUED)(post.scope, post.receive, post.send)
        return
    for message in messages:
        await post.send(message)


async def _slow(post: _PostRequest) -> None:
    messages = await _read_body(post.receive)
    await post.server.pause(post.faults.slow_seconds)
    await post.app(post.scope, _replay(messages, post.receive), post.send)


async def _stall(post: _PostRequest) -> None:
    await post.read_body()
    waits = [
        asyncio.create_task(post.connection.closed.wait()),
        asyncio.create_task(post.server.stopping.wait()),
    ]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await post.connection.reset()


async def _respond(post: _PostRequest, fault: str) -> None:
    # Read the body first: a client that is still sending would see a broken connection.
    await post.read_body()
    response = responses.fault_response(fault, post.faults.retry_after)
    await response(post.scope, post.receive, post.send)


_ACTIONS: Final[Mapping[str, Callable[[_PostRequest], Awaitable[None]]]] = {
    OK: _pass_on,
    "refuse": _refuse,
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "cut": _cut,
    "drop": _drop,
    "202": _queue,
    "slow": _slow,
    STALL: _stall,
}
"""The faults that do more than answer with a response of their own."""

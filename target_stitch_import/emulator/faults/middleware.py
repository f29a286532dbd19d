"""Faults as they are done: what stands between the server and the API when faults are wanted.

Knows requests, answers and connections, and nothing of what the API makes of a request.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Final, cast

from starlette.middleware import Middleware

from target_stitch_import.emulator.faults import responses
from target_stitch_import.emulator.faults.connections import LINE, SERVER, Line, RefusingServer
from target_stitch_import.emulator.faults.spec import OK, STALL, Faults
from target_stitch_import.emulator.page.request_log import carried

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGGER: Final = logging.getLogger("stitch-import-emulator")

_READING_SECONDS: Final = 0.05
"""What a client gets to read half an answer, before a reset may take it away again."""


def middleware_for(faults: Faults) -> list[Middleware]:
    """Return what does the faults, outermost first, for an app behind a ``RefusingServer``."""
    middleware = [Middleware(Misbehaviour, faults)]
    if faults.limit is not None:
        middleware.append(Middleware(Proxy, faults.limit))
    return middleware


@dataclasses.dataclass(frozen=True)
class _Post:
    """A POST on its way to the API."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    faults: Faults

    @property
    def line(self) -> Line:
        """The connection it came on."""
        return cast("Line", self.scope["state"][LINE])

    @property
    def server(self) -> RefusingServer:
        """The server it came to."""
        return cast("RefusingServer", self.scope["state"][SERVER])

    async def answered(self) -> list[Message]:
        """Return the answer of the API, instead of sending it."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self.receive, keep)
        return messages

    async def swallow(self) -> None:
        """Read the body to its end, and let nobody have it but the journal."""
        messages = await _read(self.receive)
        carried(self.scope).glimpse(b"".join(each.get("body", b"") for each in messages))


class Misbehaviour:
    """Lets each POST meet its fault, and the first requests for the status as well."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._draws = faults.draws()
        self._maintenance = faults.maintenance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do one request, or spoil it."""
        if scope["method"] == "POST":
            # Drawn before anything is awaited: the order is that of arrival.
            fault = next(self._draws)
            if fault != OK:
                _log(scope, fault)
            do = _DEEDS.get(fault)
            post = _Post(self._app, scope, receive, send, self._faults)
            await (_answer(post, fault) if do is None else do(post))
        elif scope["path"] == "/v2/import/status" and self._maintenance > 0:
            self._maintenance -= 1
            _log(scope, "maintenance")
            await responses.respond(responses.DOWN)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Proxy:
    """Stands in front of the API and lets no large body through."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request, or refuse it."""
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        messages = await _read(receive)
        if sum(len(message.get("body", b"")) for message in messages) > self._limit:
            _log(scope, "limit")
            await responses.respond(responses.TOO_LARGE)(scope, receive, send)
            return
        await self._app(scope, _replay(messages, receive), send)


async def _read(receive: Receive) -> list[Message]:
    """Read a body to its end, or to that of the connection."""
    messages = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())
    return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    again = iter(messages)

    async def replay() -> Message:
        return next(again, None) or await receive()

    return replay


def _log(scope: Scope, fault: str) -> None:
    carried(scope).faults.append(fault)
    LOGGER.info("%s %s fault %s", scope["method"], scope["path"], fault)


async def _pass_on(post: _Post) -> None:
    await post.app(post.scope, post.receive, post.send)


async def _refuse(post: _Post) -> None:
    await post.server.refuse(post.faults.refuse_seconds)
    await post.line.reset()


async def _reset_before(post: _Post) -> None:
    await post.line.reset()


async def _reset_after(post: _Post) -> None:
    await post.swallow()
    await post.line.reset()


async def _drop(post: _Post) -> None:
    await post.answered()
    await post.line.reset()


async def _cut(post: _Post) -> None:
    start, body = await post.answered()
    await post.send(start)
    half = body["body"][: len(body["body"]) // 2]
    await post.send({**body, "body": half, "more_body": True})
    await post.server.pause(_READING_SECONDS)
    await post.line.reset()


async def _queue(post: _Post) -> None:
    messages = await post.answered()
    if messages[0]["status"] < 300:  # noqa: PLR2004 - a refusal stays what it is
        await responses.respond(responses.QUEUED)(post.scope, post.receive, post.send)
        return
    for message in messages:
        await post.send(message)


async def _slow(post: _Post) -> None:
    messages = await _read(post.receive)
    await post.server.pause(post.faults.slow_seconds)
    await post.app(post.scope, _replay(messages, post.receive), post.send)


async def _stall(post: _Post) -> None:
    await post.swallow()
    ends = [
        asyncio.create_task(post.line.gone.wait()),
        asyncio.create_task(post.server.stopping.wait()),
    ]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    await post.line.reset()


async def _answer(post: _Post, fault: str) -> None:
    # Read first: a client that is still sending would see a broken connection instead.
    await post.swallow()
    response = responses.in_place_of(fault, post.faults.retry_after)
    await response(post.scope, post.receive, post.send)


_DEEDS: Final[Mapping[str, Callable[[_Post], Awaitable[None]]]] = {
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
"""Every fault that is more than an answer."""

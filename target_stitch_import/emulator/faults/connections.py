"""A server whose connections can be reset and whose port can refuse them, for faults.

Knows uvicorn's server and sockets. When which of it happens is the business of
``misbehaviour``, which finds both under ``scope["state"]``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER: Final = "server"
LINE: Final = "line"

_NO_LINGER: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_AGAIN_SECONDS: Final = 0.05


class Line:
    """The connection under a request."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.gone = asyncio.Event()
        """Set once the connection has ended, whoever ended it."""

    async def reset(self) -> None:
        """End the connection with a RST, whatever is still to be read or written."""
        if not self._transport.is_closing():
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()
        # A request that returns earlier, without an answer, would be a mistake to uvicorn.
        await self.gone.wait()


class LinedProtocol(H11Protocol):
    """HTTP as uvicorn speaks it, with the line at hand for each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the line where the requests on it find it."""
        self._line = Line(transport)
        self.app_state = {**self.app_state, LINE: self._line}
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the line has ended."""
        super().connection_lost(exc)
        self._line.gone.set()


class RefusingServer(uvicorn.Server):
    """A server that can refuse connections for a while."""

    def __init__(self, config: uvicorn.Config, bind: Callable[[], socket.socket]) -> None:
        """Make a server.

        Args:
            config: uvicorn's, with ``LinedProtocol``.
            bind: gives a new socket that is bound to the server's port, and does not listen.
        """
        super().__init__(config)
        self.stopping = asyncio.Event()
        self._bind = bind
        self._door = asyncio.Lock()
        self._shut_until = 0.0
        self._absence: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        self.lifespan.state[SERVER] = self
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, and let nothing that waits on purpose hold that up."""
        self.stopping.set()
        async with self._door:
            absence = self._absence
        if absence is not None:
            await absence
        await self._accept_no_more()
        await super().shutdown(sockets)

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the server runs."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def refuse(self, seconds: float) -> None:
        """Refuse connections from now on, for some seconds from now."""
        async with self._door:
            self._shut_until = max(self._shut_until, time.monotonic() + seconds)
            if self._absence is not None or self.stopping.is_set():
                return
            await self._accept_no_more()
            for server in self.servers:
                server.close()
            self._absence = asyncio.create_task(self._stay_away())
        await asyncio.sleep(0)

    async def _accept_no_more(self) -> None:
        # asyncio loses a connection that it has accepted just before a server is closed, and
        # its client would wait: the sleep lets it become one that can be served, or reset.
        for server in self.servers:
            for listener in server.sockets:
                asyncio.get_running_loop().remove_reader(listener.fileno())
        await asyncio.sleep(0)

    async def _stay_away(self) -> None:
        # Bound but not listening, the port refuses connections and nobody else can have it.
        while (listener := self._bound()) is None and not self.stopping.is_set():
            await self.pause(_AGAIN_SECONDS)
        while not self.stopping.is_set() and (left := self._shut_until - time.monotonic()) > 0:
            await self.pause(left)
        # Within the lock, because a server that is just being made can't be closed.
        async with self._door:
            self._absence = None
            await self.startup([] if listener is None else [listener])

    def _bound(self) -> socket.socket | None:
        """Return a new socket on the port, or None where somebody else has been quicker."""
        with contextlib.suppress(OSError):
            return self._bind()
        return None

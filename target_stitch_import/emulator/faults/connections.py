"""A server whose connections can be reset, and whose port can refuse them.

Requests find the server and their connection in ``scope["state"]``.
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
CONNECTION: Final = "connection"

_NO_LINGER: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_RETRY_SECONDS: Final = 0.05


class Connection:
    """The connection under a request."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.closed = asyncio.Event()
        """Set when the connection is closed, by either side."""

    async def reset(self) -> None:
        """Close the connection with a RST, and discard what is still to be read or written."""
        if not self._transport.is_closing():
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()
        # uvicorn reports an error if a request returns earlier, without a response.
        await self.closed.wait()


class ResettableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which adds the connection to the state of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Add the connection to the state of its requests."""
        self._connection = Connection(transport)
        self.app_state = {**self.app_state, CONNECTION: self._connection}
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Set ``closed``."""
        super().connection_lost(exc)
        self._connection.closed.set()


class RefusingServer(uvicorn.Server):
    """A server that can refuse connections for a while."""

    def __init__(self, config: uvicorn.Config, bind: Callable[[], socket.socket]) -> None:
        """Create a server.

        Args:
            config: uvicorn's configuration, with ``ResettableProtocol``.
            bind: returns a new socket that is bound to the server's port and does not listen.
        """
        super().__init__(config)
        self.stopping = asyncio.Event()
        self._bind = bind
        self._lock = asyncio.Lock()
        self._refuse_until = 0.0
        self._reopening: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        self.lifespan.state[SERVER] = self
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; faults that wait end at once."""
        self.stopping.set()
        async with self._lock:
            reopening = self._reopening
        if reopening is not None:
            await reopening
        await self._stop_accepting()
        await super().shutdown(sockets)

    async def pause(self, seconds: float) -> None:
        """Wait for some seconds, or until the server stops."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def refuse(self, seconds: float) -> None:
        """Refuse new connections for some seconds from now."""
        async with self._lock:
            self._refuse_until = max(self._refuse_until, time.monotonic() + seconds)
            if self._reopening is not None or self.stopping.is_set():
                return
            await self._stop_accepting()
            for server in self.servers:
                server.close()
            self._reopening = asyncio.create_task(self._reopen_later())
        await asyncio.sleep(0)

    async def _stop_accepting(self) -> None:
        # asyncio loses a connection that it accepts just before a server is closed, and its
        # client would wait. The sleep lets asyncio set it up, so that it is served or reset.
        for server in self.servers:
            for listener in server.sockets:
                asyncio.get_running_loop().remove_reader(listener.fileno())
        await asyncio.sleep(0)

    async def _reopen_later(self) -> None:
        # A port that is bound and does not listen refuses connections, and nobody else can bind it.
        while (listener := self._try_to_bind()) is None and not self.stopping.is_set():
            await self.pause(_RETRY_SECONDS)
        while (
            not self.stopping.is_set() and (remaining := self._refuse_until - time.monotonic()) > 0
        ):
            await self.pause(remaining)
        # With the lock, because a server that is being started can't be closed.
        async with self._lock:
            self._reopening = None
            await self.startup([] if listener is None else [listener])

    def _try_to_bind(self) -> socket.socket | None:
        """Return a new socket on the port, or None if somebody else has bound it."""
        with contextlib.suppress(OSError):
            return self._bind()
        return None

"""Connections over which a response is never taken for that of another request.

``http.client`` takes an interim response (1xx) for the final one, and the end of the connection for
the end of a head. Here it reads on to the final response, and a head that is cut short is an error.
"""

from __future__ import annotations

import http.client
import io
import math
import time
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    import socket

    from urllib3.connection import HTTPConnection as _Base
else:
    _Base = object  # any class of connections of urllib3, see Adapter


class _Lines(io.BufferedReader):
    """What a server sends. Its lines are those of heads and of the framing of chunks."""

    deadline: float = math.inf  # the ``time.monotonic()`` after which no line is read

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line; ``http.client`` would take a missing one for the last."""
        if time.monotonic() > self.deadline:
            raise http.client.HTTPException("no final answer came within the timeout")
        if not (line := super().readline(size)):
            raise http.client.RemoteDisconnected("the connection ended before the answer did")
        return line


class _FinalResponse(http.client.HTTPResponse):
    """A response that is not 1xx."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._timeout = sock.gettimeout() or math.inf
        self.fp: _Lines = _Lines(self.fp.detach())

    def begin(self) -> None:
        """Read the final response's head; raise ``HTTPException`` if none comes in the timeout."""
        lines = self.fp
        lines.deadline = time.monotonic() + self._timeout
        super().begin()
        while 100 <= self.status < 200:  # noqa: PLR2004 - interim; it reads on behind 100 alone
            if self.status == http.client.SWITCHING_PROTOCOLS:
                raise http.client.HTTPException("101: the server left HTTP, which nobody asked for")
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first one
            super().begin()
        lines.deadline = math.inf


class _Connection(_Base):
    """What is different in a connection of ``urllib3``."""

    response_class = _FinalResponse

    @property
    def is_connected(self) -> bool:
        """False if something has come that no request asked for; TLS may have it in its memory."""
        pending = getattr(self.sock, "pending", None)
        return super().is_connected and not (pending and pending())


class Adapter(HTTPAdapter):
    """Has the connections of each pool, to a proxy or not, read on to the final response."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool for a request."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        base = pool.ConnectionCls
        if not issubclass(base, _Connection):
            pool.ConnectionCls = type(base.__name__, (_Connection, base), {})
        return pool

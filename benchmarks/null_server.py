"""An Import API that takes everything and looks at nothing: what a program needs without a service.

It counts the bytes of the bodies, joins and keeps none of them. Its argument is a delay of the
answers in milliseconds; other connections are served meanwhile. ``GET /stats`` returns what came.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass

BUFFER = 1 << 18
ACCEPTED = b'{"status":"OK","message":"Batch Accepted!"}'
STATUS = b'{"name":"pipeline.gate","status":"OK","reason":null}'


@dataclass
class Counts:
    """What has come so far."""

    requests: int = 0
    bytes: int = 0


def answer(status: bytes, body: bytes) -> bytes:
    """Return a whole answer."""
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


class Connection(asyncio.BufferedProtocol):
    """One connection: heads are read, bodies are counted in a buffer that is used again."""

    def __init__(self, counts: Counts, delay: float) -> None:
        self._counts = counts
        self._delay = delay
        self._buffer = bytearray(BUFFER)
        self._head = bytearray()
        self._missing = 0  # bytes of the body that are yet to come
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer through."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002
        """Have everything put into the same place."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Count what came."""
        if nbytes < self._missing:
            self._missing -= nbytes
            return
        at = self._missing
        if at:
            self._missing = 0
            self._end()
        if at < nbytes:
            self._head += self._buffer[at:nbytes]
            self._read_heads()

    def _read_heads(self) -> None:
        while (end := self._head.find(b"\r\n\r\n")) >= 0:
            size = self._begin(bytes(self._head[:end]))
            rest = len(self._head) - end - 4
            if rest < size:
                self._missing = size - rest
                self._head.clear()
                return
            del self._head[: end + 4 + size]
            self._end()

    def _begin(self, head: bytes) -> int:
        """Take in the head of a request; return the size of its body."""
        request, *fields = head.split(b"\r\n")
        lengths = [int(f[15:]) for f in fields if f[:15].lower() == b"content-length:"]
        size = lengths[0] if lengths else 0
        if request.startswith(b"POST "):
            self._counts.requests += 1
            self._counts.bytes += size
            self._answer = answer(b"201 Created", ACCEPTED)
        elif request.startswith(b"GET /stats"):
            self._answer = answer(b"200 OK", json.dumps(asdict(self._counts)).encode())
        else:
            self._answer = answer(b"200 OK", STATUS)
        return size

    def _end(self) -> None:
        """Answer the request that is complete."""
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._write, self._answer)
        else:
            self._transport.write(self._answer)

    def _write(self, text: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(text)


async def serve(delay: float) -> None:
    """Serve until the process is ended; the first line on stdout is the port."""
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(counts, delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000))

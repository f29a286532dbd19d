"""A server that sends bytes as a test says, over a real socket on this machine, and its client."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import TYPE_CHECKING

from target_stitch_import.api.client import BATCH, Endpoint, ImportClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b'HTTP/1.1 201 Created\r\nContent-Length: 16\r\n\r\n{"status": "OK"}'


def response(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return the bytes of a whole response."""
    lines = [f"{name}: {value}\r\n" for name, value in (headers or {}).items()]
    head = f"HTTP/1.1 {status} Some reason\r\n{''.join(lines)}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextlib.contextmanager
def serving(*handlers: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection after the other, each as a test says; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def serve() -> None:
            for handler in handlers:
                connection, _ = server.accept()
                connection.settimeout(30)
                with connection, contextlib.suppress(OSError):
                    handler(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join()


@contextlib.contextmanager
def connected(
    port: int,
    scheme: str = "http",
    token: str = "s3cret",
    timeout: float = 30,
    endpoint: Endpoint = BATCH,
) -> Iterator[ImportClient]:
    """Return a client for this port."""
    url = f"{scheme}://127.0.0.1:{port}"
    client = ImportClient(url, token, timeout=timeout, agent="target/1", endpoint=endpoint)
    try:
        yield client
    finally:
        client.close()


def request(connection: socket.socket) -> bytes:
    """Return the bytes of one request."""
    data, missing = b"", True
    while missing and (chunk := connection.recv(65_536)):
        data += chunk
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        missing = not end or len(body) < int(length[1] if length else 0)
    return data


def sends(*answers: bytes) -> Callable[[socket.socket], None]:
    """Return a handler: read a request, answer this, and so on with each further one; then close."""

    def handler(connection: socket.socket) -> None:
        for answer in answers:
            request(connection)
            connection.sendall(answer)

    return handler

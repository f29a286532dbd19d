"""A service of bytes: what it sends over a real socket on this machine, and a client of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from target_stitch_import.api.client import BATCH, Endpoint, ImportClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b'HTTP/1.1 201 Created\r\nContent-Length: 16\r\n\r\n{"status": "OK"}'


@contextlib.contextmanager
def serving(*talks: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection after the other, each as a test says; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def serve() -> None:
            for talk in talks:
                connection, _ = server.accept()
                connection.settimeout(30)
                with connection, contextlib.suppress(OSError):
                    talk(connection)

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
    client = ImportClient(url, token, timeout=timeout, agent="t", endpoint=endpoint)
    try:
        yield client
    finally:
        client.close()


def request(connection: socket.socket) -> bytes:
    """Read one request, with the body ``{}`` or for the status."""
    data = b""
    while not data.endswith(b"\r\n\r\n" if data.startswith(b"GET") else b"{}"):
        chunk = connection.recv(65_536)
        if not chunk:
            break
        data += chunk
    return data


def says(*answers: bytes) -> Callable[[socket.socket], None]:
    """Return a talk: read a request, answer this, and so on with each further one; then close."""

    def talk(connection: socket.socket) -> None:
        for answer in answers:
            request(connection)
            connection.sendall(answer)

    return talk

"""What the tests of faults share: what a client sees of a request, and what was stored."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from target_stitch_import.emulator import list_tables
from tests.emulator.client import ID, Api, batch, upsert

RunWithFaults = Callable[[str], contextlib.AbstractContextManager[Api]]

BODY = batch("t", ID, [upsert(1, id=1)])
# More than the buffers of a connection hold, so that a client is still sending.
LARGE = batch("t", {"text": {"type": "string"}}, [upsert(1, text="x" * 8_000_000)])


def count_rows(api: Api) -> int:
    """Return how many rows there are."""
    return len(api.rows("t")) if "t" in list_tables(api.database) else 0


def post_batch(api: Api, body: Any = BODY) -> Any:
    """Post a batch and return what the client sees of it."""
    try:
        return api.post("batch", body).status_code
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return "broken"


def post_until_accepted(api: Api) -> list[Any]:
    """Post a batch until it is accepted, and return what the client sees each time."""
    results = [post_batch(api)]
    deadline = time.monotonic() + 30
    while results[-1] != 201 and time.monotonic() < deadline:
        time.sleep(0.005)
        results.append(post_batch(api))
    return results


def accepts_connections(api: Api) -> bool:
    """Return whether the port accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), 10).close()
    except ConnectionRefusedError:
        return False
    return True


@contextlib.contextmanager
def open_request(api: Api, body: bytes | None = None) -> Iterator[socket.socket]:
    """Send the request of a batch, or its head and another body, on a new connection."""
    request = requests.Request("POST", "http://x", json=BODY).prepare()
    assert isinstance(request.body, bytes)
    head = (
        "POST /v2/import/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(request.body)}\r\n\r\n"
    )
    address = ("127.0.0.1", urlsplit(api.url).port or 0)
    with socket.create_connection(address, 10) as connection:
        connection.sendall(head.encode() + (request.body if body is None else body))
        yield connection


def read_until_reset(connection: socket.socket) -> Iterator[bytes]:
    """Return what comes on a connection before it is reset."""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(1000):
            yield chunk
        pytest.fail("The connection ended in an orderly way.")

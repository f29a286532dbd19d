"""An acknowledgement is the whole, final answer to the post itself, over a real socket."""

from __future__ import annotations

import ssl
import threading
from typing import TYPE_CHECKING

import pytest
import trustme

from target_stitch_import.api.client import PUSH
from target_stitch_import.errors import DeliveryError, TransientError
from tests.support.raw_server import OK, connected, request, sends, serving

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

UP = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"status": "OK"}'
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "199": b"HTTP/1.1 199\r\n\r\n",
    "headers": b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nLink: </y>\r\n\r\n",
    "misleading": (
        b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    ),
    "several": b"HTTP/1.1 103 A\r\n\r\nHTTP/1.1 100 B\r\n\r\nHTTP/1.1 102 C\r\nX: y\r\n\r\n",
}
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
interim = pytest.mark.parametrize("head", INTERIM.values(), ids=INTERIM)


def in_pieces(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Return a handler: answer one request in pieces, each of which arrives by itself; then as busy."""

    def handler(connection: socket.socket) -> None:
        request(connection)
        for piece in pieces:
            connection.sendall(piece)
            threading.Event().wait(0.05)
        request(connection)
        connection.sendall(BUSY)

    return handler


@interim
def test_an_interim_answer_is_not_that_of_the_status_check(head: bytes) -> None:
    # given a proxy that sends an interim answer, later the final one, and takes no post
    with serving(in_pieces(head, UP)) as port, connected(port) as client:
        # when the status is asked for / then it is that of the final answer
        client.check_status()
        # and no post is acknowledged by what was left over
        with pytest.raises(TransientError, match="503"):
            client.post(b"{}")


@interim
def test_an_interim_answer_is_not_that_of_a_post(head: bytes) -> None:
    # given a proxy that sends one before each answer, in one piece / then each post has its own
    with serving(sends(head + OK, head + BUSY, head + OK)) as port, connected(port) as client:
        client.post(b"{}")
        with pytest.raises(TransientError, match="503"):
            client.post(b"{}")
        client.post(b"{}")


def test_an_interim_answer_in_pieces_is_read_to_its_end() -> None:
    pieces = [b"HTTP/1.1 10", b"3 Early", b"\r\nLink: <", b"/x>\r\n\r", b"\nHTTP/1.1", OK[8:]]
    with serving(in_pieces(*pieces)) as port, connected(port) as client:
        client.post(b"{}")
        with pytest.raises(TransientError, match="503"):
            client.post(b"{}")


@pytest.mark.parametrize("head", [b"HTTP/1.1 103 A\r\n\r\n", b"HTTP/1.1 100 A\r\n\r\n"])
def test_a_row_of_interim_answers_without_an_end_is_given_up(head: bytes) -> None:
    def row(connection: socket.socket) -> None:
        request(connection)
        while True:
            connection.sendall(head)
            threading.Event().wait(0.01)

    # given a service that never comes to its final answer, and then one that does
    with serving(row, sends(OK)) as port, connected(port, timeout=3) as client:
        # when a body is posted / then the row is given up after the timeout
        with pytest.raises(TransientError, match="no final answer came within the timeout"):
            client.post(b"{}")
        # and the next try has a connection of its own
        client.post(b"{}")


def test_a_connection_that_switches_protocols_is_not_used_again() -> None:
    # given a service that leaves HTTP, and would acknowledge all that comes after
    with serving(sends(SWITCHING + OK + OK), sends(BUSY)) as port, connected(port) as client:
        # when a body is posted / then it may be tried again
        with pytest.raises(TransientError, match="101: the server left HTTP"):
            client.post(b"{}")
        # over another connection
        with pytest.raises(TransientError, match="503"):
            client.post(b"{}")


def test_a_status_check_that_switches_protocols_is_not_used_again() -> None:
    with serving(sends(SWITCHING + UP + OK), sends(BUSY)) as port, connected(port) as client:
        with pytest.raises(DeliveryError, match="101: the server left HTTP"):
            client.check_status()
        with pytest.raises(TransientError, match="503"):
            client.post(b"{}")


def padded(length: int) -> bytes:
    """Return an acknowledgement of this length."""
    answer = OK.replace(b"\r\n\r\n", b"\r\nX: \r\n\r\n")
    return answer.replace(b"X: ", b"X: " + b"x" * (length - len(answer)))


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("length", "connections"),
    [
        (len(OK), 1),  # read together with the first, and dropped with what is left of it
        (8_192, 2),  # waits behind a full buffer: in the socket, or in what TLS has decrypted
        (16_384, 2),  # waits in the socket
    ],
)
def test_an_answer_that_nobody_asked_for_is_not_that_of_the_next_post(
    scheme: str, length: int, connections: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a service that sends a second acknowledgement behind the first, and then takes no post
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    first = padded(length) if length > len(OK) else OK

    def answers(*each: bytes) -> Callable[[socket.socket], None]:
        def handler(connection: socket.socket) -> None:
            if scheme == "http":
                sends(*each)(connection)
                return
            with context.wrap_socket(connection, server_side=True) as over_tls:
                sends(*each)(over_tls)

        return handler

    handlers = [answers(first + OK, BUSY), answers(BUSY)][:connections]
    with serving(*handlers) as port, connected(port, scheme) as client:
        client.post(b"{}")
        # when the next body is posted / then it is not acknowledged
        with pytest.raises(TransientError, match="503"):
            client.post(b"{}")


NO_LENGTH = b"HTTP/1.1 201 Created\r\n\r\n"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
EMPTY = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
CUT = {
    "status": b"HTTP/1.1 201",
    "status line": b"HTTP/1.1 201 Created\r\n",
    "headers": EMPTY[:-2],
    "within the last line": EMPTY[:-1],
    "no length": NO_LENGTH,
    "length": EMPTY.replace(b"0\r\n\r\n", b"16\r\n\r\n"),
    "chunked": CHUNKED,
    "last chunk's size": CHUNKED + b"0",
    "last chunk": CHUNKED + b"0\r\n",
    "trailer": CHUNKED + b"0\r\nX: y\r\n",
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT)
def test_an_empty_answer_that_is_cut_is_not_an_acknowledgement_of_push(answer: bytes) -> None:
    with (
        serving(sends(answer)) as port,
        connected(port, endpoint=PUSH) as client,
        pytest.raises(TransientError),
    ):
        client.post(b"{}")


@pytest.mark.parametrize("answer", [EMPTY, CHUNKED + b"0\r\n\r\n", CHUNKED + b"0\r\nX: y\r\n\r\n"])
def test_one_that_is_whole_is(answer: bytes) -> None:
    # given a service that says over one connection that it took two bodies
    with serving(sends(answer, answer)) as port, connected(port, endpoint=PUSH) as client:
        client.post(b"{}")
        client.post(b"{}")


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"16", b"17"),
        OK.replace(b"16", b"1000"),
        CHUNKED + b'10\r\n{"status": "OK"}',
        CHUNKED + b'10\r\n{"status": "OK"}\r\n0\r\n',
        CHUNKED + b'20\r\n{"status": "OK"}',
    ],
)
def test_an_acknowledgement_whose_body_is_cut_is_none(answer: bytes) -> None:
    with (
        serving(sends(answer)) as port,
        connected(port) as client,
        pytest.raises(TransientError),
    ):
        client.post(b"{}")


def test_an_acknowledgement_whose_body_does_not_end_is_none() -> None:
    def drip(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(OK.replace(b"16", b"1000"))
        while True:
            connection.sendall(b" ")
            threading.Event().wait(0.05)

    with (
        serving(drip) as port,
        connected(port, timeout=0.3) as client,
        pytest.raises(TransientError, match="201 with a body that did not end, so no proof"),
    ):
        client.post(b"{}")

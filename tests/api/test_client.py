"""Broken connections, over a real socket on this machine."""

from __future__ import annotations

import contextlib
import gc
import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from target_stitch_import.api.client import ImportClient
from target_stitch_import.errors import (
    AccessError,
    DeliveryError,
    TargetStitchImportError,
    TransientError,
)
from tests.support.raw_server import OK, connected, request, sends, serving

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 201",
        b"HTTP/1.1 201 Created\r\nContent-Le",
        b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"status"',
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"220 smtp.example.com ESMTP\r\n",
        b"\0" * 100,
    ],
)
def test_an_answer_that_breaks_off_may_be_tried_again(answer: bytes) -> None:
    with (
        serving(sends(answer)) as port,
        connected(port) as client,
        pytest.raises(TransientError) as raised,
    ):
        client.post(b"{}")
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_refused_connection_may_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with connected(port) as client, pytest.raises(TransientError, match="refused"):
        client.post(b"{}")


def test_a_service_that_says_nothing_may_be_tried_again() -> None:
    done = threading.Event()

    def silent(connection: socket.socket) -> None:
        request(connection)
        done.wait(30)

    with serving(silent) as port, connected(port, timeout=0.2) as client:
        try:
            with pytest.raises(TransientError, match=r"(?i)time"):
                client.post(b"{}")
        finally:
            done.set()


def is_released(client: ImportClient) -> bool:
    """Return whether nobody holds a body that was not accepted, though nobody looks for garbage."""
    body = bytes([1, 2, 3])
    references = sys.getrefcount(body)
    gc.disable()
    try:
        with contextlib.suppress(TransientError):
            client.post(body)
            return False
        return sys.getrefcount(body) == references
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "handlers", [[], [sends(b"")], [sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")]]
)
def test_the_memory_of_a_body_that_was_not_accepted_is_released(
    handlers: list[Callable[[socket.socket], None]],
) -> None:
    # Given a service that is silent, hangs up or is busy, and one that is not there
    with serving(*handlers) as port, connected(port, timeout=0.5) as client:
        assert is_released(client)
    with connected(port) as client:
        assert is_released(client)


def test_a_kept_connection_is_used_again() -> None:
    def twice(connection: socket.socket) -> None:
        for _ in range(2):
            request(connection)
            connection.sendall(OK)

    # Given a service that takes one connection
    with serving(twice) as port, connected(port) as client:
        client.post(b"{}")
        client.post(b"{}")


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_anew() -> None:
    with serving(sends(OK), sends(OK)) as port, connected(port) as client:
        client.post(b"{}")
        with contextlib.suppress(TransientError):  # it may be seen only while posting
            client.post(b"{}")
            return
        client.post(b"{}")


def hangs_up(connection: socket.socket) -> None:
    """Take what there is, and close without a word."""
    connection.recv(65_536)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65_536):
        pass


def test_a_tls_connection_that_breaks_off_may_be_tried_again() -> None:
    # A balancer that restarts hangs up within the handshake; that says nothing of certificates.
    with (
        serving(hangs_up) as port,
        connected(port, "https") as client,
        pytest.raises(TransientError),
    ):
        client.post(b"{}")


def test_a_service_without_tls_is_an_error_of_one_line() -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with (
        serving(plain) as port,
        connected(port, "https") as client,
        pytest.raises(DeliveryError) as raised,
    ):
        client.post(b"{}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("token", ["s3cret\n", "s3cret\r\nX: y", "s3cret—"], ids=ascii)
def test_a_token_that_no_header_can_hold_is_not_shown(token: str) -> None:
    # Given a token that was copied with what stood around it
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            pytest.raises(TargetStitchImportError) as raised,
            connected(port, token=token, timeout=5) as client,
        ):
            client.post(b"{}")
    assert "cret" not in str(raised.value)
    assert "token" in str(raised.value)


@pytest.mark.parametrize(
    "address",
    ["socks9://127.0.0.1:9", "ftp://u:pass@127.0.0.1:9", "http://127.0.0.1:abc", "http://[::1"],
)
def test_a_proxy_that_can_not_be_used_is_named(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a proxy in the environment that is none
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", address)
    client = ImportClient("https://stitch.example.com", "s3cret", timeout=5, agent="target/1")
    # when a body is posted
    with pytest.raises(AccessError, match="HTTPS_PROXY") as raised:
        client.post(b"{}")
    # then the proxy is to blame, not the token, and its password is not shown
    assert "token" not in str(raised.value)
    assert "pass" not in str(raised.value)


def test_certificates_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none/there.pem")
    expected = r"/none/there\.pem\. Check REQUESTS_CA_BUNDLE"
    with connected(9, "https") as client, pytest.raises(AccessError, match=expected):
        client.post(b"{}")


def test_a_redirect_is_not_followed() -> None:
    # Given a service that sends the client on to itself, and takes one connection
    moved = b"HTTP/1.1 308 Moved\r\nLocation: /v2/elsewhere\r\nContent-Length: 0\r\n\r\n"
    with (
        serving(sends(moved)) as port,
        connected(port) as client,
        pytest.raises(DeliveryError, match="308: a redirect to /v2/elsewhere is not followed"),
    ):
        client.post(b"{}")


def endless(head: bytes) -> Callable[[socket.socket], None]:
    """Return a handler: read a request, answer with this head and a body that never ends."""

    def handler(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(head + b"\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    return handler


@pytest.mark.parametrize("status", [200, 302, 400, 503])
def test_an_answer_without_an_end_is_not_read_to_its_end(status: int) -> None:
    # Given an answer that would fill any memory, as a redirect too
    head = f"HTTP/1.1 {status} Fine\r\nLocation: /elsewhere".encode()
    with (
        serving(endless(head)) as port,
        connected(port) as client,
        pytest.raises(DeliveryError),
    ):
        client.post(b"{}")


def test_an_answer_that_drips_ends_with_the_timeout() -> None:
    def drip(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            threading.Event().wait(0.05)

    with (
        serving(drip) as port,
        connected(port, timeout=3) as client,
        pytest.raises(TransientError, match="without a JSON object"),
    ):
        client.post(b"{}")


def test_headers_that_can_not_be_read_do_not_reach_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given an answer with a line among its headers that is none, and holds the token
    answer = OK.replace(b"\r\nContent", b"\r\nno header Bearer s3cret\r\nContent", 1)
    with (
        serving(sends(answer)) as port,
        connected(port) as client,
        contextlib.suppress(DeliveryError),
    ):
        client.post(b"{}")
    assert "s3cret" not in caplog.text
    assert caplog.records == []

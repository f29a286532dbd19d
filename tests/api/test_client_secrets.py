"""The token goes to the service and nowhere else."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import pytest
import requests

from target_stitch_import.api.client import BearerAuth
from target_stitch_import.errors import DeliveryError
from tests.support.raw_server import OK, connected, request, response, sends, serving

if TYPE_CHECKING:
    import socket
    from pathlib import Path

TOKEN = "0123456789abcdef" * 4


def shown(error: BaseException) -> str:
    """Return all that a log may show of an exception."""
    text = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.args)
    assert error.__context__ is None
    assert error.__traceback__ is not None
    frames = error.__traceback__.tb_next  # without the test's own
    shown = traceback.TracebackException(type(error), error, frames, capture_locals=True)
    return text + "".join(shown.format())


def sent(token: str = TOKEN) -> list[str]:
    """Post a body; return the lines of the request."""
    requests: list[str] = []

    def handler(connection: socket.socket) -> None:
        requests.append(request(connection).decode())
        connection.sendall(OK)

    with serving(handler) as port, connected(port, token=token) as client:
        client.post(b'{"a":1}')
    return requests[0].split("\r\n")


def test_a_request_is_exactly_what_the_service_asks_for() -> None:
    first, *headers, _, body = sent()
    assert first == "POST /v2/import/batch HTTP/1.1"
    assert {
        f"Authorization: Bearer {TOKEN}",
        "Content-Type: application/json",
        "Content-Length: 7",
        "User-Agent: target/1",
    } <= set(headers)
    assert body == '{"a":1}'


@pytest.mark.parametrize("machine", ["machine 127.0.0.1", "default"])
def test_a_netrc_does_not_replace_the_token(
    machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"{machine} login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    # given that requests would use it
    assert requests.utils.get_netrc_auth("http://127.0.0.1") == ("me", "hunter2")
    # when a body is posted
    headers = [line for line in sent() if line.startswith("Authorization: ")]
    # then the token is sent
    assert headers == [f"Authorization: Bearer {TOKEN}"]


ECHOES = [
    TOKEN.encode(),
    b'{"message": "bad token %b"}' % TOKEN.encode(),
    b'{"error": {"headers": ["Bearer %b"]}}' % TOKEN.encode(),
    b"<html><body>Authorization: Bearer %b</body></html>" % TOKEN.encode(),
    # where an answer is cut, so may be the token
    *(b'{"error": "' + b"x" * fill + TOKEN.encode() + b'"}' for fill in (240, 260, 280, 299)),
    b"x" * 280 + TOKEN.encode(),
    b"<p>" * 6_650 + b"x" * 10 + TOKEN.encode(),
]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(status, body, id=f"{status}-{place}")
        for status in (200, 307, 400, 401, 503)
        for place, body in enumerate(ECHOES)
        if status != 200 or not body.startswith(b"{")
    ],
)
def test_a_response_that_quotes_the_token_is_shown_without_it(
    status: int, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    # given a response that quotes the token in its body and its headers
    quote = response(status, body, {"Location": f"https://example.com/?token={TOKEN}"})
    with (
        serving(sends(quote)) as port,
        connected(port, token=TOKEN) as client,
        caplog.at_level(logging.DEBUG),
        pytest.raises(DeliveryError) as raised,
    ):
        client.post(b"{}")
    # then not even eight characters of it are there
    assert TOKEN[:8] not in shown(raised.value)
    assert TOKEN[:8] not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError(f"to Bearer {TOKEN}"),
        requests.exceptions.SSLError(f"to Bearer {TOKEN}"),
        requests.exceptions.InvalidHeader(f"Header value Bearer {TOKEN}"),
        ValueError(f"Invalid header value b'Bearer {TOKEN}'"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_that_quotes_the_token_is_shown_without_it(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(requests.Session, "send", fail)
    with connected(9, token=TOKEN) as client, pytest.raises(DeliveryError) as raised:
        client.post(b"{}")
    assert TOKEN[:8] not in shown(raised.value)


@pytest.mark.parametrize(
    ("token", "body", "message"),
    [
        pytest.param('ab"cd\\efgh', b'["Bearer ab\\"cd\\\\efgh"]', '["Bearer ***"]', id="as JSON"),
        # a token that is a part of words, as no real one is
        pytest.param("any", b"any company, Bearer any", "*** company, Bearer ***", id="short"),
    ],
)
def test_a_token_is_hidden_in_every_form_and_words_stay_whole(
    token: str, body: bytes, message: str
) -> None:
    with (
        serving(sends(response(413, body))) as port,
        connected(port, token=token) as client,
        pytest.raises(DeliveryError) as raised,
    ):
        client.post(b"{}")
    assert str(raised.value) == f"413 {message}"


def test_the_token_is_in_no_representation() -> None:
    with connected(9, token=TOKEN) as client:
        assert TOKEN not in repr(client)
        assert TOKEN not in repr(client._auth)
        assert TOKEN not in str(BearerAuth(TOKEN))
        assert TOKEN not in repr(client._session.headers)

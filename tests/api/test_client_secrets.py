"""The token goes to the service and nowhere else."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import pytest
import requests

from target_stitch_import.api.client import BearerAuth
from target_stitch_import.errors import DeliveryError
from tests.api.scripted import OK, URL, scripted_client

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "0123456789abcdef" * 4


def told(error: BaseException) -> str:
    """Return all that a log may show of an exception."""
    text = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.args)
    assert error.__context__ is None
    assert error.__traceback__ is not None
    frames = error.__traceback__.tb_next  # without the test's own
    shown = traceback.TracebackException(type(error), error, frames, capture_locals=True)
    return text + "".join(shown.format())


def test_a_request_is_exactly_what_the_service_asks_for() -> None:
    client, adapter = scripted_client((201, OK), token=TOKEN)
    client.post(b'{"a":1}')
    (request,) = adapter.sent
    assert (request.method, request.url) == ("POST", f"{URL}/v2/import/batch")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Content-Length"] == "7"
    assert request.headers["User-Agent"] == "target/1"
    assert request.body == b'{"a":1}'
    assert adapter.options[0]["timeout"] == 7.5
    assert adapter.options[0]["verify"]


@pytest.mark.parametrize("host", ["api.stitchdata.com", "default"])
def test_a_netrc_does_not_replace_the_token(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = "default" if host == "default" else f"machine {host}"
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"{machine} login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    # Given that requests would use it
    assert requests.utils.get_netrc_auth(URL) == ("me", "hunter2")
    client, adapter = scripted_client((201, OK), token=TOKEN)
    client.post(b"{}")
    assert adapter.sent[0].headers["Authorization"] == f"Bearer {TOKEN}"


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
def test_an_answer_that_quotes_the_token_is_told_without_it(
    status: int, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = scripted_client(
        (status, body, {"Location": f"https://example.com/?token={TOKEN}"}),
        token=TOKEN,
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryError) as raised:
        client.post(b"{}")
    # Then not even eight characters of it are there
    assert TOKEN[:8] not in told(raised.value)
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
def test_an_exception_that_quotes_the_token_is_told_without_it(error: Exception) -> None:
    client, _ = scripted_client(error, token=TOKEN)
    with pytest.raises(DeliveryError) as raised:
        client.post(b"{}")
    assert TOKEN[:8] not in told(raised.value)


def test_a_token_that_json_escapes_is_hidden_in_that_form_too() -> None:
    client, _ = scripted_client((413, b'["Bearer ab\\"cd\\\\efgh"]'), token='ab"cd\\efgh')
    with pytest.raises(DeliveryError, match=r'413 \["Bearer \*\*\*"\]'):
        client.post(b"{}")


def test_a_short_token_of_an_emulator_leaves_words_whole() -> None:
    # Given a token that is a part of words, as no real one is
    client, _ = scripted_client((400, b'{"error": "any company, Bearer any"}'), token="any")
    with pytest.raises(DeliveryError, match=r"400 \*\*\* company, Bearer \*\*\*"):
        client.post(b"{}")


def test_the_token_is_in_no_representation() -> None:
    client, _ = scripted_client(token=TOKEN)
    assert TOKEN not in repr(client)
    assert TOKEN not in repr(client._auth)
    assert TOKEN not in str(BearerAuth(TOKEN))
    assert TOKEN not in repr(client._session.headers)

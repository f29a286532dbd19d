"""The service as a client sees it: one request, one answer. No code of the target is in it."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests

from tests.contract.bodies import encode

if TYPE_CHECKING:
    from tests.contract.case import Request

ATTEMPTS: Final = 2
"""How often a request is sent at most: a second time where no answer of the service comes."""
WAIT_SECONDS: Final = 3
_TIMEOUT_SECONDS: Final = 60
_NO_ANSWER: Final = (408, 429, 502, 503, 504)
"""Statuses that say nothing of the request: the service is busy, down, or behind a proxy that is."""
_WRONG_TOKEN: Final = "no-such-token-of-the-contract-tests"
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer of the service."""

    status: int
    text: str
    """The body; JSON is written in one way, and blanks and new lines are one blank."""
    content: Any
    """The decoded JSON; None if the body is none."""


class NoAnswerError(Exception):
    """No answer came that says something of the request; the message says what came."""


class Service:
    """An Import API at a URL, with the access to it."""

    def __init__(
        self,
        url: str,
        token: str,
        client_id: int | None = None,
        *,
        is_emulator: bool = False,
    ) -> None:
        """Create the service.

        Args:
            url: base URL, such as ``https://api.stitchdata.com``.
            token: the access token.
            client_id: the client ID of the account; without it push is not tested.
            is_emulator: whether cases may run that are not sent to the service.

        Raises:
            ValueError: the URL or the token can't be used.
        """
        _check(url, token)
        self.url = url.rstrip("/")
        self.client_id = client_id
        self.is_emulator = is_emulator
        self._token = token
        self._session = requests.Session()
        if is_emulator:
            self._session.trust_env = False  # no proxy between two ports of this machine

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(self, request: Request) -> Answer:
        """Send a request, and once more where the service is busy or down.

        Raises:
            NoAnswerError: no answer came that says something of the request.
            NoClientIdError: the request needs a client ID, and there is none.
        """
        body = encode(request, self.client_id)
        try:
            return self._send(request, body)
        except NoAnswerError:
            time.sleep(WAIT_SECONDS)
        return self._send(request, body)

    def _send(self, request: Request, body: bytes | None) -> Answer:
        headers = {"Content-Type": request.content_type} if body is not None else {}
        tokens = {"given": self._token, "wrong": _WRONG_TOKEN, "of another region": "eu:token"}
        if request.token in tokens:
            headers["Authorization"] = f"Bearer {tokens[request.token]}"
        try:
            response = self._session.request(
                request.method,
                f"{self.url}/v2/import/{request.endpoint}",
                data=body,
                headers=headers,
                auth=_no_netrc,
                allow_redirects=False,
                timeout=_TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise NoAnswerError(f"no answer: {type(error).__name__}") from None
        answer = _answer(response)
        if answer.status in _NO_ANSWER:
            raise NoAnswerError(f"{answer.status}: {self.redact(answer.text)}")
        return answer

    def redact(self, text: str) -> str:
        """Return a text without the token and the client ID."""
        for token in (self._token, json.dumps(self._token)[1:-1]):
            text = text.replace(token, "<token>")
        if self.client_id is None:
            return text
        return re.sub(rf"\b{self.client_id}\b", "<client ID>", text)


def _check(url: str, token: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the URL has to be one such as https://api.stitchdata.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the URL has to be without a user, a query and a fragment")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("the token is sent over https alone, but for this machine")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("the token has characters that no token has")


def _answer(response: requests.Response) -> Answer:
    text = response.content.decode(errors="replace")
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if content is not None:
        # A new line within a text counts as a blank, for the service writes both.
        text = json.dumps(content, ensure_ascii=False).replace("\\n", " ")
    printable = "".join(each if each.isprintable() else " " for each in text)
    return Answer(response.status_code, " ".join(printable.split()), content)


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep the headers: without ``auth``, requests would take a password from a .netrc file."""
    return request

"""The Import API over HTTP (Import API reference, section Endpoints).

One client has one ``requests`` session, and belongs to one thread.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
import traceback
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from target_stitch_import.api.connections import Adapter
from target_stitch_import.api.responses import ApiResponse, parse_response, require_accepted
from target_stitch_import.errors import AccessError, DeliveryError, TransientError

MAX_RESPONSE_BYTES: Final = 1 << 16  # a response is not read further than this

_OBJECT: Final = re.compile(r"<\S+ object at 0x[0-9a-f]+>: ")
"""What older releases of urllib3 begin a message with; it is another one at each attempt."""


@dataclass(frozen=True)
class Endpoint:
    """Where a body is posted to."""

    path: str
    content_type: str = "application/json"
    may_be_empty: bool = False  # whether a 201 without a body is a success


STATUS: Final = Endpoint("/v2/import/status")
BATCH: Final = Endpoint("/v2/import/batch")
PUSH: Final = Endpoint("/v2/import/push", may_be_empty=True)
PUSH_TRANSIT: Final = Endpoint("/v2/import/push", "application/transit+json", may_be_empty=True)
VALIDATE: Final = Endpoint("/v2/import/validate")


class BearerAuth(AuthBase):
    """The access token, as auth rather than as a header: so no ``.netrc`` replaces it."""

    def __init__(self, token: str) -> None:
        self._token = token
        escaped = "|".join({re.escape(token), re.escape(json.dumps(token)[1:-1])})
        # One that short is an emulator's, not a real token, and may be a part of any word.
        is_short = len(token) < 8  # noqa: PLR2004
        self._in_text = re.compile(rf"\b(?:{escaped})\b" if is_short else escaped)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        """Keep the token out of every log and traceback."""
        return "BearerAuth(***)"

    def hide(self, text: str) -> str:
        """Return ``text`` without the token."""
        return self._in_text.sub("***", text)


class _Session(requests.Session):
    """A session that never looks where a redirect leads, nor reads its body to the end for it."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow none."""


class ImportClient:
    """Sends one request at a time, and raises what prevented its success."""

    def __init__(
        self, api_url: str, token: str, *, timeout: float, agent: str, endpoint: Endpoint = BATCH
    ) -> None:
        """Connect to ``api_url``; ``timeout`` is in seconds without a sign of life."""
        self._endpoint = endpoint
        self._api_url = api_url
        self._auth = BearerAuth(token)
        self._timeout = timeout
        self._session = _Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, Adapter())
        # What urllib3 warns of quotes a response, with whatever is in it.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        if api_url.lower().startswith("http:"):
            self._session.trust_env = False  # this machine alone: the token goes past any proxy
        self._session.headers.update({"User-Agent": agent})
        self._prepared: dict[Endpoint, requests.PreparedRequest] = {}

    def close(self) -> None:
        """Close the kept-alive connection."""
        self._session.close()

    def check_status(self) -> None:
        """Return if the service says that it is up.

        Raise ``TransientError`` if it says that it is not, and ``DeliveryError`` if it does not say.
        """
        try:
            response = self._send("GET", STATUS)
        except TransientError as error:
            raise DeliveryError(str(error), is_answer=error.is_answer) from None
        if response.code == 503:  # noqa: PLR2004
            raise TransientError(response.summary, status=503, retry_after=response.retry_after)
        if response.code != 200 or response.status != "OK":  # noqa: PLR2004
            raise DeliveryError(response.summary, is_answer=not response.is_of_another_page)

    def post(self, body: bytes) -> None:
        """Post a body once; raise ``TransientError`` if another try may help, or another error."""
        self._post(self._endpoint, body)

    def validate(self, body: bytes) -> None:
        """Have the access and a push body checked, as by ``post``; nothing of it is kept."""
        self._post(VALIDATE, body)

    def _post(self, endpoint: Endpoint, body: bytes) -> None:
        response = self._send("POST", endpoint, body)
        try:
            require_accepted(response, may_be_empty=endpoint.may_be_empty)
        except DeliveryError as error:
            error.status, error.is_answer = response.code, not response.is_of_another_page
            raise

    def _send(self, method: str, endpoint: Endpoint, body: bytes | None = None) -> ApiResponse:
        try:
            response = self._session.send(self._request(method, endpoint, body), **self._options)
            content, is_complete = self._read(response)
            code, headers = response.status_code, response.headers
            return parse_response(code, headers, content, self._auth.hide, is_complete=is_complete)
        except (ValueError, OSError, HTTPError) as error:  # those of ``requests`` are OSErrors
            failure = self._failure(error)
            _clear(error)
        try:
            raise failure  # here, without the context: its frames have the header with the token
        finally:
            del failure  # or its own frames would hold it, and the body

    def _request(
        self, method: str, endpoint: Endpoint, body: bytes | None
    ) -> requests.PreparedRequest:
        """Return a request; what all of an endpoint share is prepared once: it takes 0.2 ms."""
        if endpoint not in self._prepared:
            url, headers = self._api_url + endpoint.path, {"Content-Type": endpoint.content_type}
            # The status needs no auth; a function that adds none keeps that of a .netrc out, too.
            auth = (lambda request: request) if endpoint is STATUS else self._auth
            request = requests.Request(method, url, headers=headers, auth=auth)
            self._prepared[endpoint] = self._session.prepare_request(request)
        prepared = self._prepared[endpoint].copy()
        prepared.body = body
        prepared.headers["Content-Length"] = str(len(body or b""))
        return prepared

    @cached_property
    def _options(self) -> dict[str, Any]:
        """The timeout and what the environment says of proxies and certificates; bodies stream."""
        options = self._session.merge_environment_settings(self._api_url, {}, True, None, None)
        return {**options, "timeout": self._timeout, "allow_redirects": False}

    def _failure(self, error: Exception) -> DeliveryError:
        # What these errors say may quote the header, or the password of the proxy.
        is_of_header = isinstance(error, (requests.exceptions.InvalidHeader, UnicodeError))
        if isinstance(error, ValueError) and self._options["proxies"] and not is_of_header:
            return AccessError(
                "the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) can't be "
                "used: it has to be an address as http://proxy.example.com:3128"
            )
        if isinstance(error, ValueError):
            return AccessError(
                "no request can be made with this token and api_url: one has characters that "
                "HTTP does not permit",
                setting="api_url",
            )
        if not isinstance(error, (requests.RequestException, HTTPError)):  # a file of certificates
            return AccessError(f"{error}. Check REQUESTS_CA_BUNDLE, or CURL_CA_BUNDLE")
        cause = _root(error)
        text = _OBJECT.sub("", str(cause))
        reason = self._auth.hide(" ".join(f"{type(cause).__name__}: {text}".split()))
        if isinstance(cause, ssl.SSLCertVerificationError):
            return AccessError(f"{self._api_url} is not trusted: {reason}", setting="api_url")
        return TransientError(reason, is_answer=False)

    def _read(self, response: requests.Response) -> tuple[bytes, bool]:
        """Return what can be read of a body, as it comes, and whether that is all of it.

        A body that is too long, or drips for longer than the timeout, is given up.
        """
        content = bytearray()
        deadline = time.monotonic() + self._timeout
        response.raw.decode_content = True
        while piece := response.raw.read1(MAX_RESPONSE_BYTES):
            content += piece
            if len(content) >= MAX_RESPONSE_BYTES or time.monotonic() > deadline:
                response.close()
                return bytes(content), False
        return bytes(content), True


def _clear(error: BaseException | None) -> None:
    """Have the frames behind an error release the body, which they hold in circles otherwise."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _root(error: BaseException) -> BaseException:
    """Return the innermost of the nested exceptions of ``requests``."""
    while True:
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = getattr(error, "reason", None) if inner is None else inner
        if not isinstance(inner, BaseException):
            return error
        error = inner

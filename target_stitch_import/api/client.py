"""The Import API over HTTP: endpoints, auth, connections.

One client has one ``requests`` session and belongs to one thread. Knows the service's endpoints
(Import API reference, section Endpoints); nothing of streams, batches or STATEs.
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
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from target_stitch_import.api.connections import Adapter
from target_stitch_import.api.responses import check, read
from target_stitch_import.errors import AccessError, DeliveryError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.api.responses import Answer

    _Auth: TypeAlias = Callable[[requests.PreparedRequest], requests.PreparedRequest]

__all__ = ["ImportClient"]

JSON: Final = "application/json"


@dataclass(frozen=True)
class Endpoint:
    """Where a body is posted to."""

    path: str
    content_type: str = JSON
    may_be_empty: bool = False
    """Whether a 201 without a body is a success."""


STATUS: Final = Endpoint("/v2/import/status")
BATCH: Final = Endpoint("/v2/import/batch")
PUSH: Final = Endpoint("/v2/import/push", may_be_empty=True)
PUSH_TRANSIT: Final = Endpoint("/v2/import/push", "application/transit+json", may_be_empty=True)
VALIDATE: Final = Endpoint("/v2/import/validate")

MAX_ANSWER_BYTES: Final = 1 << 16
"""An answer is not read further than this."""

_SHORT_TOKEN: Final = 8


class BearerAuth(AuthBase):
    """The access token, as auth rather than as a header: so no ``.netrc`` replaces it."""

    def __init__(self, token: str) -> None:
        self._token = token
        escaped = "|".join({re.escape(token), re.escape(json.dumps(token)[1:-1])})
        # One that short is no real token but an emulator's, and may be a part of any word.
        is_short = len(token) < _SHORT_TOKEN
        self._in_text = re.compile(rf"\b(?:{escaped})\b" if is_short else escaped)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token into a request that is about to leave."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        """Keep the token out of every log and traceback."""
        return "BearerAuth(***)"

    def hide(self, text: str) -> str:
        """Return ``text`` without the token, should an answer quote it."""
        return self._in_text.sub("***", text)


def _without_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Be the auth of a request that needs none: so no ``.netrc`` gives it one."""
    return request


class _Session(requests.Session):
    """A session that never looks where a redirect leads, nor reads its body to the end for it."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow none."""


class ImportClient:
    """Sends one request at a time, and says what became of it."""

    def __init__(
        self, api_url: str, token: str, *, timeout: float, agent: str, endpoint: Endpoint = BATCH
    ) -> None:
        """Speak to ``api_url``; ``timeout`` is in seconds without a sign of life."""
        self._endpoint = endpoint
        self._api_url = api_url
        self._auth = BearerAuth(token)
        self._timeout = timeout
        self._session = _Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, Adapter())
        # What urllib3 warns of quotes an answer, with whatever is in it.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        if api_url.lower().startswith("http:"):
            self._session.trust_env = False  # this machine alone: the token goes past any proxy
        self._session.headers.update({"User-Agent": agent})
        self._prepared: dict[Endpoint, requests.PreparedRequest] = {}

    def close(self) -> None:
        """Close the kept-alive connection."""
        self._session.close()

    def check_status(self) -> None:
        """Return if the service says that it is up (Import API reference, section Endpoints).

        Raises:
            TransientError: It says that it is not up: nothing is to be posted now.
            DeliveryError: It does not say.
        """
        try:
            answer = self._send("GET", STATUS, _without_auth)
        except TransientError as error:
            raise DeliveryError(str(error)) from None
        if answer.code == 503:  # noqa: PLR2004
            raise TransientError(answer.told, retry_after=answer.retry_after)
        if answer.code != 200 or answer.status != "OK":  # noqa: PLR2004
            raise DeliveryError(answer.told)

    def post(self, body: bytes) -> None:
        """Post a body once (Import API reference, section Endpoints).

        Raises:
            TransientError: Another try may help.
            AccessError, RejectedError: Another try would not help.
        """
        answer = self._send("POST", self._endpoint, self._auth, body)
        check(answer, may_be_empty=self._endpoint.may_be_empty)

    def validate(self, body: bytes) -> None:
        """Have the access and a push body checked; nothing of it is kept.

        Import API reference, section Endpoints.

        Raises:
            TransientError: The service does not say.
            AccessError, RejectedError: It would not take this body from this client.
        """
        check(self._send("POST", VALIDATE, self._auth, body))

    def _send(
        self, method: str, endpoint: Endpoint, auth: _Auth, body: bytes | None = None
    ) -> Answer:
        """Return what the service answers."""
        try:
            response = self._session.send(
                self._request(method, endpoint, auth, body),
                timeout=self._timeout,
                allow_redirects=False,
                **self._environment,
            )
            content, is_whole = self._content(response)
            return read(
                response.status_code, response.headers, content, self._auth.hide, is_whole=is_whole
            )
        except (ValueError, requests.RequestException, HTTPError) as error:
            failure = self._failure(error)
            _clear(error)
        try:
            raise failure  # here, without the context: its frames have the header with the token
        finally:
            del failure  # or its own frames would hold it, and the body

    def _request(
        self, method: str, endpoint: Endpoint, auth: _Auth, body: bytes | None
    ) -> requests.PreparedRequest:
        """Return a request; what is the same in each is put together once, for it takes long."""
        if endpoint not in self._prepared:
            same = requests.Request(
                method,
                self._api_url + endpoint.path,
                headers={"Content-Type": endpoint.content_type},
                auth=auth,
            )
            self._prepared[endpoint] = self._session.prepare_request(same)
        request = self._prepared[endpoint].copy()
        request.body = body
        request.headers["Content-Length"] = str(len(body or b""))
        return request

    @cached_property
    def _environment(self) -> dict[str, Any]:
        """What the environment says of proxies and certificates; bodies are read as they come."""
        return {**self._session.merge_environment_settings(self._api_url, {}, True, None, None)}

    def _failure(self, error: Exception) -> DeliveryError:
        if isinstance(error, ValueError):  # its message may quote the header
            return AccessError(
                "no request can be made with this token and api_url: one has characters that "
                "HTTP does not permit",
                setting="api_url",
            )
        cause = _root(error)
        told = self._auth.hide(" ".join(f"{type(cause).__name__}: {cause}".split()))
        if isinstance(cause, ssl.SSLCertVerificationError):
            return AccessError(f"{self._api_url} is not trusted: {told}", setting="api_url")
        return TransientError(told)

    def _content(self, response: requests.Response) -> tuple[bytes, bool]:
        """Return what can be read of a body, as it comes, and whether that is all of it.

        A body that is too long, or drips for longer than the timeout, is given up.
        """
        content = bytearray()
        deadline = time.monotonic() + self._timeout
        response.raw.decode_content = True
        while piece := response.raw.read1(MAX_ANSWER_BYTES):
            content += piece
            if len(content) >= MAX_ANSWER_BYTES or time.monotonic() > deadline:
                response.close()
                return bytes(content), False
        return bytes(content), True


def _clear(error: BaseException | None) -> None:
    """Have the frames behind an error let go of the body, which they hold in circles otherwise."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _root(error: BaseException) -> BaseException:
    """Return what lies at the bottom of one of the long exceptions of ``requests``."""
    while True:
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = getattr(error, "reason", None) if inner is None else inner
        if not isinstance(inner, BaseException):
            return error
        error = inner

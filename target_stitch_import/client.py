"""The Import API over HTTP: auth, answers turned into errors that say what to do.

One client has one ``requests`` session and belongs to one thread. Knows the service's endpoints and
answers (Import API reference, sections Endpoints and Answers that are not success); nothing of
streams, batches or STATEs.
"""

from __future__ import annotations

import email.utils
import json
import logging
import re
import ssl
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from target_stitch_import.errors import (
    AccessError,
    DeliveryError,
    RejectedError,
    RejectedRecordError,
    TooLargeError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    _Auth: TypeAlias = Callable[[requests.PreparedRequest], requests.PreparedRequest]

__all__ = ["ImportClient"]

STATUS_PATH: Final = "/v2/import/status"
BATCH_PATH: Final = "/v2/import/batch"
VALIDATE_PATH: Final = "/v2/import/validate"
MAX_ANSWER_BYTES: Final = 1 << 16
"""An answer is not read further than this."""

_TRANSIENT: Final = frozenset({408, 429})
_RECORD = re.compile(r"^Record (\d+) ")
_READ: Final = 20_000  # characters of a page that are looked at
_SHOWN: Final = 300  # characters of an answer that a message quotes
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

    def __init__(self, api_url: str, token: str, *, timeout: float, agent: str) -> None:
        """Speak to ``api_url``; ``timeout`` is in seconds without a sign of life."""
        self._api_url = api_url
        self._auth = BearerAuth(token)
        self._timeout = timeout
        self._session = _Session()
        # What urllib3 warns of quotes an answer, with whatever is in it.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        if api_url.lower().startswith("http:"):
            self._session.trust_env = False  # this machine alone: the token goes past any proxy
        self._session.headers.update({"User-Agent": agent, "Content-Type": "application/json"})
        self._prepared: dict[str, requests.PreparedRequest] = {}

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
            response, answer = self._send("GET", STATUS_PATH, _without_auth)
        except TransientError as error:
            raise DeliveryError(str(error)) from None
        if response.status_code == 503:  # noqa: PLR2004
            raise TransientError(answer.told, retry_after=_retry_after(response))
        if response.status_code != 200 or answer.status != "OK":  # noqa: PLR2004
            raise DeliveryError(answer.told)

    def post_batch(self, body: bytes) -> None:
        """Post a batch once (Import API reference, section Endpoints).

        Raises:
            TransientError: Another try may help.
            AccessError, RejectedError: Another try would not help.
        """
        self._check(*self._send("POST", BATCH_PATH, self._auth, body))

    def validate(self, body: bytes) -> None:
        """Have the access and a push body checked; nothing of it is kept.

        Import API reference, section Endpoints.

        Raises:
            TransientError: The service does not say.
            AccessError, RejectedError: It would not take this body from this client.
        """
        self._check(*self._send("POST", VALIDATE_PATH, self._auth, body))

    def _send(
        self, method: str, path: str, auth: _Auth, body: bytes | None = None
    ) -> tuple[requests.Response, _Answer]:
        """Return what the service answers."""
        try:
            response = self._session.send(
                self._request(method, path, auth, body),
                timeout=self._timeout,
                allow_redirects=False,
                **self._environment,
            )
            return response, self._read(response.status_code, self._content(response))
        except (ValueError, requests.RequestException, HTTPError) as error:
            failure = self._failure(error)
        raise failure  # here, without the context: its frames have the header with the token

    def _request(
        self, method: str, path: str, auth: _Auth, body: bytes | None
    ) -> requests.PreparedRequest:
        """Return a request; what is the same in each is put together once, for it takes long."""
        if path not in self._prepared:
            same = requests.Request(method, self._api_url + path, auth=auth)
            self._prepared[path] = self._session.prepare_request(same)
        request = self._prepared[path].copy()
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
                look_at="api_url",
            )
        cause = _root(error)
        told = self._auth.hide(" ".join(f"{type(cause).__name__}: {cause}".split()))
        if isinstance(cause, ssl.SSLCertVerificationError):
            return AccessError(f"{self._api_url} is not trusted: {told}", look_at="api_url")
        return TransientError(told)

    def _content(self, response: requests.Response) -> bytes:
        """Read an answer, but none that has no end: as it comes, so that a drip is noticed."""
        content = bytearray()
        deadline = time.monotonic() + self._timeout
        response.raw.decode_content = True
        while piece := response.raw.read1(MAX_ANSWER_BYTES):
            content += piece
            if len(content) >= MAX_ANSWER_BYTES or time.monotonic() > deadline:
                response.close()
                break
        return bytes(content)

    def _read(self, status: int, content: bytes) -> _Answer:
        """Make of an answer what is looked at, with the token hidden, should it quote it.

        It is hidden before anything is cut, so that no part of it can be left.
        """
        fields = _json_object(content)
        text = content.decode(errors="replace")
        words = _page_text(self._auth.hide(text)) if fields is None else _words(fields)
        printable = self._auth.hide(words).encode(errors="replace").decode()
        said = " ".join(printable.split())[:_SHOWN] or "(an empty answer)"
        field = self._auth.hide(str((fields or {}).get("status")))
        return _Answer(fields is not None, field, said, f"{status} {said}")

    def _check(self, response: requests.Response, answer: _Answer) -> None:
        status, said, told = response.status_code, answer.said, answer.told
        if 200 <= status < 300:  # noqa: PLR2004 - any 2xx counts as accepted
            if not answer.is_object:
                raise TransientError(f"{status} without a JSON object, so no proof: {said}")
            if answer.status == "ERROR":
                raise TransientError(f"{status} with an error in it: {said}")
            return
        if status in _TRANSIENT or status >= 500:  # noqa: PLR2004
            raise TransientError(told, retry_after=_retry_after(response))
        if status in (401, 403):
            look_at, advice = _what_to_look_at(answer)
            raise AccessError(f"{told.rstrip('.')}. {advice}", look_at=look_at)
        if status == 413:  # noqa: PLR2004
            raise TooLargeError(told)
        if status < 400:  # noqa: PLR2004
            where = self._auth.hide(response.headers.get("Location", "nowhere"))
            raise RejectedError(
                f"{status}: a redirect to {where} is not followed. Check the setting api_url."
            )
        if match := _RECORD.match(said):
            raise RejectedRecordError(told, index=int(match[1]))
        raise RejectedError(told)


@dataclass(frozen=True)
class _Answer:
    """What an answer says, without the token."""

    is_object: bool
    """True if it is a JSON object."""
    status: str
    """That object's ``status``."""
    said: str
    """A line for people."""
    told: str
    """The same behind the status."""


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _words(answer: dict[str, Any]) -> str:
    words = [answer.get(name) for name in ("message", "error", "errors", "reason")]
    return "; ".join(str(word) for word in words if word) or str(answer.get("status") or "")


def _page_text(page: str) -> str:
    """Return what a person would read of a page, or of a bare string."""
    return re.sub(r"<(style|script)\b.*?</\1>|<[^<>]*>", " ", page[:_READ], flags=re.DOTALL)


def _what_to_look_at(answer: _Answer) -> tuple[str, str]:
    """Return what an ``AccessError`` names, and the advice."""
    said = answer.said
    if "region" in said.lower():
        return "region", "Check the setting region: the account lives in the other one."
    if "not active" in said:
        return "integration", "The integration is paused or deleted in Stitch."
    if answer.is_object and "client" in said.lower():  # as some proxy's page has it, too
        return "client_id", "The client ID does not belong to this token."
    if answer.is_object and "Not Authenticated" in said:  # to a record without one
        return "client_id", "Check the setting client_id, and the token."
    return "token", "Check the setting token: it is missing, mistyped or revoked."


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds that a Retry-After asks for, given as seconds or as a date."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        seconds = moment.timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds)


def _root(error: BaseException) -> BaseException:
    """Return what lies at the bottom of one of the long exceptions of ``requests``."""
    while True:
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = getattr(error, "reason", None) if inner is None else inner
        if not isinstance(inner, BaseException):
            return error
        error = inner

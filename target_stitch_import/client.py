"""The Import API over HTTP: auth, retries, answers turned into errors that say what to do.

One client has one ``requests`` session and belongs to one thread. Knows the service's endpoints and
answers (Import API reference, sections Endpoints and Answers that are not success); nothing of
streams, batches or STATEs.
"""

from __future__ import annotations

import email.utils
import re
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

import backoff
import requests
from requests.auth import AuthBase

from target_stitch_import.errors import (
    AccessError,
    RejectedError,
    RejectedRecordError,
    TooLargeError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["ImportClient"]

BATCH_PATH: Final = "/v2/import/batch"
MAX_WAIT: Final = 60.0
"""Seconds that the exponential wait between two tries grows to; a Retry-After may ask for more."""

_TRANSIENT: Final = frozenset({408, 429})
_RECORD = re.compile(r"^Record (\d+) ")
_READ: Final = 20_000  # characters of a page that are looked at
_SHOWN: Final = 300  # characters of an answer that a message quotes


class BearerAuth(AuthBase):
    """The access token, as auth rather than as a header: so no ``.netrc`` replaces it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token into a request that is about to leave."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        """Keep the token out of every log and traceback."""
        return "BearerAuth(***)"

    def hide(self, text: str) -> str:
        """Return ``text`` without the token, should an answer quote it."""
        return text.replace(self._token, "***")


class ImportClient:
    """Posts request bodies, again and again where that may help."""

    def __init__(
        self, api_url: str, token: str, *, timeout: float, max_retry_seconds: float, agent: str
    ) -> None:
        """Speak to ``api_url``; ``timeout`` and ``max_retry_seconds`` are in seconds."""
        self._api_url = api_url
        self._auth = BearerAuth(token)
        self._timeout = timeout
        self._max_retry_seconds = max_retry_seconds
        self._session = requests.Session()
        if api_url.lower().startswith("http:"):
            self._session.trust_env = False  # this machine alone: the token goes past any proxy
        self._session.headers.update({"User-Agent": agent, "Content-Type": "application/json"})

    def close(self) -> None:
        """Close the kept-alive connection."""
        self._session.close()

    def deliver_batch(
        self,
        body: bytes,
        on_try: Callable[[int], None],
        on_wait: Callable[[int, float, str], None],
    ) -> None:
        """Post a batch until the service has taken it.

        ``on_try`` is told the number of each try before it begins, ``on_wait`` the number of the
        one that failed, the seconds until the next and the cause. What they raise ends the tries.

        Raises:
            TransientError: The retries are spent.
            AccessError, RejectedError: Another try would not help.
        """

        def wait_begins(details: Any) -> None:
            on_wait(details["tries"], details["wait"], str(details["exception"]))

        started = time.monotonic()
        tries = 0

        @backoff.on_exception(
            _waits,
            TransientError,
            max_time=self._max_retry_seconds,
            jitter=None,  # the waits have it already, where it belongs
            on_backoff=wait_begins,
            logger=None,
        )
        def post() -> None:
            nonlocal tries
            tries += 1
            on_try(tries)
            self.post_batch(body)

        try:
            post()
        except TransientError as error:
            spent = time.monotonic() - started
            raise TransientError(
                f"{tries} tries in {spent:,.0f} s did not succeed; the last ended with: {error}"
            ) from None

    def post_batch(self, body: bytes) -> None:
        """Post a batch once (Import API reference, section Endpoints).

        Raises:
            TransientError: Another try may help.
            AccessError, RejectedError: Another try would not help.
        """
        try:
            response = self._session.post(
                self._api_url + BATCH_PATH,
                data=body,
                auth=self._auth,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except ValueError:  # its message may quote the header
            raise AccessError(
                "no request can be made with this token and api_url: one has characters that "
                "HTTP does not permit"
            ) from None
        except requests.RequestException as error:
            cause = _root(error)
            told = self._auth.hide(" ".join(f"{type(cause).__name__}: {cause}".split()))
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise AccessError(f"{self._api_url} is not trusted: {told}") from None
            raise TransientError(told) from None
        self._check(response)

    def _check(self, response: requests.Response) -> None:
        status = response.status_code
        answer = _json_object(response)
        # The token is hidden before anything is cut, so that no part of it can be left.
        text = self._auth.hide(response.content.decode(errors="replace"))
        words = _page_text(text) if answer is None else self._auth.hide(_words(answer))
        said = " ".join(words.split())[:_SHOWN] or "(an empty answer)"
        if 200 <= status < 300:  # noqa: PLR2004 - any 2xx counts as accepted
            if answer is None:
                raise TransientError(f"{status} without a JSON object, so no proof: {said}")
            if answer.get("status") == "ERROR":
                raise TransientError(f"{status} with an error in it: {said}")
            return
        if status in _TRANSIENT or status >= 500:  # noqa: PLR2004
            raise TransientError(f"{status} {said}", retry_after=_retry_after(response))
        if status in (401, 403):
            raise AccessError(f"{status} {said.rstrip('.')}. {_what_to_look_at(said)}")
        if status == 413:  # noqa: PLR2004
            raise TooLargeError(f"{status} {said}")
        if status < 400:  # noqa: PLR2004
            where = self._auth.hide(response.headers.get("Location", "nowhere"))
            raise RejectedError(
                f"{status}: a redirect to {where} is not followed. Check the setting api_url."
            )
        if match := _RECORD.match(said):
            raise RejectedRecordError(f"{status} {said}", index=int(match[1]))
        raise RejectedError(f"{status} {said}")


def _waits() -> Generator[float, TransientError, None]:
    """Exponential waits with full jitter, or what the service asks for where that is longer."""
    exponential = backoff.expo(max_value=MAX_WAIT)
    next(exponential)
    error = yield 0.0
    while True:
        wait = backoff.full_jitter(next(exponential))
        error = yield max(wait, error.retry_after or 0.0)


def _json_object(response: requests.Response) -> dict[str, Any] | None:
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _words(answer: dict[str, Any]) -> str:
    words = [answer.get(name) for name in ("message", "error", "errors")]
    return "; ".join(str(word) for word in words if word) or str(answer.get("status") or "")


def _page_text(page: str) -> str:
    """Return what a person would read of a page, or of a bare string."""
    return re.sub(r"<(style|script)\b.*?</\1>|<[^<>]*>", " ", page[:_READ], flags=re.DOTALL)


def _what_to_look_at(said: str) -> str:
    if "region" in said.lower():
        return "Check the setting region: the account lives in the other one."
    if "not active" in said:
        return "The integration is paused or deleted in Stitch."
    if "client" in said.lower():
        return "The client ID does not belong to this token."
    return "Check the setting token: it is missing, mistyped or revoked."


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds that a Retry-After asks for, given as seconds or as a date."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


def _root(error: BaseException) -> BaseException:
    """Return what lies at the bottom of one of the long exceptions of ``requests``."""
    while True:
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = getattr(error, "reason", None) if inner is None else inner
        if not isinstance(inner, BaseException):
            return error
        error = inner

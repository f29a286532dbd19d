"""What the service answers, and the error that it becomes.

Knows the answers (Import API reference, section Answers that are not success) and what a person is to
do about each; nothing of connections.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.errors import (
    AccessError,
    RejectedError,
    RejectedRecordError,
    TooLargeError,
    TransientError,
    UnidentifiedRecordError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Answer", "check", "read"]

_ACKNOWLEDGED: Final = frozenset({200, 201, 202})
_TRANSIENT: Final = frozenset({408, 429})
_RECORD = re.compile(r"^Record (\d+) ")
_READ: Final = 20_000  # characters of a page that are looked at
_SHOWN: Final = 300  # characters of an answer that a message quotes


@dataclass(frozen=True)
class Answer:
    """What an answer says, without the token."""

    code: int
    """The HTTP status."""
    is_object: bool
    """True if it is a JSON object."""
    is_whole: bool
    """True if its body was read to the end."""
    is_empty: bool
    """True if it says that it has no body, and has none."""
    refuses_a_record: bool
    """True if it says what is wrong with a record of a push body, though not with which."""
    status: str
    """That object's ``status``."""
    said: str
    """A line for people."""
    location: str
    """Where a redirect leads."""
    retry_after: float | None
    """Seconds that the service asks to wait."""

    @property
    def told(self) -> str:
        """A line for people, behind the HTTP status."""
        return f"{self.code} {self.said}"


def read(
    code: int,
    headers: Mapping[str, str],
    content: bytes,
    hide: Callable[[str], str],
    *,
    is_whole: bool,
) -> Answer:
    """Make of an answer what is looked at; ``hide`` takes the token out of a text that quotes it.

    It is hidden before anything is cut, so that no part of it can be left.
    """
    fields = _json_object(content)
    text = content.decode(errors="replace")
    words = _page_text(hide(text)) if fields is None else _words(fields)
    printable = hide(words).encode(errors="replace").decode()
    return Answer(
        code,
        is_object=fields is not None,
        is_whole=is_whole,
        is_empty=is_whole and not content and _ends(headers),
        refuses_a_record=_refuses_a_record(fields),
        status=hide(str((fields or {}).get("status"))),
        said=" ".join(printable.split())[:_SHOWN] or "(an empty answer)",
        location=hide(headers.get("Location", "nowhere")),
        retry_after=_seconds(headers.get("Retry-After", "")),
    )


def check(answer: Answer, *, may_be_empty: bool = False) -> None:
    """Return if a body was taken (Import API reference, section Endpoints).

    ``may_be_empty`` is true of an endpoint whose 201 may have no body.

    Raises:
        TransientError: Another try may help.
        AccessError, RejectedError: Another try would not help.
    """
    code, said, told = answer.code, answer.said, answer.told
    if 200 <= code < 300:  # noqa: PLR2004
        if may_be_empty and code == 201 and answer.is_empty:  # noqa: PLR2004
            return
        if lacks := _lacks(answer):
            raise TransientError(f"{code} {lacks}, so no proof: {said}")
        return
    if code in _TRANSIENT or code >= 500:  # noqa: PLR2004
        raise TransientError(told, retry_after=answer.retry_after)
    if code in (401, 403):
        look_at, advice = _what_to_look_at(answer)
        raise AccessError(f"{told.rstrip('.')}. {advice}", setting=look_at)
    if code == 413:  # noqa: PLR2004
        raise TooLargeError(told)
    if code < 400:  # noqa: PLR2004
        raise RejectedError(
            f"{code}: a redirect to {answer.location} is not followed. Check the setting api_url."
        )
    if match := _RECORD.match(said):
        raise RejectedRecordError(told, index=int(match[1]))
    if code == 422 and answer.refuses_a_record:  # noqa: PLR2004
        raise UnidentifiedRecordError(told)
    raise RejectedError(told)


def _lacks(answer: Answer) -> str:
    """Return what an answer of 2xx lacks to be an acknowledgement; nothing if it is one."""
    if not answer.is_object:
        return "without a JSON object"
    if answer.status not in ("OK", "Accepted"):
        return "without a status of OK or Accepted"
    if answer.code not in _ACKNOWLEDGED:
        return "instead of 200, 201 or 202"
    return "" if answer.is_whole else "with a body that did not end"


def _ends(headers: Mapping[str, str]) -> bool:
    """Return True if an answer has an end of its own, not that of its connection."""
    is_chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    return is_chunked or headers.get("Content-Length") == "0"


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _refuses_a_record(answer: dict[str, Any] | None) -> bool:
    """Return True if a 422 says what is wrong with a record, and not with the client."""
    errors = (answer or {}).get("errors")
    if not isinstance(errors, list):
        return False
    reasons = [each["reason"] for each in errors if isinstance(each, dict) and "reason" in each]
    return bool(reasons) and "client" not in str(reasons)


def _words(answer: dict[str, Any]) -> str:
    words = [answer.get(name) for name in ("message", "error", "errors", "reason")]
    return "; ".join(str(word) for word in words if word) or str(answer.get("status") or "")


def _page_text(page: str) -> str:
    """Return what a person would read of a page, or of a bare string."""
    return re.sub(r"<(style|script)\b.*?</\1>|<[^<>]*>", " ", page[:_READ], flags=re.DOTALL)


def _what_to_look_at(answer: Answer) -> tuple[str, str]:
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


def _seconds(retry_after: str) -> float | None:
    """Return the seconds that a Retry-After asks for, given as seconds or as a date."""
    value = retry_after.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        seconds = moment.timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds)

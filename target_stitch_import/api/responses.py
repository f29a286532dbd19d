"""What a response of the service means, and the error that it becomes.

Import API reference, section Answers that are not success.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from target_stitch_import import errors

_MAX_PAGE: Final = 20_000  # characters of an HTML page that are parsed
_MAX_MESSAGE: Final = 300  # characters of a response that a message quotes
_MAX_DEPTH: Final = 5  # levels of a response that are read

_RECORD: Final = re.compile(
    r"Record (?:(\d{1,9}) )?|Request failed validation:#/messages/(\d{1,9})\b"
)
"""How a refusal begins that is about one record, with its place or without."""

_COLUMN: Final = re.compile(r"Record .*?(?:#/([^/]+?)(?:/\S*)?: |missing key property (\S+))")


@dataclass(frozen=True)
class ApiResponse:
    """What a response says, without the token."""

    code: int  # the HTTP status
    is_object: bool  # True if the body is a JSON object
    is_complete: bool  # True if the body was read to its end
    is_empty: bool  # True if the headers say that there is no body, and there is none
    refuses_pushed: bool  # True if it is about a record of a push body, and does not say which
    status: str
    message: str  # one line for people
    location: str
    retry_after: float | None  # seconds that the service asks to wait

    @property
    def summary(self) -> str:
        """One line for people, after the HTTP status."""
        return f"{self.code} {self.message}"

    @property
    def is_of_another_page(self) -> bool:
        """True if some other server seems to have answered: with success, and without JSON."""
        return self.code < 300 and not self.is_object  # noqa: PLR2004


def parse_response(
    code: int,
    headers: Mapping[str, str],
    content: bytes,
    hide: Callable[[str], str],
    *,
    is_complete: bool,
) -> ApiResponse:
    """Return a response without the token, which ``hide`` takes out of a text.

    It is hidden before anything is cut, so that no part of it is left.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    is_object = isinstance(value, dict)
    fields: dict[str, Any] = value if is_object else {}
    if is_object:
        values = [fields.get(name) for name in ("message", "error", "errors", "reason")]
        text = _join_lines(_texts(values)) or str(fields.get("status") or "")
    elif isinstance(value, str):
        text = _join_lines([value])
    else:  # a page
        page = hide(content.decode(errors="replace"))[:_MAX_PAGE]
        text = re.sub(r"<(style|script)\b.*?</\1>|<[^<>]*>", " ", page, flags=re.DOTALL)
    # Without one, what seems empty may have been cut with the connection.
    is_chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    has_end = is_chunked or headers.get("Content-Length") == "0"
    printable = hide(text).encode(errors="replace").decode()
    return ApiResponse(
        code,
        is_object=is_object,
        is_complete=is_complete,
        is_empty=is_complete and not content and has_end,
        refuses_pushed=_refuses_pushed(fields),
        status=hide(str(fields.get("status"))),
        message=_cut(" ".join(printable.split())) or "(an empty answer)",
        location=hide(headers.get("Location", "nowhere")),
        retry_after=_parse_retry_after(headers.get("Retry-After", "")),
    )


def require_accepted(response: ApiResponse, *, may_be_empty: bool = False) -> None:
    """Return if the service has accepted a body (Import API reference, section Endpoints).

    ``may_be_empty`` is true of an endpoint whose 201 may have no body. Raise ``TransientError`` if
    another try may help, ``AccessError`` or ``RejectedError`` if not.
    """
    code, summary = response.code, response.summary
    if 200 <= code < 300:  # noqa: PLR2004
        lacks = "" if may_be_empty and code == 201 and response.is_empty else _lacks(response)  # noqa: PLR2004
        if lacks:
            raise errors.TransientError(f"{code} {lacks}, so no proof: {response.message}")
        return
    if code in (408, 429) or code >= 500:  # noqa: PLR2004
        raise errors.TransientError(summary, retry_after=response.retry_after)
    if code in (401, 403):
        setting, advice = _advise_on_access(response)
        raise errors.AccessError(f"{summary.rstrip('.')}. {advice}", setting=setting)
    if code == 413:  # noqa: PLR2004
        raise errors.TooLargeError(summary)
    if code < 400:  # noqa: PLR2004
        raise errors.RejectedError(
            f"{code}: a redirect to {response.location} is not followed. Check the setting api_url."
        )
    if (code in (400, 422) and (match := _RECORD.match(response.message))) or (
        code == 422 and response.refuses_pushed  # noqa: PLR2004
    ):
        place = match and (match[1] or match[2])
        index = None if place is None else int(place)
        raise errors.RejectedRecordError(summary, index=index, column=_column(response.message))
    if code == 404:  # noqa: PLR2004
        summary = f"{summary.rstrip('.')}. There is no Import API: check the setting api_url."
    raise errors.RejectedError(summary)


def _lacks(response: ApiResponse) -> str:
    """Return what a response of 2xx lacks to be an acknowledgement; nothing if it is one."""
    if not response.is_object:
        return "without a JSON object"
    if response.status not in ("OK", "Accepted"):
        return "without a status of OK or Accepted"
    if response.code not in (200, 201, 202):
        return "instead of 200, 201 or 202"
    return "" if response.is_complete else "with a body that did not end"


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the texts in a part of a response, behind the names of the fields that they are about."""
    if isinstance(value, dict | list) and depth == _MAX_DEPTH:
        yield "..."
    elif isinstance(value, dict):
        for name, part in value.items():
            names_field = name not in ("error", "reason")
            for text in _texts(part, depth + 1):
                yield f"{name}: {text}" if names_field else text
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, depth + 1)
    elif value is not None:
        yield str(value)


def _join_lines(texts: Iterable[str]) -> str:
    """Return texts of several lines as one line; a place in a record, ``#/name``, begins a line, too."""
    lines = [" ".join(line.split()) for text in texts for line in text.splitlines()]
    joined = re.sub(r"(?<!;) (?=#[:/])", "; ", "; ".join(filter(None, lines)))
    return re.sub(r"(?<=[:.]); ", " ", joined)


def _cut(text: str) -> str:
    """Return a text, or of a long one its beginning up to the end of a word."""
    if len(text) <= _MAX_MESSAGE:
        return text
    end = text.rfind(" ", _MAX_MESSAGE // 2, _MAX_MESSAGE)
    return f"{text[: end if end > 0 else _MAX_MESSAGE].rstrip(' ;')} ..."


def _column(message: str) -> str | None:
    if (match := _COLUMN.match(message)) is None:
        return None
    return str(match[1] or match[2]).replace("~1", "/").replace("~0", "~")


def _refuses_pushed(fields: dict[str, Any]) -> bool:
    """Return True if the errors of a 422 are about a record, and not about the client."""
    found = fields.get("errors")
    if not isinstance(found, list):
        return False
    reasons = [each["reason"] for each in found if isinstance(each, dict) and "reason" in each]
    return bool(reasons) and "client" not in str(reasons)


def _advise_on_access(response: ApiResponse) -> tuple[str, str]:
    message = response.message
    if "region" in message.lower():
        return "region", "Check the setting region: the account lives in the other one."
    if "not active" in message:
        return "integration", "The integration is paused or deleted in Stitch."
    if response.is_object and "client" in message.lower():  # some proxy's page has the word, too
        return "client_id", "The client ID does not belong to this token."
    if response.is_object and "Not Authenticated" in message:  # to a record without one
        return "client_id", "Check the setting client_id, and the token."
    return "token", "Check the setting token: it is missing, mistyped or revoked."


def _parse_retry_after(value: str) -> float | None:
    try:
        return Retry().parse_retry_after(value)
    except (InvalidHeader, ValueError, OverflowError):
        return None

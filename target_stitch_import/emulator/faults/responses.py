"""The answers that a fault gives in the API's place.

Knows what a proxy, a gateway or an unwell service says, and nothing of when it is due.
"""

from __future__ import annotations

import email.utils
import http
import math
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from target_stitch_import.emulator.rules import responses as api_responses
from target_stitch_import.emulator.rules.responses import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping


def _json(code: int, /, **content: Any) -> Answer:
    return Answer(code, msgspec.json.encode(content))


def _page(status: int, title: str, content: str) -> Answer:
    head = f"<html>\r\n<head><title>{title}</title></head>\r\n"
    body = f"<body>\r\n<h1>{title}</h1>\r\n{content}\r\n</body>\r\n</html>\r\n"
    return Answer(status, (head + body).encode(), "text/html; charset=utf-8")


def _proxy_page(status: int) -> Answer:
    return _page(status, f"{status} {_phrase(status)}", "<hr>proxy")


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


_LOGIN: Final = "<form method='post'><input name='user'><input name='password'></form>"
_ANSWERS: Final[Mapping[str, Answer]] = {
    "401": api_responses.NOT_AUTHORIZED,
    "502": _proxy_page(502),
    "503": api_responses.UNAVAILABLE,
    "504": _proxy_page(504),
    "html": _page(200, "Please log in", _LOGIN),
    "empty": Answer(200, b"", api_responses.TEXT),
    "error": _json(200, status="ERROR", message="The batch could not be processed."),
}
"""The answers that have a form of their own; any other status is a small JSON object."""

# Import API reference, section Endpoints.
QUEUED: Final = _json(202, status="Accepted", message="The batch is queued to be processed.")
DOWN: Final = _json(
    503,
    name="pipeline.gate",
    version="emulator",
    revision="emulator",
    status="ERROR",
    reason="Down for maintenance.",
)
TOO_LARGE: Final = _proxy_page(413)


def in_place_of(fault: str, retry_after: float) -> Response:
    """Return the answer of a fault that has one."""
    code, _, form = fault.partition("_")
    answer = _ANSWERS.get(fault)
    if answer is None:
        answer = _json(int(code), status="ERROR", message=_phrase(int(code)))
    response = respond(answer)
    if form:
        response.headers["retry-after"] = _retry_after(form, retry_after)
    return response


def respond(answer: Answer) -> Response:
    """Return an answer as a response."""
    return Response(answer.body, answer.status, headers={"content-type": answer.content_type})


def _retry_after(form: str, seconds: float) -> str:
    # Rounded up, for both forms know whole seconds only, and earlier is too early.
    if form == "seconds":
        return str(math.ceil(seconds))
    return email.utils.formatdate(math.ceil(time.time() + seconds), usegmt=True)

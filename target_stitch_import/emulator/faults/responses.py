"""The responses of faults: those of a proxy, a gateway or a broken service."""

from __future__ import annotations

import email.utils
import http
import math
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from target_stitch_import.emulator.rules import responses as api_responses
from target_stitch_import.emulator.rules.responses import ApiResponse

if TYPE_CHECKING:
    from collections.abc import Mapping


def _json_response(code: int, /, **content: Any) -> ApiResponse:
    return ApiResponse(code, msgspec.json.encode(content))


def _html_response(status: int, title: str, content: str) -> ApiResponse:
    head = f"<html>\r\n<head><title>{title}</title></head>\r\n"
    body = f"<body>\r\n<h1>{title}</h1>\r\n{content}\r\n</body>\r\n</html>\r\n"
    return ApiResponse(status, (head + body).encode(), "text/html; charset=utf-8")


def _proxy_response(status: int) -> ApiResponse:
    return _html_response(status, f"{status} {_phrase(status)}", "<hr>proxy")


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


_LOGIN: Final = "<form method='post'><input name='user'><input name='password'></form>"
_RESPONSES: Final[Mapping[str, ApiResponse]] = {
    "401": api_responses.NOT_AUTHORIZED,
    "502": _proxy_response(502),
    "503": api_responses.UNAVAILABLE,
    "504": _proxy_response(504),
    "html": _html_response(200, "Please log in", _LOGIN),
    "empty": ApiResponse(200, b"", api_responses.TEXT),
    "error": _json_response(200, status="ERROR", message="The batch could not be processed."),
}
"""The responses by fault; any other fault is a status, with a small JSON object."""

# Import API reference, section Endpoints.
QUEUED: Final = _json_response(
    202, status="Accepted", message="The batch is queued to be processed."
)
MAINTENANCE: Final = _json_response(
    503,
    name="pipeline.gate",
    version="emulator",
    revision="emulator",
    status="ERROR",
    reason="Down for maintenance.",
)
TOO_LARGE: Final = _proxy_response(413)


def fault_response(fault: str, retry_after: float) -> Response:
    """Return the response of a fault; ``retry_after`` is in seconds."""
    code, _, form = fault.partition("_")
    api_response = _RESPONSES.get(fault)
    if api_response is None:
        api_response = _json_response(int(code), status="ERROR", message=_phrase(int(code)))
    response = to_starlette(api_response)
    if form:
        response.headers["retry-after"] = _retry_after(form, retry_after)
    return response


def to_starlette(response: ApiResponse) -> Response:
    """Return a response as Starlette sends it."""
    return Response(response.body, response.status, headers={"content-type": response.content_type})


def _retry_after(form: str, seconds: float) -> str:
    # Rounded up: both forms have whole seconds only, and a retry must not come too early.
    if form == "seconds":
        return str(math.ceil(seconds))
    return email.utils.formatdate(math.ceil(time.time() + seconds), usegmt=True)

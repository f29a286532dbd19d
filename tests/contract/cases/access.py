"""Endpoints, access, and what a request looks like from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.contract.bodies import batch, upsert
from tests.contract.case import (
    ACCESS,
    ENDPOINTS,
    REFUSALS,
    Case,
    Expected,
    Request,
    refused,
)

if TYPE_CHECKING:
    from tests.contract.case import Source

_BODY: Final = batch("access", {}, upsert({"id": 1}))
_NO_ROW: Final = batch("access", {}, messages=[])
_MAX_BYTES: Final = 20_000_000
_MISSED: Final = Expected((404, 405))


def _case(rule: str, section: str, source: Source, request: Request, expected: Expected) -> Case:
    return Case(rule, section, source, request, expected)


def _wherever(rule: str, expected: str, **more: Any) -> Case:
    return Case(rule, REFUSALS, "documentation", None, expected, **more)


CASES: Final = (
    _case(
        "The status needs no token",
        ENDPOINTS,
        "documentation",
        Request("status", method="GET", token="none"),
        Expected((200,), ('"name": "pipeline.gate"', '"status": "OK"')),
    ),
    _case(
        "A request without a token is refused",
        ACCESS,
        "documentation",
        Request("batch", _BODY, token="none"),
        refused(401, '"message": "Not Authorized"'),
    ),
    _case(
        "A request with a wrong token is refused",
        ACCESS,
        "documentation",
        Request("batch", _BODY, token="wrong"),
        refused(401, '"message": "Not Authorized"'),
    ),
    Case(
        "A token of another region is refused",
        ACCESS,
        "documentation",
        Request("batch", _BODY, token="of another region"),
        refused(401, '"message": "Invalid region."'),
        not_sent="it needs a token of another region",
    ),
    _case(
        "A path that there is not is refused",
        REFUSALS,
        "documentation",
        Request("no-such-endpoint", _NO_ROW),
        _MISSED,
    ),
    _case(
        "A wrong method is refused",
        REFUSALS,
        "documentation",
        Request("batch", method="GET"),
        _MISSED,
    ),
    _case(
        "A batch of another content type is refused",
        REFUSALS,
        "documentation",
        Request("batch", _BODY, content_type="text/plain"),
        refused(415, "Content-Type must be application/json"),
    ),
    _case(
        "A batch in Transit is refused",
        REFUSALS,
        "documentation",
        Request("batch", _BODY, content_type="application/transit+json"),
        refused(415, "Content-Type must be application/json"),
    ),
    _case(
        "A body of more than 20 MB is refused",
        REFUSALS,
        "documentation",
        Request("batch", _NO_ROW, min_bytes=_MAX_BYTES + 1),
        Expected((413,)),
    ),
    _wherever(
        "An integration that is paused or deleted is refused",
        "401: Connection is not active.",
    ),
    _wherever("A service that is busy or down says so", "429, 503 or 504"),
)

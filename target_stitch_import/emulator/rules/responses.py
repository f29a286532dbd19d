"""Every answer of the Import API, word for word.

Knows what an answer looks like, and nothing of when it is due: that is the business of the
rules that raise ``RefusedError``.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import msgspec

from target_stitch_import.limits import MAX_SEQUENCE

JSON: Final = "application/json"
TRANSIT: Final = "application/transit+json"
TEXT: Final = "text/plain; charset=utf-8"


@dataclasses.dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON


class RefusedError(Exception):
    """A request that breaks a rule, with the answer that says so."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer


def _json(status: int, content: dict[str, Any]) -> Answer:
    return Answer(status, msgspec.json.encode(content))


# Import API reference, section Endpoints.
STATUS_OK: Final = _json(
    200,
    {
        "name": "pipeline.gate",
        "version": "emulator",
        "revision": "emulator",
        "status": "OK",
        "reason": None,
    },
)
BATCH_ACCEPTED: Final = _json(201, {"status": "OK", "message": "Batch Accepted!"})
BATCH_VALID: Final = _json(200, {"status": "OK", "message": "Batch is valid!"})

# Import API reference, section Answers that are not success.
NOT_AUTHORIZED: Final = _json(401, {"message": "Not Authorized"})
INVALID_REGION: Final = _json(401, {"message": "Invalid region."})
NOT_ACTIVE: Final = _json(
    401, {"error": "Forbidden", "errors": {"error": "Connection is not active."}}
)
NOT_AUTHENTICATED: Final = _json(
    401, {"status": "ERROR", "error": "Not Authenticated.", "errors": None}
)
WRONG_CLIENT: Final = _json(
    403,
    {
        "status": "ERROR",
        "error": "Forbidden",
        "errors": {"error": "Access token is not associated with this client."},
    },
)
NOT_FOUND: Final = Answer(404, b"Not found.", TEXT)
METHOD_NOT_ALLOWED: Final = Answer(405, b"Method not allowed.", TEXT)
NO_ARRAY: Final = _json(400, {"status": "ERROR", "message": "An array of records is expected"})
NOT_JSON_CONTENT: Final = Answer(415, b"Content-Type must be application/json", TEXT)
SEQUENCE_TOO_GREAT: Final = _json(
    400, {"error": f"Request failed validation:#: sequence can not be above {MAX_SEQUENCE}"}
)
# The database can't be written (disk full, locked by another process): nothing was stored.
UNAVAILABLE: Final = _json(
    503, {"status": "ERROR", "message": "The Import API is experiencing problems."}
)


def too_large(size: int) -> Answer:
    """The body is larger than the service takes; the stray ``s`` is the service's own."""
    message = f"Request rejected: request size ({size}s bytes) exceeds the maximum"
    return _json(413, {"status": "ERROR", "message": message})


def unsupported_push_content(content_type: str) -> Answer:
    """The content type is none that push takes."""
    message = (
        f"Unsupported content-type {content_type}. "
        "Please send application/json or application/transit+json"
    )
    return _json(415, {"status": "ERROR", "message": message})


def malformed(reason: str) -> Answer:
    """The body is no JSON, or no Transit."""
    content = {
        "status": "ERROR",
        "message": "Malformed json in the body!",
        "error": reason,
        "input": None,
    }
    return _json(400, content)


def failed_validation(place: str, reason: str) -> Answer:
    """A batch body breaks a rule of the envelope; ``place`` is a JSON pointer."""
    return _json(400, {"error": f"Request failed validation:{place}: {reason}"})


def nonconforming(index: int, place: str, reason: str) -> Answer:
    """A record of a batch breaks its schema; ``index`` is its place in ``messages``."""
    return _json(400, {"error": f"Record {index} did not conform to schema: {place}: {reason}"})


def missing_key(name: str) -> Answer:
    """A record of a batch lacks a key property, or has null for it."""
    return _json(400, {"error": f"Record is missing key property {name}"})


def invalid_schema(reason: str) -> Answer:
    """The schema of a batch is no JSON schema."""
    return _json(400, {"error": f"Invalid JSON schema: {reason}"})


def unprocessable(reason: dict[str, list[str]] | str) -> Answer:
    """A push body breaks a rule."""
    content = {
        "status": "ERROR",
        "error": "Request cannot be processed; see errors.",
        "errors": [{"reason": reason}],
    }
    return _json(422, content)


def too_many_records(limit: int) -> Answer:
    """A push body holds more records than a request may."""
    message = f"A request may contain at most {limit} records"
    return _json(400, {"status": "ERROR", "message": message})

"""Every response of the Import API, word for word."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from target_stitch_import.limits import MAX_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

JSON: Final = "application/json"
TRANSIT: Final = "application/transit+json"
TEXT: Final = "text/plain; charset=utf-8"

Answers = Literal["placed", "unplaced"]
"""Whether the refusal of a record says the record's place in the batch. The service does both."""


@dataclasses.dataclass(frozen=True)
class ApiResponse:
    """One HTTP response."""

    status: int
    body: bytes
    content_type: str = JSON


class RefusedError(Exception):
    """A request breaks a rule; ``response`` says which."""

    def __init__(self, response: ApiResponse) -> None:
        super().__init__(response.body.decode())
        self.response = response


def _json(status: int, content: dict[str, Any]) -> ApiResponse:
    return ApiResponse(status, msgspec.json.encode(content))


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
NOT_FOUND: Final = ApiResponse(404, b"Not found.", TEXT)
METHOD_NOT_ALLOWED: Final = ApiResponse(405, b"Method not allowed.", TEXT)
NOT_AN_ARRAY: Final = _json(400, {"status": "ERROR", "message": "An array of records is expected"})
NOT_JSON: Final = ApiResponse(415, b"Content-Type must be application/json", TEXT)
SEQUENCE_TOO_GREAT: Final = _json(
    400, {"error": f"Request failed validation:#: sequence can not be above {MAX_SEQUENCE}"}
)
# The database can't be written (disk full, locked by another process): nothing was stored.
UNAVAILABLE: Final = _json(
    503, {"status": "ERROR", "message": "The Import API is experiencing problems."}
)


def too_large(size: int) -> ApiResponse:
    """The body is larger than the service accepts; the stray ``s`` is the service's own."""
    message = f"Request rejected: request size ({size}s bytes) exceeds the maximum"
    return _json(413, {"status": "ERROR", "message": message})


def unsupported_push_content(content_type: str) -> ApiResponse:
    """Push does not accept the content type."""
    message = (
        f"Unsupported content-type {content_type}. "
        "Please send application/json or application/transit+json"
    )
    return _json(415, {"status": "ERROR", "message": message})


def malformed(reason: str) -> ApiResponse:
    """The body is not JSON, or not Transit."""
    content = {
        "status": "ERROR",
        "message": "Malformed json in the body!",
        "error": reason,
        "input": None,
    }
    return _json(400, content)


def failed_validation(pointer: str, reason: str) -> ApiResponse:
    """A batch body breaks a rule of the envelope; ``pointer`` is a JSON pointer."""
    return _json(400, {"error": f"Request failed validation:{pointer}: {reason}"})


def failed_message(pointer: str, lines: Iterable[str]) -> ApiResponse:
    """A message of a batch has neither of its two forms; each line names its JSON pointer."""
    reasons = ["#: 0 subschemas matched instead of one", *lines]
    return failed_validation(pointer, " ".join(reasons))


def invalid_record(place: int | None, *lines: str) -> ApiResponse:
    """A record of a batch breaks its schema.

    Args:
        place: its index in ``messages``, or None for an answer that does not say it.
        lines: what is wrong, each line with its JSON pointer.
    """
    text = "\n".join(lines)
    if place is None:
        return _json(400, {"error": f"Record did not conform to schema: {text}"})
    return _json(400, {"error": f"Record {place} did not conform to schema:\n{text}\n"})


def missing_key(name: str) -> ApiResponse:
    """A record of a batch lacks a key property, or has null for it."""
    return _json(400, {"error": f"Record is missing key property {name}"})


def invalid_schema(reason: str) -> ApiResponse:
    """The schema of a batch is not a JSON schema."""
    return _json(400, {"error": f"Invalid JSON schema: {reason}"})


def unprocessable(reason: dict[str, list[str]] | str) -> ApiResponse:
    """A push body breaks a rule."""
    content = {
        "status": "ERROR",
        "error": "Request cannot be processed; see errors.",
        "errors": [{"reason": reason}],
    }
    return _json(422, content)


def too_many_records(limit: int) -> ApiResponse:
    """A push body holds more records than a request may."""
    message = f"A request may contain at most {limit} records"
    return _json(400, {"status": "ERROR", "message": message})

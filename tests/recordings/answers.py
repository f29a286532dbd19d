"""The documented answers of the Import API, and the cassettes made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

FOLDER: Final = Path(__file__).parent
URL: Final = "https://api.stitchdata.com/v2/import/"
BODY: Final = (
    '{"table_name":"customers","schema":{"properties":{"id":{"type":"integer"}}},'
    '"key_names":["id"],"messages":[{"action":"upsert","sequence":1565880017,"data":{"id":1}}]}'
)
"""The request that every cassette of a batch answers."""
PUSH_BODY: Final = (
    '[{"client_id":4231,"table_name":"customers","sequence":1565880017,"action":"upsert",'
    '"key_names":["id"],"data":{"id":1}}]'
)
"""The request that every cassette of push and validate answers."""

JSON: Final = "application/json;charset=UTF-8"
HTML: Final = "text/html"
TEXT: Final = "text/plain"
EMPTY: Final = {"Content-Length": "0"}


@dataclass(frozen=True)
class ServiceResponse:
    """One answer: status, body, and what its headers say."""

    status: int
    body: str
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    endpoint: str = "batch"


def _error(text: str) -> ServiceResponse:
    return ServiceResponse(400, json.dumps({"error": text}))


def _unprocessable(reason: str) -> ServiceResponse:
    error = '"error": "Request cannot be processed; see errors."'
    return ServiceResponse(
        422, f'{{"status": "ERROR", {error}, "errors": [{{"reason": {reason}}}]}}'
    )


ANSWERS: Final[dict[str, ServiceResponse]] = {
    # section 2: success, and what looks like it
    "accepted_201": ServiceResponse(201, '{"status": "OK", "message": "Batch Accepted!"}'),
    "accepted_202": ServiceResponse(
        202,
        '{"status": "Accepted", "message": "The batch is queued to be processed."}',
    ),
    "accepted_200": ServiceResponse(200, '{"status": "OK", "message": "Batch Accepted!"}'),
    "accepted_with_other_fields": ServiceResponse(
        201, '{"status": "OK", "anything": [1, 2.5, null]}'
    ),
    "success_with_error_status": ServiceResponse(
        200, '{"status": "ERROR", "message": "not really"}'
    ),
    "success_with_error_in_small_letters": ServiceResponse(200, '{"status": "error"}'),
    "success_with_rejected_status": ServiceResponse(201, '{"status": "REJECTED"}'),
    "success_with_status_that_is_a_list": ServiceResponse(201, '{"status": ["OK"]}'),
    "success_with_status_null": ServiceResponse(202, '{"status": null}'),
    "success_without_status": ServiceResponse(201, '{"message": "Batch Accepted!"}'),
    "success_that_is_an_empty_object": ServiceResponse(201, "{}"),
    "success_203": ServiceResponse(203, '{"status": "OK", "message": "Batch Accepted!"}'),
    "success_204": ServiceResponse(204, ""),
    "success_205": ServiceResponse(205, '{"status": "OK", "message": "Batch Accepted!"}'),
    "success_206": ServiceResponse(206, '{"status": "OK", "message": "Batch Accepted!"}'),
    "success_299": ServiceResponse(299, '{"status": "Accepted"}'),
    "success_without_body": ServiceResponse(201, "", headers=EMPTY),
    "success_that_is_a_login_page": ServiceResponse(
        200,
        "<html><head><style>b {}</style></head><body><b>Please log in</b></body></html>",
        HTML,
    ),
    "success_that_is_an_array": ServiceResponse(200, "[]"),
    "success_that_is_a_string": ServiceResponse(200, '"OK"'),
    # section 6, 400
    "missing_argument": _error("Request failed validation:#: required key [table_name] not found"),
    "unknown_argument": _error("Request failed validation:#: extraneous key [x] is not permitted"),
    "wrong_type": _error(
        "Request failed validation:#/key_names: expected type: JSONArray, found: String"
    ),
    "record_breaks_schema": _error(
        "Record 0 did not conform to schema: #/id: expected: Number, found: String"
    ),
    "record_without_key": _error("Record is missing key property id"),
    "invalid_schema": _error("Invalid JSON schema: unknown type: [text]"),
    "sequence_too_large": _error(
        "Request failed validation:#: sequence can not be above 9223372036854775807"
    ),
    "malformed_json": ServiceResponse(
        400,
        '{"status": "ERROR", "message": "Malformed json in the body!", '
        '"error": "Unexpected end-of-input", "input": null}',
    ),
    "push_no_array": ServiceResponse(
        400, '{"status": "ERROR", "message": "An array of records is expected"}'
    ),
    # section 6, seen in real answers
    "seen_record_in_several_lines": _error(
        "Record 0 did not conform to schema:\n#/name: expected type: String, found: Integer\n"
    ),
    "seen_record_of_a_nullable_type": _error(
        "Record 0 did not conform to schema:\n#/a/b: no subschema matched out of the total 2 "
        "subschemas\n#/a/b: expected: null, found: JSONObject\n"
    ),
    "seen_record_without_number": _error(
        "Record did not conform to schema:\n#/name: expected type: String, found: Integer\n"
    ),
    "seen_record_that_is_a_string": ServiceResponse(
        400, '"Record did not conform to schema:\\n#/name: expected type: String, found: Integer"'
    ),
    "seen_record_that_is_no_multiple": _error(
        "Record 0 did not conform to schema:\n#/rate: 1.275888 is not a multiple of 1.0E-5\n"
    ),
    "seen_record_that_is_no_date_time": _error(
        "Record 0 did not conform to schema:\n#/x: [2018-08-30T19:48:57.974000] is not a valid "
        "date-time. Expected [yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,9}Z]\n"
    ),
    "seen_schema_that_is_boolean": _error(
        "Invalid JSON schema: key null: expected type is one of JSONObject, found: Boolean"
    ),
    "seen_schema_that_is_a_string": _error(
        "Invalid JSON schema: key null: expected type is one of JSONObject, found: String"
    ),
    "seen_schema_that_is_an_array": _error(
        "Request failed validation:#/schema: expected type: JSONObject, found: JSONArray"
    ),
    "seen_message_without_arguments": _error(
        "Request failed validation:#/messages/0: #: 0 subschemas matched instead of one "
        "#/messages/0: 2 schema violations found #/messages/0: required key [sequence] not found "
        "#/messages/0: extraneous key [data] is not permitted "
        "#/messages/0: required key [action] not found"
    ),
    "seen_push_key_too_long": _unprocessable(
        '{"data": ["String keys cannot be longer than 1024 characters"]}'
    ),
    "seen_push_of_several_clients": _unprocessable(
        '"The batch contains data points for multiple clients. Only client_id 4231 is allowed"'
    ),
    "seen_push_without_keys": _unprocessable(
        '{"key_names": ["can\'t be blank"], "key_properties": ["unknown key"]}'
    ),
    # section 6, access
    "not_authorized": ServiceResponse(401, '{"message": "Not Authorized"}'),
    "invalid_region": ServiceResponse(401, '{"message": "Invalid region."}'),
    "connection_not_active": ServiceResponse(
        401, '{"error": "Forbidden", "errors": {"error": "Connection is not active."}}'
    ),
    "push_no_client_id": ServiceResponse(
        401, '{"status": "ERROR", "error": "Not Authenticated.", "errors": null}'
    ),
    "push_wrong_client_id": ServiceResponse(
        403,
        '{"status": "ERROR", "error": "Forbidden", '
        '"errors": {"error": "Access token is not associated with this client."}}',
    ),
    # section 6, other refusals
    "wrong_url": ServiceResponse(404, ""),
    "wrong_method": ServiceResponse(405, ""),
    "too_large": ServiceResponse(
        413,
        '{"status": "ERROR", '
        '"message": "Request rejected: request size (20000001s bytes) exceeds the maximum"}',
    ),
    "too_large_for_a_proxy": ServiceResponse(
        413,
        "<html><head><title>413 Request Entity Too Large</title></head>\n"
        "<body><center><h1>413 Request Entity Too Large</h1></center></body></html>",
        HTML,
    ),
    "wrong_content_type": ServiceResponse(415, "Content-Type must be application/json", TEXT),
    "push_wrong_content_type": ServiceResponse(
        415, '{"status": "ERROR", "message": "Unsupported Content-Type"}'
    ),
    "push_blank_field": _unprocessable('{"table_name": ["can\'t be blank"]}'),
    "push_not_an_integer": _unprocessable('{"sequence": ["should be an integer"]}'),
    "push_data_no_object": _unprocessable('{"data": ["data must be an object"]}'),
    "push_data_without_keys": _unprocessable('{"data": ["data must include keys"]}'),
    "push_null_key": _unprocessable('{"data": ["keys cannot not be null in data"]}'),
    "push_reason_is_text": _unprocessable('"data must include keys"'),
    # section 6, trouble that may pass
    "too_many_requests": ServiceResponse(429, "", headers={"Retry-After": "120"}),
    "too_many_requests_until": ServiceResponse(
        429, "", headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}
    ),
    "too_many_requests_plain": ServiceResponse(429, '"Slow down"'),
    "unavailable": ServiceResponse(503, '{"status": "ERROR", "message": "Service Unavailable"}'),
    "gateway_timeout": ServiceResponse(
        504, "<html><body><h1>504 Gateway Time-out</h1></body></html>", HTML
    ),
    # what any middlebox may answer
    "request_timeout": ServiceResponse(408, ""),
    "internal_error": ServiceResponse(500, '"Internal Server Error"'),
    "bad_gateway": ServiceResponse(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", HTML),
    "moved": ServiceResponse(301, "", headers={"Location": "https://example.com/v2/import/batch"}),
    "redirected": ServiceResponse(
        307, "", headers={"Location": "https://example.com/v2/import/batch"}
    ),
    "not_modified": ServiceResponse(304, ""),
    "error_that_is_a_string": ServiceResponse(400, '"Nope"'),
}

PUSH_ANSWERS: Final[dict[str, ServiceResponse]] = {
    # section 2: the successes that are not those of a batch
    "push_accepted": ServiceResponse(
        201, '{"status": "OK", "message": "Batch Accepted!"}', endpoint="push"
    ),
    "push_accepted_without_body": ServiceResponse(201, "", headers=EMPTY, endpoint="push"),
    # and what looks like them
    "success_of_push_without_length": ServiceResponse(201, "", endpoint="push"),
    "success_of_push_with_a_blank": ServiceResponse(201, " ", endpoint="push"),
    "success_of_push_without_body_200": ServiceResponse(200, "", headers=EMPTY, endpoint="push"),
    "success_of_push_without_body_202": ServiceResponse(202, "", headers=EMPTY, endpoint="push"),
    "success_of_push_that_is_an_empty_object": ServiceResponse(201, "{}", endpoint="push"),
    "success_of_push_with_rejected_status": ServiceResponse(
        201, '{"status": "REJECTED"}', endpoint="push"
    ),
    "validate_valid": ServiceResponse(
        200, '{"status": "OK", "message": "Batch is valid!"}', endpoint="validate"
    ),
}
ALL_ANSWERS: Final = {**ANSWERS, **PUSH_ANSWERS}


def cassette(answer: ServiceResponse) -> str:
    """Return the YAML of a cassette in which the service gives this answer once."""
    headers = {"Content-Type": answer.content_type, **answer.headers}
    interaction = {
        "request": {
            "method": "POST",
            "uri": URL + answer.endpoint,
            "headers": {"Content-Type": ["application/json"]},
            "body": BODY if answer.endpoint == "batch" else PUSH_BODY,
        },
        "response": {
            "status": {"code": answer.status, "message": ""},
            "headers": {name: [value] for name, value in headers.items()},
            "body": {"string": answer.body},
        },
    }
    return yaml.safe_dump({"interactions": [interaction], "version": 1}, width=100)


def main() -> None:
    """Write every cassette anew."""
    for path in FOLDER.glob("*.yaml"):
        path.unlink()
    for name, answer in ALL_ANSWERS.items():
        (FOLDER / f"{name}.yaml").write_text(cassette(answer))


if __name__ == "__main__":
    main()

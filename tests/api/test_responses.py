"""Each documented answer of the service becomes an error that says what to do."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import vcr  # type: ignore[import-untyped]
import yaml
from vcr.errors import (  # type: ignore[import-untyped]
    CannotOverwriteExistingCassetteException,
)

from target_stitch_import.api.client import PUSH, ImportClient
from target_stitch_import.api.responses import parse_response, require_accepted
from target_stitch_import.errors import (
    AccessError,
    DeliveryError,
    RejectedError,
    RejectedRecordError,
    TooLargeError,
    TransientError,
)
from tests.recordings.answers import ALL_ANSWERS, ANSWERS, BODY, FOLDER, PUSH_BODY, cassette
from tests.support.raw_server import connected, request, response, sends, serving

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

TOKEN = "s3cret-token"
ACCEPTED = ("accepted_200", "accepted_201", "accepted_202", "accepted_with_other_fields")

NO_STATUS = "without a status of OK or Accepted, so no proof"
EXPECTED: dict[str, tuple[type[DeliveryError], str]] = {
    "success_with_error_status": (TransientError, f"200 {NO_STATUS}: not really"),
    "success_with_error_in_small_letters": (TransientError, f"200 {NO_STATUS}: error"),
    "success_with_rejected_status": (TransientError, f"201 {NO_STATUS}: REJECTED"),
    "success_with_status_that_is_a_list": (TransientError, f"201 {NO_STATUS}: ['OK']"),
    "success_with_status_null": (TransientError, f"202 {NO_STATUS}: (an empty answer)"),
    "success_without_status": (TransientError, f"201 {NO_STATUS}: Batch Accepted!"),
    "success_that_is_an_empty_object": (TransientError, f"201 {NO_STATUS}: (an empty answer)"),
    "success_203": (TransientError, "203 instead of 200, 201 or 202, so no proof: Batch Accepted!"),
    "success_204": (TransientError, "204 without a JSON object, so no proof: (an empty answer)"),
    "success_205": (TransientError, "205 instead of 200, 201 or 202"),
    "success_206": (TransientError, "206 instead of 200, 201 or 202"),
    "success_299": (TransientError, "299 instead of 200, 201 or 202"),
    "success_without_body": (TransientError, "201 without a JSON object, so no proof: (an empty"),
    "success_that_is_a_login_page": (TransientError, "so no proof: Please log in"),
    "success_that_is_an_array": (TransientError, "200 without a JSON object, so no proof: []"),
    "success_that_is_a_string": (TransientError, "200 without a JSON object"),
    "missing_argument": (RejectedError, "required key [table_name] not found"),
    "unknown_argument": (RejectedError, "extraneous key [x] is not permitted"),
    "wrong_type": (RejectedError, "#/key_names: expected type: JSONArray, found: String"),
    "record_breaks_schema": (RejectedRecordError, "400 Record 0 did not conform to schema: #/id"),
    "record_without_key": (RejectedRecordError, "400 Record is missing key property id"),
    "invalid_schema": (RejectedError, "Invalid JSON schema: unknown type: [text]"),
    "sequence_too_large": (RejectedError, "sequence can not be above 9223372036854775807"),
    "malformed_json": (RejectedError, "Malformed json in the body!; Unexpected end-of-input"),
    "push_no_array": (RejectedError, "An array of records is expected"),
    "seen_record_in_several_lines": (
        RejectedRecordError,
        "400 Record 0 did not conform to schema: #/name: expected type: String, found: Integer",
    ),
    "seen_record_of_a_nullable_type": (
        RejectedRecordError,
        (
            "to schema: #/a/b: no subschema matched out of the total 2 subschemas; "
            "#/a/b: expected: null, found: JSONObject"
        ),
    ),
    "seen_record_without_number": (
        RejectedRecordError,
        "400 Record did not conform to schema: #/name: expected type: String, found: Integer",
    ),
    "seen_record_that_is_a_string": (
        RejectedRecordError,
        "400 Record did not conform to schema: #/name: expected type: String, found: Integer",
    ),
    "seen_record_that_is_no_multiple": (
        RejectedRecordError,
        "to schema: #/rate: 1.275888 is not a multiple of 1.0E-5",
    ),
    "seen_record_that_is_no_date_time": (
        RejectedRecordError,
        "to schema: #/x: [2018-08-30T19:48:57.974000] is not a valid date-time. Expected [yyyy",
    ),
    "seen_schema_that_is_boolean": (RejectedError, "Invalid JSON schema: key null: expected type"),
    "seen_schema_that_is_a_string": (RejectedError, "is one of JSONObject, found: String"),
    "seen_schema_that_is_an_array": (RejectedError, "#/schema: expected type: JSONObject, found"),
    "seen_message_without_arguments": (
        RejectedRecordError,
        (
            "#/messages/0: #: 0 subschemas matched instead of one; #/messages/0: 2 schema violations "
            "found; #/messages/0: required key [sequence] not found; "
        ),
    ),
    "seen_push_key_too_long": (
        RejectedRecordError,
        (
            "422 Request cannot be processed; see errors. "
            "data: String keys cannot be longer than 1024 characters"
        ),
    ),
    "seen_push_of_several_clients": (RejectedError, "Only client_id 4231 is allowed"),
    "seen_push_without_keys": (
        RejectedRecordError,
        "see errors. key_names: can't be blank; key_properties: unknown key",
    ),
    "not_authorized": (AccessError, "401 Not Authorized. Check the setting token"),
    "invalid_region": (AccessError, "401 Invalid region. Check the setting region"),
    "connection_not_active": (AccessError, "The integration is paused or deleted in Stitch."),
    "push_no_client_id": (AccessError, "401 Not Authenticated."),
    "push_wrong_client_id": (AccessError, "The client ID does not belong to this token"),
    "push_not_an_integer": (RejectedRecordError, "should be an integer"),
    "push_data_no_object": (RejectedRecordError, "data must be an object"),
    "push_data_without_keys": (RejectedRecordError, "data must include keys"),
    "push_null_key": (RejectedRecordError, "keys cannot not be null in data"),
    "wrong_url": (RejectedError, "404 (an empty answer)"),
    "wrong_method": (RejectedError, "405 (an empty answer)"),
    "too_large": (TooLargeError, "413 Request rejected: request size (20000001s bytes)"),
    "too_large_for_a_proxy": (TooLargeError, "413 413 Request Entity Too Large"),
    "wrong_content_type": (RejectedError, "415 Content-Type must be application/json"),
    "push_wrong_content_type": (RejectedError, "415 Unsupported Content-Type"),
    "push_blank_field": (RejectedRecordError, "can't be blank"),
    "push_reason_is_text": (RejectedRecordError, "data must include keys"),
    "too_many_requests": (TransientError, "429 (an empty answer)"),
    "too_many_requests_until": (TransientError, "429 (an empty answer)"),
    "too_many_requests_plain": (TransientError, "Slow down"),
    "unavailable": (TransientError, "503 Service Unavailable"),
    "gateway_timeout": (TransientError, "504 504 Gateway Time-out"),
    "request_timeout": (TransientError, "408 (an empty answer)"),
    "internal_error": (TransientError, "500"),
    "bad_gateway": (TransientError, "502 502 Bad Gateway"),
    "moved": (RejectedError, "301: a redirect to https://example.com/v2/import/batch is not"),
    "redirected": (RejectedError, "is not followed. Check the setting api_url."),
    "not_modified": (RejectedError, "304"),
    "error_that_is_a_string": (RejectedError, "Nope"),
}


EXPECTED_FOR_PUSH = {
    "success_of_push_without_length": "201 without a JSON object",
    "success_of_push_with_a_blank": "201 without a JSON object",
    "success_of_push_without_body_200": "200 without a JSON object",
    "success_of_push_without_body_202": "202 without a JSON object",
    "success_of_push_that_is_an_empty_object": f"201 {NO_STATUS}",
    "success_of_push_with_rejected_status": f"201 {NO_STATUS}: REJECTED",
}


@pytest.fixture
def client() -> Iterator[ImportClient]:
    """Return a client of the service."""
    client = ImportClient("https://api.stitchdata.com", TOKEN, timeout=5, agent="test/1")
    yield client
    client.close()


@contextlib.contextmanager
def push_client() -> Iterator[ImportClient]:
    """Return one that posts to push."""
    url = "https://api.stitchdata.com"
    with contextlib.closing(
        ImportClient(url, TOKEN, timeout=5, agent="test/1", endpoint=PUSH)
    ) as client:
        yield client


def play(name: str) -> Any:
    """Play one cassette, with the network off."""
    return vcr.VCR(
        record_mode=vcr.mode.NONE,
        match_on=("method", "uri", "body"),
        filter_headers=["authorization"],
        cassette_library_dir=str(FOLDER),
    ).use_cassette(f"{name}.yaml")


def test_every_documented_answer_is_expected_here() -> None:
    assert {*EXPECTED, *ACCEPTED} == set(ANSWERS)


@pytest.mark.parametrize("name", ALL_ANSWERS)
def test_each_cassette_is_current_and_holds_no_token(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    assert text == cassette(ALL_ANSWERS[name])
    body = yaml.safe_load(text)["interactions"][0]["response"]["body"]["string"]
    assert body == ALL_ANSWERS[name].body
    assert "authorization" not in text.lower()
    assert "bearer" not in text.lower()


def test_there_is_no_cassette_that_the_table_does_not_have() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(ALL_ANSWERS)


@pytest.mark.parametrize("name", ACCEPTED)
def test_each_acknowledgement_is_one(name: str, client: ImportClient) -> None:
    with play(name) as tape:
        client.post(BODY.encode())
    assert tape.play_count == 1


@pytest.mark.parametrize("name", ["push_accepted", "push_accepted_without_body"])
def test_so_is_each_of_push(name: str) -> None:
    with play(name) as tape, push_client() as client:
        client.post(PUSH_BODY.encode())
    assert tape.play_count == 1


@pytest.mark.parametrize("name", EXPECTED_FOR_PUSH)
def test_no_other_answer_is_one_of_push(name: str) -> None:
    with (
        play(name),
        push_client() as client,
        pytest.raises(TransientError, match=EXPECTED_FOR_PUSH[name]),
    ):
        client.post(PUSH_BODY.encode())


@pytest.mark.parametrize("name", ["accepted_202", "success_that_is_an_empty_object", "success_203"])
def test_a_service_is_up_only_with_200_and_ok(name: str) -> None:
    answer = ANSWERS[name]
    with (
        serving(sends(response(answer.status, answer.body.encode()))) as port,
        connected(port) as client,
        pytest.raises(DeliveryError, match=f"{answer.status} "),
    ):
        client.check_status()


@pytest.mark.parametrize("name", EXPECTED)
def test_each_other_answer_becomes_its_error(name: str, client: ImportClient) -> None:
    kind, words = EXPECTED[name]
    with play(name) as tape, pytest.raises(DeliveryError) as raised:
        client.post(BODY.encode())
    assert type(raised.value) is kind
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500
    # A redirect is not followed, nor anything tried again.
    assert tape.play_count == 1


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("not_authorized", "token"),
        ("invalid_region", "region"),
        ("connection_not_active", "integration"),
        ("push_no_client_id", "client_id"),
        ("push_wrong_client_id", "client_id"),
    ],
)
def test_a_lack_of_access_says_which_setting_to_check(name: str, setting: str) -> None:
    answer, requests = ANSWERS[name], []

    def handler(connection: socket.socket) -> None:
        requests.append(request(connection))
        connection.sendall(response(answer.status, answer.body.encode()))

    with serving(handler) as port, connected(port) as client, pytest.raises(AccessError) as raised:
        client.validate(b"[]")
    assert raised.value.setting == setting
    assert [each.split(b"\r\n")[0] for each in requests] == [b"POST /v2/import/validate HTTP/1.1"]


@pytest.mark.parametrize(
    ("name", "index", "column"),
    [
        ("record_breaks_schema", 0, "id"),
        ("record_without_key", None, "id"),
        ("seen_record_in_several_lines", 0, "name"),
        ("seen_record_of_a_nullable_type", 0, "a"),
        ("seen_record_without_number", None, "name"),
        ("seen_record_that_is_a_string", None, "name"),
        ("seen_record_that_is_no_multiple", 0, "rate"),
        ("seen_record_that_is_no_date_time", 0, "x"),
        ("seen_message_without_arguments", 0, None),
        ("push_data_without_keys", None, None),
        ("seen_push_key_too_long", None, None),
    ],
)
def test_a_refused_record_is_known_by_its_place_and_its_column_where_they_are_given(
    name: str, index: int | None, column: str | None, client: ImportClient
) -> None:
    with play(name), pytest.raises(RejectedRecordError) as raised:
        client.post(BODY.encode())
    assert (raised.value.index, raised.value.column) == (index, column)


@pytest.mark.parametrize(
    ("pointer", "column"),
    [("a~1b~0c", "a/b~c"), ("a:b", "a:b"), ("two words/0/x", "two words")],
)
def test_a_column_has_the_name_that_the_tap_gave_it(pointer: str, column: str) -> None:
    body = json.dumps({"error": f"Record 12 did not conform to schema:\n#/{pointer}: no"}).encode()
    with pytest.raises(RejectedRecordError) as raised:
        require_accepted(parse_response(400, {}, body, str, is_complete=True))
    assert (raised.value.index, raised.value.column) == (12, column)


def test_a_long_refusal_is_cut_at_the_end_of_a_word() -> None:
    # given a refusal of many lines
    lines = [f"#/column_{place}: expected type: String, found: Integer" for place in range(99)]
    body = json.dumps(
        {"error": "\n".join(["Record 3 did not conform to schema:", *lines])}
    ).encode()
    # when it becomes an error
    with pytest.raises(RejectedRecordError) as raised:
        require_accepted(parse_response(400, {}, body, str, is_complete=True))
    # then the first of them are quoted, and it is shown that there are more
    text = str(raised.value)
    assert text.startswith("400 Record 3 did not conform to schema: #/column_0: expected type: Str")
    assert text.endswith(" ...")
    assert text.removesuffix(" ...").split()[-1] in " ".join(lines).split()
    assert 200 < len(text) < 320


def test_errors_that_are_nested_without_end_are_read_to_some_depth() -> None:
    body = b'{"errors": ' + b'[{"x": ' * 400 + b"1" + b"}]" * 400 + b"}"
    with pytest.raises(RejectedError, match=r"400 x: x: \.\.\."):
        require_accepted(parse_response(400, {}, body, str, is_complete=True))


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("too_many_requests", 120.0), ("unavailable", None), ("bad_gateway", None)],
)
def test_a_retry_after_in_seconds_is_kept(
    name: str, seconds: float | None, client: ImportClient
) -> None:
    with play(name), pytest.raises(TransientError) as raised:
        client.post(BODY.encode())
    assert raised.value.retry_after == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (" 5 ", 5.0),
        ("0", 0.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),  # has passed
        ("Fri, 01 Jan 2027 00:00:00 +99999999999999999999", 0.0),
        *[
            (text, None)
            for text in (
                "-5", "1.5", "soon", "", "\u00b2",
                "Thu, 01 Jan 99999999999 00:00:00 GMT",
            )
        ],
    ],
)  # fmt: skip
def test_a_retry_after_that_means_nothing_is_none(text: str, seconds: float | None) -> None:
    with pytest.raises(TransientError) as raised:
        require_accepted(
            parse_response(429, {"Retry-After": text}, b"", str, is_complete=True),
        )
    assert raised.value.retry_after == seconds


def test_a_retry_after_that_is_a_date_is_kept(
    client: ImportClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target_stitch_import.api.client.time.time", lambda: 4_102_444_800.0 - 90)
    with play("too_many_requests_until"), pytest.raises(TransientError) as raised:
        client.post(BODY.encode())
    assert raised.value.retry_after == 90


def test_a_request_that_is_not_recorded_goes_nowhere(client: ImportClient) -> None:
    with play("accepted_201"), pytest.raises(CannotOverwriteExistingCassetteException):
        client.post(b'{"another": "body"}')


def test_a_page_of_brackets_is_read_over_once() -> None:
    # Given what would be searched for its end once for each bracket. In a process of its own, so
    # that a test that hangs can be ended.
    code = (
        "from target_stitch_import.api.responses import parse_response\n"
        "parse_response(502, {}, b'<style <' * 200_000, str, is_complete=True)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

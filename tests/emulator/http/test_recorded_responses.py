"""The emulator answers each request as is recorded of the service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import running_emulator
from tests.emulator.client import Api
from tests.recordings.answers import ALL_ANSWERS, ANSWERS, PUSH_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import requests

RECORD = json.loads(PUSH_BODY)[0]
REFUSED: dict[str, tuple[Any, dict[str, str]]] = {
    # a body, and what of the request is not as it should be
    "malformed_json": ("[", {}),
    "push_no_array": ({}, {}),
    "push_no_client_id": ([{**RECORD, "client_id": None}], {}),
    "push_wrong_client_id": ([{**RECORD, "client_id": 4232}], {}),
    "push_wrong_content_type": (PUSH_BODY, {"content_type": "text/plain"}),
    "push_blank_field": ([{**RECORD, "table_name": ""}], {}),
    "push_not_an_integer": ([{**RECORD, "sequence": "1"}], {}),
    "push_data_no_object": ([{**RECORD, "data": [1]}], {}),
    "push_data_without_keys": ([{**RECORD, "data": {"name": "Finn"}}], {}),
    "push_null_key": ([{**RECORD, "data": {"id": None}}], {}),
    "push_reason_is_text": ([RECORD, {**RECORD, "client_id": 4232}], {}),
    "not_authorized": (PUSH_BODY, {"token": "wrong"}),
    "invalid_region": (PUSH_BODY, {"token": "eu:secret"}),
    "too_large": (b" " * 20_000_001, {}),
}
OWN_WORDS = {
    "malformed_json": "error",
    "push_wrong_content_type": "message",
    "push_reason_is_text": "reason",
}
"""Fields in which the documentation leaves the words to the service."""


@pytest.fixture
def account(tmp_path: Path, session: requests.Session) -> Iterator[Api]:
    """An emulator that knows its one account."""
    with running_emulator(tmp_path / "stitch.db", token="us:secret", client_id=4231) as emulator:
        yield Api(emulator.url, emulator.database, session)


def agrees(recorded: Any, answered: Any, own: str | None) -> bool:
    """Tell whether an answer has what is recorded; a list of reasons may have more."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        return recorded.keys() == answered.keys() and all(
            agrees(value, answered[name], own)
            or (name == own and type(value) is type(answered[name]) is str)
            for name, value in recorded.items()
        )
    if isinstance(recorded, list) and isinstance(answered, list):
        return all(any(agrees(each, other, own) for other in answered) for each in recorded)
    return bool(recorded == answered)


def assert_recorded(name: str, response: requests.Response) -> None:
    """Compare an answer with what is recorded, but for spaces in its JSON."""
    recorded = ALL_ANSWERS[name]
    assert response.status_code == recorded.status
    assert response.headers["Content-Type"].split(";")[0] == recorded.content_type.split(";")[0]
    content = response.json()
    assert agrees(json.loads(recorded.body), content, OWN_WORDS.get(name)), content


@pytest.mark.parametrize("endpoint", ["push", "validate"])
@pytest.mark.parametrize("name", REFUSED)
def test_each_refusal_is_as_recorded(account: Api, endpoint: str, name: str) -> None:
    # when a request is refused for what a recording is refused for
    body, other = REFUSED[name]
    response = account.post(endpoint, body, **{"token": "us:secret", **other})

    # then the answer is the recorded one
    assert_recorded(name, response)


@pytest.mark.parametrize("endpoint", ["push", "validate"])
def test_a_paused_integration_is_as_recorded(
    tmp_path: Path, session: requests.Session, endpoint: str
) -> None:
    # when the integration is paused
    with running_emulator(tmp_path / "stitch.db", active=False) as emulator:
        response = Api(emulator.url, emulator.database, session).post(endpoint, PUSH_BODY)

    # then the answer is the recorded one
    assert_recorded("connection_not_active", response)


@pytest.mark.parametrize(
    ("endpoint", "name"), [("push", "push_accepted"), ("validate", "validate_valid")]
)
@pytest.mark.parametrize("content_type", ["application/json", "application/transit+json"])
def test_each_success_is_as_recorded(
    account: Api, endpoint: str, name: str, content_type: str
) -> None:
    # when the recorded request is posted, which is good Transit too
    response = account.post(endpoint, PUSH_BODY, token="us:secret", content_type=content_type)

    # then the answer is the recorded one
    assert_recorded(name, response)


def test_every_recording_of_push_is_compared() -> None:
    # given the one that the emulator never gives, for push may answer with an object as well
    without_body = {"push_accepted_without_body"}

    # then all others of push and validate are asked for above
    recorded = {name for name in ALL_ANSWERS if name.startswith(("push_", "validate_"))}
    assert recorded - without_body == {
        *(name for name in REFUSED if name.startswith("push_")),
        "push_accepted",
        "validate_valid",
    }


BATCH: dict[str, Any] = {
    "table_name": "customers",
    "schema": {"properties": {"id": {"type": "number"}}},
    "key_names": ["id"],
    "messages": [{"action": "upsert", "sequence": 1, "data": {"id": 1}}],
}


def message(**changed: Any) -> dict[str, Any]:
    """Return a batch whose message is another one."""
    return {**BATCH, "messages": [{**BATCH["messages"][0], **changed}]}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a body without an argument."""
    return {key: value for key, value in body.items() if key != name}


BATCHES: dict[str, Any] = {
    "accepted_201": BATCH,
    "missing_argument": without(BATCH, "table_name"),
    "unknown_argument": {**BATCH, "x": 1},
    "wrong_type": {**BATCH, "key_names": "id"},
    "record_without_key": message(data={}),
    "invalid_schema": {**BATCH, "schema": {"properties": {"id": {"type": "text"}}}},
    "sequence_too_large": message(sequence=2**63),
    "too_large": b" " * 20_000_001,
}


@pytest.mark.parametrize("name", BATCHES)
def test_each_answer_to_a_batch_is_as_recorded(fresh_api: Api, name: str) -> None:
    # when a batch is posted that there is a recording for
    response = fresh_api.post("batch", BATCHES[name])

    # then status and body are the recorded ones
    recorded = ANSWERS[name]
    assert (response.status_code, response.json()) == (recorded.status, json.loads(recorded.body))


def test_a_record_that_breaks_its_schema_is_refused_in_the_words_that_were_seen(
    fresh_api: Api,
) -> None:
    # given that the reference has this answer in one line, and the service in two
    seen = "Record 0 did not conform to schema:\n#/id: expected type: Number, found: String\n"

    # when a record breaks the schema
    response = fresh_api.post("batch", message(data={"id": "1"}))

    # then the answer is that of the service
    assert (response.status_code, response.json()) == (400, {"error": seen})


@pytest.mark.parametrize(
    ("name", "options", "token"),
    [
        ("not_authorized", {"token": "right"}, "wrong"),
        ("not_authorized", {}, None),
        ("invalid_region", {}, "eu:token"),
        ("connection_not_active", {"active": False}, "any"),
    ],
)
def test_each_refused_access_is_as_recorded(
    tmp_path: Path, session: requests.Session, name: str, options: Any, token: str | None
) -> None:
    # when a batch comes without access
    with running_emulator(tmp_path / "stitch.db", **options) as emulator:
        api = Api(emulator.url, emulator.database, session)
        response = api.post("batch", BATCH, token=token)

    # then the answer is the recorded one
    recorded = ANSWERS[name]
    assert (response.status_code, response.json()) == (recorded.status, json.loads(recorded.body))


def test_a_wrong_content_type_of_a_batch_is_as_recorded(fresh_api: Api) -> None:
    # when a batch comes as something else
    response = fresh_api.post("batch", BATCH, content_type="text/csv")

    # then the answer is plain text, as recorded
    assert (response.status_code, response.text) == (415, ANSWERS["wrong_content_type"].body)

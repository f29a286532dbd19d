"""The emulator answers word for word what is recorded for the service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_stitch_import.emulator import running_emulator
from tests.emulator.service import Api
from tests.recordings.answers import ANSWERS

if TYPE_CHECKING:
    from pathlib import Path

BATCH: dict[str, Any] = {
    "table_name": "customers",
    "schema": {"properties": {"id": {"type": "number"}}},
    "key_names": ["id"],
    "messages": [{"action": "upsert", "sequence": 1, "data": {"id": 1}}],
}
RECORD: dict[str, Any] = {
    "client_id": 4231,
    "table_name": "customers",
    "sequence": 1,
    "action": "upsert",
    "key_names": ["id"],
    "data": {"id": 1},
}


def message(**changed: Any) -> dict[str, Any]:
    """Return a batch whose message is another one."""
    return {**BATCH, "messages": [{**BATCH["messages"][0], **changed}]}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a body without an argument."""
    return {key: value for key, value in body.items() if key != name}


REQUESTS: dict[str, tuple[str, Any]] = {
    "accepted_201": ("batch", BATCH),
    "body_is_valid": ("validate", [RECORD]),
    "missing_argument": ("batch", without(BATCH, "table_name")),
    "unknown_argument": ("batch", {**BATCH, "x": 1}),
    "wrong_type": ("batch", {**BATCH, "key_names": "id"}),
    "record_breaks_schema": ("batch", message(data={"id": "1"})),
    "record_without_key": ("batch", message(data={})),
    "invalid_schema": ("batch", {**BATCH, "schema": {"properties": {"id": {"type": "text"}}}}),
    "sequence_too_large": ("batch", message(sequence=2**63)),
    "push_no_array": ("push", RECORD),
    "push_no_client_id": ("push", [without(RECORD, "client_id")]),
    "push_wrong_client_id": ("validate", [{**RECORD, "client_id": 1}]),
    "push_blank_field": ("push", [{**RECORD, "table_name": ""}]),
    "push_data_is_no_object": ("push", [{**RECORD, "data": [1]}]),
    "push_data_without_key": ("validate", [{**RECORD, "data": {}}]),
    "push_key_is_null": ("push", [{**RECORD, "data": {"id": None}}]),
    "too_large": ("batch", b" " * 20_000_001),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_answer_is_the_recorded_one(name: str, tmp_path: Path) -> None:
    # Given a request that the contract has an answer for
    endpoint, body = REQUESTS[name]
    with running_emulator(tmp_path / "stitch.db", client_id=4231) as emulator:
        api = Api(emulator.url, emulator.database, requests.Session())
        # When it is posted
        response = api.post(endpoint, body)
    # Then status and body are those of the recording
    recorded = ANSWERS[name]
    assert (response.status_code, response.json()) == (recorded.status, json.loads(recorded.body))


@pytest.mark.parametrize(
    ("name", "options", "token"),
    [
        ("not_authorized", {"token": "right"}, "wrong"),
        ("not_authorized", {}, None),
        ("invalid_region", {}, "eu:token"),
        ("connection_not_active", {"active": False}, "any"),
    ],
)
def test_so_it_is_where_access_is_refused(
    name: str, options: dict[str, Any], token: str | None, tmp_path: Path
) -> None:
    with running_emulator(tmp_path / "stitch.db", **options) as emulator:
        api = Api(emulator.url, emulator.database, requests.Session())
        response = api.post("batch", BATCH, token=token)
    recorded = ANSWERS[name]
    assert (response.status_code, response.json()) == (recorded.status, json.loads(recorded.body))


def test_a_content_type_that_batch_does_not_take_is_answered_in_plain_text(tmp_path: Path) -> None:
    with running_emulator(tmp_path / "stitch.db") as emulator:
        api = Api(emulator.url, emulator.database, requests.Session())
        response = api.post("batch", BATCH, content_type="text/csv")
    assert (response.status_code, response.text) == (415, ANSWERS["wrong_content_type"].body)

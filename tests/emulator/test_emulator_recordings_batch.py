"""The emulator answers a batch word for word as is recorded for the service."""

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


def message(**changed: Any) -> dict[str, Any]:
    """Return a batch whose message is another one."""
    return {**BATCH, "messages": [{**BATCH["messages"][0], **changed}]}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a body without an argument."""
    return {key: value for key, value in body.items() if key != name}


REQUESTS: dict[str, Any] = {
    "accepted_201": BATCH,
    "missing_argument": without(BATCH, "table_name"),
    "unknown_argument": {**BATCH, "x": 1},
    "wrong_type": {**BATCH, "key_names": "id"},
    "record_breaks_schema": message(data={"id": "1"}),
    "record_without_key": message(data={}),
    "invalid_schema": {**BATCH, "schema": {"properties": {"id": {"type": "text"}}}},
    "sequence_too_large": message(sequence=2**63),
    "too_large": b" " * 20_000_001,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_answer_is_the_recorded_one(name: str, tmp_path: Path) -> None:
    # Given a request that the contract has an answer for
    with running_emulator(tmp_path / "stitch.db") as emulator:
        api = Api(emulator.url, emulator.database, requests.Session())
        # When it is posted
        response = api.post("batch", REQUESTS[name])
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

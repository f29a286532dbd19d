"""Push and validate: every rule, with the answer word for word."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, running_emulator
from tests.emulator.client import ACCEPTED, Api, read_response

if TYPE_CHECKING:
    from pathlib import Path

    import requests

RECORD = {
    "client_id": 4231,
    "table_name": "refused",
    "sequence": 100,
    "action": "upsert",
    "key_names": ["id"],
    "data": {"id": 10, "status": "pending"},
}
BLANK = "can't be blank"
NUMBER = ["should be an integer", "should be a number"]


def unprocessable(reason: Any) -> dict[str, Any]:
    return {
        "status": "ERROR",
        "error": "Request cannot be processed; see errors.",
        "errors": [{"reason": reason}],
    }


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in RECORD.items() if key != name}


UNPROCESSABLE: list[tuple[dict[str, Any], Any]] = [
    *((without(name), {name: [BLANK]}) for name in RECORD if name != "client_id"),
    *(
        ({**RECORD, name: None}, {name: [BLANK]})
        for name in RECORD
        if name not in ("client_id", "key_names")
    ),
    ({**RECORD, "table_name": ""}, {"table_name": [BLANK]}),
    ({**RECORD, "key_names": []}, {"key_names": [BLANK]}),
    ({**RECORD, "schema": {}}, {"schema": ["unknown key"]}),
    ({**RECORD, "client_id": "4231"}, {"client_id": NUMBER}),
    ({**RECORD, "table_name": 5}, {"table_name": ["should be a string"]}),
    ({**RECORD, "sequence": "1"}, {"sequence": NUMBER}),
    ({**RECORD, "sequence": 1.0}, {"sequence": NUMBER}),
    ({**RECORD, "sequence": 2**63}, {"sequence": [f"can not be above {2**63 - 1}"]}),
    ({**RECORD, "sequence": -(2**63)}, {"sequence": [f"can not be below {1 - 2**63}"]}),
    ({**RECORD, "action": "delete"}, {"action": ["should be upsert"]}),
    ({**RECORD, "key_names": "id"}, {"key_names": ["should be an array of strings"]}),
    ({**RECORD, "key_names": ["id", 5]}, {"key_names": ["should be an array of strings"]}),
    ({**RECORD, "key_names": ["id"] * 51}, {"key_names": ["cannot be more than 50"]}),
    ({**RECORD, "data": []}, {"data": ["data must be an object"]}),
    ({**RECORD, "data": "x"}, {"data": ["data must be an object"]}),
    ({**RECORD, "data": {"status": 1}}, {"data": ["data must include keys"]}),
    ({**RECORD, "data": {"id": None}}, {"data": ["keys cannot not be null in data"]}),
    (
        {**RECORD, "data": {"id": "x" * 1_025}},
        {"data": ["String keys cannot be longer than 1024 characters"]},
    ),
    (
        {**RECORD, "data": {"id": 1, "_sdc_batched_at": 1}},
        {"data": ["_sdc_batched_at is a reserved name"]},
    ),
    (
        {**RECORD, "table_name": "_sdc_rejected"},
        {"table_name": ["_sdc_rejected is a reserved name"]},
    ),
    (
        {**without("key_names"), "key_properties": ["id"]},
        {"key_names": [BLANK], "key_properties": ["unknown key"]},
    ),
    (
        {**RECORD, "data": {"id": 1, "a": [0] * 10_000}},
        {"data": ["data cannot have more than 10000 data points"]},
    ),
]


@pytest.mark.parametrize("endpoint", ["push", "validate"])
@pytest.mark.parametrize(("record", "reason"), UNPROCESSABLE)
def test_a_record_that_breaks_a_rule(
    api: Api, endpoint: str, record: dict[str, Any], reason: Any
) -> None:
    # when the last record breaks a rule
    response = api.post(endpoint, [RECORD, record])

    # then the answer names the argument, and nothing is stored
    assert read_response(response) == (422, unprocessable(reason))
    assert "refused" not in list_tables(api.database)


@pytest.mark.parametrize("endpoint", ["push", "validate"])
@pytest.mark.parametrize("body", [{}, RECORD, "text", None, 1, [[]], [RECORD, 5]])
def test_a_body_that_is_no_array_of_records(api: Api, endpoint: str, body: Any) -> None:
    # when a body is anything else than an array of objects
    response = api.post(endpoint, '"text"' if body == "text" else body)

    # then it is refused
    content = {"status": "ERROR", "message": "An array of records is expected"}
    assert read_response(response) == (400, content)


@pytest.mark.parametrize("endpoint", ["push", "validate"])
def test_1_to_20_000_records(api: Api, endpoint: str) -> None:
    # when a body has none, or one too many
    none, too_many = api.post(endpoint, []), api.post(endpoint, [RECORD] * 20_001)

    # then it is refused
    assert read_response(none) == (422, unprocessable({"records": [BLANK]}))
    message = "A request may contain at most 20000 records"
    assert read_response(too_many) == (400, {"status": "ERROR", "message": message})


@pytest.mark.parametrize("endpoint", ["push", "validate"])
@pytest.mark.parametrize("record", [without("client_id"), {**RECORD, "client_id": None}])
def test_no_client_id(api: Api, endpoint: str, record: dict[str, Any]) -> None:
    # when a record has no client ID
    response = api.post(endpoint, [RECORD, record])

    # then nobody is authenticated
    content = {"status": "ERROR", "error": "Not Authenticated.", "errors": None}
    assert read_response(response) == (401, content)


@pytest.mark.parametrize("endpoint", ["push", "validate"])
def test_another_client_id(tmp_path: Path, session: requests.Session, endpoint: str) -> None:
    # given an emulator that knows its client
    with running_emulator(tmp_path / "stitch.db", client_id=4231) as emulator:
        api = Api(emulator.url, emulator.database, session)

        # when records are of another, or of another too
        other = api.post(endpoint, [{**RECORD, "client_id": 4232}])
        mixed = api.post(endpoint, [RECORD, {**RECORD, "client_id": 4232}])

    # then they are refused
    content = {
        "status": "ERROR",
        "error": "Forbidden",
        "errors": {"error": "Access token is not associated with this client."},
    }
    reason = "The batch contains data points for multiple clients. Only client_id 4231 is allowed"
    assert read_response(other) == (403, content)
    assert read_response(mixed) == (422, unprocessable(reason))


def test_validate_persists_nothing(api: Api) -> None:
    # when a body is validated
    response = api.post("validate", [RECORD])

    # then it is found valid, and not stored
    assert read_response(response) == (200, {"status": "OK", "message": "Batch is valid!"})
    assert "refused" not in list_tables(api.database)


def test_validate_takes_no_batch_body(api: Api) -> None:
    # when a batch body is validated
    body = {"table_name": "refused", "schema": {"properties": {}}, "messages": []}

    # then it is refused
    content = {"status": "ERROR", "message": "An array of records is expected"}
    assert read_response(api.post("validate", body)) == (400, content)


@pytest.mark.parametrize("endpoint", ["push", "validate"])
def test_what_is_nested_too_deeply(api: Api, endpoint: str) -> None:
    # when a record is nested more deeply than every Python survives
    deep: list[Any] = []
    for _ in range(600):
        deep = [deep]
    response = api.post(endpoint, [{**RECORD, "data": {"id": 1, "deep": deep}}])

    # then it is refused
    assert response.status_code == 400
    assert response.json()["error"] == "nested too deeply"


def test_push_loads_tables_that_mix(api: Api, table: str) -> None:
    # when records of two tables come in one request, the second with other keys on the way
    big = "12345678901234567890.123456789"
    records = [
        {**RECORD, "table_name": table, "data": {"id": 1, "n": None, "b": True}},
        {**RECORD, "table_name": f"{table} 2", "data": {"id": 1, "o": {"a": [1]}}},
        {**RECORD, "table_name": table, "data": {"id": 2, "n": 1.5, "s": "x"}},
        {**RECORD, "table_name": table, "sequence": 101, "data": {"id": 1, "n": "BIG"}},
        {**RECORD, "table_name": f"{table} 2", "sequence": 99, "data": {"id": 1, "o": 5}},
    ]
    text = str(records).replace("'", '"').replace('"BIG"', big)
    text = text.replace("None", "null").replace("True", "true")

    # then each is upserted into its own, typed by the values
    assert api.push(text) == ACCEPTED
    assert api.rows(table) == [
        {"id": 1, "n": Decimal(big), "b": None, "s": None},
        {"id": 2, "n": Decimal("1.5"), "b": None, "s": "x"},
    ]
    assert api.rows(f"{table} 2") == [{"id": 1, "o": {"a": [1]}}]


def test_a_string_key_has_at_most_1024_characters(api: Api, table: str) -> None:
    # when a key of push is as long as it may be, in characters of four bytes each
    longest = "\N{GRINNING FACE}" * 1_024
    answer = api.push([{**RECORD, "table_name": table, "data": {"id": longest}}])

    # then it is taken
    assert answer == ACCEPTED
    assert api.rows(table) == [{"id": longest}]


def test_a_null_says_nothing_of_a_column(api: Api, table: str) -> None:
    # given a column of strings
    record = {**RECORD, "table_name": table}
    api.push([{**record, "data": {"id": 1, "s": "007"}}])

    # when it is null in the next request, and a string again
    api.push([{**record, "data": {"id": 2, "s": None}}])
    api.push([{**record, "data": {"id": 3, "s": "1e3"}}])

    # then its values are strings still
    assert [row["s"] for row in api.rows(table)] == ["007", None, "1e3"]

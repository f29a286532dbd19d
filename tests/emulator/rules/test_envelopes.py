"""Every rule of the envelope of a batch, with the answer word for word."""

from __future__ import annotations

from typing import Any

import pytest

from target_stitch_import.emulator import list_tables
from tests.emulator.client import ACCEPTED, ID, Api, batch, failed, upsert

VALID = batch("refused", ID, [upsert(1, id=1)], key_names=["id"])


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in VALID.items() if key != name}


def with_message(message: Any) -> dict[str, Any]:
    return {**VALID, "messages": [upsert(1, id=1), message]}


def found(place: str, expected: str, actual: str) -> dict[str, str]:
    return failed(place, f"expected type: {expected}, found: {actual}")


ENVELOPES: list[tuple[Any, dict[str, str]]] = [
    ([], found("#", "JSONObject", "JSONArray")),
    (None, found("#", "JSONObject", "Null")),
    (1.5, found("#", "JSONObject", "Number")),
    ({}, failed("#", "required key [table_name] not found")),
    (without("table_name"), failed("#", "required key [table_name] not found")),
    (without("schema"), failed("#", "required key [schema] not found")),
    (without("messages"), failed("#", "required key [messages] not found")),
    ({**VALID, "extra": 1}, failed("#", "extraneous key [extra] is not permitted")),
    ({**VALID, "client_id": 1}, failed("#", "extraneous key [client_id] is not permitted")),
    ({**VALID, "table_name": 7}, found("#/table_name", "String", "Integer")),
    ({**VALID, "table_name": None}, found("#/table_name", "String", "Null")),
    ({**VALID, "table_name": ""}, failed("#/table_name", "expected minLength: 1, actual: 0")),
    ({**VALID, "schema": []}, found("#/schema", "JSONObject", "JSONArray")),
    ({**VALID, "messages": {}}, found("#/messages", "JSONArray", "JSONObject")),
    ({**VALID, "key_names": "id"}, found("#/key_names", "JSONArray", "String")),
    ({**VALID, "key_names": None}, found("#/key_names", "JSONArray", "Null")),
    ({**VALID, "key_names": ["id", 1]}, found("#/key_names/1", "String", "Integer")),
    (
        {**VALID, "key_names": [f"k{n}" for n in range(51)]},
        failed("#/key_names", "expected maximum item count: 50, found: 51"),
    ),
    ({**VALID, "bookmark_names": "id"}, found("#/bookmark_names", "JSONArray", "String")),
    ({**VALID, "bookmark_names": [True]}, found("#/bookmark_names/0", "String", "Boolean")),
    ({**VALID, "table_version": "1"}, found("#/table_version", "Integer", "String")),
    ({**VALID, "table_version": 1.0}, found("#/table_version", "Integer", "Number")),
    ({**VALID, "table_version": None}, found("#/table_version", "Integer", "Null")),
    (
        {**VALID, "table_version": 2**63},
        failed("#/table_version", f"{2**63} is not less or equal to {2**63 - 1}"),
    ),
    (
        {**VALID, "table_version": -(2**63)},
        failed("#/table_version", f"{-(2**63)} is not greater or equal to {1 - 2**63}"),
    ),
    (
        {**VALID, "messages": []},
        failed("#/messages", "expected minimum item count: 1, found: 0"),
    ),
    (
        {**VALID, "messages": [upsert(1, id=1)] * 20_001},
        failed("#/messages", "expected maximum item count: 20000, found: 20001"),
    ),
]
TIME = "Expected [yyyy-MM-dd'T'HH:mm:ss.SSSSSSZ]"
ACTION = "/action: upsert is not a valid enum value"
DATA = ": extraneous key [data] is not permitted"
MESSAGES: list[tuple[Any, list[str], list[str]]] = [
    # a message, why it is no activation, and why it is no upsert
    (
        {},
        [": required key [action] not found", ": required key [sequence] not found"],
        [
            ": required key [action] not found",
            ": required key [sequence] not found",
            ": required key [data] not found",
        ],
    ),
    (
        {"action": "upsert"},
        [": required key [sequence] not found", ACTION],
        [": required key [sequence] not found", ": required key [data] not found"],
    ),
    ({"action": "upsert", "sequence": 1}, [ACTION], [": required key [data] not found"]),
    (
        {**upsert(1, id=2), "table_name": "t"},
        [ACTION, DATA, ": extraneous key [table_name] is not permitted"],
        [": extraneous key [table_name] is not permitted"],
    ),
    (
        {**upsert(1, id=2), "action": 1},
        ["/action: expected type: String, found: Integer", DATA],
        ["/action: expected type: String, found: Integer"],
    ),
    (
        {**upsert(1, id=2), "action": "delete"},
        ["/action: delete is not a valid enum value", DATA],
        ["/action: delete is not a valid enum value"],
    ),
    (
        {**upsert(1), "data": [1]},
        [ACTION, DATA],
        ["/data: expected type: JSONObject, found: JSONArray"],
    ),
    *(
        (
            {**upsert(1, id=2), "sequence": sequence},
            [ACTION, f"/sequence: expected type: Integer, found: {name}", DATA],
            [f"/sequence: expected type: Integer, found: {name}"],
        )
        for sequence, name in (("1", "String"), (1.0, "Number"), (True, "Boolean"))
    ),
    (
        {**upsert(1, id=2), "time_extracted": 5},
        [ACTION, DATA, "/time_extracted: expected type: String, found: Integer"],
        ["/time_extracted: expected type: String, found: Integer"],
    ),
    *(
        (
            {**upsert(1, id=2), "time_extracted": time},
            [ACTION, DATA, f"/time_extracted: [{time}] is not a valid date-time. {TIME}"],
            [f"/time_extracted: [{time}] is not a valid date-time. {TIME}"],
        )
        for time in (
            "",
            "yesterday",
            "2024-02-29T10:00:00Z",
            "2024-02-29T10:00:00.123Z",
            "2024-02-29T10:00:00.123456",
            "2024-02-29T10:00:00.123456+00:00",
            "2024-02-29T10:00:00.123456Z\n",
            "2024-02-29 10:00:00.123456Z",
            "2023-02-29T10:00:00.123456Z",
            "2024-02-29T25:00:00.123456Z",
        )
    ),
]
OTHER_MESSAGES: list[tuple[Any, dict[str, str]]] = [
    ([], found("#/messages/1", "JSONObject", "JSONArray")),
    (
        {"action": "activate_version", "sequence": 2},
        failed("#", "required key [table_version] not found"),
    ),
    (
        upsert(2**63, id=2),
        failed("#", "sequence can not be above 9223372036854775807"),
    ),
    (
        upsert(-(2**63), id=2),
        failed("#/messages/1/sequence", f"{-(2**63)} is not greater or equal to {1 - 2**63}"),
    ),
]


@pytest.mark.parametrize(("body", "expected"), ENVELOPES)
def test_an_envelope_that_breaks_a_rule(api: Api, body: Any, expected: dict[str, str]) -> None:
    # when a batch breaks a rule of its envelope
    # then the answer names the place and the reason, and nothing is stored
    assert api.batch(body) == (400, expected)
    assert "refused" not in list_tables(api.database)


def described(lines: list[str]) -> list[str]:
    """Return the lines about one form of the second message."""
    heading = [f": {len(lines)} schema violations found"] if len(lines) > 1 else []
    return [f"#/messages/1{line}" for line in heading + lines]


@pytest.mark.parametrize(("message", "activation", "upserted"), MESSAGES)
def test_a_message_without_a_form(
    api: Api, message: Any, activation: list[str], upserted: list[str]
) -> None:
    # when the second message of a batch is neither an activation nor an upsert
    answer = api.batch(with_message(message))

    # then the answer says why it is not the one, then why it is not the other
    reason = [
        "#: 0 subschemas matched instead of one",
        *described(activation),
        *described(upserted),
    ]
    assert answer == (400, failed("#/messages/1", " ".join(reason)))
    assert "refused" not in list_tables(api.database)


@pytest.mark.parametrize(("message", "expected"), OTHER_MESSAGES)
def test_a_message_that_breaks_a_rule(api: Api, message: Any, expected: dict[str, str]) -> None:
    # when the second message of a batch breaks a rule
    # then the answer names its place, and the first is not stored either
    assert api.batch(with_message(message)) == (400, expected)
    assert "refused" not in list_tables(api.database)


def test_everything_that_is_permitted(api: Api, table: str) -> None:
    # when a batch has every argument there is
    message = {**upsert(2**63 - 1, id=1), "time_extracted": "2024-02-29T10:00:00.123456Z"}
    activate = {"action": "activate_version", "sequence": 7}
    body = batch(
        table,
        ID,
        [message, activate],
        key_names=["id", "id"],
        table_version=-5,
        bookmark_names=["id", "nested.field"],
    )

    # then it is taken
    assert api.batch(body) == ACCEPTED
    assert api.rows(table) == [{"id": 1}]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Input data was truncated"),
        (b"{", "Input data was truncated"),
        (b"{]", None),
        (b"hello", None),
        (b'{"a": NaN}', None),
        (b'{"a": 01}', None),
        (b'\xef\xbb\xbf{"a": 1}', None),
        (b'{"a": "\xff"}', None),
        (b'{"a": "\\ud800"}', None),
        (b'{"a": "\x00"}', None),
        (b'{"a": 1} {"b": 2}', None),
        ('{"a": 1}'.encode("utf-16"), None),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": 1e99999999999999999999}', "a number's exponent is out of range"),
        (b"[" + b"1" * 5000 + b', "\\ud800"]', None),
        (b"[" + b"1" * 5000 + b", -Infinity]", None),
    ],
)
@pytest.mark.parametrize("endpoint", ["batch", "push", "validate"])
def test_malformed_json(api: Api, endpoint: str, body: bytes, reason: str | None) -> None:
    # when a body is no JSON
    response = api.post(endpoint, body)

    # then the answer says so, and the reason
    content = response.json()
    error = content.pop("error")
    assert response.status_code == 400
    assert content == {
        "status": "ERROR",
        "message": "Malformed json in the body!",
        "input": None,
    }
    assert error == reason if reason is not None else error

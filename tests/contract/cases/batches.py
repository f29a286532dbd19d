"""The arguments of a batch, its messages, keys and sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.contract.bodies import FIRST_SEQUENCE, batch, upsert, without
from tests.contract.case import (
    ACCEPTED,
    BATCH,
    REFUSALS,
    SEQUENCE,
    Case,
    Expected,
    Request,
    refused,
)

if TYPE_CHECKING:
    from tests.contract.case import Source

MAX_SEQUENCE: Final = 9_223_372_036_854_775_807
_TEXT_KEY: Final = {"id": {"type": "string"}}
_NULLABLE_KEY: Final = {"id": {"type": ["null", "integer"]}}
_VALUE: Final = {"v": {"type": ["null", "string"]}}
_TOO_MANY: Final = "it would load too many rows if the rule did not hold"


def _invalid(text: str) -> Expected:
    return refused(400, f'"error": "Request failed validation:{text}')


def _message(text: str) -> Expected:
    return refused(400, "Request failed validation:", f"#/messages/0{text}")


def _case(
    rule: str, section: str, source: Source, body: Any, expected: Expected, **more: Any
) -> Case:
    return Case(rule, section, source, Request("batch", body), expected, **more)


def _good(number: int, **more: Any) -> dict[str, Any]:
    return batch("batches", _VALUE, upsert({"id": number, "v": "x"}), **more)


def _arguments() -> list[Case]:
    return [
        _case("A batch is taken", BATCH, "documentation", _good(1), ACCEPTED),
        _case("bookmark_names is taken", BATCH, "seen", _good(2, bookmark_names=["v"]), ACCEPTED),
        *(
            _case(
                f"A batch without {name} is refused",
                REFUSALS,
                "documentation",
                without(_good(number), name),
                _invalid(f"#: required key [{name}] not found"),
            )
            for number, name in enumerate(("table_name", "schema", "messages"), start=10)
        ),
        _case(
            "An unknown argument is refused",
            REFUSALS,
            "documentation",
            _good(13, primary_key="id"),
            _invalid("#: extraneous key [primary_key] is not permitted"),
        ),
        _case(
            "key_names that is a text is refused",
            REFUSALS,
            "documentation",
            _good(14, key_names="id"),
            _invalid("#/key_names: expected type: JSONArray, found: String"),
        ),
        _case(
            "messages that is an object is refused",
            REFUSALS,
            "documentation",
            _good(15, messages={}),
            _invalid("#/messages: expected type: JSONArray, found: JSONObject"),
        ),
        _case(
            "A batch without a message is refused",
            BATCH,
            "documentation",
            _good(16, messages=[]),
            refused(400),
        ),
        _case(
            "A batch of 20,001 messages is refused",
            BATCH,
            "documentation",
            _good(17, messages=[upsert({"id": 17})] * 20_001),
            refused(400),
            not_sent=_TOO_MANY,
        ),
        _case(
            "A record of 10,001 data points is refused",
            BATCH,
            "documentation",
            batch("batches", {}, upsert({"id": 18, "l": [0] * 10_000})),
            refused(400),
            not_sent=_TOO_MANY,
        ),
        _case(
            "The table _sdc_rejected, which Stitch writes itself, is refused",
            BATCH,
            "documentation",
            _good(19, table_name="_sdc_rejected"),
            refused(400),
            not_sent="it would write into a table of Stitch's own if the rule did not hold",
        ),
        _case(
            "A body that is not JSON is refused",
            REFUSALS,
            "documentation",
            '{"table_name": ',
            refused(400, '"status": "ERROR"', '"message": "Malformed json in the body!"'),
        ),
    ]


def _messages() -> list[Case]:
    message = upsert({"id": 20, "v": "x"})
    return [
        _case(
            "A message without sequence is refused",
            REFUSALS,
            "seen",
            batch("batches", _VALUE, without(message, "sequence")),
            _message(": required key [sequence] not found"),
        ),
        _case(
            "A message without action is refused",
            REFUSALS,
            "seen",
            batch("batches", _VALUE, without(message, "action")),
            _message(": required key [action] not found"),
        ),
        _case(
            "A message without data is refused",
            REFUSALS,
            "seen",
            batch("batches", _VALUE, without(message, "data")),
            _message(": required key [data] not found"),
        ),
        _case(
            "An unknown argument of a message is refused",
            BATCH,
            "documentation",
            batch("batches", _VALUE, {**message, "version": 1}),
            _message(": extraneous key [version] is not permitted"),
        ),
        _case(
            "An unknown action is refused",
            BATCH,
            "documentation",
            batch("batches", _VALUE, {**message, "action": "insert"}),
            refused(400),
        ),
        _case(
            "The second record of two breaks its schema: the answer names its number or none",
            REFUSALS,
            "seen",
            batch("batches", _VALUE, upsert({"id": 21, "v": "x"}), upsert({"id": 22, "v": 1})),
            refused(
                400,
                '"error": "Record 1 did not conform to schema:'
                ' | "error": "Record did not conform to schema:',
                "#/v",
            ),
        ),
        _case(
            "time_extracted in UTC with microseconds is taken",
            BATCH,
            "seen",
            batch(
                "batches",
                _VALUE,
                upsert({"id": 3, "v": "x"}, time_extracted="2024-02-29T10:00:00.123456Z"),
            ),
            ACCEPTED,
        ),
        _case(
            "time_extracted that is no time is refused",
            BATCH,
            "inferred",
            batch("batches", _VALUE, upsert({"id": 23, "v": "x"}, time_extracted="yesterday")),
            refused(400),
        ),
    ]


def _versions() -> list[Case]:
    activation = {"action": "activate_version", "sequence": FIRST_SEQUENCE + 2}
    first = batch("versions", _VALUE, upsert({"id": 1, "v": "first"}), table_version=1)
    second = batch("versions", _VALUE, upsert({"id": 2, "v": "second"}), table_version=2)
    second["messages"].append(activation)
    unversioned = batch("unversioned", {}, activation)
    wrong = batch("versions", _VALUE, upsert({"id": 3}), table_version="3")
    # As with skip_unchanged, where a table was loaded with versions before.
    first_rows = (upsert({"id": 1, "v": "first"}), upsert({"id": 2, "v": "first"}))
    before = batch("versions_before", _VALUE, *first_rows, activation, table_version=1)
    second_rows = (upsert({"id": 1, "v": "second"}, 3), upsert({"id": 3, "v": "second"}, 3))
    behind = batch("versions_before", _VALUE, *second_rows)
    return [
        _case("Rows of a version and its activation are taken", BATCH, "seen", before, ACCEPTED),
        _case(
            "Rows without a version are taken, behind the activation of one",
            BATCH,
            "this project's",
            behind,
            ACCEPTED,
        ),
        _case("table_version is taken", BATCH, "seen", first, ACCEPTED),
        _case("An activation behind a record is taken", BATCH, "seen", second, ACCEPTED),
        _case(
            "An activation without table_version is refused",
            BATCH,
            "inferred",
            unversioned,
            refused(400),
        ),
        _case(
            "table_version that is a text is refused",
            BATCH,
            "inferred",
            wrong,
            _invalid("#/table_version: expected type: "),
        ),
    ]


def _text_key(length: int) -> dict[str, Any]:
    key = str(length).ljust(length, "x")
    return batch("text_keys", {}, upsert({"id": key}), schema={"properties": _TEXT_KEY})


def _keys() -> list[Case]:
    nullable = {"schema": {"properties": {**_NULLABLE_KEY, **_VALUE}}}
    missing = refused(400, '"error": "Record is missing key property id"')
    undeclared = batch("batches", {}, upsert({"id": 33, "v": "x"}), schema={"properties": _VALUE})
    keyless = batch("keyless", _VALUE, upsert({"id": 1, "v": "x"}), key_names=[])
    return [
        _case(
            "A table without keys is taken: key_names []", BATCH, "documentation", keyless, ACCEPTED
        ),
        _case(
            "A table without keys is taken: no key_names",
            BATCH,
            "documentation",
            without(keyless, "key_names"),
            ACCEPTED,
        ),
        _case(
            "A record without its key is refused",
            REFUSALS,
            "documentation",
            batch("batches", {}, upsert({"v": "x"}), **nullable),
            missing,
        ),
        _case(
            "A record whose key is null is refused",
            REFUSALS,
            "documentation",
            batch("batches", {}, upsert({"id": None, "v": "x"}), **nullable),
            missing,
        ),
        _case(
            "A key that is not among the properties is refused",
            BATCH,
            "documentation",
            undeclared,
            refused(400),
        ),
        _case(
            "A text key of 255 characters is taken",
            BATCH,
            "documentation",
            _text_key(255),
            ACCEPTED,
        ),
        _case(
            "A text key of 256 characters is refused",
            BATCH,
            "documentation",
            _text_key(256),
            refused(400),
        ),
        _case(
            "A text key of 1,024 characters is refused",
            BATCH,
            "documentation",
            _text_key(1_024),
            refused(400),
        ),
    ]


def _sequences() -> list[Case]:
    def at(number: int, sequence: Any) -> dict[str, Any]:
        message = {**upsert({"id": number, "v": "x"}), "sequence": sequence}
        return batch("sequences", _VALUE, message)

    return [
        _case(
            "The greatest sequence is taken",
            SEQUENCE,
            "documentation",
            at(1, MAX_SEQUENCE),
            ACCEPTED,
        ),
        _case(
            "A sequence above it is refused",
            REFUSALS,
            "documentation",
            at(2, MAX_SEQUENCE + 1),
            _invalid(f"#: sequence can not be above {MAX_SEQUENCE}"),
        ),
        _case(
            "A sequence that is a text is refused",
            SEQUENCE,
            "documentation",
            at(3, "1"),
            _message("/sequence: expected type: "),
        ),
        _case(
            "A record with a greater sequence is taken",
            SEQUENCE,
            "documentation",
            batch("sequences", _VALUE, upsert({"id": 4, "v": "second"}, 2)),
            ACCEPTED,
        ),
        _case(
            "A record with a lower sequence is taken, behind the greater one",
            SEQUENCE,
            "documentation",
            batch("sequences", _VALUE, upsert({"id": 4, "v": "first"}, 1)),
            ACCEPTED,
        ),
    ]


CASES: Final = (*_arguments(), *_messages(), *_versions(), *_keys(), *_sequences())

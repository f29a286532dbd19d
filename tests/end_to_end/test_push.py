"""The older endpoint: records of several streams in one request, delivered as batches are."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from target_stitch_import.batches.transit import decode_transit
from target_stitch_import.emulator import read_table
from target_stitch_import.json_codec import decode_exactly
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import loaded, piped
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service, ServiceResponse

PUSH = {"endpoint": "push", "client_id": 4231}
TOO_LARGE: ServiceResponse = (413, b"<html>413</html>", {})
NO_KEYS: ServiceResponse = (422, b'{"errors":[{"reason":{"data":["data must include keys"]}}]}', {})
ITEMS = schema("items", {"sku": {"type": "string"}, "n": {"type": "number"}}, ["sku"])


def pushed(service: Service) -> list[dict[str, Any]]:
    """Return every record that arrived, in the order of arrival."""
    return [each for request in service.requests for each in json.loads(request.body)]


def test_records_of_several_streams_share_a_request(service: Service) -> None:
    # Given two streams that take turns, one with a time
    lines = [schema(), ITEMS]
    lines += [record({"id": 1}, time_extracted="2026-01-01T00:00:00.000001Z")]
    lines += [record('{"sku": "100%d", "n": 1.10}', "items"), record({"id": 2})]
    # When they are pushed
    loaded(service.config(**PUSH), tap_output(*lines))
    # Then all are in one body, each with the six arguments that the reference names
    (request,) = service.requests
    assert (request.path, request.headers["Content-Type"]) == (
        "/v2/import/push",
        "application/json",
    )
    item, first, other = sorted(json.loads(request.body), key=itemgetter("table_name"))
    assert first == {
        "client_id": 4231,
        "table_name": "orders",
        "sequence": 1767225600000001000,
        "action": "upsert",
        "key_names": ["id"],
        "data": {"id": 1},
    }
    assert (item["table_name"], item["key_names"]) == ("items", ["sku"])
    assert (other["table_name"], other["data"]) == ("orders", {"id": 2})
    # and records are the tap's own bytes
    assert b'"data":{"sku": "100%d", "n": 1.10}}' in request.body


@pytest.mark.parametrize("push_format", ["json", "transit"])
def test_the_tables_are_those_that_were_read(
    push_format: str, emulator: Emulator, tmp_path: Path
) -> None:
    # Given values that lose digits where they are taken for floats
    fields = {name: {"type": ["null", kind]} for name, kind in [("d", "number"), ("n", "integer")]}
    lines = [schema("t", {"id": {"type": "integer"}, **fields, "o": {"type": "object"}})]
    lines += [record('{"id": 1, "d": 0.1234567890123456789, "n": 9007199254740993}', "t")]
    lines += [record('{"id": 2, "d": null, "n": 123456789012345678901234567890}', "t")]
    lines += [record('{"id": 3, "o": {"^ ": [1.50, "~x", true]}}', "t"), ITEMS]
    lines += [record({"sku": "a"}, "items")]
    config = {"token": "any", "api_url": emulator.url, **PUSH, "push_format": push_format}
    # When they are pushed through a real pipe
    run = piped(config, tmp_path, tap_output(*lines, state({"at": 1})))
    # Then the tables have every digit, and the STATE is written
    assert (run.exit_code, run.states) == (0, [{"at": 1}])
    first, second, third = read_table(emulator.database, "t")
    assert (first["d"], first["n"]) == (Decimal("0.1234567890123456789"), 9007199254740993)
    assert (second["d"], second["n"]) == (None, 123456789012345678901234567890)
    assert third["o"] == {"^ ": [Decimal("1.50"), "~x", True]}
    assert read_table(emulator.database, "items") == [{"sku": "a"}]


def test_in_transit_times_are_instants_and_numbers_exact(service: Service) -> None:
    # Given a stream with a date-time, and numbers that JSON leaves to its reader
    fields = {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}}
    text = '{"id": 9007199254740993, "at": "2026-01-01T02:00:00.5+02:00", "x": 1.10, "s": "~"}'
    # When it is pushed as Transit
    config = service.config(**PUSH, push_format="transit")
    loaded(config, tap_output(schema("t", fields), record(text, "t")))
    # Then the body says so
    (request,) = service.requests
    assert request.headers["Content-Type"] == "application/transit+json"
    message = json.loads(request.body)[0]
    assert message[0] == "^ "
    assert message[message.index("data") + 1] == [
        "^ ", "id", "~i9007199254740993", "at", "~t2026-01-01T00:00:00.500000Z",
        "x", "~f1.10", "s", "~~",
    ]  # fmt: skip
    assert decode_transit(message)["key_names"] == ["id"]


def test_a_stream_without_keys_is_refused_with_what_to_do(service: Service) -> None:
    # Given a stream without keys behind one with
    lines = [schema(), record({"id": 1}), state({"at": 1}), schema("log", {}, [])]
    # When both are pushed
    states, error = loaded(service.config(**PUSH), tap_output(*lines))
    # Then what came before it arrives, and the message points to the other endpoint
    assert states == [b'{"at": 1}']
    assert "stream 'log' has no key properties" in str(error)
    assert "set endpoint to 'batch'" in str(error)


@pytest.mark.parametrize(
    ("settings", "reported"),
    [
        ({"endpoint": "push"}, "client_id: must be set with endpoint 'push'"),
        ({**PUSH, "load_method": "append-only"}, "load_method: 'append-only' needs endpoint"),
        ({**PUSH, "push_format": "xml"}, "push_format must be 'json' or 'transit', not 'xml'"),
        ({"endpoint": "validate"}, "endpoint must be 'batch' or 'push', not 'validate'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    settings: dict[str, Any], reported: str, tmp_path: Path
) -> None:
    run = piped({"token": "any", **settings}, tmp_path, b"")
    assert run.exit_code == 1
    assert reported in run.stderr


def test_a_key_may_be_as_long_as_push_takes_it(emulator: Emulator) -> None:
    # given keys of 1,024 characters, and of one more
    keys = {"k": {"type": "string"}}
    lines = [schema(properties=keys, keys=["k"]), record({"k": "x" * 1_024})]
    config = {**PUSH, "token": "any", "api_url": emulator.url}
    # when they are pushed
    _, error = loaded(config, tap_output(*lines, record({"k": "x" * 1_025})))
    # then the first arrives, and the other is named before it is sent
    assert read_table(emulator.database, "orders") == [{"k": "x" * 1_024}]
    assert "has 1025 characters in key property 'k', and the service takes at most 1,024" in str(
        error
    )


def test_versions_are_left_to_the_other_endpoint(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a tap that replaces a whole table
    lines = [schema(), record({"id": 1}, version=1), record({"id": 2}, version=2)]
    # When it is pushed
    states, error = loaded(
        service.config(**PUSH), tap_output(*lines, activate(2), activate(2), state({"at": 1}))
    )
    # Then its records arrive together, the activation is left out, and a line says so once
    assert (states, error) == ([b'{"at": 1}'], None)
    assert [each["data"]["id"] for each in pushed(service)] == [1, 2]
    assert caplog.text.count("push does not know") == 1


@pytest.mark.parametrize("push_format", ["json", "transit"])
def test_a_body_that_is_too_large_is_split(push_format: str) -> None:
    def answer(request: Request) -> ServiceResponse:
        return TOO_LARGE if len(request.body) > 1_500 else ACCEPTED

    # Given a proxy that takes small bodies only
    with running_service(answer) as service:
        config = service.config(**PUSH, push_format=push_format)
        lines = [record({"id": place}) for place in range(50)]
        # When more than that is pushed
        states, error = loaded(config, tap_output(schema(), *lines, state({"at": 50})))
        # Then all of it arrives, with sequences that rise, and the STATE is written
        assert (states, error) == ([b'{"at": 50}'], None)
        taken = [each.body for each in service.requests if len(each.body) <= 1_500]
    found = [decode_transit(each) for body in taken for each in decode_exactly(body)]
    assert [each["data"]["id"] for each in found] == list(range(50))
    sequences = [each["sequence"] for each in found]
    assert sequences == sorted(set(sequences))


def test_an_empty_answer_of_201_is_a_success_of_push_alone(service: Service) -> None:
    service.answer = lambda _: (201, b"", {})
    states, error = loaded(
        service.config(**PUSH), tap_output(schema(), record({"id": 1}), state({"at": 1}))
    )
    assert (states, error, len(service.requests)) == ([b'{"at": 1}'], None, 1)
    _, error = loaded(service.config(max_retry_seconds=0), tap_output(schema(), record({"id": 1})))
    assert "201 without a JSON object" in str(error)


def refuses(wrong: int) -> Any:
    """Return a service's rule that refuses bodies with a record of this id, and says not which."""

    def answer(request: Request) -> ServiceResponse:
        records = [decode_transit(each) for each in decode_exactly(request.body)]
        return NO_KEYS if any(each["data"]["id"] == wrong for each in records) else ACCEPTED

    return answer


def test_a_refused_record_is_found_and_named() -> None:
    # Given a service that refuses one of many records without a word on which
    with running_service(refuses(33)) as service:
        lines = [record({"id": place}) for place in range(50)]
        # When they are pushed
        _, error = loaded(service.config(**PUSH), tap_output(schema(), *lines))
    # Then the message names it by its line and its key
    assert 'That record is line 35 of the input (key {"id":33}).' in str(error)
    assert "data must include keys" in str(error)


@pytest.mark.parametrize("push_format", ["json", "transit"])
def test_a_refused_record_is_set_aside(push_format: str, tmp_path: Path) -> None:
    # Given the same with a quarantine
    path = tmp_path / "quarantine.singer"
    aside = {"on_invalid_record": "quarantine", "quarantine_path": str(path)}
    with running_service(refuses(33)) as service:
        config = service.config(**PUSH, push_format=push_format, **aside)
        lines = [record({"id": place, "name": "~é"}) for place in range(50)]
        # When they are pushed
        states, error = loaded(config, tap_output(schema(), *lines, state({"at": 50})))
    # Then the others arrive, and that one is in the file, with its schema
    assert (states, error) == ([b'{"at": 50}'], None)
    declared, kept = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    assert (declared["type"], declared["key_properties"]) == ("SCHEMA", ["id"])
    assert (kept["stream"], kept["record"], kept["line"]) == (
        "orders",
        {"id": 33, "name": "~é"},
        35,
    )


@pytest.mark.parametrize("push_format", ["json", "transit"])
def test_of_a_table_with_many_refused_records_no_more_are_sent(
    push_format: str, tmp_path: Path
) -> None:
    def answer(request: Request) -> ServiceResponse:
        records = [decode_transit(each) for each in decode_exactly(request.body)]
        return ACCEPTED if all(each["data"].get("name") != 5 for each in records) else NO_KEYS

    # Given a stream with many records that do not fit its schema, and another with good ones
    path = tmp_path / "quarantine.singer"
    aside = {"on_invalid_record": "quarantine", "quarantine_path": str(path)}
    lines = [schema(), ITEMS]
    for place in range(400):
        lines.append(record({"id": place, "name": ["x", 5][place % 2]}))
        lines.append(record({"sku": str(place)}, "items"))
    with running_service(answer) as service:
        config = service.config(**PUSH, push_format=push_format, validate_records=False, **aside)
        # When they are pushed in one body, without validation
        states, error = loaded(config, tap_output(*lines, state({"at": 1})))
        # Then it takes far fewer requests than there are bad records
        assert (states, error) == ([b'{"at": 1}'], None)
        assert len(service.requests) < 100
    # And all of these are set aside, the last ones in the words of this target's check
    kept = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()][1:]
    assert [each["record"]["id"] for each in kept] == list(range(1, 400, 2))
    assert "data must include keys. That record is line 5 of the input" in kept[0]["error"]
    assert "#/name: expected: null, string, found: integer" in kept[-1]["error"]


def test_a_client_that_is_refused_sets_nothing_aside(tmp_path: Path) -> None:
    # Given a service that refuses the client, and not a record
    reason = b'{"errors":[{"reason":{"client_id":["should be an integer"]}}]}'
    path = tmp_path / "quarantine.singer"
    aside = {"on_invalid_record": "quarantine", "quarantine_path": str(path)}
    with running_service(lambda _: (422, reason, {})) as service:
        lines = tap_output(schema(), record({"id": 1}), record({"id": 2}))
        _, error = loaded(service.config(**PUSH, **aside), lines)
        assert len(service.requests) == 1
    assert "client_id" in str(error)
    assert not path.exists()


def test_a_refused_record_is_set_aside_with_the_schema_that_it_came_with(tmp_path: Path) -> None:
    # Given a stream whose keys change behind a record that the service refuses
    path = tmp_path / "quarantine.singer"
    aside = {"on_invalid_record": "quarantine", "quarantine_path": str(path)}
    code = schema(properties={"id": {"type": "integer"}, "code": {"type": "string"}}, keys=["code"])
    lines = [schema(), record({"id": 33}), code, record({"id": 1, "code": "x"})]
    # When it is pushed
    with running_service(refuses(33)) as service:
        _, error = loaded(service.config(**PUSH, **aside), tap_output(*lines))
    # Then the file has the keys of then
    assert error is None
    declared, kept = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    assert (declared["key_properties"], kept["record"]) == (["id"], {"id": 33})


def test_a_record_that_is_nested_too_deeply_for_transit_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.singer"
    aside = {"on_invalid_record": "quarantine", "quarantine_path": str(path)}
    levels = 600 if sys.version_info < (3, 12) else 3_000  # what Python can call has grown
    deep = '{"id": 1, "x": ' + "[" * levels + "]" * levels + "}"
    with running_service() as service:
        config = service.config(**PUSH, push_format="transit", **aside)
        states, error = loaded(
            config, tap_output(schema(), record(deep), record({"id": 2}), state({"at": 1}))
        )
        assert (states, error, len(service.requests)) == ([b'{"at": 1}'], None, 1)
    assert b"nested too deeply" in path.read_bytes() or b"recursion" in path.read_bytes()

"""What can go wrong, and what the person reads who is called at night."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import record, schema, state, tap_output
from tests.support.running import loaded, piped
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service, ServiceResponse

ONE_RECORD = tap_output(schema(), record({"id": 1}), state({"at": 1}))

HTML = b"<html><head><style>p {}</style></head><body>Please log in</body></html>"


@pytest.mark.parametrize(
    "first",
    [
        (408, b"", {}),
        (429, b"", {"Retry-After": "0"}),
        (500, b"oops", {}),
        (502, HTML, {}),
        (503, b"{}", {}),
        (504, HTML, {}),
        (200, HTML, {}),
        (200, b"", {}),
        (200, b'"OK"', {}),
        (201, b'{"status": "ERROR", "message": "not now"}', {}),
    ],
    ids=lambda answer: f"{answer[0]} {answer[1][:12].decode()}",
)
def test_a_transient_answer_is_tried_again(
    first: ServiceResponse, caplog: pytest.LogCaptureFixture
) -> None:
    # given a service that takes a batch only at the second try
    answers = iter([first])
    with running_service(lambda _: next(answers, ACCEPTED)) as service:
        # when a record is loaded
        states, error = loaded(service.config(), ONE_RECORD)
        # then the same bytes, and so the same sequences, came twice
        assert error is None
        first_body, second_body = (request.body for request in service.requests)
        assert first_body == second_body
    # and the STATE is written, and the try is in the log
    assert states == [b'{"at": 1}']
    assert "Attempt 1 of batch 1 of table 'orders'" in caplog.text
    assert str(first[0]) in caplog.text


@pytest.mark.parametrize("answer", [202, 200, 201])
def test_every_acceptance_counts(answer: int, tmp_path: Path) -> None:
    # given a service that accepts in one of its ways
    with running_service(lambda _: (answer, b'{"status": "Accepted"}', {})) as service:
        # when a record is loaded
        run = piped(service.config(), tmp_path, ONE_RECORD)
        # then one request was enough
        assert (run.exit_code, run.states, len(service.requests)) == (0, [{"at": 1}], 1)


@pytest.mark.parametrize(
    ("answer", "expected_text"),
    [
        ((401, b'{"message": "Not Authorized"}', {}), "setting token"),
        ((401, b'{"message": "Invalid region."}', {}), "setting region"),
        (
            (401, b'{"error": "Forbidden", "errors": {"error": "Connection is not active."}}', {}),
            "paused or deleted",
        ),
        (
            (
                403,
                b'{"error": "Forbidden", "errors": {"error": "Access token is not this client\'s."}}',
                {},
            ),
            "client ID does not belong",
        ),
        ((404, HTML, {}), "404 Please log in. There is no Import API: check the setting api_url."),
        ((415, b"Content-Type must be application/json", {}), "Content-Type must be"),
        ((400, b'{"error": "Invalid JSON schema: unknown type: [x]"}', {}), "unknown type: [x]"),
        ((302, b"", {"Location": "https://elsewhere.example/"}), "is not followed"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else str(value[0]),
)
def test_a_final_answer_stops_the_run_with_one_line(
    answer: ServiceResponse, expected_text: str, tmp_path: Path
) -> None:
    # given a service that refuses
    with running_service(lambda _: answer) as service:
        # when a record is loaded
        run = piped(service.config(), tmp_path, ONE_RECORD)
        # then it was asked once, no STATE is written, and the last line says what to do
        assert len(service.requests) == 1
    assert (run.exit_code, run.stdout) == (1, b"")
    assert expected_text in run.last_line
    assert "batch 1 of table 'orders' (1 row," in run.last_line
    assert "Traceback" not in run.stderr
    assert "secret-token" not in run.stderr


def test_a_service_that_is_not_there_is_tried_until_the_budget_is_spent(tmp_path: Path) -> None:
    # given a port that nobody listens on
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    config = {"token": "secret-token", "api_url": f"http://127.0.0.1:{port}"}
    # when a record is loaded with a small budget
    run = piped({**config, "max_retry_seconds": 1}, tmp_path, ONE_RECORD)
    # then it says how long it tried and what came of it
    assert (run.exit_code, run.stdout) == (75, b"")
    assert "attempts in" in run.last_line
    assert "refused" in run.last_line


@pytest.mark.parametrize("page", [None, HTML])
def test_an_address_that_is_not_the_services_fails_early(
    page: bytes | None, tmp_path: Path
) -> None:
    # given an address at which nobody listens, or another server answers
    with running_service(lambda _: (200, page or b"", {})) as service:
        service.status = lambda _: (200, page or b"", {})
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        url = service.url if page else f"http://127.0.0.1:{port}"
        config = {"token": "secret-token", "api_url": url, "startup_timeout_seconds": 2}
        # when a record is loaded, with the retry budget of fifteen minutes
        run = piped(config, tmp_path, ONE_RECORD)
    # then the run ends after the time to start, and asks what a person would
    assert (run.exit_code, run.stdout) == (75, b"")
    assert f"{url} has given no answer of the Import API for 2 s" in run.last_line
    assert "Is the setting api_url right" in run.last_line
    # and the attempts, which failed alike, are one line
    assert run.stderr.count("Next attempt in") == 1


def test_a_broken_connection_is_tried_again(tmp_path: Path) -> None:
    # given a service that resets the connection in the place of its first answer
    seen: list[Request] = []

    def answer(request: Request) -> ServiceResponse:
        seen.append(request)
        if len(seen) == 1:
            raise ConnectionResetError
        return ACCEPTED

    with running_service(answer) as service:
        # when a record is loaded
        run = piped(service.config(), tmp_path, ONE_RECORD)
    # then it arrives at the second try
    assert (run.exit_code, run.states, len(seen)) == (0, [{"at": 1}], 2)


BAD_LINES = [
    ("no JSON", "is not JSON"),
    ("[1]", "is not a Singer message"),
    ("5", "is not a Singer message"),
    ('{"type": "RECORD", "stream": "orders", "record": {"id": 1}', "is not JSON"),
    ('{"type": "RECORD", "stream": "orders", "record": ' + "[" * 100_000, "is nested too deeply"),
    ("\0", "is not JSON"),
    ('{"type": "RECORD", "stream": "orders", "record": {"id": 1}}\0', "is not JSON"),
    ("null", "is not a Singer message"),
    ('"RECORD"', "is not a Singer message"),
    ('{"stream": "orders"}', "missing required field `type`"),
    ('{"type": null}', "Expected `str`"),
    ('{"type": "WISH"}', "Invalid value 'WISH'"),
    ('{"type": "RECORD", "stream": "orders"}', "missing required field `record`"),
    ('{"type": "RECORD", "record": {}}', "missing required field `stream`"),
    ('{"type": "RECORD", "stream": 5, "record": {}}', "Expected `str`, got `int`"),
    (record({"id": 1}, version="one"), "Expected `int | null`, got `str`"),
    ('{"type": "SCHEMA", "stream": "x"}', "missing required field `schema`"),
    ('{"type": "SCHEMA", "schema": {}}', "missing required field `stream`"),
    (schema(keys="id"), "Expected `array | null`, got `str`"),  # type: ignore[arg-type]
    (schema(keys=[5]), "Expected `str`, got `int`"),  # type: ignore[list-item]
    (schema(bookmark_properties=5), "got `int`"),
    (schema(""), "has no name"),
    ('{"type": "SCHEMA", "stream": "x", "schema": 5}', "can't be used"),
    ('{"type": "SCHEMA", "stream": "x", "schema": {"type": "null"}}', "the schema of an object"),
    ('{"type": "SCHEMA", "stream": "x", "schema": ' + "[" * 100_000, "nested too deeply"),
    ('{"type": "STATE"}', "missing required field `value`"),
    ('{"type": "STATE", "value": [1]}', "the value of a STATE is not a JSON object"),
    ('{"type": "STATE", "value": ' + '{"a":' * 100_000, "nested too deeply"),
    ('{"type": "ACTIVATE_VERSION", "stream": "orders"}', "missing required field `version`"),
    ('{"type": "ACTIVATE_VERSION", "stream": "x", "version": 1}', "came before its SCHEMA"),
    ('{"type": "BATCH", "stream": "orders", "manifest": []}', "encoding"),
    (record({"id": 1}, "unheard of"), "RECORD of stream 'unheard of' came before its SCHEMA"),
    (record({"id": 1, "name": "x" * 21_000_000}), "the service takes at most 20,000,000"),
    (record({"id": "x" * 5_000_000}), "it has 5000000 characters in key property"),
    (record("5"), "record of stream 'orders': it is not a JSON object but integer"),
    (record({"name": "x"}), "record of stream 'orders': it lacks key property 'id'"),
    (record({"id": None}), "it lacks key property 'id', or has null in it"),
    (record({"id": 1, "name": 5}), "#/name: expected: null, string, found: integer"),
    (record('{"id": 1, "name": "\\ud800"}'), "has half of a surrogate pair"),
    (record('{"id": 1, "name": "\\udc00x"}'), "has half of a surrogate pair"),
    (
        schema(keys=["missing"], schema={"properties": {}, "additionalProperties": False}),
        "key property 'missing' of stream 'orders' is not among",
    ),
    (schema(properties={"id": {"type": "what"}}), "'what' is not valid"),
    (schema(properties={"id": {"$ref": "#/nowhere"}}), "can't be resolved within it"),
]


@pytest.mark.parametrize(
    ("line", "reason"), BAD_LINES, ids=[f"{line[:50]!a} {reason}" for line, reason in BAD_LINES]
)
def test_a_line_that_cant_be_used_is_named(service: Service, line: str, reason: str) -> None:
    # given a bad line behind a good record and its STATE
    lines = tap_output(schema(), record({"id": 7}), state({"at": 7}), line, record({"id": 8}))
    # when it is loaded
    states, error = loaded(service.config(), lines)
    # then the good ones are safe, and one line says which line and why
    assert service.ids == [7]
    assert states == [b'{"at": 7}']
    assert "Line 4 of the input: " in str(error)
    assert reason in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 1_000


def test_half_a_line_at_the_end_is_named(service: Service, tmp_path: Path) -> None:
    # given a tap that breaks off within a line
    data = tap_output(schema(), record({"id": 7}), state({"at": 7})) + b'{"type": "RECORD", "str'
    # when it is loaded
    run = piped(service.config(), tmp_path, data)
    # then what came before is safe, and the line is named
    assert (run.exit_code, service.ids, run.states) == (1, [7], [{"at": 7}])
    assert "Line 4 of the input: it breaks off: the tap ended in the middle" in run.last_line


@pytest.mark.parametrize(
    "data", [b"id,name\n1,a\n", b'"id";"the name"\r\n1;a\r\n', b"id\tname", b"1,,x\n"]
)
def test_csv_is_recognized(data: bytes, service: Service, tmp_path: Path) -> None:
    run = piped(service.config(), tmp_path, data)
    assert run.exit_code == 1
    assert "Line 1 of the input: it looks like CSV; this target reads Singer" in run.last_line


@pytest.mark.parametrize("data", [b"starting, please wait\n", b"INFO a,b\n", b"hello\n"])
def test_other_text_is_not_taken_for_csv(data: bytes, service: Service, tmp_path: Path) -> None:
    assert "it is not JSON" in piped(service.config(), tmp_path, data).last_line


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_an_input_without_a_message_is_a_warning(
    data: bytes, service: Service, tmp_path: Path
) -> None:
    # given a tap that wrote nothing / when it is loaded
    run = piped(service.config(), tmp_path, data)
    # then the run ends well, and says where to look and that there was nothing to load
    assert run.exit_code == 0
    (line,) = [line for line in run.stderr.splitlines() if "WARNING" in line]
    assert "Nothing came from the tap, not one message. Look at its stderr." in line
    assert "Nothing to load: " in run.last_line


def test_a_schema_again_and_again_is_no_matter(service: Service, tmp_path: Path) -> None:
    # given a tap that writes its SCHEMA before each record
    lines = [line for place in range(500) for line in (schema(), record({"id": place}))]
    # when they are loaded
    run = piped(service.config(), tmp_path, tap_output(*lines))
    # then they share a batch all the same
    assert (run.exit_code, service.ids, len(service.requests)) == (0, list(range(500)), 1)


def test_bytes_that_are_no_text_are_refused(service: Service, tmp_path: Path) -> None:
    # given a record that is not UTF-8, with and without validation
    line = b'{"type": "RECORD", "stream": "orders", "record": {"id": 1, "name": "\xff"}}\n'
    for validate in (True, False):
        # when it is loaded
        data = tap_output(schema()) + line
        run = piped(service.config(validate_records=validate), tmp_path, data)
        # then it is named, and nothing was sent
        assert run.exit_code == 1
        assert "Line 2 of the input" in run.last_line
        assert "not UTF-8" in run.last_line
    assert service.requests == []


def test_a_netrc_does_not_replace_the_token(service: Service, tmp_path: Path) -> None:
    # given a .netrc for the host of the service
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    # when a record is loaded
    run = piped(service.config(), tmp_path, ONE_RECORD, HOME=str(tmp_path))
    # then the token was sent all the same
    assert run.exit_code == 0
    assert service.requests[0].headers["Authorization"] == "Bearer secret-token"


def test_a_proxy_does_not_hear_the_token_of_a_service_on_this_machine(
    service: Service, tmp_path: Path
) -> None:
    # given an environment that sends http through a proxy
    with running_service() as proxy:
        # when a record is loaded into a service on this machine
        run = piped(
            service.config(), tmp_path, ONE_RECORD, http_proxy=proxy.url, HTTP_PROXY=proxy.url
        )
        # then it went straight there
        assert run.exit_code == 0
        assert (len(service.requests), proxy.requests) == (1, [])


def test_debug_logging_shows_where_it_happened_and_no_token(tmp_path: Path) -> None:
    # given a service that quotes the token in its refusal
    def answer(request: Request) -> ServiceResponse:
        return 400, request.headers["Authorization"].encode(), {}

    with running_service(answer) as service:
        # when a record is loaded with debug logging
        run = piped(service.config(), tmp_path, ONE_RECORD, LOGLEVEL="DEBUG")
    # then there is a traceback, and the token is nowhere
    assert run.exit_code == 1
    assert "Traceback" in run.stderr
    assert "secret-token" not in run.stderr


def test_a_schema_that_names_nothing_is_an_error_if_no_record_comes(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given the SCHEMA of a tap for which no field is selected
    line = '{"type": "SCHEMA", "stream": "x", "schema": {"type": "object"}}'
    # when it comes without a record
    run = piped(
        {"token": "t", "api_url": emulator.url}, tmp_path, tap_output(line, state({"at": 1}))
    )
    # then the run says what to look at
    assert run.exit_code == 1
    assert run.last_line.endswith(
        "the schema of stream 'x' has no properties, and no record came: "
        "perhaps no field is selected in the catalog"
    )


def test_a_schema_that_names_nothing_is_fine_if_a_record_comes(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given the SCHEMAs of a document database, whose columns and keys nobody names
    declared = {"type": "SCHEMA", "stream": "x", "schema": {"type": "object"}}
    keyed = json.dumps({**declared, "stream": "y", "key_properties": ["_id"]})
    # when a record comes for the one without keys
    lines = tap_output(json.dumps(declared), keyed, record({"a": 1}, "x"))
    run = piped({"token": "t", "api_url": emulator.url}, tmp_path, lines)
    # then it is loaded
    assert run.exit_code == 0
    assert [row["a"] for row in read_table(emulator.database, "x")] == [1]

"""Records that can't be delivered are set aside, and loaded again once the cause is mended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import ORDERS, record, schema, state, tap_output
from tests.support.running import Run, piped
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service, ServiceResponse

AT = "2024-01-01T00:00:00.000000Z"
HUGE = '{"id": 1, "name": "' + "x" * 20_000_000 + '"}'
MANY = '{"id": 1, "many": [' + ",".join("1" * 10_001) + "]}"

BAD = {
    "breaks its schema": (record({"id": 1, "name": 5}), "#/name: expected: null, string"),
    "lacks a key": (record({"name": "x"}), "lacks key property 'id'"),
    "has null in a key": (record({"id": None}), "or has null in it"),
    "has too many data points": (record(MANY), "has 10,002 data points"),
    "is no object": (record("[1]"), "is not a JSON object but array"),
    "has half a character": (record('{"id": 1, "name": "\\ud800"}'), "half of a surrogate pair"),
    "is too large": (record(HUGE), "the service takes at most 20,000,000"),
}


def quarantining(config: dict[str, Any], folder: Path, **settings: Any) -> dict[str, Any]:
    """Return a config that sets records aside in a file of the folder."""
    path = str(folder / "quarantine.singer")
    return {**config, "on_invalid_record": "quarantine", "quarantine_path": path, **settings}


def kept(folder: Path) -> list[dict[str, Any]]:
    """Return the messages in that file."""
    return [json.loads(line) for line in (folder / "quarantine.singer").read_bytes().splitlines()]


@pytest.mark.parametrize("line", BAD)
def test_a_record_that_the_service_would_refuse_is_set_aside(
    line: str, service: Service, tmp_path: Path
) -> None:
    # given a bad record between good ones
    text, reason = BAD[line]
    lines = tap_output(schema(), record({"id": 7}), text, record({"id": 8}), state({"at": 4}))
    # when they are loaded with a quarantine
    run = piped(quarantining(service.config(), tmp_path), tmp_path, lines)
    # then the good ones arrive, the STATE is written, and the exit code is 0
    assert (run.exit_code, sorted(service.ids), run.states) == (0, [7, 8], [{"at": 4}])
    # and the bad one is in the file, byte for byte, with the reason and its line
    declared, aside = kept(tmp_path)
    assert declared == json.loads(schema())
    assert (aside["type"], aside["stream"], aside["line"]) == ("RECORD", "orders", 3)
    assert reason in aside["error"]
    data = text[text.index('"record": ') + len('"record": ') : -1]
    assert f'"record":{data},'.encode() in (tmp_path / "quarantine.singer").read_bytes()
    # and the end of the log counts it
    assert "1 record was set aside (1 of 'orders') in " in run.stderr


def test_a_key_that_is_too_long_is_set_aside(service: Service, tmp_path: Path) -> None:
    lines = tap_output(
        schema(properties={"k": {"type": "string"}}, keys=["k"]),
        record({"k": "x" * 255}),
        record({"k": "x" * 256}),
    )
    run = piped(quarantining(service.config(), tmp_path), tmp_path, lines)
    assert (run.exit_code, len(service.requests[0].records)) == (0, 1)
    assert "has 256 characters in key property 'k'" in kept(tmp_path)[1]["error"]


def test_a_record_that_the_service_names_is_set_aside(emulator: Emulator, tmp_path: Path) -> None:
    # given records that are not checked before they are sent, two of them bad
    config = {"token": "t", "api_url": emulator.url, "validate_records": False}
    lines = [record({"id": place, "name": "ab"[place % 2]}) for place in range(10)]
    lines[3] = record('{"id": 3, "name": 3.10}', time_extracted=AT)
    lines[8] = record('{"id": 8, "name": 8}', version=None)
    # when they are loaded with a quarantine
    data = tap_output(schema(), *lines, state({"at": 10}))
    run = piped(quarantining(config, tmp_path), tmp_path, data)
    # then the rest of the batch was sent again, and the STATE waited for that
    assert (run.exit_code, run.states) == (0, [{"at": 10}])
    found = [row["id"] for row in read_table(emulator.database, "orders")]
    assert sorted(found) == [0, 1, 2, 4, 5, 6, 7, 9]
    # and the two are in the file, with the service's words
    declared, first, second = kept(tmp_path)
    assert (declared["type"], declared["key_properties"]) == ("SCHEMA", ["id"])
    assert declared["schema"] == ORDERS
    assert [first["line"], second["line"]] == [5, 10]
    assert "Record 3 did not conform to schema" in first["error"]
    assert first["error"].endswith('That record is line 5 of the input (key {"id":3}).')
    assert first["time_extracted"] == AT
    assert b'"record":{"id": 3, "name": 3.10},' in (tmp_path / "quarantine.singer").read_bytes()


def refuses_names(*, is_numbered: bool, rule: str = "expected type: String, found: Integer") -> Any:
    """Return a service's rule that refuses a body for its first record whose name is no text."""

    def answer(request: Request) -> ServiceResponse:
        for index, message in enumerate(request.batch["messages"]):
            if not isinstance(message["data"]["name"], str):
                number = f" {index}" if is_numbered else ""
                text = f"Record{number} did not conform to schema:\n#/name: {rule}\n"
                return 400, json.dumps({"error": text}).encode(), {}
        return ACCEPTED

    return answer


NUMBERED = pytest.mark.parametrize("is_numbered", [True, False], ids=["numbered", "unplaced"])


@NUMBERED
def test_the_first_record_that_the_service_refuses_ends_a_run_without_a_quarantine(
    is_numbered: bool, tmp_path: Path
) -> None:
    # given two bad records in a batch, with and without their places in the answer
    lines = [record({"id": place, "name": "x"}) for place in range(60)]
    lines[20], lines[40] = record({"id": 20, "name": 5}), record({"id": 40, "name": 5})
    with running_service(refuses_names(is_numbered=is_numbered)) as service:
        # when they are loaded
        config = service.config(validate_records=False)
        run = piped(config, tmp_path, tap_output(schema(), *lines, state({"at": 1})))
    # then the first is named, behind the service's words in one line, and no STATE is written
    assert (run.exit_code, run.states) == (1, [])
    assert "to schema: #/name: expected type: String, found: Integer. That record" in run.last_line
    assert run.last_line.endswith('That record is line 22 of the input (key {"id":20}).')


@NUMBERED
def test_thousands_of_refused_records_in_a_batch_cost_few_requests(
    is_numbered: bool, tmp_path: Path
) -> None:
    # given 10,000 records that are not checked before they are sent, 4,000 of them bad
    names = ["x", 5, "x", "x", 5]
    lines = [record({"id": place, "name": names[place % 5]}) for place in range(10_000)]
    with running_service(refuses_names(is_numbered=is_numbered)) as service:
        # when they are loaded with a quarantine
        config = quarantining(service.config(validate_records=False), tmp_path)
        run = piped(config, tmp_path, tap_output(schema(), *lines, state({"at": 1})))
        # then the bad are in the file, in their order, and the STATE is written
        assert (run.exit_code, run.states) == (0, [{"at": 1}])
        aside = [each for each in kept(tmp_path) if each["type"] == "RECORD"]
        assert [each["record"]["id"] for each in aside] == [
            place for place in range(10_000) if place % 5 in (1, 4)
        ]
        # and it took few requests
        assert len(service.requests) <= 200
    # and the first is named in the service's words, the last in those of this target's check
    assert aside[0]["error"].endswith(
        "did not conform to schema: #/name: expected type: String, found: Integer. "
        'That record is line 3 of the input (key {"id":1}).'
    )
    assert aside[-1]["error"] == (
        "a record of table 'orders' does not fit its schema: #/name: expected: null, string, "
        "found: integer (the tap's schema is wrong there: override it in the catalog or by a stream "
        'map). That record is line 10,001 of the input (key {"id":9999}).'
    )
    # and the log says once that records are checked now
    assert run.stderr.count("its records are checked before they are sent") == 1


def test_records_that_come_after_many_refused_ones_are_checked_before_they_are_sent(
    tmp_path: Path,
) -> None:
    # given twenty bad records, each in a batch of its own, and more of them behind
    lines = [record({"id": place, "name": 5}) for place in range(60)]
    with running_service(refuses_names(is_numbered=False)) as service:
        config = service.config(validate_records=False, batch_size_rows=1, max_parallel_requests=1)
        # when they are loaded with a quarantine
        run = piped(quarantining(config, tmp_path), tmp_path, tap_output(schema(), *lines))
        # then those behind are never sent
        assert (run.exit_code, len(service.requests)) == (0, 20)
    assert len(kept(tmp_path)) == 61


@NUMBERED
def test_records_that_are_refused_for_what_this_target_can_not_know_stop_the_run(
    is_numbered: bool, tmp_path: Path
) -> None:
    # given a service whose rule this target does not know, and a column that breaks it
    fields = {"id": {"type": "integer"}, "name": {"type": ["string", "integer"]}}
    lines = [record({"id": place, "name": [5, "x"][place % 2]}) for place in range(1_000)]
    answer = refuses_names(is_numbered=is_numbered, rule="no whole numbers on Sundays")
    with running_service(answer) as service:
        # when it is loaded with a quarantine
        config = quarantining(service.config(), tmp_path)
        data = tap_output(schema(properties=fields), *lines, state({"at": 1}))
        run = piped(config, tmp_path, data)
        assert len(service.requests) <= 600
    # then the run stops without a STATE, and says which column, which rule and what to do
    assert (run.exit_code, run.states) == (1, [])
    assert "refused 100 records of table 'orders' that this target finds valid" in run.last_line
    assert "it names column 'name', for the last with: 400 Record" in run.last_line
    assert "#/name: no whole numbers on Sundays. They are in the quarantine" in run.last_line
    assert "Correct what it names in the tap" in run.last_line
    # and those that were found are in the file
    assert len(kept(tmp_path)) == 101


def test_a_record_that_the_service_names_never_replaces_what_is_newer(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given two versions of a row without a time, of which the service refuses the first
    settings = {"token": "t", "api_url": emulator.url, "validate_records": False}
    config = quarantining(settings, tmp_path)
    lines = tap_output(schema(), record({"id": 1, "name": 5}), record({"id": 1, "name": "newer"}))
    assert piped(config, tmp_path, lines).exit_code == 0
    # when the first is mended, and loaded later
    text = (tmp_path / "quarantine.singer").read_text()
    mended = text.replace('"name": 5', '"name": "older"').encode()
    assert piped(settings, tmp_path, mended).exit_code == 0
    # then it stays behind the newer one
    assert read_table(emulator.database, "orders") == [{"id": 1, "name": "newer"}]


def test_what_the_service_refuses_of_a_mapped_stream_is_kept_as_the_tap_wrote_it(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given a map that renames a stream and changes its records, and drops all other streams
    maps = {"orders": {"__alias__": "sales", "name": "name * 2"}, "__else__": None}
    settings = {"token": "t", "api_url": emulator.url, "stream_maps": maps}
    config = quarantining({**settings, "validate_records": False}, tmp_path)
    text = '{"id": 1,  "name": 5}'
    lines = tap_output(schema(), record(text), record({"id": 2, "name": "x"}), state({"at": 2}))
    # when the service refuses a record
    run = piped(config, tmp_path, lines)
    assert (run.exit_code, run.states) == (0, [{"at": 2}])
    # then the tap's own is set aside
    declared, aside = kept(tmp_path)
    assert (declared, aside["stream"]) == (json.loads(schema()), "orders")
    path = tmp_path / "quarantine.singer"
    assert f'"record":{text},' in path.read_text()
    # and once it is mended, it is mapped once, as the others were
    mended = path.read_text().replace('"name": 5', '"name": "y"').encode()
    assert piped(settings, tmp_path, mended).exit_code == 0
    rows = {row["id"]: row["name"] for row in read_table(emulator.database, "sales")}
    assert rows == {1: "yy", 2: "xx"}


def test_what_was_set_aside_is_loaded_once_the_cause_is_mended(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given a run that has set two versions of a row aside, before a newer one came
    config = quarantining({"token": "t", "api_url": emulator.url}, tmp_path)
    lines = [
        record({"id": 1, "name": 1}),
        record({"id": 2, "name": 2}),
        record({"id": 1, "name": "newer"}),
        state({"at": 3}),
    ]
    assert piped(config, tmp_path, tap_output(schema(), *lines)).exit_code == 0
    # when the cause is mended: here, by a person who corrects the schema in the file
    path = tmp_path / "quarantine.singer"
    text = path.read_text().replace('["null", "string"]', '["null", "string", "integer"]')
    mended = tmp_path / "mended.singer"
    mended.write_text(text)
    # and the file is piped back in
    run = piped(config, tmp_path, mended.read_bytes())
    # then what was missing is there, and what is newer stays
    assert run.exit_code == 0
    rows = {row["id"]: row["name"] for row in read_table(emulator.database, "orders")}
    assert rows == {1: "newer", 2: 2}


def test_the_quarantine_itself_as_the_input_never_grows(service: Service, tmp_path: Path) -> None:
    # given a quarantine whose cause is not mended
    config = quarantining(service.config(), tmp_path)
    piped(config, tmp_path, tap_output(schema(), record({"id": 1, "name": 1})))
    path = tmp_path / "quarantine.singer"
    before = path.read_bytes()
    # when it is loaded with the same settings
    run = piped(config, tmp_path, b"", "--input", str(path))
    # then the run ends, and says why
    assert run.exit_code == 1
    assert "it is the input of this run" in run.last_line
    assert path.read_bytes() == before


@pytest.mark.parametrize(("most", "exit_code"), [(0, 1), (1, 1), (2, 0)])
def test_more_than_permitted_make_the_run_fail(
    most: int, exit_code: int, service: Service, tmp_path: Path
) -> None:
    # given two bad records, each with a STATE behind it
    lines = tap_output(
        schema(),
        *(line for place in range(2) for line in (record({"x": place}), state({"at": place}))),
    )
    # when so many are permitted
    run = piped(quarantining(service.config(), tmp_path, max_quarantined=most), tmp_path, lines)
    # then the run fails at the first beyond, and no STATE has passed that
    assert run.exit_code == exit_code
    assert run.states == ([{"at": most - 1}] if most else [])
    if exit_code:
        assert f"{most} records are set aside already" in run.last_line
        assert "Line " in run.last_line


@pytest.mark.parametrize(("fails", "exit_code"), [(False, 0), (True, 3)])
def test_a_run_that_set_records_aside_may_end_with_a_code_of_its_own(
    fails: bool, exit_code: int, service: Service, tmp_path: Path
) -> None:
    # given a bad record between two good ones
    lines = tap_output(
        schema(), record({"id": 1}), record({"x": 1}), record({"id": 2}), state({"at": 2})
    )
    config = quarantining(service.config(fail_on_quarantine=fails), tmp_path)
    # when they are loaded
    run = piped(config, tmp_path, lines)
    # then the good ones are delivered and the STATE is written, and the end says what it is
    assert (run.exit_code, run.states, service.ids) == (exit_code, [{"at": 2}], [1, 2])
    path = config["quarantine_path"]
    assert f"Completed, 1 record set aside in {path}: 1 stream, 2 records, " in run.stderr
    assert ("1 record was set aside in" in run.last_line) is fails


def test_a_run_that_set_nothing_aside_ends_well(service: Service, tmp_path: Path) -> None:
    config = quarantining(service.config(fail_on_quarantine=True), tmp_path)
    run = piped(config, tmp_path, tap_output(schema(), record({"id": 1})))
    assert run.exit_code == 0
    assert "Completed: 1 stream, 1 record, " in run.last_line


def test_a_record_that_a_stream_map_cant_take_is_set_aside_as_the_tap_wrote_it(
    service: Service, tmp_path: Path
) -> None:
    # given a map that works out a column, and a record that it can't be worked out for
    maps = {"orders": {"double": "float(name) * 2"}}
    config = quarantining(service.config(stream_maps=maps), tmp_path)
    lines = tap_output(schema(), record({"id": 1, "name": "2"}), record({"id": 2, "name": "x"}))
    # when they are loaded
    run = piped(config, tmp_path, lines)
    # then the file has the record and the schema from before the map
    assert (run.exit_code, service.ids) == (0, [1])
    declared, aside = kept(tmp_path)
    assert declared == json.loads(schema())
    assert aside["record"] == {"id": 2, "name": "x"}


def test_what_is_set_aside_is_on_disk_before_the_state_that_passes_it(
    service: Service, tmp_path: Path
) -> None:
    # given a file on a disk that is full after a few records
    lines = [line for n in range(50) for line in (record({"x": "y" * 90}), state({"at": n}))]
    config = quarantining(service.config(), tmp_path)
    # when bad records with a STATE behind each are loaded
    run = _with_a_small_disk(config, tmp_path, tap_output(schema(), *lines))
    # then the STATEs stop where the file does
    assert run.exit_code == 1
    assert "can't be written" in run.last_line
    assert "Traceback" not in run.stderr
    whole_lines = (tmp_path / "quarantine.singer").read_bytes().split(b"\n")[:-1]
    complete = sum(b'"error"' in line for line in whole_lines)
    assert run.states == [{"at": complete - 1}]
    assert 5 < complete < 50


def _with_a_small_disk(config: dict[str, Any], folder: Path, data: bytes) -> Run:
    starter = folder / "small_disk.py"
    starter.write_text(
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "from target_stitch_import.cli import main\n"
        "main()\n"
    )
    return piped(config, folder, data, starter=str(starter))


def test_no_quarantine_keeps_the_token(tmp_path: Path) -> None:
    # given a service that quotes the token where it names a record
    def answer(request: Request) -> ServiceResponse:
        token = request.headers["Authorization"]
        if b'"id": 1' in request.body:
            return 400, json.dumps({"error": f"Record 0 did not conform: {token}"}).encode(), {}
        return ACCEPTED

    with running_service(answer) as service:
        # when the record is set aside for it
        run = piped(
            quarantining(service.config(), tmp_path),
            tmp_path,
            tap_output(schema(), record({"id": 1})),
        )
    # then the file has the words without the token
    assert run.exit_code == 0
    assert "Bearer ***" in kept(tmp_path)[1]["error"]
    assert "secret-token" not in (tmp_path / "quarantine.singer").read_text() + run.stderr


def test_a_folder_that_is_not_there_is_told_before_anything_is_read(
    service: Service, tmp_path: Path
) -> None:
    config = quarantining(service.config(), tmp_path / "nowhere")
    run = piped(config, tmp_path, tap_output(schema(), record({"id": 1})))
    assert (run.exit_code, service.requests) == (1, [])
    assert "nowhere does not exist. Check the setting quarantine_path" in run.last_line
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]

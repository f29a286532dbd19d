"""BATCH messages: records that come in files."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.batches import batch, jsonl
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import environment, loaded, piped
from tests.support.service import ACCEPTED, running_service

if TYPE_CHECKING:
    from target_stitch_import.emulator import Emulator
    from tests.support.service import Request, Service, ServiceResponse

TAP = Path(__file__).parents[2] / ".venv-tap-jsonl" / "bin" / "tap-jsonl"
REFUSED: ServiceResponse = (400, b'{"error": "Record 1 did not conform to schema: #/name: no"}', {})


def quarantining(service: Service, folder: Path, **settings: Any) -> dict[str, Any]:
    """Return a config that sets records aside."""
    path = str(folder / "quarantine.singer")
    return service.config(on_invalid_record="quarantine", quarantine_path=path, **settings)


def set_aside(folder: Path) -> list[dict[str, Any]]:
    """Return the records that were."""
    lines = (folder / "quarantine.singer").read_bytes().splitlines()
    return [found for found in map(json.loads, lines) if found["type"] == "RECORD"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_the_records_of_files_arrive_as_they_stand_in_them(
    name: str, emulator: Emulator, tmp_path: Path
) -> None:
    # given two files, one named by an URL and one by its path
    texts = [f'{{"id": {n},  "name": "\\u00e9"}}' for n in range(3)]
    first = jsonl(tmp_path / name, *texts)
    other = jsonl(tmp_path / f"more {name}", {"id": 3})
    compression = {"compression": "gzip"} if name.endswith("gz") else {}
    lines = [schema(), record({"id": 9}), batch(first, other.as_uri(), **compression)]
    data = tap_output(*lines, state({"at": 4}), record({"id": 8}))
    # when they come between records
    run = piped({"token": "t", "api_url": emulator.url}, tmp_path, data)
    # then all rows are there, and the STATE was written
    assert (run.exit_code, run.states) == (0, [{"at": 4}])
    names = {row["id"]: row["name"] for row in read_table(emulator.database, "orders")}
    assert names == {0: "é", 1: "é", 2: "é", 3: None, 8: None, 9: None}


def test_a_record_of_a_file_is_the_bytes_that_the_tap_wrote(
    service: Service, tmp_path: Path
) -> None:
    # given a file with a byte order mark, CRLF, blank lines and no end of the last line
    texts = [
        b'{"id": 1, "name":"\\u00e9", "n": 1.10}',
        b'{"id":2, "n": 12345678901234567890.5}',
        b'{"id":3,"id":3}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n\r\n  \n".join(texts))
    # when it is loaded
    _, error = loaded(service.config(), tap_output(schema(), batch(path)))
    # then the records stand in the request as they stood in the file
    assert error is None
    assert service.requests[0].records == texts


def test_a_gzip_is_known_by_its_bytes_whatever_the_message_says(
    service: Service, tmp_path: Path
) -> None:
    # given a file that is gzip, in two members, and one that is not
    zipped = jsonl(tmp_path / "a.gz", {"id": 1})
    zipped.write_bytes(zipped.read_bytes() + gzip.compress(b'{"id": 2}\n'))
    plain = jsonl(tmp_path / "b", {"id": 3})
    # when the message says the opposite
    lines = [batch(zipped, compression="none"), batch(plain, compression="gzip")]
    _, error = loaded(service.config(), tap_output(schema(), *lines))
    # then both are read
    assert (error, service.ids) == (None, [1, 2, 3])


def test_a_state_waits_for_the_records_of_a_batch_message(tmp_path: Path) -> None:
    # given a service that does not take the last rows of a file
    def answer(request: Request) -> ServiceResponse:
        return (401, b'{"message": "no"}', {}) if b'"id": 9' in request.body else ACCEPTED

    path = jsonl(tmp_path / "a.jsonl", *({"id": n} for n in range(10)))
    lines = [schema(), record({"id": -1}), state({"at": 1}), batch(path), state({"at": 2})]
    with running_service(answer) as service:
        config = service.config(batch_size_rows=1, max_parallel_requests=1)
        # when it is loaded
        run = piped(config, tmp_path, tap_output(*lines))
    # then only the STATE from before it is written
    assert (run.exit_code, run.states) == (1, [{"at": 1}])


@pytest.mark.parametrize("limit", [{"batch_size_rows": 7}, {"max_batch_bytes": 1_000}])
def test_requests_are_as_large_as_the_settings_permit(
    limit: dict[str, int], service: Service, tmp_path: Path
) -> None:
    path = jsonl(tmp_path / "a.jsonl", *({"id": n} for n in range(100)))
    _, error = loaded(service.config(**limit), tap_output(schema(), batch(path)))
    assert error is None
    assert sorted(service.ids) == list(range(100))
    most = limit.get("batch_size_rows", 1_000)
    assert all(len(request.records) <= most for request in service.requests)
    assert all(
        len(request.body) < limit.get("max_batch_bytes", 2_000) for request in service.requests
    )


def test_versions_and_sequences_hold_for_the_records_of_files(
    service: Service, tmp_path: Path
) -> None:
    # given a stream that is read in full, in files, with a bookmark property
    path = jsonl(tmp_path / "a.jsonl", {"id": 5}, {"id": 6})
    lines = [schema(bookmark_properties=["id"]), batch(path, version=3), activate(3)]
    config = service.config(sequence_source="replication_key")
    # when it is loaded
    _, error = loaded(config, tap_output(*lines))
    # then the records have the version, and the activation comes behind them
    assert error is None
    (found,) = (request.batch for request in service.requests)
    *records, activation = found["messages"]
    assert found["table_version"] == 3
    assert [each["sequence"] for each in records] == [5, 6]
    assert activation["action"] == "activate_version"


def test_a_time_of_the_message_is_that_of_its_records(service: Service, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"id": 5}, {"id": 6})
    line = batch(path, time_extracted="2026-01-01T00:00:00.5Z")
    _, error = loaded(service.config(), tap_output(schema(), line))
    assert error is None
    messages = service.requests[0].batch["messages"]
    assert {each["time_extracted"] for each in messages} == {"2026-01-01T00:00:00.500000Z"}


def test_stream_maps_and_flattening_change_the_records_of_files(
    service: Service, tmp_path: Path
) -> None:
    # given a map and flattening
    maps = {"orders": {"__alias__": "sales", "name": "name * 2", "__filter__": "id != 2"}}
    config = service.config(stream_maps=maps, flattening_enabled=True, flattening_max_depth=1)
    properties = {"id": {"type": "integer"}, "name": {"type": "string"}}
    path = jsonl(tmp_path / "a.jsonl", *({"id": n, "name": "ab"} for n in (1, 2, 3)))
    # when a file is loaded
    _, error = loaded(config, tap_output(schema(properties=properties), batch(path)))
    # then its records are mapped
    assert error is None
    assert service.requests[0].batch["table_name"] == "sales"
    assert service.requests[0].records == [b'{"id":1,"name":"abab"}', b'{"id":3,"name":"abab"}']


def test_a_bad_record_of_a_file_is_set_aside_and_the_others_go_on(
    service: Service, tmp_path: Path
) -> None:
    # given a file with bad records between good ones
    bad = ['{"id": 3, "name": 5}', "[1]", '{"id": 4, "name": "\\ud800"}', '{"name": "x"}']
    good = [{"id": n} for n in range(40)]
    path = jsonl(tmp_path / "a.jsonl", *good[:30], "", *bad, *good[30:])
    # when it is loaded with a quarantine
    data = tap_output(schema(), batch(path), state({"at": 1}))
    states, error = loaded(quarantining(service, tmp_path), data)
    # then the bad ones are in it, as they were, with the file and their lines
    assert (error, states) == (None, [b'{"at": 1}'])
    assert sorted(service.ids) == list(range(40))
    kept = set_aside(tmp_path)
    assert [(each["line"], each["error"].split(": ")[0]) for each in kept] == [
        (2, f"file '{path}', line {n}") for n in (32, 33, 34, 35)
    ]
    text = (tmp_path / "quarantine.singer").read_text()
    assert all(f'"record":{each},' in text for each in bad)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_record_of_a_file_that_the_service_names_is_set_aside(
    mapped: bool, tmp_path: Path
) -> None:
    # given a service that refuses the second of four records in two files; a map may have made it
    answers = iter([REFUSED])
    first = jsonl(tmp_path / "a.jsonl", "", {"id": 0, "name": "a"}, "")
    other = jsonl(tmp_path / "b.jsonl", "", *({"id": n, "name": "a"} for n in (1, 2, 3)))
    with running_service(lambda _: next(answers, ACCEPTED)) as service:
        maps = {"stream_maps": {"orders": {"name": "name * 2"}}} if mapped else {}
        # when they are loaded with a quarantine
        data = tap_output(schema(), batch(first, other))
        _, error = loaded(quarantining(service, tmp_path, **maps), data)
        assert (error, service.ids[4:]) == (None, [0, 2, 3])
    # then that one is in it, as the tap wrote it, with the file and its line
    (kept,) = set_aside(tmp_path)
    assert (kept["record"], kept["line"]) == ({"id": 1, "name": "a"}, 2)
    assert f"That record is file '{other}', line 2, of the BATCH message" in kept["error"]


def test_without_a_quarantine_the_error_says_which_record_the_service_refused(
    tmp_path: Path,
) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"id": 1}, {"id": 2})
    with running_service(lambda _: REFUSED) as service:
        _, error = loaded(service.config(), tap_output(schema(), batch(path)))
    expected_text = (
        f"That record is file '{path}', line 2, of the BATCH message in line 2 of the input"
    )
    assert f'{expected_text} (key {{"id":2}}).' in str(error)


def test_not_a_number_is_null_with_one_warning(service: Service, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", '{"id": 1, "v": NaN}', '{"id": 2, "v": [-Infinity]}')
    run = piped(service.config(), tmp_path, tap_output(schema(), batch(path, path)))
    assert run.exit_code == 0
    assert service.requests[0].records[:2] == [b'{"id": 1, "v": null}', b'{"id": 2, "v": [null]}']
    assert run.stderr.count("null takes its place") == 1
    assert f"line 2 (file '{path}', line 1)" in run.stderr


def test_a_dry_run_counts_the_records_of_files_and_sends_none(
    service: Service, tmp_path: Path
) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"id": 1}, {"id": "x"})
    run = piped(service.config(), tmp_path, tap_output(schema(), batch(path)), "--dry-run")
    assert (run.exit_code, service.requests) == (1, [])
    assert "orders: 1 record, " in run.stderr
    assert f"the first in line 2: file '{path}', line 2: record of stream 'orders'" in run.stderr


# A real tap


@pytest.mark.parametrize("encoding", [{"format": "jsonl", "compression": "gzip"}])
def test_a_real_tap_that_writes_batch_messages(
    encoding: dict[str, str], emulator: Emulator, tmp_path: Path
) -> None:
    if not TAP.is_file():
        pytest.fail(f"there is no {TAP.parents[1].name}: `make test` sets it up")
    # given a tap that writes files of ten records
    rows = [{"id": n, "name": f"é {n}", "price": n / 4} for n in range(25)]
    jsonl(tmp_path / "source.jsonl", *rows)
    (tmp_path / "batches").mkdir()
    storage = {"root": (tmp_path / "batches").as_uri()}
    tap_config = {
        "path": str(tmp_path / "source.jsonl"),
        "stream_name": "orders",
        "primary_keys": ["id"],
        "batch_config": {"encoding": encoding, "storage": storage, "batch_size": 10},
    }
    (tmp_path / "tap.json").write_text(json.dumps(tap_config))
    tapped = subprocess.run(
        [str(TAP), "--config", str(tmp_path / "tap.json")],
        capture_output=True,
        check=True,
        timeout=60,
        env=environment(),
        cwd=tmp_path,
    )
    assert tapped.stdout.count(b'"BATCH"') == 3
    # when its output is loaded
    run = piped({"token": "t", "api_url": emulator.url}, tmp_path, tapped.stdout)
    # then all rows are in the table
    assert run.exit_code == 0, run.stderr
    found = sorted(read_table(emulator.database, "orders"), key=lambda row: row["id"])
    assert [(row["id"], row["name"], float(row["price"])) for row in found] == [
        tuple(row.values()) for row in rows
    ]

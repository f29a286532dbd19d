"""A dry run does all that a run does, but sends nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_stitch_import.emulator import read_table
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import piped
from tests.support.service import running_service

if TYPE_CHECKING:
    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service

AT = "2026-01-01T00:00:00.000001Z"
ITEMS = schema("items", {"sku": {"type": "string"}}, ["sku"])
LINES = [
    schema(),
    ITEMS,
    *(record({"id": place, "name": "é"}, version=1, time_extracted=AT) for place in range(100)),
    *(record({"sku": f"s{place}"}, "items", time_extracted=AT) for place in range(40)),
    state({"at": 1}),
]
BODIES: list[dict[str, Any]] = [
    {"max_batch_bytes": 2_000},
    {"batch_size_rows": 7},
    {"endpoint": "push", "client_id": 4231, "max_batch_bytes": 3_000},
    {"endpoint": "push", "client_id": 4231, "push_format": "transit"},
    {"stream_maps": {"items": {"sku": "sku", "half": "sku[:1]"}}},
]


@pytest.mark.parametrize("settings", BODIES)
def test_the_bodies_are_byte_for_byte_what_a_run_posts(
    settings: dict[str, Any], service: Service, tmp_path: Path
) -> None:
    # Given a stream whose times give the sequences
    data = tap_output(*LINES)
    run = piped(service.config(max_parallel_requests=1, **settings), tmp_path, data)
    assert run.exit_code == 0
    posted = [request.body for request in service.requests]
    # When it is rehearsed without a token and without a service
    out = tmp_path / "bodies.jsonl"
    dry = piped(settings, tmp_path, data, "--dry-run", "--output", str(out))
    # Then the file has the bodies, and nothing was sent or promised
    assert (dry.exit_code, dry.stdout) == (0, b"")
    assert out.read_bytes().splitlines() == posted
    assert len(service.requests) == len(posted)


def test_the_bodies_pass_the_emulator(emulator: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "bodies.jsonl"
    data = tap_output(*LINES, activate(1))
    assert piped({}, tmp_path, data, "--dry-run", "--output", str(out)).exit_code == 0
    for body in out.read_bytes().splitlines():
        headers = {"Authorization": "Bearer any", "Content-Type": "application/json"}
        answer = requests.post(
            f"{emulator.url}/v2/import/batch", data=body, headers=headers, timeout=10
        )
        assert answer.status_code == 201
    assert len(read_table(emulator.database, "orders")) == 100


def test_it_ends_with_what_would_be_sent_of_each_stream(tmp_path: Path) -> None:
    run = piped({"batch_size_rows": 30}, tmp_path, tap_output(*LINES), "--dry-run")
    assert run.exit_code == 0
    assert "orders: 100 records, " in run.stderr
    assert "items: 40 records, " in run.stderr
    assert "Dry run: 140 records in 6 requests, " in run.last_line
    assert "nothing was sent, and no STATE written" in run.last_line


@pytest.mark.parametrize(
    ("settings", "exit_code", "last"),
    [
        ({}, 1, "would end: 2 records would be refused"),
        ({"on_invalid_record": "quarantine"}, 0, "nothing was sent"),
        ({"on_invalid_record": "quarantine", "max_quarantined": 1}, 1, "permits 1"),
    ],
)
def test_what_would_be_refused_is_told_and_does_not_end_it(
    settings: dict[str, Any], exit_code: int, last: str, tmp_path: Path
) -> None:
    # Given two bad records between good ones
    lines = [schema(), record({"id": 1}), record({"id": "x"}), record({"name": "y"})]
    data = tap_output(*lines, record({"id": 2}))
    path = tmp_path / "aside.singer"
    if "on_invalid_record" in settings:
        settings = {**settings, "quarantine_path": str(path)}
    # When they are rehearsed
    run = piped(settings, tmp_path, data, "--dry-run")
    # Then the summary names the first, all is read, and no file is written
    assert run.exit_code == exit_code
    assert last in run.last_line
    assert "orders: 2 records would be refused, the first in line 3: " in run.stderr
    assert "orders: 2 records, " in run.stderr
    assert not path.exists()


def test_what_would_be_refused_is_told_of_the_table_that_a_stream_map_names(
    tmp_path: Path,
) -> None:
    # given a stream that loads a table of another name, and a record that does not fit it
    settings = {"stream_maps": {"orders": {"__alias__": "sales", "id": "id"}}}
    data = tap_output(schema(), record({"id": 1}), record({"id": "x"}))
    # when it is rehearsed
    run = piped(settings, tmp_path, data, "--dry-run")
    # then all is said of that table
    assert "sales: 1 record, " in run.stderr
    assert "sales: 1 record would be refused, the first in line 3: " in run.stderr
    assert "orders: " not in run.stderr


def test_a_line_that_can_not_be_used_ends_it_as_it_would_end_a_run(tmp_path: Path) -> None:
    run = piped({}, tmp_path, tap_output(schema(), record({"id": 1}), "nonsense"), "--dry-run")
    assert run.exit_code == 1
    assert "Line 3 of the input" in run.last_line
    assert "orders: 1 record, " in run.stderr


def test_no_connection_is_opened(tmp_path: Path) -> None:
    with running_service() as service:
        config = service.config()
        assert piped(config, tmp_path, tap_output(*LINES), "--dry-run").exit_code == 0
        assert (service.requests, service.status_requests) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--output", "x.jsonl"], "--output needs --dry-run"),
        (["--dry-run", "--output", "no/such/folder"], "--output can't be written"),
        (["--dry-run", "--output", "config.json", "--input", "config.json"], "input of this run"),
        (["--dry-run", "--test"], "can't be used together"),
    ],
)
def test_an_output_that_can_not_be_is_refused(
    arguments: list[str], reported: str, tmp_path: Path
) -> None:
    run = piped({"token": "any"}, tmp_path, b"", *arguments)
    assert run.exit_code != 0
    assert reported in run.stderr


def test_an_output_that_is_the_input_is_left_whole(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(tap_output(*LINES))
    run = piped({}, tmp_path, b"", "--dry-run", "--input", str(path), "--output", str(path))
    assert run.exit_code == 1
    assert path.read_bytes() == tap_output(*LINES)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_an_output_that_is_full_fails_the_run(tmp_path: Path) -> None:
    data = tap_output(schema(), record({"id": 1}))
    run = piped({}, tmp_path, data, "--dry-run", "--output", "/dev/full")
    assert run.exit_code == 1
    assert "the bodies can't be written" in run.last_line
    assert "Traceback" not in run.stderr


def test_a_setting_that_is_wrong_is_still_refused(tmp_path: Path) -> None:
    run = piped({"region": "mars"}, tmp_path, b"", "--dry-run")
    assert run.exit_code == 1
    assert "region" in run.stderr
    assert json.loads((tmp_path / "config.json").read_text()) == {"region": "mars"}

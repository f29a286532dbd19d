"""``--test``: is the service up, and does it let this config in?"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, running_emulator
from tests.support.messages import record, schema, tap_output
from tests.support.running import COMMAND, environment, piped
from tests.support.service import UP, running_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Request, Service, ServiceResponse

TOKEN = "secret-token"
OK, FAILED, NOT_CHECKED = "ok", "failed", "not checked"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Emulator]:
    """Run an emulator that knows its one account."""
    with running_emulator(tmp_path / "stitch.db", token=TOKEN, client_id=4231) as running:
        yield running


def outcome(
    emulator: Emulator, folder: Path, *arguments: str, **settings: Any
) -> tuple[int, list[str]]:
    """Run the command with --test; return its exit code and the lines on stdout."""
    config = {"token": TOKEN, "api_url": emulator.url, **settings}
    run = piped(config, folder, b"", "--test", *arguments)
    assert "Traceback" not in run.stderr
    assert str(config["token"]) not in run.stdout.decode() + run.stderr
    # whatever is found, nothing is loaded
    assert list_tables(emulator.database) == []
    return run.exit_code, run.stdout.decode().splitlines()


def shown(terminal: int) -> bytes:
    """Return all that was written to a terminal whose other end is closed."""
    text = b""
    with contextlib.suppress(OSError):  # how Linux says that it is
        while piece := os.read(terminal, 65_536):
            text += piece
    return text


def test_a_config_that_gets_in(guarded: Emulator, tmp_path: Path) -> None:
    # given an account and a config that is right, with the client ID as text
    # when it is tested
    exit_code, lines = outcome(guarded, tmp_path, client_id="4231")
    # then each thing has its line, in plain text as this is no terminal
    assert exit_code == 0
    assert lines == [
        f"Status: ok. {guarded.url} is up.",
        "Credentials: ok. The service accepts the token.",
        f"Region: ok. The account is at {guarded.url}.",
        "Client ID: ok. 4231 belongs to the token.",
    ]


REFUSED: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...], str]] = [
    ({}, {"token": "another-token"}, (OK, FAILED, NOT_CHECKED, NOT_CHECKED), "setting token"),
    ({}, {"client_id": 999}, (OK, OK, OK, FAILED), "does not belong to this token"),
    (
        {},
        {"token": "eu:secret-token"},
        (OK, NOT_CHECKED, FAILED, NOT_CHECKED),
        "Set api_url to https://api.stitchdata.com (us) or https://api.eu-central-1.",
    ),
    (
        {"region": "eu"},
        {"token": "us:secret-token"},
        (OK, NOT_CHECKED, FAILED, NOT_CHECKED),
        "The account is not at",
    ),
    ({"active": False}, {}, (OK, FAILED, OK, NOT_CHECKED), "paused or deleted in Stitch"),
    ({"faults": "maintenance=2"}, {}, (FAILED, OK, OK, OK), "Try again later"),
    ({"faults": "503"}, {}, (OK, NOT_CHECKED, NOT_CHECKED, NOT_CHECKED), "503"),
    ({"faults": "drop"}, {}, (OK, NOT_CHECKED, NOT_CHECKED, NOT_CHECKED), "did not check them"),
]


@pytest.mark.parametrize(("service", "settings", "results", "expected_text"), REFUSED)
def test_a_config_that_does_not_get_in(
    service: dict[str, Any],
    settings: dict[str, Any],
    results: tuple[str, ...],
    expected_text: str,
    tmp_path: Path,
) -> None:
    # given an account that the config does not fit
    account = {"token": TOKEN, "client_id": 4231, **service}
    with running_emulator(tmp_path / "stitch.db", **account) as emulator:
        # when it is tested
        exit_code, lines = outcome(emulator, tmp_path, **{"client_id": 4231, **settings})
    # then it says which part, and what to do
    assert exit_code == 1
    assert tuple(line.partition(": ")[2].partition(". ")[0] for line in lines) == results
    assert expected_text in "\n".join(lines)


def test_without_a_client_id_the_token_is_checked_all_the_same(
    guarded: Emulator, tmp_path: Path
) -> None:
    # given a config without one / when it is tested
    exit_code, lines = outcome(guarded, tmp_path)
    # then the target could load, and it is said where to find the ID
    assert exit_code == 0
    assert lines[1].startswith("Credentials: ok.")
    assert lines[3].startswith("Client ID: not checked.")
    assert "between client and pipeline in the address of the Stitch app" in lines[3]


def test_json_is_for_machines(guarded: Emulator, tmp_path: Path) -> None:
    # when it is asked for
    exit_code, (line,) = outcome(guarded, tmp_path, "--format", "json")
    # then all of stdout is one object
    reported = json.loads(line)
    assert (exit_code, reported["ok"]) == (0, True)
    assert [(check["name"], check["result"]) for check in reported["checks"]] == [
        ("status", OK), ("credentials", OK), ("region", OK), ("client_id", NOT_CHECKED),
    ]  # fmt: skip
    assert all(check["message"] for check in reported["checks"])
    # and one that fails says so in both ways
    exit_code, (line,) = outcome(guarded, tmp_path, "--format", "json", token="another-token")
    assert (exit_code, json.loads(line)["ok"]) == (1, False)


def test_markdown_is_for_about_alone(guarded: Emulator, tmp_path: Path) -> None:
    config = {"token": TOKEN, "api_url": guarded.url}
    run = piped(config, tmp_path, b"", "--test", "--format", "markdown")
    assert (run.exit_code, run.stdout) == (2, b"")
    assert "--test prints text or json, not markdown." in run.last_line


def test_a_terminal_gets_ticks(guarded: Emulator, tmp_path: Path) -> None:
    # given a terminal for stdout
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"token": TOKEN, "api_url": guarded.url, "client_id": 999}))
    ours, theirs = pty.openpty()
    # when the command is run in it
    try:
        done = subprocess.run(
            [COMMAND, "--config", str(path), "--test"],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, check=False,
            timeout=60, env=environment(PYTHONUTF8="1"),
        )  # fmt: skip
        os.close(theirs)
        lines = shown(ours).decode().splitlines()
    finally:
        os.close(ours)
    # then each line begins with one
    assert done.returncode == 1
    assert lines[:2] == [
        f"✓ Status: {guarded.url} is up.",
        "✓ Credentials: The service accepts the token.",
    ]
    assert lines[3].startswith("✗ Client ID: 403 Forbidden")


def test_settings_come_from_the_environment(guarded: Emulator, tmp_path: Path) -> None:
    # given settings in the environment alone
    env = environment(
        TARGET_STITCH_IMPORT_TOKEN=TOKEN,
        TARGET_STITCH_IMPORT_API_URL=guarded.url,
        TARGET_STITCH_IMPORT_CLIENT_ID="4231",
    )
    # when they are tested
    run = subprocess.run(
        [COMMAND, "--config=ENV", "--test"],
        capture_output=True, text=True, check=False, input="", env=env, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    # then they get in
    assert run.returncode == 0, run.stderr
    assert "Client ID: ok. 4231 belongs to the token." in run.stdout
    assert TOKEN not in run.stdout + run.stderr


def test_nothing_is_read_from_stdin(guarded: Emulator, tmp_path: Path) -> None:
    # given a tap that has written, and has not ended
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"token": TOKEN, "api_url": guarded.url}))
    data = tap_output(schema(), record({"id": 1}))
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
        # when the config is tested
        run = subprocess.run(
            [COMMAND, "--config", str(path), "--test"],
            stdin=reading, capture_output=True, check=False, timeout=60, env=environment(),
        )  # fmt: skip
        # then it ends, and all that was written is still there
        assert run.returncode == 0
        assert os.read(reading, 65_536) == data
    finally:
        os.close(reading)
        os.close(writing)
    assert list_tables(guarded.database) == []


def test_only_validate_is_posted_to(tmp_path: Path) -> None:
    # given a service that would take anything
    with running_service(lambda _: (200, b'{"status": "OK"}', {})) as service:
        # when a config is tested, with a tap behind the pipe
        run = piped(service.config(), tmp_path, tap_output(schema(), record({"id": 1})), "--test")
        # then neither a batch nor a push was sent
        assert run.exit_code == 0
        assert [request.path for request in service.status_requests] == ["/v2/import/status"]
        assert [request.path for request in service.requests] == ["/v2/import/validate"]


def test_a_service_that_says_nothing_is_tried_once(tmp_path: Path) -> None:
    # given a service that takes requests and never answers
    over = threading.Event()

    def answer(request: Request) -> ServiceResponse:
        over.wait(60)
        return UP

    with running_service(answer) as service:
        service.status = answer
        # when a config is tested with a short timeout
        try:
            run = piped(service.config(request_timeout_seconds=2), tmp_path, b"", "--test")
        finally:
            over.set()
        # then it was asked once each, and what could not be checked is told as that
        assert (len(service.status_requests), len(service.requests)) == (1, 1)
    assert run.exit_code == 1
    lines = run.stdout.decode().splitlines()
    assert lines[0].startswith(f"Status: failed. {service.url} does not report that it is up: ")
    assert all(": not checked. " in line for line in lines[1:])


@pytest.mark.parametrize("arguments", [(), ("--format", "json")])
def test_a_config_error_is_told_as_ever(
    arguments: tuple[str, ...], service: Service, tmp_path: Path
) -> None:
    # given a config that is refused / when it is tested
    run = piped(service.config(client_id="mine"), tmp_path, b"", "--test", *arguments)
    # then one line says which setting, and nobody was asked
    assert (run.exit_code, run.stdout) == (1, b"")
    assert "Setting client_id must be a whole number, not 'mine'" in run.last_line
    assert service.requests == service.status_requests == []

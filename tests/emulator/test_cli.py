"""The command: how it starts, how it stops, and what it never loses."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

import target_stitch_import.emulator as emulator_package
from target_stitch_import.emulator import read_table, running_emulator
from target_stitch_import.emulator.cli import main
from tests.emulator.client import ACCEPTED, Api, batch, read_response, upsert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ID = {"id": {"type": "integer"}}
LINE = re.compile(r"Import API emulator listening on (http://127\.0\.0\.1:[0-9]+), database (.+)\n")


@contextlib.contextmanager
def command(database: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], Api]]:
    """Run the command on a free port."""
    arguments = ["--port", "0", "--database", str(database), *flags]
    process = subprocess.Popen(
        [sys.executable, "-m", "target_stitch_import.emulator.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = LINE.fullmatch(line)
        assert match is not None, line
        assert match[2] == str(database)
        assert process.stdout.readline() == f"What arrives is shown at {match[1]}/\n"
        with requests.Session() as session:
            session.trust_env = False
            yield process, Api(match[1], database, session)
    finally:
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    # given the command, with a client that keeps its connection open
    with command(tmp_path / "stitch.db") as (process, api):
        assert api.batch(batch("t", ID, [upsert(1, id=1)])) == ACCEPTED

        # when it is told to stop
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)

    # then it does, with nothing more to say
    assert (process.returncode, output, errors) == (0, "", "")
    assert read_table(tmp_path / "stitch.db", "t") == [{"id": 1}]


def test_its_flags(tmp_path: Path) -> None:
    # given a command with all of its flags
    flags = ["--token", "secret", "--client-id", "5", "--region", "eu", "--verbose"]
    with command(tmp_path / "stitch.db", *flags) as (process, api):
        record = {
            "client_id": 5,
            "table_name": "t",
            "sequence": 1,
            "action": "upsert",
            "key_names": ["id"],
            "data": {"id": 1},
        }

        # when requests come
        statuses = [
            api.post("push", [record], token=token).status_code
            for token in ("secret", "wrong", "us:secret")
        ]
        statuses.append(api.post("push", [{**record, "client_id": 6}], token="secret").status_code)
        process.terminate()
        _, errors = process.communicate(timeout=60)

    # then they are answered accordingly, and logged
    assert statuses == [201, 401, 401, 403]
    assert errors.splitlines()[:3] == [
        "POST /v2/import/push 201",
        'POST /v2/import/push 401: {"message":"Not Authorized"}',
        'POST /v2/import/push 401: {"message":"Invalid region."}',
    ]


def test_it_can_be_paused(tmp_path: Path) -> None:
    # given a command for a paused integration
    with command(tmp_path / "stitch.db", "--paused") as (_, api):
        # when a batch comes
        status, content = api.batch(batch("t", ID, [upsert(1, id=1)]))

    # then it is refused
    assert status == 401
    assert content["errors"] == {"error": "Connection is not active."}


def test_it_can_misbehave(tmp_path: Path) -> None:
    # given a command with faults
    with command(tmp_path / "stitch.db", "--faults", "503,202", "--verbose") as (process, api):
        # when batches come
        statuses = [api.batch(batch("t", ID, [upsert(1, id=1)]))[0] for _ in range(3)]
        process.terminate()
        _, errors = process.communicate(timeout=60)

    # then they meet the faults, which are logged
    assert statuses == [503, 202, 201]
    assert errors.splitlines() == [
        "POST /v2/import/batch fault 503",
        "POST /v2/import/batch fault 202",
        "POST /v2/import/batch 201",
        "POST /v2/import/batch 201",
    ]


def test_it_can_answer_without_a_number(tmp_path: Path) -> None:
    # given a command that does not say which record it refuses
    with command(tmp_path / "stitch.db", "--answers", "unplaced") as (_, api):
        # when the second record of a batch breaks its schema
        answer = api.batch(batch("t", ID, [upsert(1, id=1), upsert(2, id="x")]))

    # then the refusal has the reason alone
    reason = "Record did not conform to schema: #/id: expected type: Integer, found: String"
    assert answer == (400, {"error": reason})


def test_a_stopped_table_is_logged_without_verbose(tmp_path: Path) -> None:
    # given a command without flags, and a table
    with command(tmp_path / "stitch.db") as (process, api):
        assert api.batch(batch("t", ID, [upsert(1, id=1)], key_names=["id"])) == ACCEPTED

        # when two requests have other keys
        for sequence in (2, 3):
            assert api.batch(batch("t", ID, [upsert(sequence, id=1)])) == ACCEPTED
        process.terminate()
        _, errors = process.communicate(timeout=60)

    # then one line says that the table is stopped, and why
    assert errors == (
        "Table t is stopped, for its keys changed from ['id'] to []: "
        "1 messages were accepted and not loaded\n"
    )


@pytest.mark.parametrize("keys", [[], ["id"]])
def test_what_was_answered_survives_a_kill(tmp_path: Path, keys: list[str]) -> None:
    # given a client that posts as fast as it can
    database = tmp_path / "stitch.db"
    acknowledged: list[int] = []
    with command(database) as (process, api):

        def post() -> None:
            with contextlib.suppress(requests.RequestException):
                for first in range(0, 1_000_000, 50):
                    ids = range(first, first + 50)
                    body = batch("t", ID, [upsert(1, id=each) for each in ids], key_names=keys)
                    assert api.batch(body) == ACCEPTED
                    acknowledged.extend(ids)

        client = threading.Thread(target=post)
        client.start()

        # when the emulator is killed on the way
        while client.is_alive() and len(acknowledged) < 500:
            time.sleep(0.01)
        assert client.is_alive()
        process.kill()
        process.wait(timeout=60)
        client.join(timeout=60)

    # then all that it answered is there, and of the request on the way all or nothing
    stored = [row["id"] for row in read_table(database, "t")]
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) - len(acknowledged) in (0, 50)

    # and it can be taken up again
    with running_emulator(database) as emulator, requests.Session() as session:
        body = batch("t", ID, [upsert(2, id=-1)], key_names=keys)
        assert read_response(Api(emulator.url, database, session).post("batch", body)) == ACCEPTED


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given a port that somebody listens on
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        # when the command is told to use it
        code = main(["--port", str(port), "--database", str(tmp_path / "stitch.db")])

    # then it says so in one line
    assert code == 1
    message = f"stitch-import-emulator: port {port} can't be used: Address already in use\n"
    assert capsys.readouterr().err == message


def test_a_file_that_is_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given a file of something else
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, and not a database. " * 100)

    # when the command is told to use it
    code = main(["--port", "0", "--database", str(path)])

    # then it says so in one line
    assert code == 1
    message = f"{path} can't be used as a database: file is not a database\n"
    assert capsys.readouterr().err == f"stitch-import-emulator: {message}"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "65536"], "a port is a number from 0 to 65535"),
        (["--port", "http"], "a port is a number from 0 to 65535"),
        (["--region", "mars"], "invalid choice: 'mars'"),
        (["--client-id", "x"], "invalid int value"),
        (["--faults", "dorp"], "argument --faults: 'dorp' is no fault"),
    ],
)
def test_flags_that_are_wrong(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # when a flag has a value that it can't have
    with pytest.raises(SystemExit) as stopped:
        main(flags)

    # then the command says so
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra(tmp_path: Path, missing: str) -> None:
    # given an environment without a library of the extra
    (tmp_path / f"{missing}.py").write_text(
        f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')"
    )

    # when the command is run
    process = subprocess.run(
        [sys.executable, "-m", "target_stitch_import.emulator.cli"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    # then it says what to install
    message = f"{missing} is missing: pip install 'target-stitch-import[emulator]'\n"
    assert process.returncode == 1
    assert process.stderr == f"stitch-import-emulator: {message}"
    assert process.stdout == ""


def test_the_package_has_no_other_names() -> None:
    # when the package is asked for something that it does not have
    # then it says so
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = emulator_package.nothing
    assert callable(emulator_package.create_app)


def test_a_server_listens_until_its_block_ends(tmp_path: Path) -> None:
    with requests.Session() as session:
        session.trust_env = False
        # when a server is used
        with running_emulator(tmp_path / "stitch.db") as emulator:
            status = session.get(f"{emulator.url}/v2/import/status", timeout=60)

        # then it answers, and with its block it is gone
        assert status.json()["status"] == "OK"
        with pytest.raises(requests.ConnectionError):
            session.get(f"{emulator.url}/v2/import/status", timeout=60)

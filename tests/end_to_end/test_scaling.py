"""``examples/dagster``: partitions of one tap side by side, in Dagster's own local executor."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.middleware import Middleware

from target_stitch_import.emulator import read_table, running_emulator
from tests.support.pages import Block, blocks, run
from tests.support.running import COMMAND, environment

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from target_stitch_import.emulator import Emulator

pytestmark = pytest.mark.external

PROJECT = Path(__file__).parents[2]
DEFINITIONS = PROJECT / "examples" / "dagster" / "definitions.py"
DAGSTER = PROJECT / ".venv-dagster"
TAP_PYTHON = PROJECT / ".venv-tap-jsonfile" / "bin" / "python"
RANGES = 4
PATIENCE_SECONDS = 240

# The real tap, with a STATE after each record. Behind one record of one partition it is killed, once.
TAP = """
import os, signal, sys
from pathlib import Path
from singer_sdk import Stream
from tap_jsonfile.streams import JsonFileStream
from tap_jsonfile.tap import TapJsonFile

Stream.STATE_MSG_FREQUENCY = 1
mark, read = Path(__file__).with_name("was-killed"), JsonFileStream.get_records

def get_records(self, context):
    for record in read(self, context):
        yield record
        if record["id"] == 2004 and not mark.exists():
            mark.touch()
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)

JsonFileStream.get_records = get_records
TapJsonFile.cli()
"""


class Crossing:
    """Lets nobody's post through before there is one of every range; keeps the ids of each."""

    def __init__(self, app: ASGIApp, posted: list[list[int]], late: list[str]) -> None:
        self._app = app
        self._posted = posted
        self._late = late
        self._all_are_here = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part["body"], part.get("more_body", False)
        messages = json.loads(body)["messages"]
        self._posted.append([message["data"]["id"] for message in messages])
        if len({number // 1_000 for ids in self._posted for number in ids}) == RANGES:
            self._all_are_here.set()
        try:
            await asyncio.wait_for(self._all_are_here.wait(), PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            self._late.append("a range waited for the others in vain")
            self._all_are_here.set()

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


def dagster_command() -> Path:
    """Return Dagster's command, if this Python can have it."""
    command = DAGSTER / "bin" / "dagster"
    if command.is_file():
        return command
    if not (DAGSTER / "failure").is_file():
        pytest.fail(f"there is no {DAGSTER.name}: `make test` sets it up")
    reason = "\n".join((DAGSTER / "failure").read_text().splitlines()[-5:])
    if os.environ.get("CI") and sys.version_info < (3, 14):
        pytest.fail(f"Dagster can't be installed: {reason}")
    pytest.skip(f"Dagster can't be installed: {reason}")


def write_rows(source: Path, name: str, first: int) -> None:
    """Write a file of three rows."""
    path = source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"id": number, "file": name} for number in range(first, first + 3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run_job(emulator: Emulator, folder: Path, code: int = 0) -> str:
    """Run the job as the README's command does; return what it has printed."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    (folder / "tap.py").write_text(TAP)
    env = environment(
        DAGSTER_HOME=str(home),
        LOAD_AT_ONCE=str(RANGES),
        LOAD_RETRY_SECONDS="0",
        LOAD_SOURCE=str(folder / "source"),
        LOAD_STATES=str(folder / "states"),
        LOAD_TAP=f"{TAP_PYTHON} {folder / 'tap.py'}",
        LOAD_TARGET=f"{COMMAND} --config=ENV",
        TARGET_STITCH_IMPORT_API_URL=emulator.url,
        TARGET_STITCH_IMPORT_REQUEST_TIMEOUT_SECONDS=str(2 * PATIENCE_SECONDS),
        TARGET_STITCH_IMPORT_TOKEN="token-of-the-test",
    )
    command = [str(dagster_command()), "job", "execute", "-f", str(DEFINITIONS), "-j"]
    done = subprocess.run(
        [*command, "load_orders"],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert "token-of-the-test" not in done.stdout
    return done.stdout


def recorded(folder: Path) -> list[tuple[str | None, str, str]]:
    """Return Dagster's log of all runs: type, step and text of each event.

    Of what is printed, lines of several processes may be in one another.
    """
    found = []
    for path in folder.glob("home/history/runs/*-*.db"):
        with closing(sqlite3.connect(path)) as log:
            found += log.execute(
                "SELECT dagster_event_type, step_key, json_extract(event, '$.user_message')"
                " FROM event_logs ORDER BY id"
            ).fetchall()
    return found


def in_source(folder: Path) -> list[Any]:
    """Return all rows of the source, by id."""
    lines = [line for path in folder.glob("source/*/*") for line in path.read_text().splitlines()]
    return sorted(map(json.loads, lines), key=lambda row: row["id"])


def in_table(emulator: Emulator) -> list[Any]:
    """Return all rows of the table, by id."""
    return sorted(read_table(emulator.database, "orders"), key=lambda row: row["id"])


def test_partitions_run_side_by_side_and_each_goes_on_from_its_own_state(tmp_path: Path) -> None:
    if not TAP_PYTHON.is_file():
        pytest.fail(f"there is no {TAP_PYTHON.relative_to(PROJECT)}: `make test` sets it up")
    # given four key ranges of three files each, and a service that answers none before all are there
    for number in range(RANGES):
        for place, name in enumerate("abc"):
            path = f"range_{number}/{name}.jsonl"
            write_rows(tmp_path / "source", path, 1_000 * number + 3 * place)
    posted: list[list[int]] = []
    late: list[str] = []
    crossing = Middleware(Crossing, posted=posted, late=late)
    with running_emulator(tmp_path / "stitch.db", middleware=[crossing]) as emulator:
        # when the job runs, and the tap of one is killed in its second file
        run_job(emulator, tmp_path)

        # then the four were there together
        assert late == []
        # and Dagster has tried one again
        log = recorded(tmp_path)
        assert [step for kind, step, _ in log if kind == "STEP_UP_FOR_RETRY"] == ["load[range_2]"]
        assert any(
            f"pipe: ended with exit codes: {TAP_PYTHON} with 137, {COMMAND} with 0" in text
            for _, step, text in log
            if step == "load[range_2]"
        )
        # which is that one, and has begun at its own state: what it covers was sent once, as all of the others was
        sent = sorted(number for ids in posted for number in ids)
        again = [2003, 2004]
        assert sent == sorted([row["id"] for row in in_source(tmp_path)] + again)
        assert in_table(emulator) == in_source(tmp_path)
        # and what both sides say is in Dagster's log
        expected_text = [text for _, step, text in log if step == "load[range_0]"]
        assert any("tap-jsonfile.orders" in text for text in expected_text)
        assert any("target-stitch-import" in text for text in expected_text)

        # when there is one more file, and one more range
        write_rows(tmp_path / "source", "range_1/d.jsonl", 1_009)
        write_rows(tmp_path / "source", "range_4/a.jsonl", 4_000)
        posted.clear()
        run_job(emulator, tmp_path)

        # then only these are sent
        assert sorted(posted) == [[1009, 1010, 1011], [4000, 4001, 4002]]
        assert in_table(emulator) == in_source(tmp_path)
    states = {path.name for path in (tmp_path / "states").iterdir()}
    assert states == {f"range_{number}.json" for number in range(RANGES + 1)}


def test_the_commands_of_the_readme_load_its_rows(emulator: Emulator, tmp_path: Path) -> None:
    # given the README's blocks, with the paths and the address that are right here
    page = "examples/dagster/README.md"
    here = {
        "/path/to/tap-jsonfile": str(TAP_PYTHON.with_name("tap-jsonfile")),
        "/path/to/target-stitch-import": COMMAND,
        "/path/to/checkout": str(PROJECT),
    }
    text = "\n".join(block.commands for block in blocks(page))
    text = re.sub(r"http://127\.0\.0\.1:\d+", emulator.url, text)
    for path, real in here.items():
        assert path in text
        text = text.replace(path, real)
    # when they are run in an empty folder, with Dagster's environment active
    path = f"{dagster_command().parent}:{os.environ['PATH']}"
    run([Block(text, None)], tmp_path, PATH=path, DAGSTER_DISABLE_TELEMETRY="true")
    # then its two rows are loaded, each with a state of its own
    assert [row["item"] for row in in_table(emulator)] == ["lamp", "chair"]
    states = {path.name for path in (tmp_path / "states").iterdir()}
    assert states == {"range_0.json", "range_1.json"}


def test_a_source_that_is_not_there_is_told_in_a_sentence(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given no source / when the job runs
    log = run_job(emulator, tmp_path, code=1)
    # then it says which setting names it, and what it should be
    assert (
        f"LOAD_SOURCE: no folder {tmp_path / 'source'}. It has a folder for each key range" in log
    )
    assert "FileNotFoundError" not in log


def test_readme_names_the_environment_of_the_example() -> None:
    # given the names that the definitions read
    code = DEFINITIONS.read_text()
    names = set(re.findall(r'"(LOAD_\w+)"', code))
    # when we read the README beside them / then each is told
    readme = DEFINITIONS.with_name("README.md").read_text()
    assert set(re.findall(r"LOAD_\w+", readme)) == names
    assert os.path.relpath(DEFINITIONS, PROJECT) in readme

"""The project that ``meltano.yml`` declares, run by the real Meltano."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from target_stitch_import.emulator import list_tables, read_table, running_emulator
from tests.support.meltano import PROJECT, check_capabilities, check_settings, declared_loader
from tests.support.running import COMMAND
from tests.support.terminal import terminal

if TYPE_CHECKING:
    from target_stitch_import.emulator import Emulator

pytestmark = pytest.mark.external

MELTANO_ENVIRONMENT = PROJECT / ".venv-meltano"
TOKEN = "a-token-of-this-test"
LAST_DAY = Path("flights", "2013-01-03.jsonl")
FILES = {"airlines": "airlines.jsonl", "planes": "planes.jsonl", "flights": "flights/*.jsonl"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The data of the demo as it was before its last day."""
    copy = tmp_path / "source"
    shutil.copytree(PROJECT / "demo" / "data", copy)
    (copy / LAST_DAY).unlink()
    return copy


def meltano_command() -> Path:
    command = MELTANO_ENVIRONMENT / "bin" / "meltano"
    if not command.is_file():
        pytest.fail(f"there is no {command.relative_to(PROJECT)}: `make test` sets it up")
    return command


def meltano_environment(emulator: Emulator, home: Path) -> dict[str, str]:
    """Return the environment to load into an emulator, with what Meltano keeps in ``home``.

    The environments of the plugins stay in the project, to be made only once.
    """
    mine = ("MELTANO", "TAP_", "TARGET_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    return environment | {
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        "MELTANO_DATABASE_URI": f"sqlite:///{home / 'meltano.db'}",
        "MELTANO_PROJECT_READONLY": "true",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "TARGET_STITCH_IMPORT_API_URL": emulator.url,
        "TARGET_STITCH_IMPORT_TOKEN": TOKEN,
        "XDG_STATE_HOME": str(home),  # its logs
    }


def run_demo_job(emulator: Emulator, source: Path, home: Path) -> str:
    """Run the job ``demo`` of ``meltano.yml``; return what Meltano logs."""
    environment = meltano_environment(emulator, home)
    for table, files in FILES.items():
        environment[f"TAP_{table.upper()}_PATHS"] = json.dumps([str(source / files)])
    return run_meltano(environment, "run", "demo")


def run_meltano(environment: dict[str, str], *arguments: str) -> str:
    """Run a command of Meltano to its good end; return what it prints."""
    # Without the .env of whoever works in this repository.
    command = [str(meltano_command()), "--env-file", os.devnull, *arguments]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert TOKEN not in done.stdout
    return done.stdout


def read_rows(source: Path, table: str) -> list[str]:
    paths = sorted(source.glob(FILES[table]))
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(canonical(json.loads(line)) for line in lines)


def rows_in(emulator: Emulator, table: str) -> list[str]:
    return sorted(map(canonical, read_table(emulator.database, table)))


def canonical(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


def sequences(emulator: Emulator, table: str) -> set[int]:
    rows = read_table(emulator.database, table, system_columns=True)
    return {row["_sdc_sequence"] for row in rows}


def states_in(home: Path) -> dict[str, dict[str, list[str]]]:
    """What Meltano's own state backend keeps: of each pipe, the files that its stream has read."""
    with closing(sqlite3.connect(home / "meltano.db")) as connection:
        found = dict(connection.execute("SELECT state_id, completed_state FROM state"))
    return {
        name: {
            stream: sorted(bookmark["file_hashes"])
            for stream, bookmark in json.loads(state)["singer_state"]["bookmarks"].items()
        }
        for name, state in found.items()
    }


def test_second_run_replicates_only_what_is_new(
    emulator: Emulator, source: Path, tmp_path: Path
) -> None:
    # Given what a first run loaded, and a file that has come since then
    log = run_demo_job(emulator, source, tmp_path)
    # (with the summary of each pipe in Meltano's log, which the capability structured-logging parses)
    assert log.count("Completed: ") == len(FILES)
    assert sorted(list_tables(emulator.database)) == sorted(FILES)
    assert {table: rows_in(emulator, table) for table in FILES} == {
        table: read_rows(source, table) for table in FILES
    }
    before = {table: sequences(emulator, table) for table in FILES}
    shutil.copy(PROJECT / "demo" / "data" / LAST_DAY, source / LAST_DAY)

    # When the same job runs again
    run_demo_job(emulator, source, tmp_path)

    # Then the tables are as the source is, and no row was sent a second time
    assert {table: rows_in(emulator, table) for table in FILES} == {
        table: read_rows(source, table) for table in FILES
    }
    new = {table: sequences(emulator, table) - before[table] for table in FILES}
    assert {table: len(each) for table, each in new.items()} == {
        "airlines": 0,
        "planes": 0,
        "flights": 63,
    }
    assert all(before[table] <= sequences(emulator, table) for table in FILES)
    # And Meltano keeps a STATE for each pipe, of every file that was read
    assert states_in(tmp_path) == {
        f"dev:tap-{table}-to-target-stitch-import": {table: sorted(map(str, source.glob(files)))}
        for table, files in FILES.items()
    }


TAP = """#!{python}
import json, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
schema = {{"properties": {{"id": {{"type": "integer"}}}}}}
say = lambda **message: print(json.dumps(message), flush=True)
say(type="SCHEMA", stream="orders", schema=schema, key_properties=["id"])
say(type="RECORD", stream="orders", record={{"id": 1}})
say(type="STATE", value={{"at": 1}})
time.sleep(600)
"""
"""Writes a record and a STATE, and goes on living."""


def project_that_waits(folder: Path) -> None:
    """Make a project with a tap that goes on living, and with the target of this environment."""
    tap = folder / "tap-waiting"
    tap.write_text(TAP.format(python=sys.executable))
    tap.chmod(0o755)
    loader = {"executable": COMMAND, "settings": [{"name": "token"}, {"name": "api_url"}]}
    plugins = {
        "extractors": [{"name": "tap-waiting", "namespace": "tap_waiting", "executable": str(tap)}],
        "loaders": [
            {
                "name": "target-stitch-import",
                "namespace": "target_stitch_import",
                "config": {"max_batch_age_seconds": 600},
                **loader,
            }
        ],
    }
    project = {
        "requires_meltano": ">=4",
        "project_id": "a-test",
        "default_environment": "dev",
        "environments": [{"name": "dev"}],
        "plugins": plugins,
    }
    (folder / "meltano.yml").write_text(yaml.safe_dump(project))


def test_ctrl_c_lets_the_target_deliver_what_it_has_read(tmp_path: Path) -> None:
    # Given a run on a terminal, with a record in an open batch, and a service that is slow
    project_that_waits(tmp_path)
    with (
        running_emulator(tmp_path / "stitch.db", faults="slow*9,slow_seconds=3") as emulator,
        terminal(width=200) as screen,
    ):
        environment = meltano_environment(emulator, tmp_path) | {
            "MELTANO_PROJECT_READONLY": "false",
            "TERM": "xterm",
        }
        process = subprocess.Popen(
            ["setsid", "--ctty", meltano_command(), "run", "tap-waiting", "target-stitch-import"],
            cwd=tmp_path,
            env=environment,
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
        )
        try:
            screen.wait_for("target-stitch-import v")
            time.sleep(3)  # until the record is read
            # When somebody presses Ctrl-C, at which Meltano sends SIGTERM, too
            screen.press(b"\x03")
            process.wait(60)
        finally:
            process.kill()
            process.wait()
        # Then the record is delivered, and the target says so
        assert read_table(emulator.database, "orders") == [{"id": 1}]
    assert "all that came before it is delivered." in "".join(screen.lines)


def test_the_access_can_be_checked(emulator: Emulator, tmp_path: Path) -> None:
    # Given the setting of the emulator's address / When the recipe's command is run
    environment = meltano_environment(emulator, tmp_path)
    printed = run_meltano(environment, "invoke", "target-stitch-import", "--test")
    # Then it says what was checked, and nothing is loaded
    assert f"Status: ok. {emulator.url} is up." in printed
    assert "Credentials: ok." in printed
    assert list(list_tables(emulator.database)) == []


def test_settings_are_those_of_the_target() -> None:
    # When we read what meltano.yml declares / Then each setting of the target is there, in the same
    # order and in the same words
    check_settings(declared_loader())


def test_capabilities_are_those_of_the_target() -> None:
    # When we read what meltano.yml declares / Then it is what the target says of itself
    check_capabilities(declared_loader())


def test_project_file_is_valid_for_meltano() -> None:
    # Given Meltano's own schema of a project file
    meltano_command()
    (path,) = MELTANO_ENVIRONMENT.glob("lib/python*/site-packages/meltano/schemas/*.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))

    # When meltano.yml is held against it
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    errors = jsonschema.Draft7Validator(schema).iter_errors(project)

    # Then it finds nothing
    assert [f"{error.json_path}: {error.message}" for error in errors] == []

"""Where settings come from: one file or several, the environment, a .env file; and who wins."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.messages import record, schema, tap_output
from tests.support.running import COMMAND, Run, environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service

ONE_RECORD = tap_output(schema(), record({"id": 1, "name": "a"}))
PREFIX = "TARGET_STITCH_IMPORT_"


def config_file(folder: Path, name: str, **settings: Any) -> str:
    """Write a config file; return its path."""
    path = folder / name
    path.write_text(json.dumps(settings))
    return str(path)


def run_with(folder: Path, *configs: str, **env: str) -> Run:
    """Pipe a record into the target, started in a folder with each of the configs."""
    run = subprocess.run(
        [COMMAND, *(f"--config={config}" for config in configs)],
        input=ONE_RECORD,
        capture_output=True,
        check=False,
        env=environment(**{f"{PREFIX}MAX_RETRY_SECONDS": "0"}, **env),
        cwd=folder,
        timeout=60,
    )
    return Run(run.returncode, run.stdout, run.stderr.decode())


def tokens(service: Service) -> list[str]:
    """Return the token of each post."""
    return [request.headers["Authorization"].split()[-1] for request in service.requests]


def test_of_several_files_the_later_one_wins(service: Service, tmp_path: Path) -> None:
    # given a file for all runs, and one that says some of it again
    first = config_file(
        tmp_path,
        "all.json",
        token="first",
        api_url=service.url,
        stream_maps={"orders": {"__alias__": "sales"}},
    )
    second = config_file(
        tmp_path, "this.json", token="second", stream_maps={"orders": {"name": None}}
    )
    # when the target is started with both
    run = run_with(tmp_path, first, second)
    # then what only the first says holds, and what both say is the second's, as a whole
    assert run.exit_code == 0, run.stderr
    assert tokens(service) == ["second"]
    (request,) = service.requests
    assert (request.batch["table_name"], request.records) == ("orders", [b'{"id":1}'])


@pytest.mark.parametrize("env_first", [True, False])
def test_the_environment_wins_over_files_wherever_it_stands(
    env_first: bool, service: Service, tmp_path: Path
) -> None:
    # given a file and the environment, which both have a token
    path = config_file(tmp_path, "all.json", token="of-the-file", api_url=service.url)
    configs = ["ENV", path] if env_first else [path, "ENV"]
    # when the target is started with both
    run = run_with(tmp_path, *configs, **{f"{PREFIX}TOKEN": "of-the-environment"})
    # then the environment's counts, and the rest is the file's
    assert run.exit_code == 0, run.stderr
    assert tokens(service) == ["of-the-environment"]


def test_without_config_env_neither_the_environment_nor_a_file_of_it_is_read(
    service: Service, tmp_path: Path
) -> None:
    # given a token in a file, in the environment and in a .env file
    path = config_file(tmp_path, "all.json", token="of-the-file", api_url=service.url)
    (tmp_path / ".env").write_text(f"{PREFIX}TOKEN=of-the-env-file\n")
    # when the target is started with the file alone
    run = run_with(tmp_path, path, **{f"{PREFIX}TOKEN": "of-the-environment"})
    # then the file's counts
    assert run.exit_code == 0, run.stderr
    assert tokens(service) == ["of-the-file"]


@pytest.mark.parametrize("below", [".", "jobs/nightly"])
def test_a_env_file_is_read_from_the_working_directory_or_above(
    below: str, service: Service, tmp_path: Path
) -> None:
    # given settings in a .env file, and a working directory at it or below it
    (tmp_path / ".env").write_text(
        f"# settings of this folder\n{PREFIX}TOKEN='secret-token'\n"
        f"export {PREFIX}API_URL={service.url}\n"
    )
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    # when the target is told to read the environment
    run = run_with(tmp_path / below, "ENV")
    # then they hold, the file is named, and the token is not
    assert run.exit_code == 0, run.stderr
    assert tokens(service) == ["secret-token"]
    assert f"{tmp_path / '.env'}" in run.stderr
    assert "secret-token" not in run.stderr


def test_the_real_environment_wins_over_a_env_file(service: Service, tmp_path: Path) -> None:
    # given a token in a .env file, and another one from whoever starts the target
    (tmp_path / ".env").write_text(f"{PREFIX}TOKEN=of-the-file\n{PREFIX}API_URL={service.url}\n")
    # when the target is started
    run = run_with(tmp_path, "ENV", **{f"{PREFIX}TOKEN": "of-the-environment"})
    # then the file does not replace it
    assert run.exit_code == 0, run.stderr
    assert tokens(service) == ["of-the-environment"]


def test_a_slip_in_a_env_file_is_named(tmp_path: Path) -> None:
    # given a .env file with a setting that can't be read
    (tmp_path / ".env").write_text(f"{PREFIX}TOKEN=t\n{PREFIX}BATCH_SIZE_ROWS=many\n")
    # when the target is started
    run = run_with(tmp_path, "ENV")
    # then it is named
    assert run.exit_code == 1
    assert f"{PREFIX}BATCH_SIZE_ROWS must be a whole number, not 'many'" in run.last_line


def test_a_env_file_that_cant_be_read_is_named(tmp_path: Path) -> None:
    # given a .env file that is no text
    (tmp_path / ".env").write_bytes(f"{PREFIX}TOKEN=secret-\xff\n".encode("latin-1"))
    # when the target is started
    run = run_with(tmp_path, "ENV")
    # then it is named, without what is in it
    assert run.exit_code == 1
    assert f"{tmp_path / '.env'} can't be read: it is not UTF-8 text" in run.last_line
    assert "secret" not in run.stderr


def test_of_several_files_the_one_that_cant_be_read_is_named(tmp_path: Path) -> None:
    # given a good file, and one that is not there
    good = config_file(tmp_path, "good.json", token="t")
    # when the target is started with both
    run = run_with(tmp_path, good, str(tmp_path / "missing.json"))
    # then only that one is told
    assert run.exit_code == 1
    assert "missing.json can't be read" in run.last_line
    assert "good.json" not in run.last_line


def test_a_config_without_a_name_is_told(tmp_path: Path) -> None:
    # given a shell variable that is not set
    run = run_with(tmp_path, "")
    # then one line says so
    assert run.exit_code == 1
    assert "can't be read: no file is named" in run.last_line
    assert "Traceback" not in run.stderr

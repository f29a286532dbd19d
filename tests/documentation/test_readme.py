"""The README is true: its commands load rows, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from target_stitch_import.emulator import read_table
from tests.support.pages import PROJECT, blocks, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.external

MELTANO = PROJECT / ".venv-meltano" / "bin"


@pytest.fixture
def published(tmp_path: Path) -> dict[str, str]:
    """The environment in which git finds this project at the address that it is to have."""
    repository = tmp_path / "published"
    shutil.copytree(PROJECT / "target_stitch_import", repository / "target_stitch_import")
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(PROJECT / name, repository)
    git = ["git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "All"]):
        subprocess.run([*git, *arguments], check=True)
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    (address,) = re.findall(r'^Repository = "(.*)"$', text, re.MULTILINE)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
    }


@pytest.fixture
def meltano() -> str:
    """The real Meltano."""
    if not (MELTANO / "meltano").is_file():
        pytest.fail("there is no Meltano: `make test` sets it up")
    return str(MELTANO / "meltano")


@pytest.mark.usefixtures("meltano")
def test_a_reader_gets_rows(tmp_path: Path, published: dict[str, str]) -> None:
    # given an empty folder, Meltano, and the project where the README says that it is
    folder = tmp_path / "reader"
    folder.mkdir()
    environment = {
        **published,
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PATH": f"{MELTANO}:{os.environ['PATH']}",
        "PIP_NO_COMPILE": "true",  # most of what is installed is not run
        "UV_NO_CACHE": "true",  # or it would take the package of an earlier run
        "XDG_STATE_HOME": str(tmp_path),
    }
    # when everything is run that the README says: clone and install, load, load with Meltano
    install, first, meltano = blocks("README.md")
    written = run([install, first, meltano], folder, **environment)
    # then the first run has written its STATE, shown its row, and why there is no other
    assert written[1].splitlines() == [
        '{"customers": 1}',
        "[{'id': 1, 'name': 'Finn'}]",
        "Field collision on name",
    ]
    # and Meltano has brought the other
    rows = read_table(folder / "stitch.db", "customers")
    assert sorted((each["id"], each["name"]) for each in rows) == [(1, "Finn"), (2, "Rey")]


def test_meltano_takes_the_definition_of_the_hub(tmp_path: Path, meltano: str) -> None:
    # given a project
    environment = {"MELTANO_CLI_DISABLE_VERSION_CHECK": "true", "XDG_STATE_HOME": str(tmp_path)}
    environment = {**os.environ, **environment, "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false"}

    def called(*arguments: str, folder: Path) -> str:
        return subprocess.run(
            [meltano, *arguments], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE
        ).stdout.decode()

    called("init", "p", folder=tmp_path)
    # when the loader is added by its definition, as the recipe says
    text = (PROJECT / "docs" / "recipes" / "meltano.md").read_text(encoding="utf-8")
    (add,) = re.findall(r"^meltano (add (?:.*\\\n)?.*)$", text, re.MULTILINE)
    add = add.replace("\\\n", " ").replace("/path/to/checkout", str(PROJECT))
    called(*shlex.split(add), "--no-install", folder=tmp_path / "p")
    # then it is there, and nothing else is (Meltano 4 takes `add loader ...` for two plugins)
    project = yaml.safe_load((tmp_path / "p" / "meltano.yml").read_text(encoding="utf-8"))
    assert list(project["plugins"]) == ["loaders"]
    (loader,) = project["plugins"]["loaders"]
    assert (loader["name"], loader["pip_url"]) == ("target-stitch-import", "target-stitch-import")
    # and what the recipe calls shows its settings
    assert "meltano config list\ntarget-stitch-import --all" in text
    shown = called("config", "list", "target-stitch-import", "--all", folder=tmp_path / "p")
    assert "max_retry_seconds" in shown


@pytest.mark.parametrize("page", ["README.md", "docs/recipes/mysql.md", "docs/recipes/postgres.md"])
def test_a_loader_has_meltano_show_the_levels_of_its_log(page: str) -> None:
    # given the definition of the loader that a page has
    text = (PROJECT / page).read_text(encoding="utf-8")
    (loader,) = re.findall(r"^  - name: target-stitch-import\n(?:    .*\n)+", text, re.MULTILINE)
    # then Meltano is told that the log has a form
    assert yaml.safe_load(loader)[0]["capabilities"] == ["structured-logging"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_the_files_that_it_points_to_are_there(page: str) -> None:
    # given the links of a page at the top that lead into the repository
    text = (PROJECT / page).read_text(encoding="utf-8")
    links = re.findall(
        r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    )
    # then each leads to something (`make docs` looks at all other links)
    assert [link for link in links if not (PROJECT / link).exists()] == []

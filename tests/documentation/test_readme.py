"""The README is true: its commands load rows, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from target_stitch_import.emulator import read_table
from tests.support.pages import PROJECT, blocks, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.external

MELTANO = PROJECT / ".venv-meltano" / "bin"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, as PyPI would have it."""
    folder = tmp_path_factory.mktemp("published")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*wheel, "--wheel-dir", str(folder), str(PROJECT)], check=True)
    return folder


@pytest.fixture
def meltano() -> str:
    """The real Meltano."""
    if not (MELTANO / "meltano").is_file():
        pytest.fail("there is no Meltano: `make test` sets it up")
    return str(MELTANO / "meltano")


@pytest.mark.usefixtures("meltano")
def test_a_reader_gets_rows(tmp_path: Path, published: Path) -> None:
    # given an empty folder, Meltano, and the package where pip and Meltano's uv find it
    found_in = f"{os.environ.get('PIP_FIND_LINKS', '')} {published}".strip()
    environment = {
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PATH": f"{MELTANO}:{os.environ['PATH']}",
        "PIP_FIND_LINKS": found_in,
        "UV_FIND_LINKS": str(published),
        "UV_NO_CACHE": "true",  # or it would take the package of an earlier run
        "XDG_STATE_HOME": str(tmp_path),
    }
    # when everything is run that the README says: first without Meltano, then with it
    first, second = blocks("README.md")
    written = run([first, second], tmp_path, **environment)
    # then the first run has written its STATE, and shown its row
    assert written[0].splitlines()[-2:] == ['{"customers": 1}', "[{'id': 1, 'name': 'Finn'}]"]
    # and Meltano has brought the other
    rows = read_table(tmp_path / "stitch.db", "customers")
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

"""The README is true: its commands load rows, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from target_stitch_import.emulator import read_table
from tests.support.pages import PROJECT, blocks, run

if TYPE_CHECKING:
    from pathlib import Path

MELTANO = PROJECT / ".venv-meltano" / "bin"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, as PyPI would have it."""
    folder = tmp_path_factory.mktemp("published")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*wheel, "--wheel-dir", str(folder), str(PROJECT)], check=True)
    return folder


def test_a_reader_gets_rows(tmp_path: Path, published: Path) -> None:
    # given an empty folder, Meltano, and the package where pip and Meltano's uv find it
    if not (MELTANO / "meltano").is_file():
        pytest.fail("there is no Meltano: `make test` sets it up")
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
    lines = [line for line in written[0].splitlines() if "emulator listening" not in line]
    assert lines[-2:] == ['{"customers": 1}', "[{'id': 1, 'name': 'Finn'}]"]
    # and Meltano has brought the other
    rows = read_table(tmp_path / "stitch.db", "customers")
    assert sorted((each["id"], each["name"]) for each in rows) == [(1, "Finn"), (2, "Rey")]


def test_meltano_takes_the_definition_of_the_hub(tmp_path: Path) -> None:
    # given a project
    environment = {"MELTANO_CLI_DISABLE_VERSION_CHECK": "true", "XDG_STATE_HOME": str(tmp_path)}
    environment = {**os.environ, **environment, "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false"}
    meltano = str(MELTANO / "meltano")
    subprocess.run(
        [meltano, "init", "p"], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    # when the loader is added by its definition, as the recipe says
    definition = PROJECT / "docs" / "hub" / "target-stitch-import.yml"
    add = [meltano, "add", "loader", "target-stitch-import", "--from-ref", str(definition)]
    subprocess.run(
        [*add, "--no-install"],
        cwd=tmp_path / "p",
        env=environment,
        check=True,
        capture_output=True,
    )
    # then it is there
    text = (tmp_path / "p" / "meltano.yml").read_text(encoding="utf-8")
    assert "pip_url: target-stitch-import" in text


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_the_files_that_it_points_to_are_there(page: str) -> None:
    # given the links of a page at the top that lead into the repository
    text = (PROJECT / page).read_text(encoding="utf-8")
    links = re.findall(
        r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    )
    # then each leads to something (`make docs` looks at all other links)
    assert [link for link in links if not (PROJECT / link).exists()] == []

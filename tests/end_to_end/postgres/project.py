"""The Meltano project that docs/recipes/postgres.md shows, set up and run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.support.postgres import DATABASE, USER, Postgres

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKOUT = Path(__file__).parents[3]
PAGE = CHECKOUT / "docs" / "recipes" / "postgres.md"
QUARANTINE = "quarantine.singer"


def installed(environment: str, name: str) -> str:
    """Return the path of a command in an environment that the Makefile sets up."""
    command = CHECKOUT / environment / "bin" / name
    if not command.is_file():
        pytest.fail(f"there is no {command.relative_to(CHECKOUT)}: `make test` sets it up")
    return str(command)


def snippets() -> list[Any]:
    """Return the pieces of YAML on the page."""
    found = re.findall(
        r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [yaml.safe_load(each) for each in found]


def write_project(folder: Path, *more: Any) -> None:
    """Write the page's project, with plugins that are installed already; ``more`` is merged in."""
    project = snippets()[0]
    (tap,), (target,) = project["plugins"].values()
    for plugin, executable in [
        (tap, installed(".venv-tap-postgres", "tap-postgres")),
        (target, str(Path(sys.executable).with_name("target-stitch-import"))),
    ]:
        del plugin["pip_url"]
        plugin["executable"] = executable
    for each in more:
        merge(tap, each)
    (folder / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")


def merge(base: dict[str, Any], more: dict[str, Any]) -> None:
    """Put ``more`` into ``base``, object by object."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            merge(base[name], value)
        else:
            base[name] = value


def meltano_run(folder: Path, postgres: Postgres, url: str, tables: Iterable[str]) -> str:
    """Run the project in ``folder`` for some of its tables, and return its log."""
    mine = ("MELTANO", "TAP_", "TARGET_", "PG")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    environment |= {
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "TAP_POSTGRES_HOST": "127.0.0.1",
        "TAP_POSTGRES_PORT": str(postgres.port),
        "TAP_POSTGRES_USER": USER,
        "TAP_POSTGRES_PASSWORD": "any",
        "TAP_POSTGRES_DATABASE": DATABASE,
        "TAP_POSTGRES__SELECT": json.dumps([f"public-{table}.*" for table in tables]),
        "TARGET_STITCH_IMPORT_API_URL": url,
        "TARGET_STITCH_IMPORT_TOKEN": "a-token-of-this-test",
        "XDG_STATE_HOME": str(folder),  # its logs
    }
    meltano = installed(".venv-meltano", "meltano")
    done = subprocess.run(
        [meltano, "--env-file", os.devnull, "run", "tap-postgres", "target-stitch-import"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def quarantined(folder: Path) -> list[dict[str, Any]]:
    """Return the records that were set aside."""
    path = folder / QUARANTINE
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [each for each in map(json.loads, lines) if each["type"] == "RECORD"]


def tap_output(folder: Path, postgres: Postgres) -> bytes:
    """Run the tap alone, over every table in full, and return what it writes."""
    tap = installed(".venv-tap-postgres", "tap-postgres")
    config = folder / "tap.json"
    settings = {"host": "127.0.0.1", "port": postgres.port, "database": DATABASE, "user": USER}
    config.write_text(json.dumps({**settings, "password": "any", "filter_schemas": ["public"]}))
    found = _output(tap, "--config", str(config), "--discover")
    catalog = folder / "catalog.json"
    chosen = json.loads(found)
    for stream in chosen["streams"]:
        for each in stream["metadata"]:
            each["metadata"]["selected"] = True
    catalog.write_text(json.dumps(chosen))
    return _output(tap, "--config", str(config), "--catalog", str(catalog))


def _output(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout

"""The Meltano project that a page in docs/recipes shows, set up and run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHECKOUT = Path(__file__).parents[2]
QUARANTINE = "quarantine.singer"


@dataclass(frozen=True)
class Recipe:
    """A page, and the tap of its project."""

    page: str
    tap: str
    """The tap's command, which stands in an environment of its own."""

    @property
    def snippets(self) -> list[Any]:
        """The pieces of YAML on the page."""
        text = (CHECKOUT / "docs" / "recipes" / self.page).read_text(encoding="utf-8")
        found = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        return [yaml.safe_load(each) for each in found]

    def write_project(self, folder: Path, *more: Any) -> None:
        """Write the page's project, with plugins that are installed already; ``more`` is merged in."""
        project = self.snippets[0]
        (tap,), (target,) = project["plugins"].values()
        for plugin, executable in [
            (tap, installed(f".venv-{self.tap}", self.tap)),
            (target, str(Path(sys.executable).with_name("target-stitch-import"))),
        ]:
            del plugin["pip_url"]
            plugin["executable"] = executable
        for each in more:
            merge(tap, each)
        (folder / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")

    def run(
        self, folder: Path, settings: Mapping[str, object], streams: Iterable[str], url: str
    ) -> str:
        """Run the project in ``folder`` for some of its streams, and return its log."""
        mine = ("MELTANO", "TAP_", "TARGET_", "PG")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        prefix = self.tap.upper().replace("-", "_")
        environment = {
            **kept,
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            **{f"{prefix}_{name.upper()}": str(value) for name, value in settings.items()},
            f"{prefix}__SELECT": json.dumps([f"{stream}.*" for stream in streams]),
            "TARGET_STITCH_IMPORT_API_URL": url,
            "TARGET_STITCH_IMPORT_TOKEN": "a-token-of-this-test",
            "XDG_STATE_HOME": str(folder),  # its logs
        }
        meltano = installed(".venv-meltano", "meltano")
        done = subprocess.run(
            [meltano, "--env-file", os.devnull, "run", self.tap, "target-stitch-import"],
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


def installed(environment: str, name: str) -> str:
    """Return the path of a command in an environment that the Makefile sets up."""
    command = CHECKOUT / environment / "bin" / name
    if command.is_file():
        return str(command)
    failure = CHECKOUT / environment / "failure"
    if not failure.is_file():
        pytest.fail(f"there is no {command.relative_to(CHECKOUT)}: `make test` sets it up")
    reason = "\n".join(failure.read_text(encoding="utf-8").splitlines()[-5:])
    pytest.skip(f"{name} can't be installed for this Python: {reason}")


def merge(base: dict[str, Any], more: dict[str, Any]) -> None:
    """Put ``more`` into ``base``, object by object."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            merge(base[name], value)
        else:
            base[name] = value


def quarantined(folder: Path) -> list[dict[str, Any]]:
    """Return the records that were set aside."""
    path = folder / QUARANTINE
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [each for each in map(json.loads, lines) if each["type"] == "RECORD"]


def tap_output(
    recipe: Recipe,
    folder: Path,
    settings: Mapping[str, object],
    metadata: Mapping[str, object] | None = None,
    state: bytes | None = None,
) -> bytes:
    """Run the tap alone over every table that it finds, and return what it writes.

    Args:
        recipe: Whose tap.
        folder: Where its files are put.
        settings: The tap's.
        metadata: Put into the catalog's for each table.
        state: The value of the STATE that it goes on from.
    """
    tap = installed(f".venv-{recipe.tap}", recipe.tap)
    config = folder / "tap.json"
    config.write_text(json.dumps(settings))
    chosen = json.loads(_output(tap, "--config", str(config), "--discover"))
    for stream in chosen["streams"]:
        for each in stream["metadata"]:
            each["metadata"]["selected"] = True
            if not each["breadcrumb"]:
                each["metadata"] |= metadata or {}
    catalog = folder / "catalog.json"
    catalog.write_text(json.dumps(chosen))
    command = [tap, "--config", str(config), "--catalog", str(catalog)]
    if state is not None:
        (folder / "state.json").write_bytes(state)
        command += ["--state", str(folder / "state.json")]
    return _output(*command)


def _output(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout

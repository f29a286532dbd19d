"""The pytest fixture ``stitch_import_api``: an emulator of the Import API for one test.

pytest finds it wherever the package is installed; the fixture needs the extra ``emulator``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import import emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StitchImportApi:
    """A running emulator, and what it has loaded."""

    def __init__(self, database: Path) -> None:
        self.database = database
        """The SQLite file that it loads into."""
        self._faults = ""
        self._port = 0
        self._running = contextlib.ExitStack()
        self._start()

    @property
    def url(self) -> str:
        """The base URL: the setting ``api_url`` of target-stitch-import."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def config(self) -> dict[str, Any]:
        """The settings that target-stitch-import needs to load into it."""
        return {"token": "any", "api_url": self.url}

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of each table by its name, without the columns that Stitch writes."""
        names = emulator.list_tables(self.database)
        return {name: emulator.read_table(self.database, name) for name in names}

    @property
    def faults(self) -> str:
        """What goes wrong on purpose, such as ``503*2,drop``; setting it begins anew.

        Raises:
            ValueError: It is set to a text that is none of faults.
        """
        return self._faults

    @faults.setter
    def faults(self, text: str) -> None:
        if text:
            emulator.Faults.parse(text)  # before it stops
        self._faults = text
        self.stop()
        self._start()

    def stop(self) -> None:
        """Stop it, as a service that is down; setting ``faults`` starts it again."""
        self._running.close()

    def _start(self) -> None:
        run = emulator.running_emulator(self.database, port=self._port, faults=self._faults or None)
        self._port = int(self._running.enter_context(run).url.rpartition(":")[2])


@pytest.fixture
def stitch_import_api(tmp_path: Path) -> Iterator[StitchImportApi]:
    """Run an emulator of the Stitch Import API, with an empty database, for one test."""
    try:
        api = StitchImportApi(tmp_path / "stitch.db")
    except ModuleNotFoundError as error:
        pytest.fail(f"{error.name} is missing: pip install 'target-stitch-import[emulator]'")
    yield api
    api.stop()

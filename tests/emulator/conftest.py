from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
import requests

from target_stitch_import.emulator import running_emulator
from tests.emulator.client import Api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.emulator.faults.fault_client import RunWithFaults


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An emulator for all tests that only need a table of their own."""
    database = tmp_path_factory.mktemp("emulator") / "stitch.db"
    with running_emulator(database) as emulator, requests.Session() as session:
        session.trust_env = False
        yield Api(emulator.url, emulator.database, session)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> str:
    """A table that no other test uses."""
    return str(request.node.nodeid)


@pytest.fixture
def run_with_faults(tmp_path: Path, session: requests.Session) -> RunWithFaults:
    """Runs emulators with faults, one after the other, on one database."""

    @contextlib.contextmanager
    def run(faults: str) -> Iterator[Api]:
        with running_emulator(tmp_path / "stitch.db", faults=faults) as emulator:
            yield Api(emulator.url, emulator.database, session)

    return run


@pytest.fixture
def fresh_api(emulator: Emulator, session: requests.Session) -> Api:
    """An emulator for one test alone, with an empty database."""
    return Api(emulator.url, emulator.database, session)

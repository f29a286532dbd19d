from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import sync_playwright

from target_stitch_import.emulator import running_emulator

from .browsing import BROWSERS, FLAGS, elsewhere
from .service import Api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from target_stitch_import.emulator import Emulator

    from .misbehaving import Running


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
def running(tmp_path: Path, session: requests.Session) -> Running:
    """Runs emulators with faults, one after the other, on one database."""

    @contextlib.contextmanager
    def run(faults: str) -> Iterator[Api]:
        with running_emulator(tmp_path / "stitch.db", faults=faults) as emulator:
            yield Api(emulator.url, emulator.database, session)

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser, if this machine has one."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        reason = f"there is none of {', '.join(BROWSERS)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def troubles() -> list[str]:
    """What a page complains of, and where it goes that it should not."""
    return []


@pytest.fixture
def page(browser: Browser, troubles: list[str], emulator: Emulator) -> Iterator[Page]:
    """The page of an emulator; it must have no trouble."""
    page = browser.new_page()
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: troubles.extend(elsewhere(request.url, emulator.url)))
    page.goto(f"{emulator.url}/")
    yield page
    page.close()
    assert troubles == []


@pytest.fixture
def own(emulator: Emulator, session: requests.Session) -> Api:
    """The emulator whose page it is."""
    return Api(emulator.url, emulator.database, session)

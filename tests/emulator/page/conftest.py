"""A browser, and the emulator's page in it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from target_stitch_import.emulator import Emulator

BROWSERS: Final = ("chromium", "google-chrome")
FLAGS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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
def page_errors() -> list[str]:
    """Errors of a page, and addresses that it must not request."""
    return []


@pytest.fixture
def page(browser: Browser, page_errors: list[str], emulator: Emulator) -> Iterator[Page]:
    """The page of an emulator; it must have no errors."""
    page = browser.new_page()
    page.on("console", lambda line: page_errors.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: page_errors.append(str(error)))
    page.on("dialog", lambda dialog: page_errors.append(f"dialog {dialog.message}"))
    page.on(
        "request", lambda request: page_errors.extend(foreign_address(request.url, emulator.url))
    )
    page.goto(f"{emulator.url}/")
    yield page
    page.close()
    assert page_errors == []


def foreign_address(address: str, home: str) -> list[str]:
    """Return a complaint if an address is not the page's own."""
    here = urlsplit(address)
    is_home = here.scheme == "data" or here.netloc == urlsplit(home).netloc
    return [] if is_home else [f"went to {address}"]

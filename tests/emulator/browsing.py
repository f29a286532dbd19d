"""What the tests of the emulator's page know of browsers: which, how started, how far they may go."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

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
PHONE: Final[Any] = {"width": 390, "height": 844}


def elsewhere(address: str, home: str) -> list[str]:
    """Return a complaint where an address is none of the page's own."""
    here = urlsplit(address)
    is_home = here.scheme == "data" or here.netloc == urlsplit(home).netloc
    return [] if is_home else [f"went to {address}"]

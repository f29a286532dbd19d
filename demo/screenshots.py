"""The pictures of the emulator's page in the documentation: ``make screenshots``.

Loads the demo's tables through the real tap and target, with a few faults on the way, and takes
the page in a headless Chromium that the machine has.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import flight_data
import requests
from flight_data import BOOKINGS, TABLES
from playwright.sync_api import sync_playwright
from run import TAP, TARGET, TOKEN, Demo
from shell import run_pipe

from target_stitch_import.emulator import running_emulator

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES: Final = Path(__file__).resolve().parent.parent / "docs" / "images"
FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FAULTS: Final = "ok*60,503,ok*2,drop"
ROUNDS: Final = 9
PAUSE_SECONDS: Final = 4


def main() -> int:
    """Take the pictures; return the exit code."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("screenshots: there is no chromium and no google-chrome", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with running_emulator(
            work / "stitch.db", token=TOKEN, faults=FAULTS, destination="redshift"
        ) as emulator:
            load(emulator.url, work)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                take_screenshot(browser, f"{emulator.url}/", "emulator.png", (1280, 1300), "light")
                take_screenshot(
                    browser, f"{emulator.url}/", "emulator-phone.png", (390, 1650), "dark"
                )
                browser.close()
    return 0


def load(url: str, work: Path) -> None:
    """Load the three tables again and again, in small batches, and have one request refused.

    The bookings, which have a subtable and a rejected row, come once.
    """
    demo = Demo(TAP, work)
    flight_data.write_next_day(demo.source, flight_data.write_first_days(demo.source))
    demo.write_configs(url)
    settings = {"token": TOKEN, "api_url": url, "batch_size_rows": 40}
    demo.write_json("target.json", settings)
    target = [str(TARGET), "--config", "target.json"]
    for turn in range(ROUNDS):
        due = TABLES[(ROUNDS - 1 - turn) % 3 :]
        for table in due if turn else (*due, BOOKINGS):
            tap = [str(TAP), "--config", f"{table.name}.json"]
            run_pipe(tap, target, work / "states.jsonl", work, demo.log)
        if turn == ROUNDS - 2:
            refuse(url)
        time.sleep(PAUSE_SECONDS)


def refuse(url: str) -> None:
    """Post a record that does not conform to its schema."""
    body: dict[str, Any] = {
        "table_name": "airlines",
        "schema": {"properties": {"carrier": {"type": "string"}}},
        "key_names": ["carrier"],
        "messages": [{"action": "upsert", "sequence": 1, "data": {"carrier": 42}}],
    }
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    address = f"{url}/v2/import/batch"
    requests.post(address, data=json.dumps(body), headers=headers, timeout=10)


def take_screenshot(
    browser: Browser, url: str, name: str, size: tuple[int, int], scheme: Any
) -> None:
    """Take one picture of the page, as it is with the table of flights open."""
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(url)
    page.get_by_role("button", name="flights").click()
    page.get_by_role("heading", name="flights").wait_for()
    clip: Any = {"x": 0, "y": 0, "width": width, "height": height}
    page.screenshot(path=IMAGES / name, full_page=True, clip=clip)
    page.close()


if __name__ == "__main__":
    sys.exit(main())

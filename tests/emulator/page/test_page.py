"""The emulator's page, in a browser of this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from target_stitch_import.emulator import running_emulator
from tests.emulator.client import ID, ID_AND_NAME, Api, batch, load, upsert
from tests.support.messages import record, schema, tap_output
from tests.support.running import piped

if TYPE_CHECKING:
    from pathlib import Path

    import requests
    from playwright.sync_api import Browser, Page

    from target_stitch_import.emulator import Emulator

pytestmark = pytest.mark.external

HOSTILE: Final = "<img src=x onerror=\"document.title='broken in'\"><script>alert(1)</script>"


def columns(page: Page) -> list[str]:
    return page.locator("#columns th > span").all_inner_texts()


def test_what_the_target_loads_appears_by_itself(
    page: Page, emulator: Emulator, tmp_path: Path
) -> None:
    # given a page that says how to begin
    expect(page.get_by_role("heading", name="Nothing has arrived yet")).to_be_visible()
    expect(page.locator("#pipe")).to_contain_text(f'"api_url": "{emulator.url}"')
    expect(page.get_by_role("status")).to_have_text("Live")

    # when the target loads two tables
    decimal = "12345678901234567890123456.789012345678"
    amounts = {"id": {"type": "integer"}, "amount": {"type": "number"}}
    lines = [
        schema("customers"),
        *(record({"id": n, "name": f"number {n}"}, "customers") for n in range(1200)),
        schema("amounts", amounts),
        record(f'{{"id": 9007199254740993, "amount": {decimal}}}', "amounts"),
    ]
    config = {"token": "t", "api_url": emulator.url}
    assert piped(config, tmp_path, tap_output(*lines)).exit_code == 0

    # then both are there, with their rows
    expect(page.get_by_role("button", name="customers")).to_contain_text("1,200")
    expect(page.get_by_role("button", name="amounts")).to_contain_text("1")
    # and the requests, as the target made them
    expect(page.locator("#requests tr")).to_have_count(3)
    expect(page.locator("#requests")).to_contain_text("Batch Accepted!")
    expect(page.locator("#total-records")).to_have_text("1,201")
    expect(page.locator("#total-added")).to_have_text("1,201")
    expect(page.locator("#total-replaced")).to_have_text("0")
    expect(page.locator("#plot-records figcaption")).to_contain_text(re.compile(r"peak [\d,]+/s"))
    expect(page.locator("#plot-bytes figcaption")).to_contain_text(re.compile(r"peak .* kB/s"))
    expect(page.locator("#plot-records path.bars")).to_have_attribute("d", re.compile("^M"))

    # and when a table is opened
    page.get_by_role("button", name="amounts").click()

    # then its values are exact, and so is its schema
    expect(page.get_by_role("heading", name="amounts")).to_be_visible()
    cells = page.locator("#rows td")
    expect(cells.nth(0)).to_have_text("9007199254740993")
    expect(cells.nth(1)).to_have_text(decimal)
    assert columns(page)[:2] == ["id", "amount"]
    page.get_by_role("radio", name="Schema").check()
    expect(page.locator("#schema tr")).to_have_text(["idkeyinteger", "amountnumber"])
    expect(page.locator("#rows-view")).to_be_hidden()


def test_it_stays_where_the_reader_is(page: Page, fresh_api: Api) -> None:
    # given a reader in the middle of a table, with a value selected
    rows = [upsert(1, id=n, name=f"number {n}") for n in range(40)]
    load(fresh_api, "a", ID, upsert(1, id=1))
    load(fresh_api, "people", ID_AND_NAME, *rows, key_names=["id"])
    page.get_by_role("button", name="people").click()
    value = page.locator("#rows").get_by_text("number 20", exact=True)
    value.scroll_into_view_if_needed()
    value.evaluate("node => getSelection().selectAllChildren(node)")
    before = value.evaluate("node => node.getBoundingClientRect().top")

    # when rows and requests come
    load(fresh_api, "people", ID_AND_NAME, upsert(1, id=99, name="latest"), key_names=["id"])
    expect(page.get_by_role("button", name="people")).to_contain_text("41")
    expect(page.locator("#rows")).to_contain_text("latest")

    # then the value is where it was, and selected, and the table is still the one
    assert value.evaluate("() => getSelection().toString()") == "number 20"
    after = value.evaluate("node => node.getBoundingClientRect().top")
    assert abs(after - before) < 2
    # and it is so after a reload, and at an address that names another table
    page.reload()
    expect(page.get_by_role("heading", name="people")).to_be_visible()
    page.goto(f"{fresh_api.url}/#table-1")
    expect(page.locator("#name")).to_have_text("a")


def test_a_stopped_table_says_so(page: Page, fresh_api: Api) -> None:
    # given an open table
    load(fresh_api, "t", ID_AND_NAME, upsert(1, id=1), key_names=["id"])
    expect(page.get_by_role("heading", name="t", exact=True)).to_be_visible()
    stopped = page.get_by_text("Stopped: a request came with")
    expect(stopped).to_be_hidden()

    # when a request has other keys, and another one none
    load(fresh_api, "t", ID_AND_NAME, upsert(2, id=2, name="x"), key_names=["name"])
    load(fresh_api, "t", ID_AND_NAME, upsert(3, id=3))

    # then the table, its place in the list and the requests say so
    expect(stopped).to_contain_text("Stopped: a request came with the keys name.")
    expect(page.locator("#tables button")).to_have_text(["t1 · stopped"])
    expect(page.locator("#rows tr")).to_have_count(1)
    requests = page.locator("#requests tr")
    expect(requests).to_have_count(3)
    message = "Batch Accepted! Not loaded, for its keys changed: t."
    expect(requests.get_by_text(message)).to_have_count(2)
    page.get_by_label("Errors and faults only").check()
    expect(requests).to_have_count(2)


def test_an_answer_is_amber_only_where_something_was_wrong_with_it(
    browser: Browser, tmp_path: Path, session: requests.Session
) -> None:
    # given a page of an emulator with faults
    faults = "slow,202,ok,html,503,slow_seconds=0.1"
    with running_emulator(tmp_path / "stitch.db", faults=faults, region="eu") as emulator:
        api = Api(emulator.url, emulator.database, session)
        page = browser.new_page()
        page.goto(f"{emulator.url}/")
        expect(page.locator("#errors")).to_have_text("No errors")

        # when an answer is late, one is 'queued', one is good, one is a page, one an error
        for number in range(5):
            api.post("batch", batch("t", ID, [upsert(1, id=number)]))
        requests = page.locator("#requests tr")
        expect(requests).to_have_count(5)
        expect(requests.first).to_contain_text("fault 503")

        # then the good ones are green, late or not, and only the others stand out
        badges = requests.locator(".what .badge").evaluate_all("all => all.map(e => e.className)")
        assert [each.removeprefix("badge").strip() for each in badges] == [
            *("bad", "wait"),  # 503
            *("wait", "wait"),  # html
            "good",
            *("good", ""),  # 202
            *("good", ""),  # slow
        ]
        # and the header says which emulator this is, and how many errors it gave
        about = page.locator("header .about")
        for part in (emulator.url, str(emulator.database), "Region\\s*eu", f"Faults\\s*{faults}"):
            expect(about).to_contain_text(re.compile(part))
        expect(page.locator("#errors")).to_have_text("1 error")
        page.close()


def test_what_is_hostile_stays_text(page: Page, fresh_api: Api) -> None:
    # when markup comes as the name of a table, of a column, of a key, as a value, as an error
    properties = {HOSTILE: {"type": "string"}}
    load(fresh_api, HOSTILE, properties, upsert(1, **{HOSTILE: HOSTILE}), key_names=[HOSTILE])
    fresh_api.batch(
        batch(HOSTILE, {HOSTILE: {"type": "integer"}}, [upsert(1, **{HOSTILE: HOSTILE})])
    )
    fresh_api.session.get(f"{fresh_api.url}/{HOSTILE}", timeout=10)

    # then all of it is on the page as it is
    expect(page.locator("#requests tr")).to_have_count(3)
    expect(page.locator("#name")).to_have_text(HOSTILE)
    expect(page.locator("#rows td").first).to_have_text(HOSTILE)
    expect(page.locator("#columns th > span").first).to_have_text(HOSTILE)
    expect(page.locator("#facts")).to_contain_text(HOSTILE)
    expect(page.locator("#requests")).to_contain_text("did not conform")
    # and none of it has become an element
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    expect(page).to_have_title("Import API emulator")


def test_it_is_dark_where_that_is_wished(page: Page) -> None:
    # when the reader likes it dark
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        style = "getComputedStyle(document.documentElement)"
        colours.append(page.evaluate(f"[{style}.backgroundColor, {style}.color]"))

    # then it is
    light, dark = (sum(map(int, re.findall(r"\d+", back))) for back, _ in colours)
    assert light > 600
    assert dark < 150


def test_the_empty_page_has_a_command_that_works(page: Page, fresh_api: Api) -> None:
    # given the command that an empty page shows
    expect(page.locator("#curl")).to_contain_text("Authorization: Bearer any")
    body = page.locator("#curl").inner_text().partition(" -d '")[2]

    # when what it sends is sent
    assert fresh_api.post("batch", body.rstrip("'")).status_code == 201

    # then the page shows it, and the command no more
    expect(page.locator("#rows td").nth(1)).to_have_text("Finn")
    expect(page.locator("#empty")).to_be_hidden()


def test_many_requests_are_folded(page: Page, fresh_api: Api) -> None:
    # given more requests than fit
    for _ in range(40):
        fresh_api.session.get(f"{fresh_api.url}/v2/import/status", timeout=10)
    expect(page.locator("#requests tr")).to_have_count(25)

    # when all are asked for
    page.get_by_role("button", name="Show all 40").click()

    # then they are there
    expect(page.locator("#requests tr")).to_have_count(40)
    expect(page.locator("#total-requests")).to_have_text("40")


def test_an_emulator_that_goes_away_and_comes_back(
    browser: Browser, tmp_path: Path, session: requests.Session
) -> None:
    # given a page of an emulator that misbehaves, with a table
    database = tmp_path / "stitch.db"
    page = browser.new_page()
    with running_emulator(database, faults="ok,503") as emulator:
        api = Api(emulator.url, database, session)
        load(api, "t", ID, upsert(1, id=1))
        api.batch(batch("t", ID, [upsert(1, id=2)]))
        page.goto(f"{emulator.url}/")
        expect(page.locator("#requests")).to_contain_text("fault 503Not stored.")
        expect(page.get_by_role("status")).to_have_text("Live")

    # when it ends
    # then the page says so, and keeps what it has
    expect(page.get_by_role("status")).to_contain_text("gone away")
    expect(page.get_by_role("button", name="t 1")).to_be_visible()
    expect(page).to_have_title("Gone · Import API emulator")

    # and when another one takes its place
    port = urlsplit(emulator.url).port or 0
    with running_emulator(database, port=port):
        load(api, "t", ID, upsert(1, id=3))

        # then the page goes on with that
        expect(page.get_by_role("status")).to_have_text("Live")
        expect(page.get_by_role("button", name="t 2")).to_be_visible()
        expect(page.locator("#requests tr")).to_have_count(1)
        expect(page.locator("#rows td").first).to_have_text("3")
        # and tells what has come since from what was there
        since = page.locator(".totals")
        expect(since).to_contain_text(re.compile(r"Since it started\s+Records1\s+Rows added1"))
        expect(page.get_by_role("navigation", name="Tables")).to_contain_text("Tables1")
        page.close()


def test_subtables_are_under_their_table_and_rejected_records_stand_out(
    browser: Browser, tmp_path: Path
) -> None:
    # given an emulator that loads like Redshift, and a record with two names that are one
    with running_emulator(tmp_path / "stitch.db", destination="redshift") as running:
        properties = {"id": {"type": "integer"}, "lines": {"type": "array"}}
        lines = [
            schema("orders", properties, ["id"]),
            record({"id": 1, "lines": [{"sku": "a"}, {"sku": "b"}]}, "orders"),
            record({"id": 2, "ID": 3}, "orders"),
        ]
        config = {"token": "t", "api_url": running.url}
        assert piped(config, tmp_path, tap_output(*lines)).exit_code == 0
        page = browser.new_page()
        # when its page is opened
        page.goto(f"{running.url}/")
        # then the subtable is below its table, and the rejected record is counted apart
        expect(page.locator("#tables li")).to_have_text(["orders1", "orders__lines2"])
        expect(page.locator("#tables li.sub")).to_have_count(1)
        expect(page.locator("#total-added")).to_have_text("3")
        rejected = page.get_by_role("button", name="Rejected records")
        expect(rejected).to_contain_text("1")
        # and a click shows why
        rejected.click()
        expect(page.locator("#rows")).to_contain_text("Field collision on id")
        page.close()

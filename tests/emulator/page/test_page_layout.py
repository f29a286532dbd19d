"""The emulator's page where names are long, tables many, and the screen is small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.emulator.client import ID, Api, batch, load, upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.external

PHONE: Final[Any] = {"width": 390, "height": 844}
FITS = "document.documentElement.scrollWidth <= innerWidth"
TITLED = "node => node.title === node.textContent"


def push(api: Api, tables: Sequence[str]) -> None:
    """Load a record into each of the tables."""
    record = {"client_id": 1, "action": "upsert", "sequence": 1, "key_names": ["id"]}
    answer = api.push([{**record, "table_name": name, "data": {"id": 1}} for name in tables])
    assert answer[0] == 201


def names(page: Page) -> list[str]:
    return page.locator("#tables button > span:first-child").all_inner_texts()


def lines(node: Locator) -> int:
    """Return how many lines of text are seen of it."""
    height = "node => node.clientHeight / parseFloat(getComputedStyle(node).lineHeight)"
    return round(float(node.evaluate(height)))


def test_it_fits_a_phone(page: Page, fresh_api: Api) -> None:
    # given a phone, and a table that is wide, with a long name
    page.set_viewport_size(PHONE)
    fields = {f"a_rather_long_name_of_a_column_{n}": "a value " * 9 for n in range(200)}
    wide = {name: {"type": "string"} for name in fields}
    assert page.evaluate(FITS)

    # when it is loaded, and something is refused
    load(fresh_api, "w" * 300, wide, upsert(1, **fields))
    fresh_api.batch(batch("w" * 300, {**wide, "x" * 150: False}, [upsert(1, **fields)]))
    expect(page.locator("#requests tr")).to_have_count(2)
    expect(page.locator("#columns th")).to_have_count(205)

    # then nothing sticks out, neither rows nor schema
    assert page.evaluate(FITS)
    page.get_by_role("radio", name="Schema").check()
    expect(page.locator("#schema tr")).to_have_count(200)
    assert page.evaluate(FITS)


def test_long_names_leave_room_for_the_rest(page: Page, fresh_api: Api) -> None:
    # given names of a table, a key and a column that are as long as a warehouse lets them be
    table, key, column = (letter * 125 for letter in "tkc")
    fields = {key: {"type": "integer"}, column: {"type": "string"}}
    load(fresh_api, table, fields, upsert(1, **{key: 1, column: "x"}), key_names=[key])
    expect(page.locator("#columns th")).to_have_count(7)

    # then a column is no wider than a long value, and tells its name where one points at it
    heads = page.locator("#columns th")
    assert max(heads.evaluate_all("all => all.map(th => th.offsetWidth)")) < 400
    assert heads.locator("span").nth(1).evaluate(TITLED)

    # and on a phone the name stands in a few lines above the tabs
    page.set_viewport_size(PHONE)
    name = page.locator("#name")
    tabs, head = page.locator(".tabs").bounding_box(), name.bounding_box()
    assert tabs
    assert head
    assert tabs["y"] >= head["y"] + head["height"]
    assert lines(name) == 3
    assert lines(page.locator("#facts")) == 3
    assert name.evaluate(TITLED)
    assert page.evaluate(FITS)

    # and the schema has all of each name, and says which of them is a key
    page.get_by_role("radio", name="Schema").check()
    schema = page.locator("#schema-view")
    schema.scroll_into_view_if_needed()
    expect(schema.locator(".key")).to_be_in_viewport()
    assert schema.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_a_column_stands_below_its_heading(page: Page, fresh_api: Api) -> None:
    # given values of every type in a column of any, beside numbers and texts
    fields = {**ID, "any": {}, "text": {"type": ["null", "string"]}}
    values = [1, 1.5, True, None, "x", [1]]
    rows = [upsert(1, id=n, any=value, text=None) for n, value in enumerate(values)]
    load(fresh_api, "t", fields, *rows)
    expect(page.locator("#rows tr")).to_have_count(len(rows))

    # then each stands on the side where its heading does
    sides = "all => all.map(each => getComputedStyle(each).textAlign)"
    heads = page.locator("#columns th").evaluate_all(sides)
    assert heads[:3] == ["right", "left", "left"]
    for row in page.locator("#rows tr").all():
        cells = row.locator("td").evaluate_all(sides)
        assert [side.replace("start", "left") for side in cells] == heads


def test_a_request_without_a_table_has_no_records_on_a_phone(page: Page, fresh_api: Api) -> None:
    # given a phone
    page.set_viewport_size(PHONE)

    # when somebody loads a record, and somebody else asks how the service is
    load(fresh_api, "t", ID, upsert(1, id=1))
    fresh_api.session.get(f"{fresh_api.url}/v2/import/status", timeout=10)

    # then only the first is said to have records
    expect(page.locator("#requests tr").nth(1)).to_contain_text("1 record")
    without = page.locator("#requests tr").nth(0)
    expect(without.locator(".table")).to_be_hidden()
    expect(without.get_by_text("records")).to_be_hidden()
    expect(without.get_by_text("OK")).to_be_visible()


def test_a_thousand_tables(page: Page, fresh_api: Api) -> None:
    # when there are as many tables as nobody wants to scroll through
    push(fresh_api, [f"table {n:04}" for n in range(1000)])
    expect(page.locator("#tables li")).to_have_count(1000)

    # then one is found by its name
    page.get_by_role("searchbox").fill("0777")
    page.get_by_role("button", name="table 0777").click()
    expect(page.get_by_role("heading", name="table 0777")).to_be_visible()
    expect(page.locator("#requests")).to_contain_text("and 995 more")


def test_many_tables_are_in_the_order_of_their_names(page: Page, fresh_api: Api) -> None:
    # given a few tables, in the order in which they came, and a reader at the last of them
    push(fresh_api, [f"table {n}" for n in range(10, 3, -1)])
    expect(page.locator("#tables li")).to_have_count(7)
    assert names(page) == [f"table {n}" for n in range(10, 3, -1)]
    last = page.get_by_role("button", name="table 4")
    last.focus()

    # when there are more of them
    push(fresh_api, ["table 3"])
    expect(page.locator("#tables li")).to_have_count(8)

    # then they are sorted, as one counts, and the reader is where they were
    assert names(page) == [f"table {n}" for n in range(3, 11)]
    expect(last).to_be_focused()
    expect(page.locator("#name")).to_have_text("table 10")


def test_the_keyboard_does(page: Page, fresh_api: Api) -> None:
    # given many tables, and a request that was refused
    push(fresh_api, [f"table {n}" for n in range(1, 301)])
    fresh_api.batch(batch("refused", ID, [upsert(1, id="x")]))
    expect(page.locator("#requests tr")).to_have_count(2)
    expect(page.locator("#tables li")).to_have_count(300)

    # when a reader without a mouse goes into the list
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="table 1 1", exact=True)).to_be_focused()
    # then the arrows go from table to table, and no further than there are any
    for key, table in (
        ("ArrowUp", "table 1"),
        ("ArrowDown", "table 2"),
        ("ArrowDown", "table 3"),
        ("ArrowUp", "table 2"),
        ("End", "table 300"),
        ("ArrowDown", "table 300"),
        ("Home", "table 1"),
        ("ArrowDown", "table 2"),
    ):
        page.keyboard.press(key)
        expect(page.get_by_role("button", name=f"{table} 1", exact=True)).to_be_focused()
    # and one is opened
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="table 2", exact=True)).to_be_visible()

    # and one step leads out of the list, and back to where the reader was in it
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Rows")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="table 3 1", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#schema-view")).to_be_visible()
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")

    # then only what went wrong is left
    expect(page.locator("#requests tr")).to_have_count(1)
    expect(page.locator("#requests")).to_contain_text("refused")

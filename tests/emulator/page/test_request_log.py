"""The requests that the page is sent: in order, with what became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from target_stitch_import.emulator import running_emulator
from tests.emulator.client import ID, Api, batch, load, read_response, upsert
from tests.emulator.faults.fault_client import post_batch
from tests.emulator.page.page_data import get, get_state, get_table

if TYPE_CHECKING:
    from pathlib import Path

    import requests
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.emulator.faults.fault_client import RunWithFaults


def test_each_request_is_in_the_log(fresh_api: Api) -> None:
    # given requests of each kind
    record = {"client_id": 1, "action": "upsert", "sequence": 1, "key_names": ["id"]}
    records = [{**record, "table_name": name, "data": {"id": 1}} for name in ("a", "b", "a")]
    get(fresh_api, "/v2/import/status")
    load(fresh_api, "t", ID, upsert(1, id=1), upsert(2, id=1))
    fresh_api.push(records)
    read_response(fresh_api.post("validate", records[:1]))
    fresh_api.batch(batch("t", ID, [upsert(1, id="x")]))
    fresh_api.push([{**each, "sequence": "x"} for each in records])
    fresh_api.post("batch", "{")
    fresh_api.post("batch", "{}", token=None)
    get(fresh_api, "/nowhere")

    # when the page asks
    found = [
        (each["method"], each["path"], each["tables"], each["stored"], each["status"])
        for each in get_state(fresh_api)["requests"]
    ]

    # then each of them is there, in order, with what is known of it
    assert found == [
        ("GET", "/v2/import/status", [], False, 200),
        ("POST", "/v2/import/batch", [["t", 2]], True, 201),
        ("POST", "/v2/import/push", [["a", 2], ["b", 1]], True, 201),
        ("POST", "/v2/import/validate", [["a", 1]], False, 200),
        ("POST", "/v2/import/batch", [["t", 1]], False, 400),
        ("POST", "/v2/import/push", [["a", 2], ["b", 1]], False, 422),
        ("POST", "/v2/import/batch", [], False, 400),
        ("POST", "/v2/import/batch", [], False, 401),
        ("GET", "/nowhere", [], False, 404),
    ]
    # and with what it was answered, its size and how long it took
    messages = [each["message"] for each in get_state(fresh_api)["requests"]]
    assert messages[0] == "OK"
    assert messages[1] == "Batch Accepted!"
    assert messages[4].startswith("Record 0 did not conform to schema:\n#/id")
    assert '"should be an integer"' in messages[5]
    assert messages[7:] == ["Not Authorized", "Not found."]
    assert all(each["took"] >= 0 for each in get_state(fresh_api)["requests"])
    assert get_state(fresh_api)["requests"][6]["size"] == 1
    # and the totals are those of what was stored, and of all that came
    totals = get_state(fresh_api)["totals"]
    assert (totals["requests"], totals["errors"], totals["records"]) == (9, 5, 5)
    assert totals["bytes"] == sum(each["size"] for each in get_state(fresh_api)["requests"])
    assert sum(each[1] for each in get_state(fresh_api)["throughput"]) == 5
    assert sum(each[2] for each in get_state(fresh_api)["throughput"]) == totals["bytes"]


def test_rows_that_are_replaced_are_counted_apart_from_new_ones(fresh_api: Api) -> None:
    # given a table of three rows
    keys = {"key_names": ["id"], "table_version": 1}
    load(fresh_api, "t", ID, *(upsert(1, id=n) for n in range(3)), **keys)

    # when a request brings two of them again, one of these twice, an old one, and a new one
    again = [upsert(2, id=0), upsert(2, id=1), upsert(3, id=1), upsert(0, id=2), upsert(2, id=3)]
    load(fresh_api, "t", ID, *again, **keys)
    # and one drops all rows that it does not bring itself
    activate = {"action": "activate_version", "sequence": 9}
    keys["table_version"] = 2
    load(fresh_api, "t", ID, upsert(9, id=3), activate, upsert(9, id=7), **keys)
    # and one is for a table without keys
    load(fresh_api, "u", ID, upsert(1, id=1), upsert(1, id=1))

    # then the log tells new rows from those that replaced one, by request and in all
    state = get_state(fresh_api)
    found = [(each["rows_added"], each["rows_replaced"]) for each in state["requests"]]
    assert found == [(3, 0), (1, 3), (1, 1), (2, 0)]
    assert (state["totals"]["rows_added"], state["totals"]["rows_replaced"]) == (7, 4)


def test_what_is_accepted_for_a_stopped_table_is_in_the_log(fresh_api: Api) -> None:
    # given a table, and a request with other keys for it
    load(fresh_api, "t", ID, upsert(1, id=1), key_names=["id"])
    load(fresh_api, "t", ID, upsert(2, id=2))

    # when records for that table and for another come in one request
    record = {"client_id": 1, "action": "upsert", "sequence": 1, "key_names": ["id"]}
    records = [{**record, "table_name": name, "data": {"id": 3}} for name in ("t", "u")]
    fresh_api.push(records)

    # then the log says for which table nothing was loaded
    found = [
        (each["status"], each["stored"], each["stopped"])
        for each in get_state(fresh_api)["requests"]
    ]
    assert found == [(201, True, []), (201, False, ["t"]), (201, True, ["t"])]


def test_faults_are_in_the_log(run_with_faults: RunWithFaults) -> None:
    # given faults of each kind
    faults = "ok,503,drop,reset_before,cut,202,html,limit=5000,maintenance=1"
    with run_with_faults(faults) as api:
        get(api, "/v2/import/status")
        for _ in range(7):
            post_batch(api)
        post_batch(api, batch("t", {"text": {"type": "string"}}, [upsert(1, text="x" * 6000)]))

        # when the page asks
        found = [
            (each["faults"], each["status"], each["stored"]) for each in get_state(api)["requests"]
        ]
        errors = get_state(api)["totals"]["errors"]

    # then it sees what the client saw, and what was stored all the same
    assert found == [
        (["maintenance"], 503, False),
        ([], 201, True),
        (["503"], 503, False),
        (["drop"], None, True),
        (["reset_before"], None, False),
        (["cut"], 201, True),
        (["202"], 202, True),
        (["html"], 200, False),
        (["limit"], 413, False),
    ]
    # and counts as errors what had no answer, or one that is an error
    assert errors == 5


@pytest.mark.parametrize("expected_text", ['"short and stout"', "[1]", "<p>short</p>", ""])
def test_an_answer_of_any_form_is_shown(
    tmp_path: Path, session: requests.Session, expected_text: str
) -> None:
    # given somebody who answers in the API's place, but not in that of the page
    class Teapot:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            is_post = scope["method"] == "POST"
            app = PlainTextResponse(expected_text, 418) if is_post else self.app
            await app(scope, receive, send)

    database = tmp_path / "stitch.db"
    with running_emulator(database, middleware=[Middleware(Teapot)]) as emulator:
        api = Api(emulator.url, database, session)

        # when a batch comes
        api.batch(batch("t", ID, [upsert(1, id=1)]))

        # then the page is told the answer as it was
        (request,) = get_state(api)["requests"]
    assert (request["status"], request["message"]) == (418, expected_text)


def test_only_what_has_changed_is_sent(fresh_api: Api) -> None:
    # given a page that has seen a request
    load(fresh_api, "t", ID, upsert(1, id=1))
    first = get_state(fresh_api)

    # when another one comes
    load(fresh_api, "t", ID, upsert(1, id=2))
    second = get_state(fresh_api, first["run"], first["revision"])

    # then it is sent that one, but all of them where it has seen another emulator
    assert [each["number"] for each in second["requests"]] == [2]
    assert get_state(fresh_api, second["run"], second["revision"])["requests"] == []
    assert len(get_state(fresh_api, "another", second["revision"])["requests"]) == 2
    assert len(get_state(fresh_api, first["run"], "x")["requests"]) == 2  # type: ignore[arg-type]


def test_the_log_is_bounded(fresh_api: Api) -> None:
    # given more requests than are kept
    for _ in range(510):
        get(fresh_api, "/v2/import/status")

    # when the page asks
    news = get_state(fresh_api)

    # then it gets the last of them
    assert [each["number"] for each in news["requests"]] == list(range(11, 511))
    assert news["totals"]["requests"] == 510


def test_what_is_long_is_shortened(fresh_api: Api) -> None:
    # given names and values of any length, and many tables in one request
    name = "n" * 5000
    record = {"client_id": 1, "action": "upsert", "sequence": 1, "key_names": ["id"]}
    names = [f"t{n}" for n in range(9)]
    fresh_api.push([{**record, "table_name": each, "data": {"id": 1}} for each in names])
    load(fresh_api, name, {name: {"type": "string"}}, upsert(1, **{name: "x" * 1_000_000}))

    # when the page asks
    news = get_state(fresh_api)
    table = get_table(fresh_api, "n" * 199 + "…")

    # then it gets the beginning, and how much there is
    first, second = news["requests"]
    assert (len(first["tables"]), first["more_tables"], first["records"]) == (5, 4, 9)
    assert second["tables"] == [["n" * 199 + "…", 1]]
    assert table["columns"][0]["name"] == "n" * 199 + "…"
    assert table["rows"][0]["cells"][0] == ["string", "x" * 199 + "…", 1_000_000]


def test_the_page_is_not_in_its_own_log(fresh_api: Api) -> None:
    # when the page has looked a few times
    for path in ("/", "/_emulator/state", "/_emulator/table?id=1"):
        get(fresh_api, path)
    fresh_api.session.head(f"{fresh_api.url}/", timeout=10)

    # then nothing of that is a request to the API
    assert set(get_state(fresh_api)["totals"].values()) == {0}

"""What the emulator's page is sent: exact, bounded, and for nobody else."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from target_stitch_import.emulator import running_emulator

from .misbehaving import seen
from .service import ID, ID_AND_NAME, Api, answer, batch, load, upsert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import requests
    from starlette.types import ASGIApp, Receive, Scope, Send

    from .misbehaving import Running

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def own(tmp_path: Path, session: requests.Session) -> Iterator[Api]:
    """An emulator with nothing but what a test loads."""
    with running_emulator(tmp_path / "stitch.db") as emulator:
        yield Api(emulator.url, emulator.database, session)


def get(api: Api, path: str, **headers: str) -> requests.Response:
    return api.session.get(f"{api.url}{path}", headers=headers, timeout=10)


def state(api: Api, run: str = "", since: int = 0) -> Any:
    response = get(api, f"/_emulator/state?run={run}&since={since}")
    assert response.status_code == 200
    return response.json()


def opened(api: Api, name: str) -> Any:
    (number,) = (table["id"] for table in state(api)["tables"] if table["name"] == name)
    return get(api, f"/_emulator/table?id={number}").json()


def shown(api: Api, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table as the page has them, without the columns of Stitch."""
    table = opened(api, name)
    names = [column for column, _ in table["shown"][:-3]]
    return [dict(zip(names, row["cells"], strict=False)) for row in table["rows"]]


def counts(api: Api) -> dict[str, int]:
    return {table["name"]: table["rows"] for table in state(api)["tables"]}


def test_the_page_lets_nothing_in_and_nobody_look(own: Api) -> None:
    # when the page is asked for
    page = get(own, "/")

    # then it is one file, of which script and styles are known to the byte
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["Content-Security-Policy"]
    for tag in ("script", "style"):
        content = page.text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert page.text.count(f"<{tag}") == 1
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # and neither it nor its data are for other websites
    for path in ("/", "/_emulator/state", "/_emulator/table?id=1"):
        headers = get(own, path, Origin="https://example.com").headers
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("path", ["/", "/_emulator/state", "/_emulator/table?id=1"])
def test_a_name_that_was_bent_to_this_machine_gets_nothing(own: Api, path: str) -> None:
    # given a website whose name leads to 127.0.0.1
    # when its script asks for the page or its data
    # then there is none, but the machine's own names do
    for host in ("example.com", "example.com:8787", "localhost.example.com", "127.0.0.1.nip.io"):
        assert get(own, path, Host=host).status_code == 400
    for host in ("localhost:1234", "127.0.0.1"):
        assert get(own, path, Host=host).status_code in (200, 404)
    # and the API goes on under any name
    assert get(own, "/v2/import/status", Host="example.com").status_code == 200


def test_values_are_exact_texts(own: Api) -> None:
    # given values that JavaScript would round, and those that need care
    number = "12345678901234567890123456.789012345678"
    data = (
        f'{{"id": 9007199254740993, "huge": 123456789012345678901234567890, "decimal": {number},'
        ' "ratio": 0.1, "yes": true, "no": null, "text": "1", "inner": {"a": 1.10}, "any": false}'
    )
    properties = {
        **ID,
        "huge": {"type": "integer"},
        "decimal": {"type": "number"},
        "ratio": {"type": "number"},
        "yes": {"type": "boolean"},
        "no": {"type": ["null", "string"]},
        "text": {"type": "string"},
        "inner": {"type": "object"},
        "any": {},
    }
    body = batch("values", properties, [], key_names=["id"])
    body["messages"] = ["HERE"]
    message = f'{{"action": "upsert", "sequence": 9223372036854775807, "data": {data}}}'
    assert own.post("batch", json.dumps(body).replace('"HERE"', message)).status_code == 201

    # when the table is opened
    (row,) = shown(own, "values")

    # then every value is a text, to the last digit
    assert row == {
        "id": ["number", "9007199254740993"],
        "huge": ["number", "123456789012345678901234567890"],
        "decimal": ["number", number],
        "ratio": ["number", "0.1"],
        "yes": ["boolean", "true"],
        "no": None,
        "text": ["string", "1"],
        "inner": ["json", '{"a": 1.10}'],
        "any": ["boolean", "false"],
    }
    (whole,) = opened(own, "values")["rows"]
    assert whole["cells"][-3] == ["number", "9223372036854775807"]


def test_a_table_has_its_schema_and_its_newest_rows_first(own: Api) -> None:
    # given a table of more rows than are shown, of which an old one is written again
    rows = [upsert(1, id=n, name=f"old {n}") for n in range(80)]
    load(own, "people", ID_AND_NAME, *rows, key_names=["id"])
    load(own, "people", ID_AND_NAME, upsert(2, id=3, name="new"), key_names=["id"])

    # when it is opened
    table = opened(own, "people")

    # then it says what it is
    assert (table["name"], table["keys"], table["column_count"]) == ("people", ["id"], 2)
    assert table["columns"] == [
        {"name": "id", "type": "integer", "key": True},
        {"name": "name", "type": "string"},
    ]
    # and the row that was written last comes first, then the others from their end
    assert table["sorted"]
    assert len(table["rows"]) == 50
    names = [row["name"][1] for row in shown(own, "people")]
    assert names[:3] == ["new", "old 79", "old 78"]


def test_a_table_of_many_rows_shows_those_that_were_added_last(own: Api) -> None:
    # given more rows than are sorted each time
    load(own, "many", ID, *(upsert(1, id=n) for n in range(20_000)))
    load(own, "many", ID, upsert(1, id=-1))

    # when it is opened
    # then the last come first, and it says how they were chosen
    assert shown(own, "many")[0] == {"id": ["number", "-1"]}
    assert not opened(own, "many")["sorted"]
    assert counts(own) == {"many": 20_001}


def test_counts_are_right_whatever_happens_to_the_rows(own: Api) -> None:
    # given a table that is counted
    keyed: dict[str, Any] = {"key_names": ["id"], "table_version": 1}
    load(own, "t", ID, *(upsert(1, id=n) for n in range(5)), **keyed)
    assert counts(own) == {"t": 5}

    # when rows are replaced, dropped and added
    load(own, "t", ID, upsert(2, id=0), upsert(0, id=1), upsert(1, id=9), **keyed)
    assert counts(own) == {"t": 6}

    # and when others take their place
    keyed["table_version"] = 2
    activate = {"action": "activate_version", "sequence": 5}
    load(own, "t", ID, upsert(3, id=0), upsert(3, id=20), activate, **keyed)
    assert counts(own) == {"t": 2}
    load(own, "t", ID, upsert(4, id=21), **keyed)

    # then the count is that of the table
    assert counts(own) == {"t": 3}
    assert len(own.rows("t")) == 3


def test_rows_that_were_there_before_are_counted(tmp_path: Path, running: Running) -> None:
    # given a database that another emulator has left
    with running("ok") as api:
        load(api, "t", ID, upsert(1, id=1), upsert(1, id=2))
        before = state(api)["run"]

    # when one goes on with it
    with running("ok") as api:
        # then the rows are counted, and the page can tell that it is another one
        assert counts(api) == {"t": 2}
        assert state(api)["run"] != before
        assert state(api)["requests"] == []


def test_what_there_was_no_time_to_count_is_counted_at_the_next_look(
    own: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given no time
    load(own, "t", ID, upsert(1, id=1))
    with monkeypatch.context() as patch:
        patch.setattr("target_stitch_import.emulator.inventory.COUNTING_SECONDS", -1)
        # then it is not known how many rows there are
        assert state(own)["tables"] == [{"id": 1, "name": "t", "rows": None, "loads": 1}]

    # and with time it is
    assert counts(own) == {"t": 1}


def test_the_timeline(own: Api) -> None:
    # given requests of each kind
    record = {"client_id": 1, "action": "upsert", "sequence": 1, "key_names": ["id"]}
    records = [{**record, "table_name": name, "data": {"id": 1}} for name in ("a", "b", "a")]
    get(own, "/v2/import/status")
    load(own, "t", ID, upsert(1, id=1), upsert(2, id=1))
    own.push(records)
    answer(own.post("validate", records[:1]))
    own.batch(batch("t", ID, [upsert(1, id="x")]))
    own.push([{**each, "sequence": "x"} for each in records])
    own.post("batch", "{")
    own.post("batch", "{}", token=None)
    get(own, "/nowhere")

    # when the page asks
    found = [
        (each["method"], each["path"], each["tables"], each["stored"], each["status"])
        for each in state(own)["requests"]
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
    messages = [each["message"] for each in state(own)["requests"]]
    assert messages[0] == "OK"
    assert messages[1] == "Batch Accepted!"
    assert messages[4].startswith("Record 0 did not conform to schema: #/id")
    assert '"should be an integer"' in messages[5]
    assert messages[7:] == ["Not Authorized", "Not found."]
    assert all(each["took"] >= 0 for each in state(own)["requests"])
    assert state(own)["requests"][6]["size"] == 1
    # and the totals are those of what was stored, and of all that came
    totals = state(own)["totals"]
    assert (totals["requests"], totals["records"]) == (9, 5)
    assert totals["bytes"] == sum(each["size"] for each in state(own)["requests"])
    assert sum(each[1] for each in state(own)["throughput"]) == 5
    assert sum(each[2] for each in state(own)["throughput"]) == totals["bytes"]


def test_faults_are_in_the_timeline(running: Running) -> None:
    # given faults of each kind
    faults = "ok,503,drop,reset_before,cut,202,html,limit=5000,maintenance=1"
    with running(faults) as api:
        get(api, "/v2/import/status")
        for _ in range(7):
            seen(api)
        seen(api, batch("t", {"text": {"type": "string"}}, [upsert(1, text="x" * 6000)]))

        # when the page asks
        found = [
            (each["faults"], each["status"], each["stored"]) for each in state(api)["requests"]
        ]

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


@pytest.mark.parametrize("said", ['"short and stout"', "[1]", "<p>short</p>", ""])
def test_an_answer_of_any_form_is_shown(
    tmp_path: Path, session: requests.Session, said: str
) -> None:
    # given somebody who answers in the API's place, but not in that of the page
    class Teapot:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            is_post = scope["method"] == "POST"
            app = PlainTextResponse(said, 418) if is_post else self.app
            await app(scope, receive, send)

    database = tmp_path / "stitch.db"
    with running_emulator(database, middleware=[Middleware(Teapot)]) as emulator:
        api = Api(emulator.url, database, session)

        # when a batch comes
        api.batch(batch("t", ID, [upsert(1, id=1)]))

        # then the page is told the answer as it was
        (request,) = state(api)["requests"]
    assert (request["status"], request["message"]) == (418, said)


def test_only_what_has_changed_is_sent(own: Api) -> None:
    # given a page that has seen a request
    load(own, "t", ID, upsert(1, id=1))
    first = state(own)

    # when another one comes
    load(own, "t", ID, upsert(1, id=2))
    second = state(own, first["run"], first["revision"])

    # then it is sent that one, but all of them where it has seen another emulator
    assert [each["number"] for each in second["requests"]] == [2]
    assert state(own, second["run"], second["revision"])["requests"] == []
    assert len(state(own, "another", second["revision"])["requests"]) == 2
    assert len(state(own, first["run"], "x")["requests"]) == 2  # type: ignore[arg-type]


def test_the_log_is_bounded(own: Api) -> None:
    # given more requests than are kept
    for _ in range(510):
        get(own, "/v2/import/status")

    # when the page asks
    news = state(own)

    # then it gets the last of them
    assert [each["number"] for each in news["requests"]] == list(range(11, 511))
    assert news["totals"]["requests"] == 510


def test_what_is_long_is_shortened(own: Api) -> None:
    # given names and values of any length, and many tables in one request
    name = "n" * 5000
    record = {"client_id": 1, "action": "upsert", "sequence": 1, "key_names": ["id"]}
    names = [f"t{n}" for n in range(9)]
    own.push([{**record, "table_name": each, "data": {"id": 1}} for each in names])
    load(own, name, {name: {"type": "string"}}, upsert(1, **{name: "x" * 1_000_000}))

    # when the page asks
    news = state(own)
    table = opened(own, "n" * 199 + "…")

    # then it gets the beginning, and how much there is
    first, second = news["requests"]
    assert (len(first["tables"]), first["more_tables"], first["records"]) == (5, 4, 9)
    assert second["tables"] == [["n" * 199 + "…", 1]]
    assert table["columns"][0]["name"] == "n" * 199 + "…"
    assert table["rows"][0]["cells"][0] == ["string", "x" * 199 + "…", 1_000_000]


def test_a_wide_table_is_cut(own: Api) -> None:
    # given a table with more columns than SQLite has
    fields = {f"f{n}": n for n in range(2500)}
    load(own, "wide", {name: {"type": "integer"} for name in fields}, upsert(1, **fields))

    # when it is opened
    table = opened(own, "wide")

    # then it has the first columns, and says how many there are
    assert table["column_count"] == 2500
    assert len(table["columns"]) == 2000
    assert len(table["shown"]) == len(table["rows"][0]["cells"]) == 203


def test_hostile_names_and_values_come_as_they_are(own: Api) -> None:
    # given markup in every place
    load(own, HOSTILE, {HOSTILE: {"type": "string"}}, upsert(1, **{HOSTILE: HOSTILE}))
    own.batch(batch(HOSTILE, {HOSTILE: {"type": "integer"}}, [upsert(1, **{HOSTILE: HOSTILE})]))

    # when the page asks
    response = get(own, "/_emulator/state")

    # then it is JSON that no browser takes for anything else
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert shown(own, HOSTILE) == [{HOSTILE: ["string", HOSTILE]}]
    assert HOSTILE in response.json()["requests"][1]["message"]


def test_tokens_are_nowhere(tmp_path: Path, session: requests.Session) -> None:
    # given an emulator with a token, and requests with that and another one
    with running_emulator(tmp_path / "stitch.db", token="geheim-1") as emulator:
        api = Api(emulator.url, emulator.database, session)
        for token in ("geheim-1", "geheim-2"):
            api.post("batch", batch("t", ID, [upsert(1, id=1)]), token=token)

        # when all that the page can get is read
        texts = [get(api, path).text for path in ("/", "/_emulator/state", "/_emulator/table?id=1")]
        guarded = state(api)["guarded"]

    # then neither is in it
    assert "geheim" not in "".join(texts)
    assert guarded


@pytest.mark.parametrize("number", ["0", "99", "-1", "x", "", "9" * 40, "1;"])
def test_tables_that_are_not_there(own: Api, number: str) -> None:
    # when a table is asked for that is not there
    response = get(own, f"/_emulator/table?id={number}")

    # then it says so
    assert answer(response) == (404, {"message": "There is no such table."})


def test_a_database_that_can_not_be_read(own: Api) -> None:
    # given a database whose registry somebody has taken away
    with sqlite3.connect(own.database) as connection:
        connection.execute("DROP TABLE _sdc_tables")
    connection.close()

    # when the page asks
    # then it is told so
    for path in ("/_emulator/state", "/_emulator/table?id=1"):
        status, content = answer(get(own, path))
        assert status == 503
        assert content["message"] == "The database can't be read: no such table: _sdc_tables"


def test_the_page_is_not_in_its_own_timeline(own: Api) -> None:
    # when the page has looked a few times
    for path in ("/", "/_emulator/state", "/_emulator/table?id=1"):
        get(own, path)
    own.session.head(f"{own.url}/", timeout=10)

    # then nothing of that is a request to the API
    assert state(own)["totals"] == {"requests": 0, "records": 0, "bytes": 0}

"""Who may read the emulator's page, and what it answers where it can't."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from target_stitch_import.emulator import list_tables, running_emulator
from tests.emulator.client import ID, Api, batch, load, read_response, upsert
from tests.emulator.page.page_data import get, get_rows, get_state

if TYPE_CHECKING:
    from pathlib import Path

    import requests


HOSTILE = "<img src=x onerror=alert(1)>"


def test_the_page_lets_nothing_in_and_nobody_look(fresh_api: Api) -> None:
    # when the page is asked for
    page = get(fresh_api, "/")

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
        headers = get(fresh_api, path, Origin="https://example.com").headers
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "path", ["/", "/_emulator/state", "/_emulator/table?id=1", "/v2/import/status", "/nowhere"]
)
def test_a_name_that_was_bent_to_this_machine_gets_nothing(fresh_api: Api, path: str) -> None:
    # given a website whose name leads to 127.0.0.1
    # when its script asks for the page, its data, or the API
    # then there is none, but the machine's own names do
    for host in (
        "example.com",
        "example.com:8787",
        "localhost.example.com",
        "127.0.0.1.nip.io",
        "x@localhost",
        "",
    ):
        assert get(fresh_api, path, Host=host).status_code == 400
    for host in ("localhost:1234", "127.0.0.1", "LOCALHOST", "[::1]:8787"):
        assert get(fresh_api, path, Host=host).status_code in (200, 404)


def test_a_name_that_was_bent_to_this_machine_writes_nothing(fresh_api: Api) -> None:
    # given a website whose name leads to 127.0.0.1, and a client of this machine
    fresh_api.session.headers["Host"] = "example.com"
    # when its script posts a batch, then nothing is loaded
    assert fresh_api.batch(batch("t", {}, [upsert(1, id=1)]))[0] == 400
    assert list_tables(fresh_api.database) == []


def test_hostile_names_and_values_come_as_they_are(fresh_api: Api) -> None:
    # given markup in every place
    load(fresh_api, HOSTILE, {HOSTILE: {"type": "string"}}, upsert(1, **{HOSTILE: HOSTILE}))
    fresh_api.batch(
        batch(HOSTILE, {HOSTILE: {"type": "integer"}}, [upsert(1, **{HOSTILE: HOSTILE})])
    )

    # when the page asks
    response = get(fresh_api, "/_emulator/state")

    # then it is JSON that no browser takes for anything else
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert get_rows(fresh_api, HOSTILE) == [{HOSTILE: ["string", HOSTILE]}]
    assert HOSTILE in response.json()["requests"][1]["message"]


def test_tokens_are_nowhere(tmp_path: Path, session: requests.Session) -> None:
    # given an emulator with a token, and requests with that and another one
    with running_emulator(tmp_path / "stitch.db", token="geheim-1") as emulator:
        api = Api(emulator.url, emulator.database, session)
        for token in ("geheim-1", "geheim-2"):
            api.post("batch", batch("t", ID, [upsert(1, id=1)]), token=token)

        # when all that the page can get is read
        texts = [get(api, path).text for path in ("/", "/_emulator/state", "/_emulator/table?id=1")]
        guarded = get_state(api)["settings"]["guarded"]

    # then neither is in it
    assert "geheim" not in "".join(texts)
    assert guarded


@pytest.mark.parametrize("number", ["0", "99", "-1", "x", "", "9" * 40, "1;"])
def test_tables_that_are_not_there(fresh_api: Api, number: str) -> None:
    # when a table is asked for that is not there
    response = get(fresh_api, f"/_emulator/table?id={number}")

    # then it says so
    assert read_response(response) == (404, {"message": "There is no such table."})


def test_a_database_that_can_not_be_read(fresh_api: Api) -> None:
    # given a database whose registry somebody has taken away
    with sqlite3.connect(fresh_api.database) as connection:
        connection.execute("DROP TABLE _sdc_tables")
    connection.close()

    # when the page asks
    # then it is told so
    for path in ("/_emulator/state", "/_emulator/table?id=1"):
        status, content = read_response(get(fresh_api, path))
        assert status == 503
        assert content["message"] == "The database can't be read: no such table: _sdc_tables"

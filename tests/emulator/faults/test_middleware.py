"""Faults on purpose: what a client sees of each, and what is stored all the same."""

from __future__ import annotations

import email.utils
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from starlette.middleware import Middleware

from target_stitch_import.emulator import running_emulator
from tests.emulator.client import ACCEPTED, Api, StatusAndBody, read_response
from tests.emulator.faults.fault_client import BODY, LARGE, RunWithFaults, count_rows, post_batch

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

QUEUED: StatusAndBody = (
    202,
    {"status": "Accepted", "message": "The batch is queued to be processed."},
)


@pytest.mark.parametrize(
    ("fault", "expected", "rows"),
    [
        ("ok", 201, 1),
        ("refuse", "broken", 0),
        ("reset_before", "broken", 0),
        ("reset_after", "broken", 0),
        ("cut", "broken", 1),
        ("drop", "broken", 1),
        ("202", 202, 1),
        ("slow", 201, 1),
        ("html", 200, 0),
        ("empty", 200, 0),
        ("error", 200, 0),
        ("429_seconds", 429, 0),
        ("429_date", 429, 0),
        *((str(status), status, 0) for status in (400, 401, 408, 418, 429, 500, 502, 503, 504)),
        ("599", 599, 0),
    ],
)
def test_each_fault(run_with_faults: RunWithFaults, fault: str, expected: Any, rows: int) -> None:
    # given an emulator with one fault to come
    with run_with_faults(f"{fault},slow_seconds=0.01,refuse_seconds=0.01") as api:
        # when a batch is posted
        result = post_batch(api)

        # then the client sees the fault, and the batch is stored or it is not
        assert (result, count_rows(api)) == (expected, rows)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("reset_after", "broken"),
        ("drop", "broken"),
        ("cut", "broken"),
        ("503", 503),
        ("html", 200),
        ("202", 202),
        ("slow", 201),
        ("ok,limit=1000", 413),
    ],
)
def test_a_large_body_is_read_to_its_end(
    run_with_faults: RunWithFaults, fault: str, expected: Any
) -> None:
    # when a batch is posted that a client can't send in one go
    with run_with_faults(f"{fault},slow_seconds=0.01") as api:
        # then the client sees what it would see of a small one
        assert post_batch(api, LARGE) == expected


@pytest.mark.parametrize(
    ("fault", "content"),
    [
        ("401", {"message": "Not Authorized"}),
        ("429", {"status": "ERROR", "message": "Too Many Requests"}),
        ("503", {"status": "ERROR", "message": "The Import API is experiencing problems."}),
        ("599", {"status": "ERROR", "message": "Error"}),
    ],
)
def test_a_status_comes_with_a_json_object(
    run_with_faults: RunWithFaults, fault: str, content: Any
) -> None:
    # when a batch meets a status
    with run_with_faults(fault) as api:
        response = api.post("batch", BODY)

    # then a JSON object says why, and nothing says when to come back
    assert read_response(response) == (int(fault), content)
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize(
    ("fault", "title"), [("502", "502 Bad Gateway"), ("html", "Please log in")]
)
def test_a_page_in_the_place_of_an_answer(
    run_with_faults: RunWithFaults, fault: str, title: str
) -> None:
    # when a batch meets a proxy
    with run_with_faults(fault) as api:
        response = api.post("batch", BODY)

    # then its page is HTML
    assert response.headers["Content-Type"].startswith("text/html")
    assert f"<title>{title}</title>" in response.text


def test_answers_that_are_no_success(run_with_faults: RunWithFaults) -> None:
    # when two batches are answered 200
    with run_with_faults("empty,error") as api:
        empty, error = api.post("batch", BODY), api.post("batch", BODY)

    # then one answer is empty, and the other is an error
    assert (empty.content, empty.headers["Content-Length"]) == (b"", "0")
    assert error.json()["status"] == "ERROR"


def test_when_to_come_back(run_with_faults: RunWithFaults) -> None:
    # when two batches come too many, with a second and a half to wait
    before = time.time()
    with run_with_faults("429_seconds,429_date,retry_after=1.5") as api:
        seconds, date = (api.post("batch", BODY).headers["Retry-After"] for _ in range(2))

    # then one answer has the seconds and one the date, and neither is too early
    assert seconds == "2"
    assert date.endswith(" GMT")
    assert email.utils.parsedate_to_datetime(date).timestamp() >= before + 1.5


def test_only_what_is_accepted_is_queued(run_with_faults: RunWithFaults) -> None:
    # when a good batch and a bad one meet 202
    with run_with_faults("202*2") as api:
        answers = [api.batch(BODY), api.batch({**BODY, "key_names": ["other"]})]

    # then the bad one is refused as ever
    assert answers[0] == QUEUED
    assert answers[1][0] == 400


def test_maintenance(run_with_faults: RunWithFaults) -> None:
    # given an API that is down for two requests
    with run_with_faults("maintenance=2") as api:
        # when the status is asked for, and a batch is posted meanwhile
        url = f"{api.url}/v2/import/status"
        first = api.session.get(url, timeout=10)
        batch_answer = api.batch(BODY)
        later = [api.session.get(url, timeout=10).status_code for _ in range(2)]

    # then the status says so twice, and only the status
    assert first.status_code == 503
    assert first.json() == {
        "name": "pipeline.gate",
        "version": "emulator",
        "revision": "emulator",
        "status": "ERROR",
        "reason": "Down for maintenance.",
    }
    assert batch_answer == ACCEPTED
    assert later == [503, 200]


def test_a_proxy_with_a_limit(run_with_faults: RunWithFaults) -> None:
    # given a proxy that lets as many bytes through as the batch has
    body = requests.Request("POST", "http://x", json=BODY).prepare().body
    assert isinstance(body, bytes)
    with run_with_faults(f"limit={len(body)}") as api:
        # when the batch is posted, and then with a byte more, announced and in chunks
        fits = api.post("batch", body)
        announced = api.post("batch", body + b" ")
        chunked = api.session.post(
            f"{api.url}/v2/import/batch", data=iter([body, b" "]), timeout=10
        )
        status = api.session.get(f"{api.url}/v2/import/status", timeout=10)

    # then only the first gets through
    assert read_response(fits) == ACCEPTED
    assert count_rows(api) == 1
    for response in (announced, chunked):
        assert response.status_code == 413
        assert response.headers["Content-Type"].startswith("text/html")
        assert "413" in response.text
    assert status.status_code == 200


def test_faults_are_logged(
    run_with_faults: RunWithFaults, caplog: pytest.LogCaptureFixture
) -> None:
    # given a log
    caplog.set_level(logging.INFO, "stitch-import-emulator")

    # when requests meet faults
    with run_with_faults("503,drop,ok,ok,maintenance=1,limit=1000") as api:
        for body in (BODY, BODY, BODY, LARGE):
            post_batch(api, body)
        api.session.get(f"{api.url}/v2/import/status", timeout=10)

    # then each has a line, beside that of the API where it got so far
    assert [record.getMessage() for record in caplog.records] == [
        "POST /v2/import/batch fault 503",
        "POST /v2/import/batch fault drop",
        "POST /v2/import/batch 201",
        "POST /v2/import/batch 201",
        "POST /v2/import/batch fault limit",
        "GET /v2/import/status fault maintenance",
    ]


def test_middleware_stands_before_the_faults(tmp_path: Path, session: requests.Session) -> None:
    # given a middleware that counts
    paths: list[str] = []

    class Counter:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            paths.append(scope["path"])
            await self.app(scope, receive, send)

    # when batches meet faults and none
    database = tmp_path / "stitch.db"
    middleware = [Middleware(Counter)]
    with running_emulator(database, middleware=middleware, faults="503,drop") as emulator:
        api = Api(emulator.url, database, session)
        results = [post_batch(api) for _ in range(3)]

    # then it has seen all of them
    assert results == [503, "broken", 201]
    assert paths == ["/v2/import/batch"] * 3

"""Faults below HTTP: connections that are reset, a port that refuses, answers that wait."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from target_stitch_import.emulator.http import server
from tests.emulator.client import Api
from tests.emulator.faults.requests import (
    Running,
    accepts,
    requesting,
    seen,
    stored,
    until_heard,
    until_reset,
)

if TYPE_CHECKING:
    import socket


def test_half_an_answer(running: Running) -> None:
    # when the answer of a client is cut
    with running("cut") as api, requesting(api) as connection:
        received = b"".join(until_reset(connection))

    # then it has the head, which announces all of the body, and half of that
    head, _, body = received.partition(b"\r\n\r\n")
    whole = b'{"status":"OK","message":"Batch Accepted!"}'
    assert head.startswith(b"HTTP/1.1 201 ")
    assert b"content-length: %d" % len(whole) in head
    assert body == whole[: len(whole) // 2]


@pytest.mark.parametrize("fault", ["refuse", "reset_before", "reset_after", "drop"])
def test_a_reset_is_a_reset(running: Running, fault: str) -> None:
    # when the request of a client meets a reset
    with running(f"{fault},refuse_seconds=0.01") as api, requesting(api) as connection:
        # then there is no answer, and the connection does not end in an orderly way
        assert list(until_reset(connection)) == []


@pytest.mark.parametrize("fault", ["refuse", "reset_before"])
def test_a_reset_before_the_body_is_sent(running: Running, fault: str) -> None:
    # when a client has sent the head of a request only
    with running(f"{fault},refuse_seconds=0.01") as api, requesting(api, b"") as connection:
        # then it sees the reset already
        assert list(until_reset(connection)) == []


def test_the_port_refuses_connections(running: Running) -> None:
    # given clients with a connection each
    with running("refuse*2,refuse_seconds=600") as api, requests.Session() as other:
        other.trust_env = False
        apis = [api, Api(api.url, api.database, other)]
        for each in apis:
            each.session.get(f"{api.url}/v2/import/status", timeout=10)

        # when both post
        results = [seen(each) for each in apis]

        # then both connections break, and no new one can be made
        assert results == ["broken", "broken"]
        assert not accepts(api)

    # and the emulator can be stopped all the same
    assert stored(api) == 0


def test_the_port_comes_back(running: Running) -> None:
    # given a port that is going to refuse connections again and again
    with running("refuse*5,refuse_seconds=0.02") as api:
        # when a client posts until it is heard
        results = until_heard(api)

        # then it is, in the end, at the same place
        assert results[-1] == 201
        assert len(results) > 5
        assert stored(api) == 1


def taken(monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """Let somebody else have the port so many times when it is to be taken again."""
    bind, attempts = server._bound, itertools.count()

    def bound(port: int) -> socket.socket:
        if 0 < next(attempts) <= times:
            raise OSError
        return bind(port)

    monkeypatch.setattr(server, "_bound", bound)


def test_a_port_that_is_taken_for_a_moment(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a port that somebody else has for a moment when it is let go
    taken(monkeypatch, 2)

    # when it has refused connections
    with running("refuse,refuse_seconds=0") as api:
        # then it comes back when it can
        assert until_heard(api)[-1] == 201


def test_a_port_that_is_taken_for_good(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a port that somebody else has for good when it is let go
    taken(monkeypatch, float("inf"))

    # when it has refused connections
    with running("refuse,refuse_seconds=0") as api:
        assert seen(api) == "broken"
        assert not accepts(api)

    # then the emulator can be stopped all the same
    assert stored(api) == 0


@pytest.mark.parametrize(
    ("fault", "expected", "rows"), [("stall", "broken", 0), ("slow,slow_seconds=600", 201, 1)]
)
def test_waiting_holds_no_stop_up(
    running: Running, fault: str, expected: Any, rows: int, caplog: pytest.LogCaptureFixture
) -> None:
    # given a batch that waits for its answer
    results: list[Any] = []
    caplog.set_level(logging.INFO, "stitch-import-emulator")
    with running(fault) as api:
        client = threading.Thread(target=lambda: results.append(seen(api)))
        client.start()
        while not caplog.records:
            time.sleep(0.01)

    # when the emulator is stopped
    # then it has not broken anything off that took too long
    client.join(30)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []

    # and a slow answer comes, and a stalled one never does
    assert (results, stored(api)) == ([expected], rows)


@pytest.mark.parametrize(("fault", "rows"), [("stall", 1), ("slow", 2)])
def test_a_client_that_gives_up(running: Running, fault: str, rows: int) -> None:
    # given a batch that waits for its answer
    with running(f"{fault},slow_seconds=0.3") as api:
        with requesting(api):
            # when its client goes
            pass

        # then the next one is heard
        assert seen(api) == 201

    # and what was only slow is stored without its client
    assert stored(api) == rows


def test_a_slow_answer_is_that_of_the_api(running: Running) -> None:
    # when a bad batch is slow
    with running("slow,slow_seconds=0.01") as api:
        result = api.batch({})

    # then it is refused as ever
    assert result[0] == 400

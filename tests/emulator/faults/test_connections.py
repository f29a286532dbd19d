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
from tests.emulator.faults.fault_client import (
    RunWithFaults,
    accepts_connections,
    count_rows,
    open_request,
    post_batch,
    post_until_accepted,
    read_until_reset,
)

if TYPE_CHECKING:
    import socket


def test_half_an_answer(run_with_faults: RunWithFaults) -> None:
    # when the answer of a client is cut
    with run_with_faults("cut") as api, open_request(api) as connection:
        received = b"".join(read_until_reset(connection))

    # then it has the head, which announces all of the body, and half of that
    head, _, body = received.partition(b"\r\n\r\n")
    whole = b'{"status":"OK","message":"Batch Accepted!"}'
    assert head.startswith(b"HTTP/1.1 201 ")
    assert b"content-length: %d" % len(whole) in head
    assert body == whole[: len(whole) // 2]


@pytest.mark.parametrize("fault", ["refuse", "reset_before", "reset_after", "drop"])
def test_a_reset_is_a_reset(run_with_faults: RunWithFaults, fault: str) -> None:
    # when the request of a client meets a reset
    with run_with_faults(f"{fault},refuse_seconds=0.01") as api, open_request(api) as connection:
        # then there is no answer, and the connection does not end in an orderly way
        assert list(read_until_reset(connection)) == []


@pytest.mark.parametrize("fault", ["refuse", "reset_before"])
def test_a_reset_before_the_body_is_sent(run_with_faults: RunWithFaults, fault: str) -> None:
    # when a client has sent the head of a request only
    with (
        run_with_faults(f"{fault},refuse_seconds=0.01") as api,
        open_request(api, b"") as connection,
    ):
        # then it sees the reset already
        assert list(read_until_reset(connection)) == []


def test_the_port_refuses_connections(run_with_faults: RunWithFaults) -> None:
    # given clients with a connection each
    with run_with_faults("refuse*2,refuse_seconds=600") as api, requests.Session() as other:
        other.trust_env = False
        apis = [api, Api(api.url, api.database, other)]
        for each in apis:
            each.session.get(f"{api.url}/v2/import/status", timeout=10)

        # when both post
        results = [post_batch(each) for each in apis]

        # then both connections break, and no new one can be made
        assert results == ["broken", "broken"]
        assert not accepts_connections(api)

    # and the emulator can be stopped all the same
    assert count_rows(api) == 0


def test_the_port_comes_back(run_with_faults: RunWithFaults) -> None:
    # given a port that is going to refuse connections again and again
    with run_with_faults("refuse*5,refuse_seconds=0.02") as api:
        # when a client posts until it is heard
        results = post_until_accepted(api)

        # then it is, in the end, at the same place
        assert results[-1] == 201
        assert len(results) > 5
        assert count_rows(api) == 1


def taken(monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """Let somebody else have the port so many times when it is to be taken again."""
    bind, attempts = server._bind, itertools.count()

    def bound(port: int) -> socket.socket:
        if 0 < next(attempts) <= times:
            raise OSError
        return bind(port)

    monkeypatch.setattr(server, "_bind", bound)


def test_a_port_that_is_taken_for_a_moment(
    run_with_faults: RunWithFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a port that somebody else has for a moment when it is let go
    taken(monkeypatch, 2)

    # when it has refused connections
    with run_with_faults("refuse,refuse_seconds=0") as api:
        # then it comes back when it can
        assert post_until_accepted(api)[-1] == 201


def test_a_port_that_is_taken_for_good(
    run_with_faults: RunWithFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a port that somebody else has for good when it is let go
    taken(monkeypatch, float("inf"))

    # when it has refused connections
    with run_with_faults("refuse,refuse_seconds=0") as api:
        assert post_batch(api) == "broken"
        assert not accepts_connections(api)

    # then the emulator can be stopped all the same
    assert count_rows(api) == 0


@pytest.mark.parametrize(
    ("fault", "expected", "rows"), [("stall", "broken", 0), ("slow,slow_seconds=600", 201, 1)]
)
def test_waiting_holds_no_stop_up(
    run_with_faults: RunWithFaults,
    fault: str,
    expected: Any,
    rows: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given a batch that waits for its answer
    results: list[Any] = []
    caplog.set_level(logging.INFO, "stitch-import-emulator")
    with run_with_faults(fault) as api:
        client = threading.Thread(target=lambda: results.append(post_batch(api)))
        client.start()
        while not caplog.records:
            time.sleep(0.01)

    # when the emulator is stopped
    # then it has not broken anything off that took too long
    client.join(30)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []

    # and a slow answer comes, and a stalled one never does
    assert (results, count_rows(api)) == ([expected], rows)


@pytest.mark.parametrize(("fault", "rows"), [("stall", 1), ("slow", 2)])
def test_a_client_that_gives_up(run_with_faults: RunWithFaults, fault: str, rows: int) -> None:
    # given a batch that waits for its answer
    with run_with_faults(f"{fault},slow_seconds=0.3") as api:
        with open_request(api):
            # when its client goes
            pass

        # then the next one is heard
        assert post_batch(api) == 201

    # and what was only slow is stored without its client
    assert count_rows(api) == rows


def test_a_slow_answer_is_that_of_the_api(run_with_faults: RunWithFaults) -> None:
    # when a bad batch is slow
    with run_with_faults("slow,slow_seconds=0.01") as api:
        result = api.batch({})

    # then it is refused as ever
    assert result[0] == 400

"""What may pass is tried again: with full jitter, a longer wait where it is asked for, a budget."""

from __future__ import annotations

import ssl
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3

from target_stitch_import.errors import (
    AccessError,
    DeliveryError,
    RejectedError,
    TransientError,
)
from tests.unit.scripted import OK, ScriptedAdapter, scripted_client

if TYPE_CHECKING:
    from target_stitch_import.client import ImportClient

BUSY = (503, b"busy")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Note the wait, and let it pass."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the retries a time of their own."""
    clock = Clock()
    time = SimpleNamespace(
        monotonic=clock.monotonic, sleep=clock.sleep, time=lambda: 1_700_000_000.0
    )
    for module in ("backoff._common", "backoff._sync", "target_stitch_import.client"):
        monkeypatch.setattr(f"{module}.time", time)
    return clock


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Take the greatest jitter; return the bounds that were asked for."""
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    monkeypatch.setattr("backoff._jitter.random.uniform", uniform)
    return asked


class Told:
    """What was told of tries and waits."""

    def __init__(self) -> None:
        self.tries: list[int] = []
        self.waits: list[tuple[int, float, str]] = []

    def deliver(self, client: ImportClient) -> None:
        """Deliver a body."""
        client.deliver_batch(b"{}", self.tries.append, lambda *wait: self.waits.append(wait))


def bodies(adapter: ScriptedAdapter) -> list[object]:
    """Return the bodies that were sent."""
    return [request.body for request in adapter.sent]


def test_a_try_that_succeeds_is_the_only_one(clock: Clock) -> None:
    client, adapter = scripted_client((201, OK))
    told = Told()
    told.deliver(client)
    assert (told.tries, told.waits, clock.slept) == ([1], [], [])
    assert bodies(adapter) == [b"{}"]


@pytest.mark.parametrize(
    "trouble",
    [
        (408, b""), (429, b""), (500, b""), (502, b""), (503, b""), (504, b""), (201, b""),
        (200, b"<html>log in</html>"), (200, b'{"status": "ERROR"}'),
        requests.ConnectionError("refused"), requests.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut"),
        requests.exceptions.ContentDecodingError("garbled"),
    ],
    ids=str,
)  # fmt: skip
def test_trouble_that_may_pass_is_tried_again_with_the_same_bytes(
    trouble: tuple[int, bytes] | Exception, clock: Clock
) -> None:
    client, adapter = scripted_client(trouble, trouble, (201, OK))
    told = Told()
    told.deliver(client)
    assert told.tries == [1, 2, 3]
    assert [tries for tries, _, _ in told.waits] == [1, 2]
    assert [wait for _, wait, _ in told.waits] == clock.slept
    assert bodies(adapter) == [b"{}"] * 3


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 405, 413, 415, 422])
def test_what_would_be_refused_again_is_not_tried_again(status: int, clock: Clock) -> None:
    client, adapter = scripted_client((status, b""))
    with pytest.raises(DeliveryError):
        Told().deliver(client)
    assert len(adapter.sent) == 1
    assert clock.slept == []


def test_a_certificate_that_is_not_trusted_is_not_tried_again(clock: Clock) -> None:
    # Given the exception as it comes, with the cause at its bottom
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed")
    reason = urllib3.exceptions.MaxRetryError(
        urllib3.HTTPSConnectionPool("api.stitchdata.com"), "/", urllib3.exceptions.SSLError(cause)
    )
    client, adapter = scripted_client(requests.exceptions.SSLError(reason))
    with pytest.raises(AccessError, match=r"not trusted: .*self-signed"):
        Told().deliver(client)
    assert len(adapter.sent) == 1


def test_a_refusal_ends_the_tries(clock: Clock) -> None:
    client, adapter = scripted_client(BUSY, (401, b'{"message": "Not Authorized"}'))
    with pytest.raises(AccessError, match=r"^401 Not Authorized"):
        Told().deliver(client)
    assert len(adapter.sent) == 2


def test_waits_grow_with_full_jitter_up_to_a_minute(
    clock: Clock, asked: list[tuple[float, float]]
) -> None:
    client, _ = scripted_client(*[BUSY] * 9, (201, OK))
    Told().deliver(client)
    assert asked == [(0, high) for high in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
    assert clock.slept == [high for _, high in asked]


def test_no_wait_is_longer_than_its_bound_without_a_retry_after(clock: Clock) -> None:
    client, _ = scripted_client(*[BUSY] * 12, (201, OK))
    Told().deliver(client)
    bounds = [1, 2, 4, 8, 16, 32, *[60] * 6]
    assert len(clock.slept) == 12
    assert all(0 <= wait <= bound for wait, bound in zip(clock.slept, bounds, strict=True))


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("0", 1.0),  # the jitter's
        ("Tue, 14 Nov 2023 22:15:00 GMT", 100.0),  # 1,700,000,100
        ("Tue, 14 Nov 2023 22:00:00 GMT", 1.0),  # has passed
        ("-5", 1.0),
        ("1.5", 1.0),
        ("soon", 1.0),
        ("", 1.0),
        ("\u00b2", 1.0),
        ("Tue, 99 Nov 2023 99:99:99 GMT", 1.0),
        ("Tue, 14 Nov 2023 22:15:00 +9999999", 1.0),
    ],
)
def test_a_retry_after_is_honoured_where_it_is_longer(
    retry_after: str, wait: float, clock: Clock, asked: list[tuple[float, float]]
) -> None:
    client, _ = scripted_client((429, b"", {"Retry-After": retry_after}), (201, OK))
    Told().deliver(client)
    assert clock.slept == [wait]


def test_a_retry_after_counts_for_its_own_answer_only(
    clock: Clock, asked: list[tuple[float, float]]
) -> None:
    client, _ = scripted_client((503, b"", {"Retry-After": "90"}), BUSY, BUSY, (201, OK))
    Told().deliver(client)
    assert clock.slept == [90, 2, 4]


@pytest.mark.parametrize("budget", [0.5, 10, 900])
def test_tries_end_when_the_budget_is_spent(
    budget: float, clock: Clock, asked: list[tuple[float, float]]
) -> None:
    client, adapter = scripted_client(*[BUSY] * 1_000, max_retry_seconds=budget)
    told = Told()
    with pytest.raises(TransientError) as raised:
        told.deliver(client)
    # The budget is used to its end, and not a second more.
    assert sum(clock.slept) == pytest.approx(budget)
    assert str(raised.value) == (
        f"{len(adapter.sent)} tries in {budget:,.0f} s did not succeed; "
        "the last ended with: 503 busy"
    )
    assert told.tries == list(range(1, len(adapter.sent) + 1))


@pytest.mark.parametrize("retry_after", ["3600", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_beyond_the_budget_leaves_one_last_try_at_its_end(
    retry_after: str, clock: Clock
) -> None:
    client, _ = scripted_client((429, b"", {"Retry-After": retry_after}), (201, OK))
    Told().deliver(client)
    assert clock.slept == [900]


def test_without_a_budget_there_is_one_try(clock: Clock) -> None:
    client, adapter = scripted_client(BUSY, (201, OK), max_retry_seconds=0)
    with pytest.raises(TransientError, match="1 tries in 0 s"):
        Told().deliver(client)
    assert len(adapter.sent) == 1


def test_the_next_body_begins_with_a_new_budget_and_short_waits(
    clock: Clock, asked: list[tuple[float, float]]
) -> None:
    client, _ = scripted_client(*[BUSY] * 3, (201, OK), BUSY, (201, OK))
    for _ in range(2):
        Told().deliver(client)
    assert clock.slept == [1, 2, 4, 1]


def test_who_is_asked_before_a_try_may_end_the_tries(clock: Clock) -> None:
    client, adapter = scripted_client(BUSY, (201, OK))

    def on_try(tries: int) -> None:
        if tries == 2:
            raise RejectedError("enough")

    with pytest.raises(RejectedError, match="enough"):
        client.deliver_batch(b"{}", on_try, lambda *_: None)
    assert len(adapter.sent) == 1

"""What may pass is tried again: with full jitter, a longer wait where it is asked for, a budget."""

from __future__ import annotations

import logging
import math

import pytest

from target_stitch_import.delivery.retry import Retry, RetryLog
from target_stitch_import.errors import TransientError

BUSY = TransientError("503 busy")


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Request:
    """A request that is tried as it is planned."""

    def __init__(self, budget: float = 900) -> None:
        self.clock = Clock()
        self.retry = Retry(budget, 300, self.clock)
        self.waits: list[float] = []

    def fail(self, error: TransientError = BUSY, deadline: float = math.inf) -> None:
        """Try, fail, and wait for the next attempt."""
        self.retry.start_attempt()
        self.waits.append(self.retry.schedule(error, "a request", deadline, 1))
        assert self.retry.next_at == self.clock.now + self.waits[-1]
        self.clock.now = self.retry.next_at

    def fail_for_ever(self) -> None:
        """Fail until the tries end."""
        while True:
            self.fail()

    def fail_until(self, moment: float) -> None:
        """Fail, with an answer that asks to wait, until the tries end."""
        while True:
            self.fail(TransientError("429", retry_after=60.0), deadline=moment)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Take the greatest jitter; return the bounds that were asked for."""
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    monkeypatch.setattr("backoff._jitter.random.uniform", uniform)
    return asked


def test_waits_grow_with_full_jitter_up_to_a_minute(asked: list[tuple[float, float]]) -> None:
    request = Request()
    for _ in range(9):
        request.fail()
    assert asked == [(0, high) for high in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
    assert request.waits == [high for _, high in asked]
    assert request.retry.attempts == 9


def test_no_wait_is_longer_than_its_bound_without_a_retry_after() -> None:
    request = Request()
    for _ in range(12):
        request.fail()
    bounds = [1, 2, 4, 8, 16, 32, *[60] * 6]
    assert all(0 <= wait <= bound for wait, bound in zip(request.waits, bounds, strict=True))


@pytest.mark.parametrize(("retry_after", "wait"), [(120.0, 120.0), (0.0, 1.0), (None, 1.0)])
def test_a_retry_after_is_honoured_where_it_is_longer(
    retry_after: float | None, wait: float, asked: list[tuple[float, float]]
) -> None:
    request = Request()
    request.fail(TransientError("429", retry_after=retry_after))
    assert request.waits == [wait]


def test_a_retry_after_counts_for_its_own_answer_only(asked: list[tuple[float, float]]) -> None:
    request = Request()
    request.fail(TransientError("503", retry_after=90.0))
    request.fail()
    request.fail()
    assert request.waits == [90, 2, 4]


@pytest.mark.parametrize("budget", [0.5, 10, 900])
def test_attempts_end_when_the_budget_is_spent(
    budget: float, asked: list[tuple[float, float]]
) -> None:
    # Given a request whose first try took half an hour to fail
    request = Request(budget)
    request.retry.start_attempt()
    request.clock.now += 1_800
    request.waits.append(request.retry.schedule(BUSY, "a request", math.inf, 1))
    request.clock.now = request.retry.next_at
    # When it goes on failing
    with pytest.raises(TransientError) as raised:
        request.fail_for_ever()
    # Then the budget, which began with that failure, is used to its end and not a second more
    assert sum(request.waits) == pytest.approx(budget)
    assert str(raised.value) == (
        f"given up after {request.retry.attempts} attempts in {budget:,.0f} s; "
        "the last ended with: 503 busy"
    )


@pytest.mark.parametrize("retry_after", [3600.0, math.inf, 1e300])
def test_a_retry_after_beyond_the_budget_leaves_one_last_attempt_at_its_end(
    retry_after: float,
) -> None:
    request = Request()
    request.fail(TransientError("429", retry_after=retry_after))
    assert request.waits == [900]
    with pytest.raises(TransientError, match="given up after 2 attempts in 900 s"):
        request.fail()


def test_without_a_budget_there_is_one_attempt() -> None:
    request = Request(0)
    with pytest.raises(TransientError, match="given up after 1 attempt in 0 s"):
        request.fail()


def test_a_deadline_may_end_the_attempts_before_the_budget_does(
    asked: list[tuple[float, float]],
) -> None:
    # Given a moment in a few seconds, and a service that asks to wait for longer
    request = Request()
    with pytest.raises(TransientError, match="given up after 6 attempts in 4 s"):
        request.fail_until(1_004.5)
    # Then it is tried every second, whatever the service asks for, and once more at the end
    assert request.waits == [1, 1, 1, 1, 0.5]


def test_a_wait_can_be_cut_short() -> None:
    request = Request()
    request.retry.start_attempt()
    request.retry.schedule(TransientError("429", retry_after=60.0), "a request", math.inf, 1)
    request.retry.retry_now()
    assert request.retry.next_at == request.clock.now


def test_an_attempt_that_lasts_too_long_has_timed_out() -> None:
    request = Request()
    assert not request.retry.timed_out
    request.retry.start_attempt()
    request.clock.now += 299
    assert not request.retry.timed_out
    request.retry.retry_now()  # which is for waits
    assert not request.retry.timed_out
    request.clock.now += 1
    assert request.retry.timed_out
    request.retry.schedule(BUSY, "a request", math.inf, 1)
    request.clock.now += 1_000
    assert not request.retry.timed_out


def test_failures_that_say_the_same_are_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    log = RetryLog()
    with caplog.at_level(logging.WARNING):
        # given an outage: attempts of two batches fail every second, all for one reason
        for second in range(60):
            log(f"batch {second % 2} at {second}", second, {"reason": "refused"})
        # when one fails for another reason, and when a minute is over
        log("batch 1 at 59", 59, {"reason": "503"})
        log("batch 0 at 60", 60, {"reason": "refused"})
        # and when an attempt has succeeded, and others fail then
        log.end_outage()
        log("batch 2 at 61", 61, {"reason": "refused"})
    # then each of these has a line, and no other
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["batch 0 at 0", "batch 1 at 59", "batch 0 at 60", "batch 2 at 61"]

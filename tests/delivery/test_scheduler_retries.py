"""What did not succeed is tried again, while the others go on."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from target_stitch_import.errors import DeliveryError, RejectedError, TransientError
from tests.support.fake_service import TEST_TIMEOUT, DeliveryRun, sealed_batch

BUSY = TransientError("503 busy")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every next try begin at once."""
    monkeypatch.setattr("backoff.full_jitter", lambda _: 0.0)


@pytest.fixture
def not_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every next try begin too late for the test."""
    monkeypatch.setattr("backoff.full_jitter", lambda _: TEST_TIMEOUT)


def in_vain(times: int, *numbers: int) -> dict[int, int]:
    """Return how often the posts of each batch are to fail."""
    return dict.fromkeys(numbers, times)


def failing(run: DeliveryRun, left: dict[int, int]) -> None:
    """Let the posts of batches fail so often, and then succeed."""

    def answer(ids: list[int]) -> None:
        number = ids[0] // 100
        if left.get(number, 0):
            left[number] -= 1
            raise BUSY

    run.service.answer_at_once = answer


@pytest.mark.usefixtures("at_once")
def test_a_batch_is_tried_again_until_it_is_accepted(caplog: pytest.LogCaptureFixture) -> None:
    # Given a service that takes a batch at the third try
    run = DeliveryRun()
    failing(run, in_vain(2, 1))
    # When it is delivered
    with caplog.at_level(logging.WARNING):
        run.deliver(sealed_batch(1, "orders"))
    # Then the same was posted three times, and the tries in vain, which say the same, are one line
    assert run.service.posted == [[100]] * 3
    assert run.acknowledged == [1]
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" of ")[0] for line in lines] == ["Attempt 1"]
    assert lines[0].startswith("Attempt 1 of batch 1 of table 'orders' (1 row, ")
    assert lines[0].endswith("503 busy. Next attempt in 0.0 s; batches in flight: 1.")


@pytest.mark.usefixtures("not_soon")
def test_while_one_batch_waits_the_others_go_on() -> None:
    # Given a batch that waits for its second try
    run = DeliveryRun(parallel=2)
    failing(run, in_vain(1, 1))
    run.scheduler.submit(sealed_batch(1))
    # When others come
    for number in range(2, 30):
        run.scheduler.submit(sealed_batch(number))
    # Then they are delivered meanwhile, through the places that are left
    while run.metrics.in_flight > 1:
        run.scheduler.collect(block=True)
    assert sorted(run.acknowledged) == list(range(2, 30))  # two go side by side
    run.scheduler.close()


@pytest.mark.usefixtures("not_soon")
def test_the_seconds_to_the_next_retry_are_known() -> None:
    run = DeliveryRun()
    assert run.scheduler.seconds_to_next is None
    failing(run, in_vain(1, 1))
    run.scheduler.submit(sealed_batch(1))
    run.scheduler.collect(block=True)
    seconds = run.scheduler.seconds_to_next
    assert seconds is not None
    assert 0 < seconds <= TEST_TIMEOUT
    run.scheduler.close()


def test_when_the_budget_is_spent_the_run_fails() -> None:
    run = DeliveryRun(budget=0)
    failing(run, in_vain(1, 1))
    with pytest.raises(DeliveryError) as raised:
        run.deliver(sealed_batch(1, "orders"))
    assert str(raised.value).startswith("batch 1 of table 'orders' (1 row, ")
    assert str(raised.value).endswith(
        "given up after 1 attempt in 0 s; the last ended with: 503 busy"
    )
    run.scheduler.close()


def test_a_later_generation_waits_for_a_retry_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backoff.full_jitter", lambda _: 0.05)
    run = DeliveryRun()
    failing(run, in_vain(2, 1))
    run.deliver(sealed_batch(1, generation=0), sealed_batch(2, generation=1))
    assert run.service.begun == [1, 1, 1, 2]


@pytest.mark.usefixtures("not_soon")
def test_with_a_deadline_what_waits_is_tried_at_once() -> None:
    # Given a batch that waits for its second try
    run = DeliveryRun()
    failing(run, in_vain(1, 1))
    run.scheduler.submit(sealed_batch(1))
    run.scheduler.collect(block=True)
    # When there is a deadline far off
    run.scheduler.set_deadline(time.monotonic() + TEST_TIMEOUT)
    run.scheduler.finish()
    run.scheduler.close()
    # Then it was tried without the wait
    assert run.acknowledged == [1]


@pytest.mark.usefixtures("at_once")
def test_at_the_deadline_attempts_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service that takes nothing
    run = DeliveryRun()
    failing(run, in_vain(10**9, 1))
    monkeypatch.setattr("backoff.full_jitter", lambda _: 0.01)
    run.scheduler.submit(sealed_batch(1))
    # When the deadline comes
    run.scheduler.set_deadline(time.monotonic() + 0.1)
    with pytest.raises(DeliveryError, match=r"given up after|the time that a signal leaves"):
        run.scheduler.finish()
    run.scheduler.close()
    assert run.acknowledged == []


def test_at_the_deadline_a_post_in_flight_is_given_up() -> None:
    # Given a service that does not answer
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1))
    run.service.wait_for(1)
    # When the deadline comes
    run.scheduler.set_deadline(time.monotonic() + 0.05)
    with pytest.raises(DeliveryError, match="the time that a signal leaves is over"):
        run.scheduler.finish()
    # Then closing does not wait for it either
    run.scheduler.close()
    assert run.acknowledged == []
    run.service.answer(1)


def test_a_deadline_that_comes_while_posts_are_waited_for_ends_the_wait() -> None:
    # given a post that is not answered, and a run that failed and waits for it
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1))
    run.service.wait_for(1)
    closing = run.in_thread(run.scheduler.close)
    # when a signal gives it a moment more
    run.scheduler.set_deadline(time.monotonic() + 0.05)
    # then it waits no longer
    closing.join(TEST_TIMEOUT / 2)
    assert not closing.is_alive()
    run.service.answer(1)


def test_before_the_first_post_the_status_is_asked_for_once() -> None:
    run = DeliveryRun(check_status=True)
    run.service.accepts_all = True
    assert run.service.status_checks == 0
    run.deliver(*(sealed_batch(number) for number in range(1, 10)))
    assert (run.service.status_checks, len(run.acknowledged)) == (1, 9)


def test_without_a_batch_the_status_is_not_asked_for() -> None:
    run = DeliveryRun(check_status=True)
    run.deliver()
    assert run.service.status_checks == 0


@pytest.mark.usefixtures("at_once")
def test_while_the_service_says_that_it_is_down_nothing_is_posted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a service that is up at the third look
    run = DeliveryRun(check_status=True)
    run.service.accepts_all = True
    begun: list[int] = []

    def status() -> None:
        begun.append(len(run.service.begun))
        if len(begun) < 3:
            raise BUSY

    run.service.status = status
    # When batches are delivered
    with caplog.at_level(logging.WARNING):
        run.deliver(sealed_batch(1), sealed_batch(2))
    # Then none was posted before, and the checks that failed alike are one line
    assert begun == [0, 0, 0]
    assert sorted(run.acknowledged) == [1, 2]
    assert [record.getMessage()[:31] for record in caplog.records] == [
        "Attempt 1 of the status check f"
    ]


def test_a_service_that_stays_down_ends_the_run() -> None:
    run = DeliveryRun(check_status=True, budget=0)

    def status() -> None:
        raise BUSY

    run.service.status = status
    with pytest.raises(DeliveryError, match=r"given up after 1 attempt .* 503 busy"):
        run.deliver(sealed_batch(1))
    run.scheduler.close()
    assert run.service.begun == []


@pytest.mark.parametrize("error", [DeliveryError("404 Not found"), RejectedError("?"), OSError()])
def test_any_other_status_is_a_warning_and_the_posts_decide(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    run = DeliveryRun(check_status=True)
    run.service.accepts_all = True

    def status() -> None:
        raise error

    run.service.status = status
    with caplog.at_level(logging.WARNING):
        run.deliver(sealed_batch(1))
    assert (run.service.status_checks, run.acknowledged) == (1, [1])
    assert "batches are posted all the same" in caplog.text


def test_a_request_that_goes_on_and_on_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    # Given a service whose first answer has no end
    run = DeliveryRun(timeout=0.1)
    first = iter([True])

    def answer(ids: list[int]) -> None:
        if next(first, False):
            over.wait(TEST_TIMEOUT)

    over = threading.Event()
    run.service.answer_at_once = answer
    # When a batch is delivered
    with caplog.at_level(logging.WARNING):
        run.scheduler.submit(sealed_batch(1))
        run.scheduler.finish()
    # Then it was tried again over another connection
    assert run.acknowledged == [1]
    assert run.service.clients == 2
    assert "the answer had no end, and was given up" in caplog.text
    # and what becomes of the first, later, is nobody's matter
    over.set()
    while run.workers._abandoned:
        run.workers.wait(1)
        run.scheduler._handle_outcomes()
    run.scheduler.close()
    assert (run.acknowledged, run.service.closed) == ([1], 2)


def test_a_failure_does_not_wait_for_a_request_without_an_end() -> None:
    # Given one answer without an end, and another that is a refusal
    over = threading.Event()
    run = DeliveryRun(timeout=0.1, budget=TEST_TIMEOUT)

    def answer(ids: list[int]) -> None:
        if ids == [100]:
            over.wait(TEST_TIMEOUT)
        raise RejectedError("400 no")

    run.service.answer_at_once = answer
    with pytest.raises(DeliveryError, match="400 no"):
        run.deliver(sealed_batch(1), sealed_batch(2))
    # When the delivery closes, it ends
    run.scheduler.close()
    over.set()


def test_a_status_without_an_end_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()
    run = DeliveryRun(timeout=0.1, check_status=True)
    run.service.accepts_all = True
    run.service.status = lambda: (over.wait(TEST_TIMEOUT), None)[1]
    with caplog.at_level(logging.WARNING):
        run.scheduler.submit(sealed_batch(1))
        run.scheduler.finish()
    run.scheduler.close()
    over.set()
    assert (run.service.status_checks, run.acknowledged) == (1, [1])
    assert "batches are posted all the same" in caplog.text

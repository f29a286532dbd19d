"""The first failure wins; what is in flight is counted, and nothing more is sent."""

from __future__ import annotations

import select
import threading

import pytest

from target_stitch_import.delivery.scheduler import READY
from target_stitch_import.errors import (
    DeliveryError,
    RejectedError,
    RejectedRecordError,
    TransientError,
)
from tests.support.fake_service import TEST_TIMEOUT, DeliveryRun, sealed_batch


def fail(run: DeliveryRun, number: int, error: Exception | None = None) -> DeliveryError:
    """Let a post fail; return what the delivery raises for it."""
    run.service.wait_for(number)
    run.service.answer(number, error=error or RejectedError("400 no"))
    with pytest.raises(DeliveryError) as raised:
        run.scheduler.finish()
    return raised.value


def test_a_batch_that_can_not_be_delivered_is_named() -> None:
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(7, "orders"))
    error = fail(run, 7)
    run.scheduler.close()
    assert str(error).startswith("batch 7 of table 'orders' (1 row, ")
    assert str(error).endswith("could not be delivered: 400 no")
    assert isinstance(error.__cause__, RejectedError)
    assert run.acknowledged == []


def test_a_refused_record_is_named_by_its_line_and_key() -> None:
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(7))
    error = fail(run, 7, RejectedRecordError("400 Record 0 no", index=0))
    run.scheduler.close()
    assert str(error).endswith('That record is line 700 of the input (key {"id":700}).')


def test_any_exception_of_a_worker_is_reported() -> None:
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1))
    assert "MemoryError" in str(fail(run, 1, MemoryError("MemoryError")))
    run.scheduler.close()


def test_posts_in_flight_are_counted_after_a_failure() -> None:
    # Given three posts in flight, of which one fails
    run = DeliveryRun()
    for number in (1, 2, 3):
        run.scheduler.submit(sealed_batch(number))
    run.service.wait_for(1, 2, 3)
    fail(run, 2)
    # When the others are answered while the delivery closes
    helper = run.in_thread(lambda: run.service.answer(1, 3))
    run.scheduler.close()
    helper.join()
    # Then they count
    assert sorted(run.acknowledged) == [1, 3]
    assert run.service.closed == run.service.clients == 3


def test_the_first_failure_is_the_one_that_is_raised() -> None:
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1))
    run.scheduler.submit(sealed_batch(2))
    run.service.wait_for(1, 2)
    first = fail(run, 2, RejectedError("the first"))
    run.service.answer(1, error=RejectedError("the second"))
    assert select.select([run.workers.wake_fd], [], [], TEST_TIMEOUT)[0]
    with pytest.raises(DeliveryError, match="the first") as again:
        run.scheduler.collect()
    assert again.value is first
    run.scheduler.close()


def test_behind_a_barrier_nothing_is_sent_after_a_failure() -> None:
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1, generation=0))
    run.scheduler.submit(sealed_batch(2, generation=1))
    fail(run, 1)
    run.scheduler.close()
    assert run.service.begun == [1]
    assert run.acknowledged == []


def test_what_is_handed_over_after_a_failure_is_not_sent() -> None:
    # Given a failure that nobody has collected yet
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1))
    fail(run, 1)
    # When another batch is handed over all the same
    run.scheduler.submit(sealed_batch(2, "other"))
    run.scheduler.close()
    # Then it never leaves
    assert run.service.begun == [1]


def test_a_tap_that_waits_for_room_gets_the_failure() -> None:
    run = DeliveryRun(parallel=1)
    for number in range(1, 2 + READY):
        run.scheduler.submit(sealed_batch(number))
    run.service.wait_for(1)
    helper = run.in_thread(lambda: run.service.answer(1, error=RejectedError("400 no")))
    with pytest.raises(DeliveryError, match=r"batch 1 .* 400 no"):
        run.scheduler.submit(sealed_batch(9))
    run.scheduler.close()
    helper.join()
    assert run.service.begun == [1]


def test_after_a_failure_no_batch_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given one batch that waits for its second try, and one that fails
    monkeypatch.setattr("backoff.full_jitter", lambda _: TEST_TIMEOUT)
    run = DeliveryRun(budget=2 * TEST_TIMEOUT)
    run.scheduler.submit(sealed_batch(1))
    run.service.answer(1, error=TransientError("503 busy"))
    run.scheduler.collect(block=True)
    run.scheduler.submit(sealed_batch(2))
    fail(run, 2)
    # When the delivery closes
    run.scheduler.close()
    # Then it has not waited for that second try, nor made it
    assert run.service.begun == [1, 2]
    assert run.acknowledged == []


def test_a_machine_that_starts_no_thread_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    run = DeliveryRun()
    # When a batch is handed over
    with pytest.raises(DeliveryError, match="no thread can be started"):
        run.scheduler.submit(sealed_batch(1))
    # Then that is said, and closing does not wait for it
    run.scheduler.close()


def test_where_few_threads_can_be_started_they_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a machine that starts one thread, and no second
    run = DeliveryRun(parallel=3)
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    run.service.accepts_all = True
    # When three batches are handed over
    run.deliver(sealed_batch(1), sealed_batch(2), sealed_batch(3))
    # Then that one posts them all
    assert sorted(run.acknowledged) == [1, 2, 3]

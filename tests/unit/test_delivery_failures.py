"""The first failure wins; what is on the wire is counted, and nothing more is sent."""

from __future__ import annotations

import logging
import select
import threading
from typing import TYPE_CHECKING

import pytest

from target_stitch_import.batch import Batch
from target_stitch_import.delivery import Delivery
from target_stitch_import.errors import DeliveryError, RejectedError, RejectedRecordError
from tests.unit.posting import PATIENCE, Run, batch

if TYPE_CHECKING:
    from collections.abc import Callable


def fail(run: Run, number: int, error: Exception | None = None) -> DeliveryError:
    """Let a post fail; return what the delivery raises for it."""
    run.service.wait_for(number)
    run.service.answer(number, error=error or RejectedError("400 no"))
    with pytest.raises(DeliveryError) as raised:
        run.delivery.finish()
    return raised.value


def test_a_batch_that_can_not_be_delivered_is_named() -> None:
    run = Run()
    run.delivery.submit(batch(7, "orders"))
    error = fail(run, 7)
    run.delivery.close()
    assert str(error).startswith("batch 7 of table 'orders' (1 rows, ")
    assert str(error).endswith("could not be delivered: 400 no")
    assert isinstance(error.__cause__, RejectedError)
    assert run.acknowledged == []


def test_a_refused_record_is_named_by_its_line_and_key() -> None:
    run = Run()
    run.delivery.submit(batch(7))
    error = fail(run, 7, RejectedRecordError("400 Record 0 no", index=0))
    run.delivery.close()
    assert str(error).endswith('That record is line 700 of the input (key {"id":7}).')


def test_any_exception_of_a_posting_thread_is_told() -> None:
    run = Run()
    run.delivery.submit(batch(1))
    assert "MemoryError" in str(fail(run, 1, MemoryError("MemoryError")))
    run.delivery.close()


def test_posts_on_the_wire_are_counted_after_a_failure() -> None:
    # Given three posts on the wire, of which one fails
    run = Run()
    for number in (1, 2, 3):
        run.delivery.submit(batch(number))
    run.service.wait_for(1, 2, 3)
    fail(run, 2)
    # When the others are answered while the delivery closes
    helper = run.aside(lambda: run.service.answer(1, 3))
    run.delivery.close()
    helper.join()
    # Then they count
    assert sorted(run.acknowledged) == [1, 3]
    assert run.service.closed == run.service.clients == 3


def test_the_first_failure_is_the_one_that_is_raised() -> None:
    run = Run()
    run.delivery.submit(batch(1))
    run.delivery.submit(batch(2))
    run.service.wait_for(1, 2)
    first = fail(run, 2, RejectedError("the first"))
    run.service.answer(1, error=RejectedError("the second"))
    assert select.select([run.delivery.wake_fd], [], [], PATIENCE)[0]
    with pytest.raises(DeliveryError, match="the first") as again:
        run.delivery.collect()
    assert again.value is first
    run.delivery.close()


def test_behind_a_barrier_nothing_is_sent_after_a_failure() -> None:
    run = Run()
    run.delivery.submit(batch(1, generation=0))
    run.delivery.submit(batch(2, generation=1))
    fail(run, 1)
    run.delivery.close()
    assert run.service.begun == [1]
    assert run.acknowledged == []


def test_what_is_handed_over_after_a_failure_is_not_sent() -> None:
    # Given a failure that nobody has collected yet
    run = Run()
    run.delivery.submit(batch(1))
    fail(run, 1)
    # When another batch is handed over all the same
    run.delivery.submit(batch(2, "other"))
    run.delivery.close()
    # Then it never leaves
    assert run.service.begun == [1]


def test_a_tap_that_waits_for_room_is_told_of_the_failure() -> None:
    run = Run(parallel=1)
    run.delivery.submit(batch(1))
    run.service.wait_for(1)
    helper = run.aside(lambda: run.service.answer(1, error=RejectedError("400 no")))
    with pytest.raises(DeliveryError, match=r"batch 1 .* 400 no"):
        run.delivery.submit(batch(2))
    run.delivery.close()
    helper.join()
    assert run.service.begun == [1]


class Retrying:
    """A script for one batch that waits between two tries until it is told to go on."""

    def __init__(self, run: Run, number: int) -> None:
        self._run = run
        self._number = number
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self.tries: list[int] = []

    def __call__(
        self,
        number: int,
        on_try: Callable[[int], None],
        on_wait: Callable[[int, float, str], None],
    ) -> None:
        """Post; the batch of this script once before it, in vain."""
        if number != self._number:
            on_try(1)
            self._run.service.post(number)
            return
        try:
            for tries in (1, 2):
                on_try(tries)
                self.tries.append(tries)
                if tries == 1:
                    on_wait(tries, 2.5, "503 busy")
                    assert self.go_on.wait(PATIENCE)
            self._run.service.post(number)
        finally:
            self.ended.set()


def test_a_retry_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    run = Run()
    script = run.service.script = Retrying(run, 1)
    with caplog.at_level(logging.WARNING):
        run.delivery.submit(batch(1, "orders"))
        run.delivery.collect(block=True)
        script.go_on.set()
        run.service.answer(1)
        run.delivery.finish()
    run.delivery.close()
    assert run.acknowledged == [1]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("Try 1 of batch 1 of table 'orders' (1 rows, ")
    assert line.endswith("503 busy. Next try in 2.5 s; batches held meanwhile: 1.")


def test_after_a_failure_no_batch_is_tried_again() -> None:
    # Given one batch that waits for its second try, and one that fails
    run = Run()
    script = run.service.script = Retrying(run, 1)
    run.delivery.submit(batch(1))
    run.delivery.collect(block=True)
    run.delivery.submit(batch(2))
    fail(run, 2)
    # When the delivery closes, it does not wait for the sleeper
    run.delivery.close()
    # and once that wakes, it does not post any more
    script.go_on.set()
    assert script.ended.wait(PATIENCE)
    assert script.tries == [1]
    assert run.service.begun == [2]
    assert run.acknowledged == []


def test_a_second_try_that_is_on_the_wire_is_counted() -> None:
    # Given a batch whose second try is on the wire when another fails
    run = Run()
    script = run.service.script = Retrying(run, 1)
    run.delivery.submit(batch(1))
    run.delivery.collect(block=True)
    script.go_on.set()
    run.service.wait_for(1)
    run.delivery.submit(batch(2))
    fail(run, 2)
    # When it is answered while the delivery closes
    helper = run.aside(lambda: run.service.answer(1))
    run.delivery.close()
    helper.join()
    # Then it counts
    assert run.acknowledged == [1]


def test_a_machine_that_starts_no_thread_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    delivery = Delivery(NoClient, lambda _: None, parallel=2)
    # When a batch is handed over
    with pytest.raises(DeliveryError, match="no thread can be started"):
        delivery.submit(Batch(1, "orders", 0, b"{}", [1]))
    # Then that is said, and closing does not wait for it
    delivery.close()


class NoClient:
    """A client that is never used."""

    def deliver_batch(self, *_: object) -> None:
        """Deliver nothing."""

    def close(self) -> None:
        """Close nothing."""

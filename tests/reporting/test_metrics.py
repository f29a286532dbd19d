"""What a run comes to, counted where it is delivered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from target_stitch_import.errors import (
    RejectedError,
    RejectedRecordError,
    TooLargeError,
    TransientError,
)
from target_stitch_import.reporting.metrics import Metrics, StreamCounts
from tests.support.fake_service import DeliveryRun, sealed_batch


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backoff.full_jitter", lambda _: 0.0)


def test_what_is_acknowledged_is_counted_once_it_is() -> None:
    # given two batches, of which one is answered
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1, "orders", rows=3))
    run.scheduler.submit(sealed_batch(2, "items", rows=2))
    run.service.answer(1)
    while run.metrics.in_flight > 1:
        run.scheduler.collect(block=True)
    # then both have a request, and one has records
    orders, items = run.metrics.streams["orders"], run.metrics.streams["items"]
    assert (orders.records, orders.requests) == (3, 1)
    assert (items.records, items.requests, items.seconds) == (0, 1, 0.0)
    assert orders.size == run.metrics.total.size == len(sealed_batch(1, "orders", rows=3).body)
    # and when the other is answered, it has, too
    run.service.answer(2)
    run.scheduler.finish()
    run.scheduler.close()
    assert (run.metrics.streams["items"].records, run.metrics.total.records) == (2, 5)


def test_a_retry_is_a_request_more() -> None:
    # given a service that fails twice
    errors = iter([TransientError("not now"), TransientError("not now")])

    def answer(_: list[int]) -> None:
        if (error := next(errors, None)) is not None:
            raise error

    run = DeliveryRun()
    run.service.answer_at_once = answer
    # when a batch is delivered
    run.deliver(sealed_batch(1, rows=2))
    # then it is counted once, and each try as a request
    total = run.metrics.total
    assert (total.records, total.requests, total.retries) == (2, 3, 2)


def test_the_parts_of_a_batch_are_requests_of_their_own_and_no_retries() -> None:
    # given a service that takes one record at a time
    def answer(ids: list[int]) -> None:
        if len(ids) > 1:
            raise TooLargeError("too large")

    run = DeliveryRun()
    run.service.answer_at_once = answer
    # when a batch of four is delivered
    run.deliver(sealed_batch(1, rows=4))
    # then what was refused is a request, too, and each record is counted once
    total = run.metrics.streams["t"]
    assert total.requests == len(run.service.posted) > 4
    assert (total.records, total.retries) == (4, 0)


@pytest.mark.parametrize("is_named", [True, False])
def test_what_the_service_refuses_is_quarantined_and_not_acknowledged(is_named: bool) -> None:
    # given a service that refuses a record, and says which or does not
    def answer(ids: list[int]) -> None:
        if 102 in ids:
            if is_named:
                raise RejectedRecordError("no", index=ids.index(102))
            raise RejectedRecordError("no")

    run = DeliveryRun(set_aside=lambda *_: None)
    run.service.answer_at_once = answer
    # when it is in a batch
    run.deliver(sealed_batch(1, rows=5))
    # then the others are acknowledged
    total = run.metrics.streams["t"]
    assert (total.records, total.quarantined, total.retries) == (4, 1, 0)
    assert total == run.metrics.total


def test_what_can_not_be_set_aside_is_not_counted() -> None:
    # given a quarantine that fails
    def fail(*_: object) -> None:
        raise RejectedError("no")

    def answer(_: list[int]) -> None:
        raise RejectedRecordError("no", index=0)

    run = DeliveryRun(set_aside=fail)
    run.service.answer_at_once = answer
    # when a record should go there
    with pytest.raises(Exception, match="could not be delivered"):
        run.deliver(sealed_batch(1))
    run.scheduler.close()
    # then it has not
    assert run.metrics.total.quarantined == 0


def test_a_request_that_streams_share_is_one_of_each_and_one_of_the_run() -> None:
    # given a body with records of two streams
    run = DeliveryRun()
    run.service.accepts_all = True
    shared = replace(sealed_batch(1), contents={"orders": (2, 60), "items": (1, 30)})
    # when it is delivered
    run.deliver(shared)
    # then each has its own records and bytes, and the run has all of the body
    assert run.metrics.streams["orders"].size == 60
    assert run.metrics.streams["items"].records == 1
    assert [each.requests for each in run.metrics.streams.values()] == [1, 1]
    total = run.metrics.total
    assert (total.records, total.requests, total.size) == (3, 1, len(shared.body))


def test_time_is_from_the_first_post_to_the_last_acknowledgement() -> None:
    now = 10.0
    metrics = Metrics(lambda: now)
    metrics.add_stream("t")
    now = 12.0
    metrics.request_sent(["t"], is_retry=False)
    now = 13.5
    metrics.acknowledged({"t": (1, 1)}, 1)
    metrics.request_sent(["t"], is_retry=False)
    now = 15.0
    metrics.acknowledged({"t": (1, 1)}, 1)
    assert metrics.streams["t"].seconds == metrics.total.seconds == 3.0
    metrics.state_written()
    assert (metrics.states, metrics.last_state) == (1, 15.0)


def test_a_sum_spans_both_times() -> None:
    one = StreamCounts(1, 2, 3, 4, 5, began=10.0, ended=11.0)
    other = StreamCounts(10, 20, 30, 40, 50, began=9.0, ended=None)
    assert one.plus(other) == StreamCounts(11, 22, 33, 44, 55, began=9.0, ended=11.0)
    assert StreamCounts().plus(StreamCounts()) == StreamCounts()

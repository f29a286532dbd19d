"""Batches in flight: parallel posts, backpressure, barriers."""

from __future__ import annotations

import random
import select
import threading

import pytest

from target_stitch_import.delivery.scheduler import READY
from target_stitch_import.errors import TransientError
from tests.support.fake_service import DeliveryRun, sealed_batch


def test_a_batch_is_posted_and_acknowledged() -> None:
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1))
    run.service.wait_for(1)
    assert run.acknowledged == []
    run.service.answer(1)
    run.scheduler.finish()
    run.scheduler.close()
    assert run.acknowledged == [1]
    assert run.metrics.in_flight == 0


def test_as_many_posts_as_allowed_are_in_flight_at_once() -> None:
    # Given three batches that are not answered
    run = DeliveryRun(parallel=3)
    for number in (1, 2, 3):
        run.scheduler.submit(sealed_batch(number))
    # Then all three are under way
    run.service.wait_for(1, 2, 3)
    run.service.answer(1, 2, 3)
    run.scheduler.finish()
    run.scheduler.close()
    assert sorted(run.acknowledged) == [1, 2, 3]


@pytest.mark.parametrize("parallel", [1, 2, 4])
def test_no_more_than_allowed_are_ever_posted_or_in_flight(parallel: int) -> None:
    run = DeliveryRun(parallel)
    run.service.accepts_all = True
    for number in range(1, 51):
        run.scheduler.submit(sealed_batch(number))
        assert run.metrics.in_flight <= parallel + READY
    run.scheduler.finish()
    run.scheduler.close()
    assert run.service.most_in_flight <= parallel
    assert run.service.clients <= parallel
    assert sorted(run.acknowledged) == list(range(1, 51))


def test_the_tap_waits_while_as_many_as_allowed_are_in_flight() -> None:
    # Given two batches in flight, of which one is answered by another thread, and two ready
    run = DeliveryRun(parallel=2)
    for number in range(1, 3 + READY):
        run.scheduler.submit(sealed_batch(number))
    run.service.wait_for(1, 2)
    assert run.service.begun == [1, 2]
    helper = run.in_thread(lambda: run.service.answer(2))
    # When one more is handed over
    run.scheduler.submit(sealed_batch(9))
    # Then that has waited for the answer, and the first that was ready has taken the place
    assert run.acknowledged == [2]
    run.service.wait_for(3)
    run.service.accepts_all = True
    run.service.answer(1)
    run.scheduler.finish()
    run.scheduler.close()
    helper.join()
    assert sorted(run.acknowledged) == [1, 2, 3, 4, 9]


def test_what_is_ready_for_another_attempt_waits_for_a_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given one place, which another batch has taken while the first waited for its second try
    monkeypatch.setattr("backoff.full_jitter", lambda _: 0.01)
    run = DeliveryRun(parallel=1)
    run.scheduler.submit(sealed_batch(1))
    run.service.answer(1, error=TransientError("503 busy"))
    run.scheduler.collect(block=True)
    run.scheduler.submit(sealed_batch(2))
    run.service.wait_for(2)
    # When its wait is over
    threading.Event().wait(0.05)
    # Then nobody is to come back before the place is free, and then it is posted
    seconds = run.scheduler.seconds_to_next
    assert seconds is not None
    assert seconds > 1
    run.service.accepts_all = True
    run.service.answer(1, 2)
    run.scheduler.finish()
    run.scheduler.close()
    assert run.acknowledged == [2, 1]


def test_a_connection_is_kept_for_the_next_batch() -> None:
    run = DeliveryRun(parallel=4)
    run.service.accepts_all = True
    for number in range(1, 21):
        run.scheduler.submit(sealed_batch(number))
        run.scheduler.finish()
    run.scheduler.close()
    assert run.service.clients == run.service.closed == 1


def test_a_later_generation_of_a_table_waits_for_the_earlier() -> None:
    # Given two batches of generation 0, one of 1, one of 2
    run = DeliveryRun(parallel=8)
    for number, generation in ((1, 0), (2, 0), (3, 1), (4, 2)):
        run.scheduler.submit(sealed_batch(number, generation=generation))
    run.service.wait_for(1, 2)
    # When one of generation 0 is still out
    run.service.answer(1)
    while run.acknowledged != [1]:
        run.scheduler.collect(block=True)
    # Then nothing later has begun
    assert sorted(run.service.begun) == [1, 2]
    # When it is in
    run.service.answer(2)
    while run.acknowledged != [1, 2]:
        run.scheduler.collect(block=True)
    # Then the next generation goes, and only that
    run.service.wait_for(3)
    assert 4 not in run.service.begun
    run.service.answer(3, 4)
    run.scheduler.finish()
    run.scheduler.close()
    assert run.acknowledged == [1, 2, 3, 4]


def test_a_barrier_of_one_table_does_not_hold_another() -> None:
    run = DeliveryRun(parallel=8)
    run.scheduler.submit(sealed_batch(1, "a", 0))
    run.scheduler.submit(sealed_batch(2, "a", 1))
    run.scheduler.submit(sealed_batch(3, "b", 5))
    run.service.wait_for(1, 3)
    assert 2 not in run.service.begun
    run.service.answer(1, 2, 3)
    run.scheduler.finish()
    run.scheduler.close()


def test_barriers_beyond_the_number_of_threads_are_no_deadlock() -> None:
    # Given every batch behind a barrier, and only two at a time
    run = DeliveryRun(parallel=2)
    run.service.accepts_all = True
    for number in range(1, 31):
        run.scheduler.submit(sealed_batch(number, generation=number))
    run.scheduler.finish()
    run.scheduler.close()
    assert run.service.begun == run.acknowledged == list(range(1, 31))


@pytest.mark.parametrize("seed", range(5))
def test_in_whatever_order_answers_come_generations_are_kept(seed: int) -> None:
    # Given a hundred batches of three tables, with a barrier now and then
    chance = random.Random(seed)
    run = DeliveryRun(parallel=4)
    run.service.accepts_all = True
    generations = {"a": 0, "b": 0, "c": 0}
    batches = []
    for number in range(1, 101):
        table = chance.choice("abc")
        generations[table] += chance.random() < 0.2
        batches.append(sealed_batch(number, table, generations[table]))
    by_number = {each.number: each for each in batches}
    for each in batches:
        run.scheduler.submit(each)
    run.scheduler.finish()
    run.scheduler.close()
    # Then each table's were begun in the order of their generations
    for table in "abc":
        begun = [
            by_number[number].generation
            for number in run.service.begun
            if by_number[number].table_name == table
        ]
        assert begun == sorted(begun)
    assert sorted(run.acknowledged) == list(range(1, 101))


def test_an_answer_makes_the_wake_descriptor_readable_until_who_waits_says_so() -> None:
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1))
    run.service.answer(1)
    assert select.select([run.workers.wake_fd], [], [], 30)[0]
    run.workers.clear_wakeup()
    assert not select.select([run.workers.wake_fd], [], [], 0)[0]
    run.scheduler.collect()
    assert run.acknowledged == [1]
    run.scheduler.close()


def test_a_wake_ends_one_wait() -> None:
    # Given a wake that brings no news
    run = DeliveryRun()
    run.workers.wake()
    # When somebody waits, then it ends the wait, and not the next one too
    run.workers.wait(None)
    assert not select.select([run.workers.wake_fd], [], [], 0)[0]
    run.scheduler.close()


def test_a_wake_without_news_is_harmless_however_often_it_comes() -> None:
    run = DeliveryRun()
    for _ in range(100_000):  # more than a pipe holds
        run.workers.wake()
    while select.select([run.workers.wake_fd], [], [], 0)[0]:
        run.scheduler.collect(block=True)
    run.scheduler.collect()
    run.scheduler.close()


def test_to_collect_without_waiting_does_not_wait() -> None:
    run = DeliveryRun()
    run.scheduler.submit(sealed_batch(1))
    run.service.wait_for(1)
    run.scheduler.collect()
    assert run.metrics.in_flight == 1
    run.service.answer(1)
    run.scheduler.finish()
    run.scheduler.close()


def test_to_finish_or_close_with_nothing_in_flight_ends_at_once() -> None:
    run = DeliveryRun()
    run.scheduler.finish()
    run.scheduler.close()
    assert run.service.clients == 0


def test_to_close_or_wake_once_more_is_harmless() -> None:
    # A signal may come at any time, also behind the end.
    run = DeliveryRun()
    run.scheduler.close()
    run.workers.wake()
    run.scheduler.close()


def test_what_is_unacknowledged_is_known_by_table_and_generation() -> None:
    # given two batches of a table's generation, and one of the next, which waits for them
    run = DeliveryRun()
    for number, generation in ((1, 4), (2, 4), (3, 5)):
        run.scheduler.submit(sealed_batch(number, "orders", generation))
    assert run.scheduler.has_unacknowledged("orders", 4)
    assert run.scheduler.has_unacknowledged("orders", 5)
    # then another table, and a generation of which nothing is sealed, have none
    assert not run.scheduler.has_unacknowledged("items", 4)
    assert not run.scheduler.has_unacknowledged("orders", 6)
    # when one of the two is acknowledged, the other counts
    run.service.answer(1)
    while run.acknowledged != [1]:
        run.scheduler.collect(block=True)
    assert run.scheduler.has_unacknowledged("orders", 4)
    # and once both are, only what is behind the barrier does
    run.service.answer(2)
    while run.acknowledged != [1, 2]:
        run.scheduler.collect(block=True)
    assert not run.scheduler.has_unacknowledged("orders", 4)
    assert run.scheduler.has_unacknowledged("orders", 5)
    run.service.answer(3)
    run.scheduler.finish()
    run.scheduler.close()
    assert not run.scheduler.has_unacknowledged("orders", 5)

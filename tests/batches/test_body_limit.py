"""How large bodies may be: less once one is refused for its size, and more again later."""

from __future__ import annotations

import pytest

from target_stitch_import.batches.batch import Batch
from target_stitch_import.batches.body_limit import FULL_BODIES, LONE_RECORD_FLOOR, BodyLimit
from target_stitch_import.errors import TooLargeError
from tests.support.fake_service import DeliveryRun, sealed_batch

SETTING = 4_000_000


def body(size: int, rows: int = 2) -> Batch:
    """Return a batch whose body has so many bytes."""
    return Batch(1, "t", 0, b" " * size, range(rows), {})


def accept_full(limit: BodyLimit, count: int) -> None:
    """Let bodies as large as the limit be accepted."""
    for _ in range(count):
        limit.handle_accepted(body(limit.max_bytes - 1))


def test_a_refused_body_lowers_the_limit_to_half_of_it() -> None:
    limit = BodyLimit(SETTING)
    limit.handle_refused(body(90_000))
    assert limit.max_bytes == 45_000


def test_a_refused_record_lowers_the_limit_to_its_size() -> None:
    # given a record alone in its body, larger than the floor
    limit = BodyLimit(SETTING)
    limit.handle_refused(body(3_000_000, rows=1))
    assert limit.max_bytes == 3_000_000


def test_a_small_record_that_is_refused_lowers_the_limit_to_the_floor_at_most() -> None:
    # given a service that refuses a small record for its size
    limit = BodyLimit(SETTING)
    limit.handle_refused(body(500, rows=1))
    # then later bodies are not as small as that record
    assert limit.max_bytes == LONE_RECORD_FLOOR
    # and none of them is split before it was refused
    assert not limit.must_split(body(LONE_RECORD_FLOOR - 1))


@pytest.mark.parametrize("setting", [10, LONE_RECORD_FLOOR, SETTING])
def test_a_refusal_never_raises_the_limit(setting: int) -> None:
    limit = BodyLimit(setting)
    limit.handle_refused(body(20_000_000, rows=1))
    limit.handle_refused(body(20_000_000))
    assert limit.max_bytes <= setting


def test_what_was_sealed_before_a_refusal_is_split_without_asking() -> None:
    # given a body that was refused
    limit = BodyLimit(SETTING)
    limit.handle_refused(body(1_000_000))
    # then another of that size would be, too, and one near the new limit would not
    assert limit.must_split(body(1_000_000))
    assert not limit.must_split(body(1_000_000, rows=1))
    assert not limit.must_split(body(500_000))


def test_the_limit_doubles_after_full_bodies_up_to_the_setting() -> None:
    # given a limit that was lowered once
    limit = BodyLimit(SETTING)
    limit.handle_refused(body(2_000_000))
    # when so many full bodies are accepted
    accept_full(limit, 2 * FULL_BODIES - 1)
    assert limit.max_bytes == 1_000_000
    accept_full(limit, 1)
    # then the limit doubles, and bodies of the size that was refused are tried again
    assert limit.max_bytes == 2_000_000
    assert not limit.must_split(body(2_000_000))
    # and so on, up to the setting
    accept_full(limit, 10 * FULL_BODIES)
    assert limit.max_bytes == SETTING


def test_small_bodies_prove_nothing() -> None:
    limit = BodyLimit(SETTING)
    limit.handle_refused(body(2_000_000))
    for _ in range(10 * FULL_BODIES):
        limit.handle_accepted(body(400_000))
    assert limit.max_bytes == 1_000_000


def test_a_service_with_a_small_limit_is_tried_less_and_less_often() -> None:
    # given a service that takes less than 300,000 bytes
    limit = BodyLimit(SETTING)
    refused: list[int] = []
    # when thousands of full bodies are posted
    for number in range(10_000):
        full = body(limit.max_bytes - 1)
        if len(full.body) >= 300_000:
            limit.handle_refused(full)
            refused.append(number)
        else:
            limit.handle_accepted(full)
    # then a few are refused, most of them at the beginning
    assert len(refused) < 15
    assert len([number for number in refused if number > 5_000]) <= 1


def test_one_small_record_that_is_refused_does_not_make_all_later_bodies_small() -> None:
    # given a service that refuses one small record for its size, and nothing else
    run = DeliveryRun(set_aside=lambda *_: None)

    def answer(ids: list[int]) -> None:
        if ids == [100]:
            raise TooLargeError("413 too large")

    run.service.answer_at_once = answer
    # when batches of many rows follow
    run.deliver(sealed_batch(1), *(sealed_batch(number, rows=50) for number in range(2, 10)))
    # then each is one request
    assert [len(ids) for ids in run.service.posted] == [1] + [50] * 8
    assert run.limit.max_bytes == LONE_RECORD_FLOOR


def test_after_full_bodies_the_limit_is_the_settings_again() -> None:
    # given a run in which one batch was refused
    run = DeliveryRun()
    full = sealed_batch(2, rows=64)
    once = iter([True])

    def answer(ids: list[int]) -> None:
        if len(ids) == 128 and next(once, False):
            raise TooLargeError("413 too large")

    run.service.answer_at_once = answer
    run.scheduler.submit(sealed_batch(1, rows=128))
    run.scheduler.finish()
    lowered = run.limit.max_bytes
    assert lowered < len(full.body) * 1.1
    # when many full ones are accepted
    run.deliver(*(sealed_batch(number, rows=60) for number in range(2, 3 + 2 * FULL_BODIES)))
    # then the limit is higher again
    assert run.limit.max_bytes == 2 * lowered

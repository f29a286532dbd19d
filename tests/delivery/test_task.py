"""A batch that is too large is split; a record that is refused is set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.batches.splitting import as_singer
from target_stitch_import.errors import (
    DeliveryError,
    QuarantineError,
    RejectedRecordError,
    TooLargeError,
    TransientError,
)
from tests.support.fake_service import DeliveryRun, sealed_batch

if TYPE_CHECKING:
    from target_stitch_import.batches.batch import Batch


def accept_up_to(run: DeliveryRun, most: int) -> list[list[int]]:
    """Let the service accept bodies of so many rows; return the ids of what it accepted."""
    accepted: list[list[int]] = []

    def answer(ids: list[int]) -> None:
        if len(ids) > most:
            raise TooLargeError("413 too large")
        accepted.append(ids)

    run.service.answer_at_once = answer
    return accepted


@pytest.mark.parametrize("rows", [2, 3, 7, 64])
@pytest.mark.parametrize("most", [1, 2, 5])
def test_what_is_too_large_is_split_down_to_what_fits(rows: int, most: int) -> None:
    # Given a service that accepts small bodies only
    run = DeliveryRun()
    accepted = accept_up_to(run, most)
    # When a larger batch is delivered
    run.deliver(sealed_batch(1, rows=rows))
    # Then every record was accepted once, in order, and the batch is acknowledged once
    assert [each for ids in accepted for each in ids] == list(range(100, 100 + rows))
    assert run.acknowledged == [1]


def test_a_split_batch_is_acknowledged_only_when_all_of_it_is() -> None:
    # Given a service that accepts single records, and refuses the last one for good
    run = DeliveryRun(budget=0)

    def answer(ids: list[int]) -> None:
        assert run.acknowledged == []
        if len(ids) > 1:
            raise TooLargeError("413 too large")
        if ids == [103]:
            raise TransientError("503 busy")

    run.service.answer_at_once = answer
    # When a batch of four is delivered
    with pytest.raises(DeliveryError):
        run.deliver(sealed_batch(1, rows=4))
    run.scheduler.close()
    # Then it is not acknowledged, though three of its records were accepted
    assert run.acknowledged == []


def test_later_batches_stay_below_the_size_that_was_refused() -> None:
    # Given a service that has refused one batch, and then its halves
    run = DeliveryRun(parallel=1)
    accepted = accept_up_to(run, 4)
    run.scheduler.submit(sealed_batch(1, rows=16))
    run.scheduler.finish()
    refused = [ids for ids in run.service.posted if len(ids) > 4]
    assert len(refused) > 1
    run.service.posted.clear()
    # When a batch comes that is as large, as it was sealed before
    run.deliver(sealed_batch(2, rows=16))
    # Then it is split before it is posted, and nothing is refused any more
    assert run.service.posted == accepted[-len(run.service.posted) :]
    # and what opens from here on stays below half of what was refused
    assert run.limit.max_bytes <= len(sealed_batch(1, rows=8).body) / 2


def test_a_lone_record_that_is_too_large_is_named() -> None:
    run = DeliveryRun()
    accept_up_to(run, 0)
    with pytest.raises(DeliveryError) as raised:
        run.deliver(sealed_batch(3, rows=4))
    assert str(raised.value).endswith(
        '413 too large. That record is line 300 of the input (key {"id":300}).'
    )
    run.scheduler.close()


class Aside:
    """Takes the records that are refused."""

    def __init__(self, most: int = 1_000) -> None:
        self.ids: list[int] = []
        self.reasons: list[str] = []
        self._most = most

    def __call__(self, record: Batch, reason: str, _status: int | None) -> None:
        """Set one aside."""
        if len(self.ids) >= self._most:
            raise QuarantineError("too many")
        assert as_singer(record) is not None
        self.ids += record.positions
        self.reasons.append(reason)


@settings(deadline=None)
@given(bad=st.sets(st.integers(100, 119)), most=st.integers(1, 20))
def test_every_record_is_either_accepted_or_set_aside(bad: set[int], most: int) -> None:
    # Given a service that refuses some records, and large bodies
    aside = Aside()
    run = DeliveryRun(set_aside=aside)
    accepted: list[int] = []

    def answer(ids: list[int]) -> None:
        if len(ids) > most:
            raise TooLargeError("413 too large")
        for index, each in enumerate(ids):
            if each in bad:
                raise RejectedRecordError(f"400 Record {index} no", index=index)
        accepted.extend(ids)

    run.service.answer_at_once = answer
    # When a batch of twenty is delivered
    run.deliver(sealed_batch(1, rows=20))
    # Then the bad are aside, the others accepted, in order, and the batch is acknowledged
    assert aside.ids == sorted(bad)
    assert accepted == [each for each in range(100, 120) if each not in bad]
    assert run.acknowledged == [1]


def test_a_lone_record_that_is_too_large_is_set_aside() -> None:
    aside = Aside()
    run = DeliveryRun(set_aside=aside)
    accept_up_to(run, 0)
    run.deliver(sealed_batch(1, rows=3))
    assert aside.ids == [100, 101, 102]
    assert aside.reasons == ["413 too large"] * 3
    assert run.acknowledged == [1]


def test_a_record_that_can_not_be_set_aside_ends_the_run() -> None:
    run = DeliveryRun(set_aside=Aside(most=1))

    def answer(ids: list[int]) -> None:
        raise RejectedRecordError("400 Record 0 no", index=0)

    run.service.answer_at_once = answer
    with pytest.raises(DeliveryError, match="too many"):
        run.deliver(sealed_batch(1, rows=3))
    run.scheduler.close()
    assert run.acknowledged == []

"""Batches that are open are sealed at the latest at a certain age, whatever the tap says."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from target_stitch_import.batch import OpenBatch
from target_stitch_import.body_limit import BodyLimit
from target_stitch_import.open_batches import OpenBatches

if TYPE_CHECKING:
    import pytest


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Opened:
    """Open batches of ten seconds, numbered from 1, and what was sealed of them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.batches = OpenBatches(
            count(1).__next__, limit=BodyLimit(100), max_age=10, clock=self.clock
        )
        self.sealed: list[int] = []

    def open(self) -> OpenBatch:
        """Open one, which a seal closes."""
        batch = OpenBatch(b"[", max_bytes=100_000, max_rows=1)

        def seal() -> None:
            self.batches.sealed(batch)
            self.sealed.append(batch.number)

        self.batches.opened(batch, "orders", seal)
        return batch


def test_batches_are_numbered_as_they_open() -> None:
    opened = Opened()
    assert [opened.open().number for _ in range(3)] == [1, 2, 3]


def test_where_none_is_open_nothing_is_due() -> None:
    assert Opened().batches.seal_some() is None


def test_a_batch_is_sealed_when_its_time_is_up_and_not_before() -> None:
    opened = Opened()
    opened.open()
    opened.clock.now += 9.5
    assert opened.batches.seal_some() == 0.5
    assert opened.sealed == []
    opened.clock.now += 0.5
    assert opened.batches.seal_some() is None
    assert opened.sealed == [1]


def test_each_batch_has_its_own_time() -> None:
    opened = Opened()
    for _ in range(3):
        opened.open()
        opened.clock.now += 4
    # Two seconds ago the first was due, in two seconds the next is.
    assert opened.batches.seal_some() == 2
    assert opened.sealed == [1]


def test_several_that_are_due_are_sealed_in_the_order_of_opening() -> None:
    opened = Opened()
    for _ in range(3):
        opened.open()
    opened.clock.now += 11
    assert opened.batches.seal_some() is None
    assert opened.sealed == [1, 2, 3]


def test_a_batch_that_was_sealed_before_is_not_due_any_more() -> None:
    opened = Opened()
    opened.batches.sealed(opened.open())
    opened.clock.now += 11
    assert opened.batches.seal_some() is None
    assert opened.sealed == []


def test_all_are_sealed_in_the_order_of_opening_at_the_end() -> None:
    opened = Opened()
    opened.open()
    opened.batches.sealed(opened.open())
    opened.open()
    opened.batches.seal_all()
    opened.batches.seal_all()
    assert opened.sealed == [1, 3]


def test_what_open_batches_hold_together_is_known_to_the_byte() -> None:
    # Given two batches that are open, one of which grows
    held = Opened()
    held.open()
    batch = held.open()
    held.batches.used += batch.add_record(b'{"id":1}', 1, None, 1)
    assert held.batches.used == 1 + batch.size
    # When they are sealed
    held.batches.seal_all()
    # Then nothing is held
    assert held.batches.used == 0


def test_when_they_hold_too_much_together_the_largest_are_sealed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given batches of several sizes, which together hold more than may be
    monkeypatch.setattr("target_stitch_import.open_batches.MAX_OPEN_BYTES", 1_000)
    held = Opened()
    for size in (100, 400, 50, 300, 200):
        batch = held.open()
        held.batches.used += batch.add_record(b"x" * (size - 40), 1, None, 1)
    assert held.batches.used > 1_000
    # When the background has its turn
    held.batches.seal_some()
    # Then as many of the largest are sealed as it takes to be well below
    assert held.sealed == [2]
    assert held.batches.used <= 750
    # and in the next turn, none
    held.batches.seal_some()
    assert held.sealed == [2]

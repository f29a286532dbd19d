"""A STATE is a promise: written once all that came before it is acknowledged."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.delivery.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence


def waiting(checkpoint: Checkpoint) -> int:
    """Return how many STATEs are kept."""
    return sum(state is not None for state in checkpoint._states.values())


def test_a_state_with_nothing_before_it_goes_at_once() -> None:
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    checkpoint.remember(b"{1}")
    checkpoint.release()
    assert written == [b"{1}"]


def test_a_state_waits_for_the_batch_before_it() -> None:
    # Given a STATE behind an open batch
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    number = checkpoint.open_batch()
    checkpoint.remember(b"{1}")
    checkpoint.release()
    assert written == []
    # When the batch is acknowledged
    checkpoint.acknowledge(number)
    checkpoint.release()
    # Then it goes
    assert written == [b"{1}"]


def test_a_state_does_not_wait_for_a_batch_that_opened_after_it() -> None:
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    checkpoint.remember(b"{1}")
    checkpoint.open_batch()
    checkpoint.release()
    assert written == [b"{1}"]


@pytest.mark.parametrize("order", list(permutations([1, 2, 3, 4])))
def test_in_every_order_of_acknowledgement_the_watermark_holds(order: Sequence[int]) -> None:
    # Given four batches with a STATE behind each
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    for _ in range(4):
        number = checkpoint.open_batch()
        checkpoint.remember(b"%d" % number)
    done: set[int] = set()
    for number in order:
        # When one is acknowledged
        checkpoint.acknowledge(number)
        done.add(number)
        checkpoint.release()
        # Then the newest STATE written is that before the oldest batch still out
        mark = next((n - 1 for n in range(1, 5) if n not in done), 4)
        assert written[-1:] == ([b"%d" % mark] if mark else [])
    # And none is written twice or backwards
    assert written == sorted(set(written))


def test_states_for_the_same_batches_coalesce_and_the_newest_wins() -> None:
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    number = checkpoint.open_batch()
    for place in range(10_000):
        checkpoint.remember(b"%d" % place)
    assert waiting(checkpoint) == 1
    checkpoint.acknowledge(number)
    checkpoint.release()
    assert written == [b"9999"]
    assert waiting(checkpoint) == 0


def test_no_more_states_are_kept_than_batches_while_one_batch_does_not_come_through() -> None:
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    # Given a batch that is tried again and again
    stuck = checkpoint.open_batch()
    # When thousands of others come and go meanwhile, each with a STATE behind it
    for place in range(5_000):
        number = checkpoint.open_batch()
        checkpoint.remember(b"%d" % place)
        checkpoint.acknowledge(number)
        checkpoint.release()
        assert waiting(checkpoint) == 1
    # Then none was written, and the newest goes once it is through
    assert written == []
    checkpoint.acknowledge(stuck)
    checkpoint.release()
    assert written == [b"4999"]


def test_of_several_that_may_go_only_the_newest_is_written() -> None:
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    for _ in range(3):
        number = checkpoint.open_batch()
        checkpoint.remember(b"%d" % number)
    for number in (1, 2, 3):
        checkpoint.acknowledge(number)
    checkpoint.release()
    assert written == [b"3"]


def test_a_state_is_written_once() -> None:
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    checkpoint.remember(b"{1}")
    checkpoint.release()
    checkpoint.release()
    assert written == [b"{1}"]


def test_without_a_state_nothing_is_written() -> None:
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    checkpoint.acknowledge(checkpoint.open_batch())
    checkpoint.release()
    assert written == []


def test_a_batch_that_is_not_out_cannot_be_acknowledged() -> None:
    checkpoint = Checkpoint(lambda _: None)
    number = checkpoint.open_batch()
    checkpoint.acknowledge(number)
    with pytest.raises(KeyError):
        checkpoint.acknowledge(number)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["open", "state", "acknowledge", "release"])), st.randoms())
def test_whatever_happens_a_written_state_covers_only_acknowledged_batches(
    events: list[str], random: object
) -> None:
    # Given any order of events, with answers in any order
    written: list[bytes] = []
    checkpoint = Checkpoint(written.append)
    out: list[int] = []
    behind: dict[bytes, set[int]] = {}
    opened: set[int] = set()
    acknowledged: set[int] = set()
    for event in [*events, "state", "release"]:
        if event == "open":
            number = checkpoint.open_batch()
            opened.add(number)
            out.append(number)
        elif event == "state":
            value = b"%06d" % len(behind)
            behind[value] = set(opened)
            checkpoint.remember(value)
        elif event == "acknowledge" and out:
            number = out.pop(random.randrange(len(out)))  # type: ignore[attr-defined]
            acknowledged.add(number)
            checkpoint.acknowledge(number)
        elif event == "release":
            before = len(written)
            checkpoint.release()
            # Then what is written covers nothing that is still out, and is the newest such STATE
            possible = [value for value, needs in behind.items() if needs <= acknowledged]
            assert written[-1:] == possible[-1:]
            assert len(written) <= before + 1
    assert waiting(checkpoint) <= len(out) + 1
    # And nothing is kept for ever
    for number in out:
        checkpoint.acknowledge(number)
    checkpoint.release()
    assert written[-1] == max(behind)
    assert written == sorted(set(written))
    assert waiting(checkpoint) == 0

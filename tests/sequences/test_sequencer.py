"""Times of records become strictly increasing sequences."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.sequences.sequencer import MAX_AHEAD_NS, Sequencer

NOW = 1_700_000_000_000_000_000
FIXTURES = [HealthCheck.function_scoped_fixture]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop this machine's clock at NOW."""
    monkeypatch.setattr("target_stitch_import.sequences.sequencer.time.time_ns", lambda: NOW)


def test_a_time_is_its_own_sequence() -> None:
    assert Sequencer().assign([NOW - 5]) == [NOW - 5]


def test_without_a_time_the_time_of_receipt_counts() -> None:
    assert Sequencer().assign([0, 0, 0]) == [NOW, NOW + 1, NOW + 2]


def test_a_thousand_equal_times_still_increase() -> None:
    assert Sequencer().assign([NOW] * 1000) == list(range(NOW, NOW + 1000))


def test_a_time_that_goes_back_does_not_take_the_sequence_back() -> None:
    # given a record
    sequencer = Sequencer()
    (first,) = sequencer.assign([NOW])
    # when a later one of the table has an earlier time, then it wins all the same
    assert sequencer.assign([NOW - 10**12]) == [first + 1]


def test_five_minutes_ahead_is_believed() -> None:
    sequencer = Sequencer()
    assert sequencer.assign([NOW + MAX_AHEAD_NS]) == [NOW + MAX_AHEAD_NS]
    assert not sequencer.clamped


def test_further_ahead_is_held_to_the_clock() -> None:
    sequencer = Sequencer()
    assert sequencer.assign([NOW + MAX_AHEAD_NS + 1]) == [NOW]
    assert sequencer.clamped


def test_one_bad_clock_does_not_hide_later_updates() -> None:
    year_9999 = 253_402_300_799 * 10**9
    assert Sequencer().assign([year_9999, NOW + 7]) == [NOW, NOW + 7]


@pytest.mark.parametrize("zero", [0, -1, -62_135_596_800 * 10**9])
def test_a_time_before_1970_counts_as_none(zero: int) -> None:
    # when a record has the zero time of its source, then it hides no later update
    assert Sequencer().assign([zero]) == [NOW]


def test_records_that_bring_their_own_sequence_keep_it_where_it_increases() -> None:
    sequencer = Sequencer()
    found = [sequencer.assign_own(own) for own in (0, 7, 7, 0, 3, 20)]
    assert found == [1, 7, 8, 9, 10, 20]


@pytest.mark.parametrize(
    ("times", "expected"), [([], NOW), ([5], NOW), ([NOW + 9], NOW + 10), ([NOW + 9] * 3, NOW + 12)]
)
def test_an_activation_is_above_all_before_it_and_raises_no_record(
    times: list[int], expected: int
) -> None:
    # given records of a table
    sequencer = Sequencer()
    sequencer.assign(times)
    # when a version is activated, then its sequence is above theirs, and that of now at the least
    assert sequencer.next_activation() == expected
    # and a record behind it that is older still has its own time
    last = times[-1] if times else 0
    assert sequencer.assign([last + 100]) == [last + 100]


def test_an_activation_has_a_sequence_that_the_service_takes() -> None:
    sequencer = Sequencer()
    sequencer.assign_own(MAX_SEQUENCE)
    assert sequencer.next_activation() == MAX_SEQUENCE


times = (
    st.integers(NOW - 3, NOW + 3) | st.sampled_from([0, NOW * 2]) | st.integers(-(10**20), 10**21)
)


def plain_reading(times: list[int]) -> list[int]:
    """Return the sequences of records of these times, as the documentation says it."""
    found: list[int] = []
    for time in times:
        own = NOW if time <= 0 or time > NOW + MAX_AHEAD_NS else time
        found.append(max(found[-1] + 1, own) if found else own)
    return found


@settings(deadline=None, suppress_health_check=FIXTURES)
@given(st.lists(st.lists(times)))
def test_however_records_are_cut_into_blocks_their_sequences_are_what_is_documented(
    blocks: list[list[int]],
) -> None:
    # given times in blocks, some of them equal, falling, or wrong; when they get their sequences
    sequencer = Sequencer()
    found = [sequence for block in blocks for sequence in sequencer.assign(block)]
    # then they are those of a plain reading, one record after the other
    all_times = [time for block in blocks for time in block]
    assert found == plain_reading(all_times)
    assert all(0 < sequence <= MAX_SEQUENCE for sequence in found)
    assert sequencer.clamped == any(time > NOW + MAX_AHEAD_NS for time in all_times)


@settings(deadline=None, suppress_health_check=FIXTURES)
@given(st.lists(st.lists(times)))
def test_by_arrival_only_the_clock_counts(blocks: list[list[int]]) -> None:
    # given records of any times; when they get the sequences of their receipt
    sequencer = Sequencer(by_arrival=True)
    found = [sequence for block in blocks for sequence in sequencer.assign(block)]
    # then these begin with the clock, and rise by one
    assert found == list(range(NOW, NOW + len(found)))
    assert not sequencer.clamped

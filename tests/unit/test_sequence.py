"""Times of records become strictly increasing sequences."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.sequence import MAX_AHEAD_NS, Sequencer

NOW = 1_700_000_000_000_000_000


@pytest.fixture
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop this machine's clock at NOW."""
    monkeypatch.setattr("target_stitch_import.sequence.time.time_ns", lambda: NOW)


@pytest.mark.usefixtures("_clock")
class TestSequencer:
    """Sequences of one table."""

    def test_a_time_is_its_own_sequence(self) -> None:
        assert Sequencer().next(NOW - 5) == NOW - 5

    def test_without_a_time_the_clock_counts(self) -> None:
        assert Sequencer().next() == NOW

    def test_a_thousand_equal_times_still_increase(self) -> None:
        sequencer = Sequencer()
        assert [sequencer.next(NOW) for _ in range(1000)] == list(range(NOW, NOW + 1000))

    def test_a_time_that_goes_back_does_not_take_the_sequence_back(self) -> None:
        # When a later record of the stream has an earlier time ...
        sequencer = Sequencer()
        first = sequencer.next(NOW)
        # ... then it wins all the same.
        assert sequencer.next(NOW - 10**12) == first + 1

    def test_five_minutes_ahead_is_believed(self) -> None:
        sequencer = Sequencer()
        assert sequencer.next(NOW + MAX_AHEAD_NS) == NOW + MAX_AHEAD_NS
        assert not sequencer.held_to_clock

    def test_further_ahead_is_held_to_the_clock(self) -> None:
        sequencer = Sequencer()
        assert sequencer.next(NOW + MAX_AHEAD_NS + 1) == NOW
        assert sequencer.held_to_clock

    def test_one_bad_clock_does_not_hide_later_updates(self) -> None:
        sequencer = Sequencer()
        sequencer.next(253_402_300_799 * 10**9)  # the last second of the year 9999
        assert sequencer.next(NOW + 7) == NOW + 7

    def test_a_time_before_1970_gives_a_sequence_that_the_service_takes(self) -> None:
        assert Sequencer().next(-62_135_596_800_000_000_000) > 0

    @settings(deadline=None)
    @given(st.lists(st.none() | st.integers(-(10**20), 10**21)))
    def test_whatever_the_times_sequences_increase_within_the_limit(
        self, times: list[int | None]
    ) -> None:
        sequencer = Sequencer()
        sequences = [sequencer.next(time) for time in times]
        assert sequences == sorted(set(sequences))
        assert all(0 < sequence <= MAX_SEQUENCE for sequence in sequences)


@pytest.mark.parametrize("zero", [0, -1, -62_135_596_800 * 10**9])
def test_a_time_before_1970_is_none(zero: int) -> None:
    sequencer = Sequencer()
    # When a record has the zero time of its source
    sequence = sequencer.next(zero)
    # Then its sequence is that of a record without a time, and hides no later update
    assert sequence > 1_700_000_000 * 10**9


@pytest.mark.usefixtures("_clock")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(NOW - 3, NOW + 3) | st.sampled_from([0, NOW * 2]))),
    st.booleans(),
)
def test_many_sequences_are_as_each_is(chunks: list[list[int]], as_texts: bool) -> None:
    # Given times in chunks, some of them equal, falling, or wrong; as numbers, or texts of 19 digits
    at_once, alone = Sequencer(), Sequencer()
    for times in filter(None, chunks):
        if as_texts:
            times[:] = [max(time, NOW - 4) for time in times]
        moments = [b"%d" % time for time in times] if as_texts else times
        # When the sequences of a chunk are made at once, then they are as if made one by one
        found = at_once.next_many(moments, len(times))
        assert list(map(int, found)) == [alone.next(time) for time in times]
    assert at_once.held_to_clock == alone.held_to_clock


@pytest.mark.usefixtures("_clock")
def test_many_sequences_without_times_begin_with_the_time_of_receipt() -> None:
    assert Sequencer().next_many(None, 3) == [NOW, NOW + 1, NOW + 2]

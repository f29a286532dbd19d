"""Sequences from the records' own bookmark property."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.bookmark import BookmarkSequences
from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.sequence import MAX_AHEAD_NS, ArrivalSequencer, Sequencer
from target_stitch_import.times import TimeReader

NOW = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z
SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop this machine's clock at NOW."""
    monkeypatch.setattr("target_stitch_import.sequence.time.time_ns", lambda: NOW)


def sequences_of(*values: Any, name: str = "at") -> list[int]:
    """Return the sequences of a table's first records, which have these values."""
    sequences = BookmarkSequences(name, Sequencer())
    return [sequences.next(json.dumps({"x": {name: 7}, name: value}).encode()) for value in values]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14 22:13:20", NOW),
        ("2023-11-14T23:13:20.5+01:00", NOW + SECOND // 2),
        ("2023-11-14T22:13:20.123456789Z", NOW + 123_456_789),
        ("2023-11-14", NOW - (22 * 3600 + 13 * 60 + 20) * SECOND),
        (1, 1),
        (1_700_000_000, 1_700_000_000),
        (MAX_SEQUENCE, MAX_SEQUENCE),
    ],
)
def test_a_timestamp_counts_in_nanoseconds_and_an_integer_as_it_is(
    value: Any, expected: int
) -> None:
    assert sequences_of(value) == [expected]


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "yesterday", "17", "0001-01-01T00:00:00Z", "1970-01-01"),
        *(0, -1, MAX_SEQUENCE + 1, 10**40, 1.5, 1e300, True, [5], {"at": 5}),
    ],
)
def test_what_can_be_no_sequence_comes_right_behind_the_record_before(value: Any) -> None:
    assert sequences_of(value) == [1]
    assert sequences_of(100, value, 200) == [100, 101, 200]
    # also where the value is read another way, since no type of ours can have the name
    assert sequences_of(100, value, 200, name='a "name"') == [100, 101, 200]


def test_it_is_remembered_that_a_value_could_not_be_used() -> None:
    sequences = BookmarkSequences("at", Sequencer())
    sequences.next(b'{"at": 5}')
    assert not sequences.has_missed
    sequences.next(b'{"id": 5}')
    assert sequences.has_missed


def test_the_same_rows_have_the_same_sequences_on_another_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given rows that are loaded once
    rows = ["2023-11-01", "2023-11-02", "2023-11-02", None]
    first = sequences_of(*rows)
    # when they are loaded again a year later, then nothing has changed
    monkeypatch.setattr(
        "target_stitch_import.sequence.time.time_ns", lambda: NOW + 365 * 86_400 * SECOND
    )
    assert sequences_of(*rows) == first


def test_a_timestamp_far_ahead_is_held_to_the_clock_and_an_integer_is_not() -> None:
    sequencer = Sequencer()
    sequences = BookmarkSequences("at", sequencer)
    # five minutes are believed
    assert sequences.next(b'{"at": "2023-11-14T22:18:20Z"}') == NOW + MAX_AHEAD_NS
    assert not sequencer.held_to_clock
    # a century is not
    assert sequences_of("2123-11-14T22:13:20Z", 5 * NOW) == [NOW, 5 * NOW]
    sequences.next(b'{"at": "9999-12-31T23:59:59Z"}')
    assert sequencer.held_to_clock


def test_behind_the_greatest_sequence_there_is_none() -> None:
    sequences = BookmarkSequences("at", Sequencer())
    sequences.next(b'{"at": %d}' % MAX_SEQUENCE)
    for value in (b"null", b"5"):
        with pytest.raises(InvalidRecordError, match="bookmark property 'at'"):
            sequences.next(b'{"at": %b}' % value)


def test_an_activation_counts_for_no_row() -> None:
    # given a table whose sequences are small integers
    sequencer = Sequencer()
    sequences = BookmarkSequences("at", sequencer)
    sequences.next(b'{"at": 5}')
    # when a version is activated
    assert sequencer.ahead() == NOW
    # then the rows behind it go on with their own
    assert sequences.next(b'{"at": 6}') == 6


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.datetimes().map(str),
    st.lists(st.integers(), max_size=2),
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


def plain_reading(values: list[Any]) -> list[int]:
    """Return the sequences of records with these values, as the documentation says it."""
    found: list[int] = []
    for value in values:
        own = 0
        if type(value) is int and 0 < value <= MAX_SEQUENCE:
            own = value
        elif isinstance(value, str) and (time := TimeReader().read(value)) and time[0] > 0:
            own = time[0] if time[0] <= NOW + MAX_AHEAD_NS else NOW
        found.append(max(found[-1] + 1 if found else 1, own))
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, max_size=8), names, st.booleans())
def test_whatever_the_records_have_sequences_increase_and_are_what_is_documented(
    values: list[Any], name: str, in_ascii: bool
) -> None:
    sequences = BookmarkSequences(name, Sequencer())
    for value, expected in zip(values, plain_reading(values), strict=True):
        data = json.dumps({f"{name}x": 1, name: value}, ensure_ascii=in_ascii).encode()
        if expected <= MAX_SEQUENCE:
            assert sequences.next(data) == expected
        else:
            with pytest.raises(InvalidRecordError):
                sequences.next(data)


times = st.none() | st.integers(-(10**20), 10**20)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(times), st.lists(times, min_size=1))
def test_by_arrival_only_the_clock_counts(alone: list[int | None], together: list[int]) -> None:
    # given records of any times, first one by one, then many at once
    sequencer = ArrivalSequencer()
    found = [sequencer.next(time) for time in alone]
    at_once = None if None in together else together
    found += map(int, sequencer.next_many(at_once, len(together)))
    # then their sequences begin with the time of receipt, and rise by one
    assert found == list(range(NOW, NOW + len(found)))
    assert not sequencer.held_to_clock

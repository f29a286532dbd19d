"""Sequences from the records' own bookmark property."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.sequences.sequencer import MAX_AHEAD_NS, BookmarkSequencer, Sequencer
from target_stitch_import.sequences.timestamps import TimestampReader

NOW = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z
SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop this machine's clock at NOW."""
    monkeypatch.setattr("target_stitch_import.sequences.sequencer.time.time_ns", lambda: NOW)


def assign_values(*values: Any, name: str = "at") -> list[int]:
    """Return the sequences of a table's first records, which have these values."""
    records = [json.dumps({"x": {name: 7}, name: value}).encode() for value in values]
    sequences, error = BookmarkSequencer(name, Sequencer()).assign(records)
    assert error is None
    return sequences


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
    assert assign_values(value) == [expected]


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "yesterday", "17", "0001-01-01T00:00:00Z", "1970-01-01"),
        *(0, -1, MAX_SEQUENCE + 1, 10**40, 1.5, 1e300, True, [5], {"at": 5}),
    ],
)
def test_what_can_be_no_sequence_comes_right_behind_the_record_before(value: Any) -> None:
    assert assign_values(value) == [1]
    assert assign_values(100, value, 200) == [100, 101, 200]
    # also where the value is read another way, since no type of ours can have the name
    assert assign_values(100, value, 200, name='a "name"') == [100, 101, 200]


def test_it_is_remembered_that_a_value_could_not_be_used() -> None:
    sequences = BookmarkSequencer("at", Sequencer())
    sequences.assign([b'{"at": 5}'])
    assert not sequences.has_missing
    sequences.assign([b'{"id": 5}'])
    assert sequences.has_missing


def test_the_same_rows_have_the_same_sequences_on_another_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given rows that are loaded once
    rows = ["2023-11-01", "2023-11-02", "2023-11-02", None]
    first = assign_values(*rows)
    # when they are loaded again a year later, then nothing has changed
    monkeypatch.setattr(
        "target_stitch_import.sequences.sequencer.time.time_ns", lambda: NOW + 365 * 86_400 * SECOND
    )
    assert assign_values(*rows) == first


def test_a_timestamp_far_ahead_is_held_to_the_clock_and_an_integer_is_not() -> None:
    sequencer = Sequencer()
    sequences = BookmarkSequencer("at", sequencer)
    # five minutes are believed
    assert sequences.assign([b'{"at": "2023-11-14T22:18:20Z"}']) == ([NOW + MAX_AHEAD_NS], None)
    assert not sequencer.clamped
    # a century is not
    assert assign_values("2123-11-14T22:13:20Z", 5 * NOW) == [NOW, 5 * NOW]
    sequences.assign([b'{"at": "9999-12-31T23:59:59Z"}'])
    assert sequencer.clamped


@pytest.mark.parametrize("value", [b"null", b"5"])
def test_behind_the_greatest_sequence_there_is_none(value: bytes) -> None:
    # given records of which one has the greatest sequence
    greatest = b'{"at": %d}' % MAX_SEQUENCE
    records = [b'{"at": 7}', greatest, b'{"at": %b}' % value, b'{"at": 8}']
    # when they get their sequences
    sequences, error = BookmarkSequencer("at", Sequencer()).assign(records)
    # then those up to it have theirs, and the next is refused
    assert sequences == [7, MAX_SEQUENCE]
    assert isinstance(error, InvalidRecordError)
    assert "bookmark property 'at'" in str(error)


def test_an_activation_counts_for_no_row() -> None:
    # given a table whose sequences are small integers
    sequencer = Sequencer()
    sequences = BookmarkSequencer("at", sequencer)
    sequences.assign([b'{"at": 5}'])
    # when a version is activated
    assert sequencer.next_activation() == NOW
    # then the rows behind it go on with their own
    assert sequences.assign([b'{"at": 6}']) == ([6], None)


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
        elif isinstance(value, str):
            (time_ns,), _ = TimestampReader().read([value])
            own = min(max(time_ns, 0), NOW + MAX_AHEAD_NS + 1)
            own = NOW if own > NOW + MAX_AHEAD_NS else own
        found.append(max(found[-1] + 1 if found else 1, own))
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, max_size=8), names, st.booleans())
def test_whatever_the_records_have_sequences_increase_and_are_what_is_documented(
    values: list[Any], name: str, in_ascii: bool
) -> None:
    # given records, with the greatest sequence among them or not
    expected = plain_reading(values)
    usable = [sequence for sequence in expected if sequence <= MAX_SEQUENCE]
    records = [
        json.dumps({f"{name}x": 1, name: value}, ensure_ascii=in_ascii).encode() for value in values
    ]
    # when they get their sequences, together and one by one
    together = BookmarkSequencer(name, Sequencer()).assign(records)
    one_by_one = BookmarkSequencer(name, Sequencer())
    alone = [one_by_one.assign([record]) for record in records[: len(usable) + 1]]
    # then both are what is documented, up to the first that can't have any
    assert together[0] == usable
    assert [sequence for sequences, _ in alone for sequence in sequences] == usable
    is_cut = len(usable) < len(expected)
    assert (together[1] is not None) == is_cut
    assert any(error is not None for _, error in alone) == is_cut

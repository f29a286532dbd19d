"""Sequences of records: strictly increasing in each table (Import API reference, section Sequence)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from target_stitch_import.datetimes import SECOND_NS
from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.sequences.timestamps import TimestampReader

MAX_AHEAD_NS: Final = 5 * 60 * SECOND_NS
"""A time further ahead of this machine's clock is replaced by the clock's."""


class Sequencer:
    """The sequences of one table: Unix nanoseconds, strictly increasing.

    So the later of two versions of a key wins, whatever the clocks say and whichever arrives first.
    """

    def __init__(self, *, by_arrival: bool = False) -> None:
        """With ``by_arrival``, use the time of receipt, whatever times records have."""
        self._by_arrival = by_arrival
        self._last = 0
        self.clamped = False
        """True once a time was more than five minutes ahead of this machine's clock."""

    def assign(self, times_ns: Sequence[int]) -> list[int]:
        """Return the sequences of records of these times (Unix ns; 0: the time of receipt).

        A time before 1970, such as the zero time of many languages, counts as none: with its
        sequence the service would drop every update of a row that is there, without a word.
        """
        now = time.time_ns()
        if self._by_arrival:
            times_ns = [now] * len(times_ns)
        elif times_ns and (min(times_ns) <= 0 or max(times_ns) > now + MAX_AHEAD_NS):
            times_ns = [self.clamp(time_ns) if time_ns > 0 else now for time_ns in times_ns]
        last = self._last
        sequences = []
        for time_ns in times_ns:
            last = time_ns if time_ns > last else last + 1
            sequences.append(last)
        self._last = last
        return sequences

    def clamp(self, time_ns: int) -> int:
        """Return a time, or the clock's if it is too far ahead of that (Unix ns)."""
        now = time.time_ns()
        if time_ns <= now + MAX_AHEAD_NS:
            return time_ns
        self.clamped = True
        return now

    def assign_own(self, own: int) -> int:
        """Return the sequence for a record that brings its own; 0 if it brings none."""
        self._last = own if own > self._last else self._last + 1
        return self._last

    def next_activation(self) -> int:
        """Return a sequence for an activation, greater than any so far; it raises no record's."""
        return min(max(self._last + 1, time.time_ns()), MAX_SEQUENCE)

    def next_delete(self, load: int) -> int:
        """Return a sequence for deletes right above all so far, and above ``load``; later ones are greater."""
        self._last = min(max(self._last, load) + 1, MAX_SEQUENCE)
        return self._last


class BookmarkSequencer:
    """Assigns sequences from a bookmark property, for ``sequence_source: replication_key``.

    A row that is loaded again has the same value, and so replaces nothing newer.
    """

    def __init__(self, name: str, sequencer: Sequencer) -> None:
        """Read the values of the property ``name``; ``sequencer`` is the table's."""
        self.name = name
        self.has_missing = False  # true once a record had no value that can be a sequence
        self._read_value = _reader(name)
        self._timestamps = TimestampReader()
        self._sequencer = sequencer

    def assign(self, records: Iterable[bytes]) -> tuple[list[int], InvalidRecordError | None]:
        """Return the sequences of records, up to one that can't have any, and its error.

        A timestamp becomes its Unix nanoseconds, an integer stays as it is. A record with no value
        that can be a sequence gets the one after the previous record's.
        """
        values = [self._read_value(record) for record in records]
        times_ns, _ = self._timestamps.read(values)
        sequences: list[int] = []
        for value, time_ns in zip(values, times_ns, strict=True):
            own = value if type(value) is int else self._sequencer.clamp(time_ns)
            if not 0 < own <= MAX_SEQUENCE:
                self.has_missing = True
                own = 0
            sequence = self._sequencer.assign_own(own)
            if sequence > MAX_SEQUENCE:
                return sequences, InvalidRecordError(
                    f"would need a sequence above {MAX_SEQUENCE}, the greatest there is, which a "
                    f"record before it has by its bookmark property {self.name!r}"
                )
            sequences.append(sequence)
        return sequences, None


def _reader(name: str) -> Callable[[bytes], Any]:
    """Return a function that reads one field of a record; None if it is neither text nor an integer."""
    try:
        fields = [("value", int | str | None, None)]
        struct = msgspec.defstruct("Bookmark", fields, rename={"value": name}, gc=False)
        decode = msgspec.json.Decoder(struct).decode
    except ValueError:  # a name with a quote or a control character in it
        return lambda data: decode_exactly(data).get(name)

    def read(data: bytes) -> Any:
        try:
            return decode(data).value  # type: ignore[attr-defined]
        except msgspec.ValidationError:
            return None

    return read

"""Sequences from the bookmark property, for ``sequence_source: replication_key``.

A row that is loaded again has the same value, and so replaces nothing newer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.sequences.timestamps import TimestampReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from target_stitch_import.sequences.sequencer import Sequencer


class BookmarkSequencer:
    """Assigns the sequences of records with a bookmark property."""

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

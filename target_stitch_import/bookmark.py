"""Sequences from the records themselves: the value of a stream's bookmark property.

The same rows have the same values, so what is loaded again replaces nothing that is newer. Knows
where in a record's bytes the value is and which values are good for a sequence (Import API reference,
section Sequence); nothing of messages, batches or settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.jsontext import decode_exactly
from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.times import TimeReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.sequence import Sequencer

__all__ = ["BookmarkSequences"]


class BookmarkSequences:
    """The sequences of records that have a bookmark property, in a table that others may load too."""

    def __init__(self, name: str, sequencer: Sequencer) -> None:
        """Take the values of the property ``name``; ``sequencer`` is the table's."""
        self.name = name
        self.has_missed = False
        """True once a record had no value that is good for a sequence."""
        self._value_of = _reader(name)
        self._times = TimeReader()
        self._sequencer = sequencer

    def next(self, data: bytes | msgspec.Raw) -> int:
        """Return the sequence of a record, a JSON object.

        A timestamp counts in Unix nanoseconds, an integer as it is. A record without either, or
        with one that no sequence can have, comes right behind the one before it.

        Raises:
            InvalidRecordError: There is no greater sequence than the one before.
        """
        value = self._value_of(data)
        if type(value) is str:
            time = self._times.read(value)
            own = self._sequencer.held_to_the_clock(time[0]) if time else 0
        else:
            own = value if type(value) is int else 0
        if not 0 < own <= MAX_SEQUENCE:
            self.has_missed = True
            own = 0
        sequence = self._sequencer.next_own(own)
        if sequence > MAX_SEQUENCE:
            raise InvalidRecordError(
                f"would need a sequence above {MAX_SEQUENCE}, the greatest there is, which a record "
                f"before it has by its bookmark property {self.name!r}"
            )
        return sequence


def _reader(name: str) -> Callable[[bytes | msgspec.Raw], Any]:
    """Return what reads one field of a record, None where it is no text and no integer."""
    try:
        fields = [("value", int | str | None, None)]
        struct = msgspec.defstruct("Bookmark", fields, rename={"value": name}, gc=False)
        decode = msgspec.json.Decoder(struct).decode
    except ValueError:  # a name with a quote or a control character in it
        return lambda data: decode_exactly(bytes(data)).get(name)

    def read(data: bytes | msgspec.Raw) -> Any:
        try:
            return decode(data).value  # type: ignore[attr-defined]
        except msgspec.ValidationError:
            return None

    return read

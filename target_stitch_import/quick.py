"""The quick way: many records of one stream and version at once.

What is done for a record alone is done here for all records of a chunk by calls that loop in C, since
the interpreter's own steps would take longer than the work. It takes only what is beyond doubt;
anything else goes the usual way, record by record. Knows checks, times, sequences and the open
batch; nothing of lines or messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from target_stitch_import.forms import BATCH_FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_stitch_import.accept import GoodOnes
    from target_stitch_import.batch import OpenBatch
    from target_stitch_import.forms import MessageForm
    from target_stitch_import.sequence import Sequencer
    from target_stitch_import.times import Moments, TimeReader

__all__ = ["QuickWay", "Records"]

_DOUBTED: Final = 16
"""So many records go alone from one on that is in doubt."""


class Table(Protocol):
    """Where sequences are counted."""

    sequencer: Sequencer


class Growing(Protocol):
    """Has the open batch that records go into."""

    def open_batch(self, version: int | None) -> OpenBatch | None:
        """Return the open batch of a version, if there is one."""

    def has_grown(self, added: int, records: int) -> None:
        """Take note that the open batch has so many more bytes and records."""


class Records:
    """Records as they may be posted, if they are good, and the times of their lines."""

    def __init__(
        self, data: list[bytes], times: tuple[Moments, Sequence[bytes]] | None, good: int
    ) -> None:
        self.data = data
        self.moments = times[0] if times else None
        self.texts = times[1] if times else None
        self.good = good
        """So many, from the first one on, are beyond doubt."""


class QuickWay:
    """Takes records of one version into the open batch of a sink."""

    def __init__(
        self,
        sink: Growing,
        version: int | None,
        *,
        table: Table,
        good_ones: GoodOnes,
        times: TimeReader,
        form: MessageForm = BATCH_FORM,
        prepared: Callable[[list[bytes]], list[bytes]],
    ) -> None:
        """Take what ``good_ones`` says are beyond doubt, as ``prepared`` makes it of what the tap wrote."""
        self.table = table
        """Records of one table may not overtake each other."""
        self._sink = sink
        self._version = version
        self.good_ones = good_ones
        """Says how many records, from the first one on, are beyond doubt."""
        self._times = times
        self._form = form
        self._prepared = prepared

    def look_at(self, data: list[bytes], times: list[bytes] | None) -> Records | None:
        """Return the records with what is known of them; None if one has an unreadable time.

        Nothing has happened to them yet.
        """
        read = None
        if times is not None and (read := self._times.read_many(times)) is None:
            return None
        data = self._prepared(data)
        return Records(data, read, self.good_ones(data))

    @property
    def would_open(self) -> bool:
        """True if its next record opens a batch."""
        return self._sink.open_batch(self._version) is None

    def room_for(self, records: Records) -> int:
        """Return how many, from the first one on, would fit into the batch that is open."""
        if (batch := self._sink.open_batch(self._version)) is None:
            return 0
        return batch.room_for(records.data, records.texts, self._form)

    def add_all(self, records: Records, lines: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Add records; yield where those begin and end that have to go the usual way at that point.

        These are in doubt, or seal or open a batch.
        """
        at, count = 0, len(records.data)
        while True:
            at += self.add(records, lines, at)
            if at == count:
                return
            # Where one is in doubt, more are likely to be: looking twice at each would take longer.
            end = min(count, at + (_DOUBTED if at == records.good else 1))
            yield at, end
            at = end
            if at > records.good:
                records.good = at + self.good_ones(records.data[at:])

    def add(self, records: Records, lines: Sequence[int], begin: int = 0) -> int:
        """Add records from ``begin`` on, as many as are good and fit; return how many these are."""
        if (batch := self._sink.open_batch(self._version)) is None:
            return 0
        data = records.data[begin : records.good]
        texts = records.texts and records.texts[begin : records.good]
        if not (room := batch.room_for(data, texts, self._form)):
            return 0
        end = begin + room
        moments = records.moments and records.moments[begin:end]
        sequences = self.table.sequencer.next_many(moments, room)
        texts = texts and texts[:room]
        added = batch.add_records(data[:room], sequences, texts, lines[begin:end], self._form)
        self._sink.has_grown(added, room)
        return room

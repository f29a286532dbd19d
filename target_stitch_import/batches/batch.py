"""A request body: open while it grows, then a sealed batch."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from target_stitch_import.batches.body_formats import BATCH_TAIL, BodyFormat
from target_stitch_import.singer.messages import RecordMessage, SchemaMessage
from target_stitch_import.singer.positions import described
from target_stitch_import.text import counted

Originals = dict[int, tuple[SchemaMessage, RecordMessage]]


@dataclass
class PreparedBlock:
    """Records of one table and version that may be posted, in lists of one length."""

    version: int | None
    records: Sequence[bytes]  # as they are written
    sequences: Sequence[int]
    times: Sequence[bytes]  # as ``TimestampReader.read`` returns them
    positions: Sequence[int]
    originals: Originals = field(default_factory=dict)
    """By position, what the tap wrote, where a record differs from that."""
    entries: Sequence[Any] = ()
    """For each, what is remembered of its row; empty if nothing is."""

    def __getitem__(self, part: slice) -> PreparedBlock:
        """Return some of the records."""
        rows = (self.records[part], self.sequences[part], self.times[part], self.positions[part])
        return PreparedBlock(self.version, *rows, self.originals, self.entries[part])

    def only(self, places: Sequence[int]) -> PreparedBlock:
        """Return the records at some places."""
        return PreparedBlock(
            self.version,
            [self.records[place] for place in places],
            [self.sequences[place] for place in places],
            [self.times[place] for place in places],
            [self.positions[place] for place in places],
            self.originals,
        )


@dataclass(frozen=True)
class Batch:
    """A sealed batch: one request body, and what is needed to deliver and to describe it."""

    number: int  # counts from 1, in the order of opening
    table_name: str  # the name of its table, or of all of them
    generation: int
    """It waits until all batches of the table with a smaller generation are acknowledged."""
    body: bytes
    positions: Sequence[int]  # of each message
    originals: Originals  # as in ``PreparedBlock``
    schemas: Mapping[str, SchemaMessage] = field(default_factory=dict)  # by table
    contents: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By table, its records in the body, and their bytes: all bytes, unless tables share it."""
    entries: Sequence[Any] = ()
    """As in ``PreparedBlock``; a part of a batch has all of them."""

    @property
    def rows(self) -> int:
        """Messages in the batch."""
        return len(self.positions)

    def __str__(self) -> str:
        """Describe it in a message."""
        return (
            f"batch {self.number} of table {self.table_name!r:.100} "
            f"({counted(self.rows, 'row')}, {counted(len(self.body), 'byte')}, "
            f"from {described(self.positions[0])})"
        )


class OpenBatch:
    """A body that still grows; its size is known to the byte."""

    def __init__(self, head: bytes, tail: bytes, *, max_bytes: int, max_rows: int) -> None:
        """Begin with ``head``, and replace the last comma by ``tail``.

        The finished body stays below ``max_bytes``, unless it has a single record.
        """
        self._pieces = [head]
        self._tail = tail
        self._max_bytes = max_bytes
        self._max_rows = max_rows
        self.size = len(head)  # bytes in the body so far
        self.positions = array("Q")
        self._originals: Originals = {}
        self._entries: list[Any] = []
        self._schemas: dict[str, SchemaMessage] = {}
        self._counts: dict[str, tuple[int, int]] = {}

    @property
    def tables(self) -> Collection[str]:
        """The names of the tables in it."""
        return self._schemas.keys()

    @property
    def is_full(self) -> bool:
        """True once no further message can fit."""
        return len(self.positions) >= self._max_rows or self._bytes_left <= 0

    @property
    def _bytes_left(self) -> int:
        return self._max_bytes - self.size - len(self._tail)

    def add(self, block: PreparedBlock, schema: SchemaMessage, body_format: BodyFormat) -> int:
        """Add as many records as fit, at least the first of a body; return how many."""
        count = self._how_many_fit(block, body_format)
        if not count:
            return 0
        if count < len(block.records):
            block = block[:count]
        messages = body_format.messages(block.sequences, block.times, block.records)
        self._append(messages, block.positions, schema, count)
        if block.originals:
            changed = block.originals.keys() & set(block.positions)
            self._originals.update({at: block.originals[at] for at in changed})
        self._entries += block.entries
        return count

    def add_activation(self, sequence: int, position: int, schema: SchemaMessage) -> bool:
        """Add the message that makes the body's version the only one visible, if it fits."""
        message = b'{"action":"activate_version","sequence":%d},' % sequence
        if self.positions and (self.is_full or len(message) >= self._bytes_left):
            return False
        self._append(message, [position], schema, 0)
        return True

    def seal(self, number: int, generation: int) -> Batch:
        """Return the finished batch."""
        self._pieces[-1] = self._pieces[-1][:-1]
        body = b"".join([*self._pieces, self._tail])
        contents = self._counts
        if self._tail == BATCH_TAIL:
            contents = {table: (records, len(body)) for table, (records, _) in contents.items()}
        name = ", ".join(self._schemas)
        more = (self._originals, self._schemas, contents, self._entries)
        return Batch(number, name, generation, body, self.positions, *more)

    def _how_many_fit(self, block: PreparedBlock, body_format: BodyFormat) -> int:
        records = block.records
        rows_left = self._max_rows - len(self.positions)
        overhead = body_format.overhead(timed=any(block.times))
        total = sum(map(len, records)) + overhead * len(records)
        if total <= self._bytes_left and len(records) <= rows_left:
            return len(records)
        sizes = accumulate(len(record) + overhead for record in records[:rows_left])
        fitting = bisect_right(list(sizes), self._bytes_left)
        return fitting if fitting or self.positions else 1

    def _append(
        self, messages: bytes, positions: Sequence[int], schema: SchemaMessage, records: int
    ) -> None:
        self._pieces.append(messages)
        self.size += len(messages)
        self.positions.extend(positions)
        self._schemas[schema.stream] = schema
        before, size = self._counts.get(schema.stream, (0, 0))
        # A comma behind each message counts for none.
        self._counts[schema.stream] = before + records, size + len(messages) - len(positions)

"""Request bodies: what fits, the exact size, sealing.

A body grows as bytes and its size is known to the byte before it is sealed, so a batch is never
serialised twice. What stands around the records is given by its form. Knows sizes and limits;
nothing of the records in a body, of STATEs or of the network.
"""

from __future__ import annotations

import io
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.forms import BATCH_FORM, BATCH_TAIL
from target_stitch_import.limits import MAX_BATCH_BYTES
from target_stitch_import.places import told
from target_stitch_import.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import msgspec

    from target_stitch_import.bodies import Body
    from target_stitch_import.forms import MessageForm
    from target_stitch_import.messages import RecordMessage, SchemaMessage
    from target_stitch_import.times import Moments

    Origins = Mapping[int, tuple[SchemaMessage, RecordMessage]]

__all__ = ["Batch", "OpenBatch"]

_PIECE_BYTES: Final = 1 << 17


@dataclass(frozen=True)
class Batch:
    """A sealed batch: one request body, and what it takes to deliver it and to speak of it."""

    number: int
    """Its place in the order of opening, which the checkpoint counts by."""
    table_name: str
    """Its table; where it holds several, their names."""
    generation: int
    """Sent only once every batch of the table with a smaller generation is acknowledged."""
    body: Body
    lines: Sequence[int]
    """For each message, its place in the input."""
    origins: Origins
    """By place, what the tap wrote, where a stream map has made a record of it."""
    schemas: Mapping[str, SchemaMessage] = field(default_factory=dict)
    """By table, what its records are."""
    contents: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By table, how many records of it are in the body, and in how many bytes.

    A body of one table is all that table's; of one that tables share, each has its messages.
    """

    @property
    def rows(self) -> int:
        """Messages in the batch."""
        return len(self.lines)

    def __str__(self) -> str:
        """Name it in a message for people."""
        return (
            f"batch {self.number} of table {self.table_name!r:.100} "
            f"({counted(self.rows, 'row')}, {counted(len(self.body), 'byte')}, from {told(self.lines[0])})"
        )


class OpenBatch:
    """A body that still grows."""

    def __init__(
        self,
        head: bytes,
        *,
        tail: bytes = BATCH_TAIL,
        max_bytes: int,
        max_rows: int,
        join: Callable[[Sequence[bytes]], Body] = b"".join,
    ) -> None:
        """Begin with ``head``, and end with ``tail`` in the place of the last comma.

        The finished body stays below ``max_bytes``, a lone record apart; ``join`` makes it of its
        pieces.
        """
        self._tail = tail
        self._join = join
        # A buffer that grows is copied again and again: it becomes a piece before it is large.
        self._pieces: list[bytes] = []
        self._in_pieces = 0
        self._body = io.BytesIO()
        self.size = self._body.write(head)
        """Bytes in the body so far."""
        self._max_bytes = max_bytes
        self._max_rows = max_rows
        self.lines = array("Q")
        self.origins: dict[int, tuple[SchemaMessage, RecordMessage]] = {}
        self.number = 0
        self.generation = 0
        self.full = False
        """True once no further message can fit."""

    def add_record(
        self,
        data: bytes | msgspec.Raw,
        sequence: int,
        extracted: bytes | None,
        line: int,
        form: MessageForm = BATCH_FORM,
    ) -> int:
        """Add an upsert; return the bytes it takes, or 0 if the body would reach its limit by it.

        The first record is taken whatever its size, up to what the service takes.

        Raises:
            InvalidRecordError: The record alone makes a body that is too large for the service.
        """
        write = self._end_of_body().write
        if extracted is None or form.timed is None:
            added = write(form.plain % sequence)
        else:
            added = write(form.timed % (sequence, extracted))
        added += write(data) + write(form.end)
        size = self.size + added + len(self._tail) - 1  # when sealed
        if size >= self._max_bytes:
            if self.lines:
                self._body.seek(self.size - self._in_pieces)
                self._body.truncate()
                return 0
            if size > MAX_BATCH_BYTES:
                raise InvalidRecordError(
                    f"makes a request of {size:,} bytes, "
                    f"and the service takes at most {MAX_BATCH_BYTES:,}"
                )
            self.full = True
        self.size += added
        lines = self.lines
        lines.append(line)
        if len(lines) >= self._max_rows:
            self.full = True
        return added

    def room_for(
        self,
        records: Sequence[bytes],
        extracted: Sequence[bytes] | None,
        form: MessageForm = BATCH_FORM,
    ) -> int:
        """Return how many records, from the first one on, are sure to fit; none fills the body."""
        records = records[: self._max_rows - len(self.lines)]
        left = self._max_bytes - self.size - len(self._tail)
        around = form.most_around(timed=extracted is not None)
        if sum(map(len, records)) + around * len(records) <= left:
            return len(records)
        sizes = accumulate(len(record) + around for record in records)
        return bisect_right(list(sizes), left)

    def add_records(
        self,
        records: Sequence[bytes],
        sequences: Moments,
        extracted: Sequence[bytes] | None,
        lines: Sequence[int],
        form: MessageForm = BATCH_FORM,
    ) -> int:
        """Add upserts, for all of which there is room; return the bytes they take."""
        count = len(records)
        if extracted is None or form.timed is None:
            start, columns = form.plain, [sequences, records]
        else:
            start, columns = form.timed, [sequences, extracted, records]
        if sequences and isinstance(sequences[0], bytes):
            start = b"%b".join(start.rsplit(b"%d", 1))
        fields: list[Any] = [None] * (count * len(columns))
        for place, column in enumerate(columns):
            fields[place :: len(columns)] = column
        messages = (start + b"%b" + form.end) * count % tuple(fields)
        added = len(messages)
        if added < _PIECE_BYTES:
            self._end_of_body().write(messages)
        else:  # a piece already
            self._end_piece()
            self._pieces.append(messages)
            self._in_pieces += added
        self.size += added
        self.lines.extend(lines)
        if len(self.lines) >= self._max_rows:
            self.full = True
        return added

    def add_activation(self, sequence: int, line: int) -> None:
        """Add the message that makes the batch's table version the only one visible."""
        message = b'{"action":"activate_version","sequence":%d},' % sequence
        self.size += self._end_of_body().write(message)
        self.lines.append(line)

    def seal(
        self,
        table_name: str,
        schemas: Mapping[str, SchemaMessage] | None = None,
        contents: Mapping[str, tuple[int, int]] | None = None,
    ) -> Batch:
        """Return the finished batch; ``schemas`` as ``Batch`` has them, ``contents`` by messages."""
        pieces = [piece for piece in (*self._pieces, self._body.getvalue()) if piece]
        pieces[-1] = pieces[-1][:-1] + self._tail
        body = self._join(pieces)
        contents = contents or {}
        if self._tail == BATCH_TAIL:
            contents = {table: (records, len(body)) for table, (records, _) in contents.items()}
        return Batch(
            self.number,
            table_name,
            self.generation,
            body,
            self.lines,
            self.origins,
            schemas or {},
            contents,
        )

    def _end_of_body(self) -> io.BytesIO:
        """Return what the next message is written to."""
        if self.size - self._in_pieces > _PIECE_BYTES:
            self._end_piece()
        return self._body

    def _end_piece(self) -> None:
        self._pieces.append(self._body.getvalue())
        self._in_pieces = self.size
        self._body = io.BytesIO()

"""Request bodies: what fits, the exact size, sealing.

A body grows as bytes and its size is known to the byte before it is sealed, so a batch is never
serialised twice (Import API reference, section The batch body). Knows the form of a body; nothing
of the records in it, of STATEs or of the network.
"""

from __future__ import annotations

import io
import math
import time
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.jsontext import encode_exactly
from target_stitch_import.limits import MAX_BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import msgspec

    from target_stitch_import.messages import RecordMessage, SchemaMessage

    Origins = Mapping[int, tuple[SchemaMessage, RecordMessage]]

__all__ = ["Batch", "BodyLimit", "OpenBatch", "OpenBatches", "batch_head"]


MAX_OPEN_BYTES: Final = 64_000_000
"""What all open batches may hold together, so that thousands of streams fit into the memory."""


def batch_head(
    table_name: str,
    schema: Mapping[str, Any],
    key_names: Sequence[str],
    bookmark_names: Sequence[str] = (),
    table_version: int | None = None,
) -> bytes:
    """Return the body's start, up to the first message."""
    head: dict[str, Any] = {"table_name": table_name, "schema": schema, "key_names": key_names}
    if bookmark_names:
        head["bookmark_names"] = bookmark_names
    if table_version is not None:
        head["table_version"] = table_version
    return encode_exactly(head)[:-1] + b',"messages":['


@dataclass(frozen=True)
class Batch:
    """A sealed batch: one request body, and what it takes to deliver it and to speak of it."""

    number: int
    """Its place in the order of opening, which the checkpoint counts by."""
    table_name: str
    generation: int
    """Sent only once every batch of the table with a smaller generation is acknowledged."""
    body: bytes
    lines: Sequence[int]
    """For each message, the number of its line in the input."""
    origins: Origins
    """By line, what the tap wrote, where a stream map has made a record of it."""

    @property
    def rows(self) -> int:
        """Messages in the batch."""
        return len(self.lines)

    def __str__(self) -> str:
        """Name it in a message for people."""
        return (
            f"batch {self.number} of table {self.table_name!r} "
            f"({self.rows:,} rows, {len(self.body):,} bytes, from line {self.lines[0]:,})"
        )


class BodyLimit:
    """How large bodies may be; less, once one was refused for its size."""

    def __init__(self, max_bytes: int) -> None:
        """Begin with ``max_bytes``."""
        self.max_bytes = max_bytes
        """What batches that open from here on stay below, a lone record apart."""
        self._refused: float = math.inf

    def refused(self, batch: Batch) -> None:
        """Learn that a body of this size is too large: half of it is the next guess."""
        size = len(batch.body)
        self._refused = min(self._refused, size)
        self.max_bytes = min(self.max_bytes, size if batch.rows == 1 else size // 2)

    def would_refuse(self, batch: Batch) -> bool:
        """Return True if a body is nearer to what was refused than to the guess, and can be split.

        Batches that were open or sealed when the refusal came are spared another one by it.
        """
        return batch.rows > 1 and len(batch.body) > (self._refused + self.max_bytes) / 2


class OpenBatch:
    """A body that still grows."""

    def __init__(self, head: bytes, *, max_bytes: int, max_rows: int) -> None:
        """Begin with ``head``; the finished body stays below ``max_bytes``, a lone record apart."""
        # Grows like a bytearray, but gives its bytes away without a copy.
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
        self._activations = 0

    @property
    def records(self) -> int:
        """Messages that are records."""
        return len(self.lines) - self._activations

    def add_record(
        self, data: bytes | msgspec.Raw, sequence: int, extracted: bytes | None, line: int
    ) -> int:
        """Add an upsert; return the bytes it takes, or 0 if the body would reach its limit by it.

        The first record is taken whatever its size, up to what the service takes.

        Raises:
            InvalidRecordError: The record alone makes a body that is too large for the service.
        """
        write = self._body.write
        if extracted is None:
            added = write(b'{"action":"upsert","sequence":%d,"data":' % sequence)
        else:
            added = write(
                b'{"action":"upsert","sequence":%d,"time_extracted":"%b","data":'
                % (sequence, extracted)
            )
        added += write(data) + write(b"},")
        size = self.size + added + 1  # when sealed: the last comma becomes two closing brackets
        if size >= self._max_bytes:
            if self.lines:
                self._body.seek(self.size)
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

    def add_activation(self, sequence: int, line: int) -> None:
        """Add the message that makes the batch's table version the only one visible."""
        self._activations += 1
        message = b'{"action":"activate_version","sequence":%d},' % sequence
        self.size += self._body.write(message)
        self.lines.append(line)

    def seal(self, table_name: str) -> Batch:
        """Return the finished batch."""
        self._body.seek(-1, io.SEEK_END)
        self._body.write(b"]}")
        return Batch(
            self.number,
            table_name,
            self.generation,
            self._body.getvalue(),
            self.lines,
            self.origins,
        )


class OpenBatches:
    """The batches that are open, the oldest first.

    Each is sealed at the latest at a certain age, and together they take no more than
    ``MAX_OPEN_BYTES``, and what is read at once.
    """

    def __init__(
        self,
        number: Callable[[], int],
        *,
        limit: BodyLimit,
        max_age: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Number batches by ``number``; ``max_age`` is in seconds of ``clock``."""
        self.limit = limit
        """What the bodies of batches that open stay below."""
        self._number = number
        self._max_age = max_age
        self._clock = clock
        self._open: dict[int, _Opened] = {}
        self.used = 0
        """Bytes in all of them; whoever adds to one counts it here."""

    def opened(self, batch: OpenBatch, table_name: str, seal: Callable[[], None]) -> None:
        """Number a batch that has its first message; ``seal`` is called when its time is up."""
        batch.number = self._number()
        self._open[batch.number] = _Opened(self._clock() + self._max_age, batch, table_name, seal)
        self.used += batch.size

    def sealed(self, batch: OpenBatch) -> None:
        """Take note that a batch does not grow any longer."""
        del self._open[batch.number]
        self.used -= batch.size

    def seal_some(self) -> float | None:
        """Seal what is old enough, and the largest where all take too much memory together.

        Return the seconds until the next is old enough, None if none is open.
        """
        if self.used > MAX_OPEN_BYTES:
            self._seal_largest()
        while self._open:
            opened = next(iter(self._open.values()))
            left = opened.deadline - self._clock()
            if left > 0:
                return left
            opened.seal()
        return None

    def seal_all(self) -> None:
        """Seal every batch, in the order of opening."""
        while self._open:
            next(iter(self._open.values())).seal()

    def seal_table(self, table_name: str) -> None:
        """Seal what is open of one table, by whichever stream."""
        for opened in list(self._open.values()):
            if opened.table_name == table_name:
                opened.seal()

    def _seal_largest(self) -> None:
        # Down to well below the limit: one by one, each would mean to look through them all.
        for opened in sorted(self._open.values(), key=lambda each: each.batch.size, reverse=True):
            if self.used <= MAX_OPEN_BYTES * 3 // 4:
                return
            opened.seal()


@dataclass(frozen=True)
class _Opened:
    """A batch that is open."""

    deadline: float
    batch: OpenBatch
    table_name: str
    seal: Callable[[], None]

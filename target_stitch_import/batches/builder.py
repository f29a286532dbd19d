"""Builds batches: keeps the open ones of all tables, and limits their age and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from target_stitch_import.batches.batch import Batch, OpenBatch, PreparedBlock
from target_stitch_import.batches.body_formats import BodyFormat
from target_stitch_import.batches.body_limit import BodyLimit
from target_stitch_import.singer.messages import SchemaMessage

MAX_OPEN_BYTES: Final = 64_000_000
"""Bytes of all open batches together, so that thousands of streams fit into the memory."""

_SHARED: Final = "*"  # the key of the one body that all tables share


@dataclass
class _Open:
    batch: OpenBatch
    number: int
    version: int | None
    generation: int
    deadline: float


@dataclass(eq=False)
class BatchBuilder:
    """Puts records into the open batch of their table, and seals it when it is full or old."""

    deliver: Callable[[Batch], None]  # gets each sealed batch; may wait until there is room
    next_number: Callable[[], int]  # returns the number of a batch that opens
    limit: BodyLimit  # of the bytes of a body
    max_rows: int  # messages in a batch, at most
    max_age: float  # seconds after which a batch is sealed
    clock: Callable[[], float] = time.monotonic  # returns seconds
    # By body format, of which each schema has its own; the oldest first.
    _open: dict[object, _Open] = field(default_factory=dict, init=False)

    def add(
        self, block: PreparedBlock, schema: SchemaMessage, body_format: BodyFormat, generation: int
    ) -> None:
        """Add the records of the table that ``schema`` describes."""
        key: object = body_format
        version = block.version
        if body_format.is_shared:
            key, version, generation = _SHARED, None, 0
        while block.records:
            opened = self._open.get(key)
            if opened is not None and opened.version != version:
                self._seal(key)
                opened = None
            if opened is None:
                opened = self._open_batch(key, body_format, version, generation)
            count = opened.batch.add(block, schema, body_format)
            if count < len(block.records) or opened.batch.is_full:
                self._seal(key)
            block = block[count:]

    def add_activation(
        self,
        sequence: int,
        position: int,
        schema: SchemaMessage,
        body_format: BodyFormat,
        version: int,
        generation: int,
    ) -> bool:
        """Add an activation to the only open batch of its table, or to a new one, and seal that.

        Return False, and do nothing, if the open one has another version or schema, or no room.
        """
        opened = self._open.get(body_format)
        open_of_table = [each for each in self._open.values() if schema.stream in each.batch.tables]
        if not open_of_table:
            opened = self._open_batch(body_format, body_format, version, generation)
        elif opened is None or len(open_of_table) > 1 or opened.version != version:
            return False
        if not opened.batch.add_activation(sequence, position, schema):
            return False
        self._seal(body_format)
        return True

    def seal_table(self, table_name: str) -> None:
        """Seal the open batches that have records of a table."""
        for key, opened in list(self._open.items()):
            if table_name in opened.batch.tables:
                self._seal(key)

    def seal_due(self) -> float | None:
        """Seal batches that are old, and the largest if all together are above ``MAX_OPEN_BYTES``.

        Return the seconds until the next is old enough; None if none is open.
        """
        open_bytes = sum(opened.batch.size for opened in self._open.values())
        if open_bytes > MAX_OPEN_BYTES:
            # Several at once, as each call sorts them all.
            for key in sorted(self._open, key=lambda key: -self._open[key].batch.size):
                if open_bytes <= MAX_OPEN_BYTES * 3 // 4:
                    break
                open_bytes -= self._open[key].batch.size
                self._seal(key)
        while self._open:
            key, opened = next(iter(self._open.items()))
            seconds = opened.deadline - self.clock()
            if seconds > 0:
                return seconds
            self._seal(key)
        return None

    def seal_all(self) -> None:
        """Seal every batch, in the order of opening."""
        for key in list(self._open):
            self._seal(key)

    def _open_batch(
        self, key: object, body_format: BodyFormat, version: int | None, generation: int
    ) -> _Open:
        batch = OpenBatch(
            body_format.head(version),
            body_format.tail,
            max_bytes=self.limit.max_bytes,
            max_rows=self.max_rows,
        )
        deadline = self.clock() + self.max_age
        self._open[key] = _Open(batch, self.next_number(), version, generation, deadline)
        return self._open[key]

    def _seal(self, key: object) -> None:
        opened = self._open.pop(key)
        self.deliver(opened.batch.seal(opened.number, opened.generation))

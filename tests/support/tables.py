"""Tables, blocks and batches, as short as a test needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from target_stitch_import.batches.batch import OpenBatch, PreparedBlock
from target_stitch_import.batches.body_formats import batch_format
from target_stitch_import.singer.messages import SchemaMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_stitch_import.batches.batch import Batch, Originals
    from target_stitch_import.batches.body_formats import BodyFormat

SCHEMA: dict[str, Any] = {"properties": {"id": {"type": "integer"}}}
AT = b"2024-01-01T00:00:00.000000"
"""A time as it is written into a body, without its ``Z``."""


class TableFormat:
    """A table whose key is ``id``, and how its records are written into a batch body."""

    def __init__(
        self,
        name: str = "t",
        keys: Sequence[str] = ("id",),
        bookmarks: Sequence[str] = (),
        *,
        body_format: BodyFormat | None = None,
    ) -> None:
        self.schema = SchemaMessage(
            name, msgspec.Raw(msgspec.json.encode(SCHEMA)), list(keys), list(bookmarks)
        )
        self.body_format = body_format or batch_format(name, SCHEMA, keys, bookmarks)

    def open(
        self,
        version: int | None = None,
        *,
        max_bytes: int = 4_000_000,
        max_rows: int = 10_000,
    ) -> OpenBatch:
        """Return an open batch for its records."""
        return OpenBatch(
            self.body_format.head(version),
            self.body_format.tail,
            max_bytes=max_bytes,
            max_rows=max_rows,
        )

    def add(self, batch: OpenBatch, *records: bytes, **more: Any) -> int:
        """Add records to an open batch; return how many fit."""
        return batch.add(block(*records, **more), self.schema, self.body_format)

    def sealed(self, *records: bytes, number: int = 1, generation: int = 0, **more: Any) -> Batch:
        """Return a sealed batch of records."""
        batch = self.open(more.get("version"))
        assert self.add(batch, *records, **more) == len(records)
        return batch.seal(number, generation)


def block(
    *records: bytes,
    version: int | None = None,
    sequences: Sequence[int] | None = None,
    times: Sequence[bytes] | None = None,
    positions: Sequence[int] | None = None,
    originals: Originals | None = None,
) -> PreparedBlock:
    """Return a block; the sequences and positions begin with 1, and there are no times."""
    count = len(records)
    return PreparedBlock(
        version,
        records,
        range(1, count + 1) if sequences is None else sequences,
        [b""] * count if times is None else times,
        range(1, count + 1) if positions is None else positions,
        originals or {},
    )

"""How large bodies may be, as the settings and the service's answers say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_stitch_import.batch import Batch

__all__ = ["BodyLimit"]


class BodyLimit:
    """The size that bodies stay below; smaller once one was refused for its size."""

    def __init__(self, max_bytes: int) -> None:
        """Start with ``max_bytes``."""
        self.max_bytes = max_bytes
        """Bytes that the body of a batch that opens stays below, unless it is a single record."""
        self._refused: float = math.inf

    def handle_refused(self, batch: Batch) -> None:
        """Lower the limit: the service has refused this batch for its size.

        The new limit is half of that size, or all of it for a single record.
        """
        size = len(batch.body)
        self._refused = min(self._refused, size)
        self.max_bytes = min(self.max_bytes, size if batch.rows == 1 else size // 2)

    def must_split(self, batch: Batch) -> bool:
        """Return True if a batch of several rows is likely to be refused for its size.

        It is if it is nearer to the smallest size that was refused than to the limit. Only batches
        that were opened before that refusal are so large.
        """
        return batch.rows > 1 and len(batch.body) > (self._refused + self.max_bytes) / 2

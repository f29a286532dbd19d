"""How large bodies may be, as the settings and the service's answers say.

Knows sizes and what was refused; nothing of what is in a body, or of who sends it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_stitch_import.batch import Batch

__all__ = ["BodyLimit"]


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

"""How large bodies may be: as the settings and the service's answers say.

A body that is refused for its size lowers the limit to half of that size; a single record to its own
size. After ``FULL_BODIES`` accepted bodies of at least half the limit, the limit doubles. Each refusal
that lowers it doubles that number, so that a small limit is tested less and less often.
"""

from __future__ import annotations

import math
from typing import Final

from target_stitch_import.batches.batch import Batch

LONE_RECORD_FLOOR: Final = 1_000_000
"""Bytes below which a single record does not lower the limit: proxies rarely have a smaller one."""

FULL_BODIES: Final = 10


class BodyLimit:
    """The size that bodies stay below; it changes with the service's answers."""

    def __init__(self, max_bytes: int) -> None:
        """Start with ``max_bytes``, the most there is."""
        self.max_bytes = max_bytes
        """What bodies are to stay below, unless they have a single record."""
        self._setting = max_bytes
        self._refused: float = math.inf
        self._accepted = 0  # full bodies, since the limit changed
        self._full_bodies = FULL_BODIES

    def handle_refused(self, batch: Batch) -> None:
        """Lower the limit: the service has refused this batch for its size."""
        size = len(batch.body)
        if batch.rows == 1:
            size = new = max(size, LONE_RECORD_FLOOR)
        else:
            new = size // 2
        self._refused = min(self._refused, size)
        self._accepted = 0
        if new < self.max_bytes:
            self.max_bytes = new
            self._full_bodies *= 2

    def handle_accepted(self, batch: Batch) -> None:
        """Raise the limit once enough full bodies were accepted."""
        if self.max_bytes == self._setting or len(batch.body) < self.max_bytes // 2:
            return
        self._accepted += 1
        if self._accepted >= self._full_bodies:
            self.max_bytes = min(2 * self.max_bytes, self._setting)
            self._refused = math.inf
            self._accepted = 0

    def must_split(self, batch: Batch) -> bool:
        """Return True if a batch of several rows is likely to be refused for its size.

        Then it was opened before the last refusal, and is nearer to the size refused than to the limit.
        """
        return batch.rows > 1 and len(batch.body) > (self._refused + self.max_bytes) / 2

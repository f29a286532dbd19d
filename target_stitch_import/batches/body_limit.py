"""How large bodies may be: as the settings and the service's answers say.

- A body that is refused for its size lowers the limit to half of that size. A single record lowers it
  to its own size, but not below ``LONE_RECORD_FLOOR``.
- After ``FULL_BODIES`` accepted bodies of at least half the limit, the limit doubles, up to the
  setting. Each refusal that lowers it doubles that number, so that a service with a small limit is
  tried less and less often.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from target_stitch_import.batches.batch import Batch

__all__ = ["FULL_BODIES", "LONE_RECORD_FLOOR", "BodyLimit"]

LONE_RECORD_FLOOR: Final = 1_000_000
"""Bytes below which the refusal of a single record lowers no limit.

The reason may be that record alone; and proxies rarely take less: 1 MiB is nginx's default.
"""

FULL_BODIES: Final = 10
"""Bodies after which the limit doubles, before the first refusal doubles this number."""


class BodyLimit:
    """The size that bodies stay below; it changes with the service's answers."""

    def __init__(self, max_bytes: int) -> None:
        """Start with ``max_bytes``, which is never exceeded."""
        self.max_bytes = max_bytes
        """Bytes that the body of a batch that opens stays below, unless it is a single record."""
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

        It is if it is nearer to the smallest size that was refused than to the limit. Only batches
        that were opened before that refusal are so large.
        """
        return batch.rows > 1 and len(batch.body) > (self._refused + self.max_bytes) / 2

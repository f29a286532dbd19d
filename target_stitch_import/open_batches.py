"""All open batches together: how old the oldest is, and how much memory they take.

Knows batches and the clock; nothing of what is in a batch or where a sealed one goes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_stitch_import.batch import OpenBatch
    from target_stitch_import.bodies import Body
    from target_stitch_import.body_limit import BodyLimit

__all__ = ["MAX_OPEN_BYTES", "OpenBatches"]

MAX_OPEN_BYTES: Final = 64_000_000
"""What all open batches may hold together, so that thousands of streams fit into the memory."""


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
        join: Callable[[Sequence[bytes]], Body] = b"".join,
        max_age: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Number batches by ``number``; ``max_age`` is in seconds of ``clock``."""
        self.limit = limit
        """What the bodies of batches that open stay below."""
        self.join = join
        """Makes a body of its pieces."""
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

"""Which STATE may be written now.

A STATE is a promise: it is written only when every record that came before it has been
acknowledged. Batches are numbered as they open; a STATE remembers the newest number opened when it
came, and may be written when no batch up to that number is unacknowledged. Knows numbers and bytes;
nothing of what is in a batch or where the bytes go.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Checkpoint"]


class Checkpoint:
    """Holds the STATEs that wait, and writes the newest one that need not wait any longer."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """Hand each STATE that may go to ``write``, as the tap's own bytes."""
        self._write = write
        self._newest = 0
        self._unacknowledged: dict[int, None] = {}  # in the order of opening
        self._waiting: deque[tuple[int, bytes]] = deque()

    @property
    def waiting(self) -> int:
        """STATEs held back: at most one for each unacknowledged batch, and one more."""
        return len(self._waiting)

    def open_batch(self) -> int:
        """Return the number of a batch that opens."""
        self._newest += 1
        self._unacknowledged[self._newest] = None
        return self._newest

    def acknowledge(self, number: int) -> None:
        """Take note that every record of a batch is safe with the service."""
        del self._unacknowledged[number]

    def remember(self, value: bytes) -> None:
        """Take note of a STATE; of several that wait for the same batches the newest wins."""
        if self._waiting and self._waiting[-1][0] == self._newest:
            self._waiting.pop()
        self._waiting.append((self._newest, value))

    def release(self) -> None:
        """Write the newest STATE that waits for nothing; older ones are passed over for good."""
        oldest = next(iter(self._unacknowledged), self._newest + 1)
        value = None
        while self._waiting and self._waiting[0][0] < oldest:
            _, value = self._waiting.popleft()
        if value is not None:
            self._write(value)

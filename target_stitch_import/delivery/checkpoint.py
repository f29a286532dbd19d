"""Which STATE may be written now.

A STATE is a promise: it is written only when every record that came before it has been
acknowledged. Batches are numbered as they open. A STATE waits for every batch up to the newest one
that is open when it comes. At most one STATE is kept for each unacknowledged batch, and one more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Checkpoint"]


class Checkpoint:
    """Keeps the STATEs that wait, and writes the newest one that need not wait any longer."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """Pass each STATE that may be written to ``write``, as the tap's own bytes."""
        self._write = write
        self._newest = 0
        self._unacknowledged: dict[int, bytes | None] = {}
        """By number, in the order of opening: the newest STATE that came after each batch opened."""
        self._ready: bytes | None = None

    @property
    def waiting(self) -> int:
        """How many STATEs wait: at most one for each unacknowledged batch, and one more."""
        values = [self._ready, *self._unacknowledged.values()]
        return sum(value is not None for value in values)

    def open_batch(self) -> int:
        """Return the number of a batch that opens."""
        self._newest += 1
        self._unacknowledged[self._newest] = None
        return self._newest

    def acknowledge(self, number: int) -> None:
        """Mark a batch as acknowledged: the service has every record of it.

        A STATE that waited for it now waits for the batch before it, if that one is not acknowledged.
        It replaces a STATE that waits there, which is older.
        """
        value = self._unacknowledged.pop(number)
        if value is None:
            return
        before = [earlier for earlier in self._unacknowledged if earlier < number]
        if before:
            self._unacknowledged[before[-1]] = value
        else:
            self._ready = value

    def remember(self, value: bytes) -> None:
        """Keep a STATE until it may be written; it replaces one that waits for the same batches."""
        newest = next(reversed(self._unacknowledged), None)
        if newest is None:
            self._ready = value
        else:
            self._unacknowledged[newest] = value

    def release(self) -> None:
        """Write the newest STATE that waits for no batch, if there is one."""
        value, self._ready = self._ready, None
        if value is not None:
            self._write(value)

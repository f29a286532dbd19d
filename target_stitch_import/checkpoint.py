"""Which STATE may be written now.

A STATE is a promise: it is written only when every record that came before it has been
acknowledged. Batches are numbered as they open; a STATE remembers the newest number opened when it
came, and may be written when no batch up to that number is unacknowledged. No more STATEs are held
than batches, and one. Knows numbers and bytes; nothing of what is in a batch or where the bytes go.
"""

from __future__ import annotations

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
        self._unacknowledged: dict[int, bytes | None] = {}
        """By number, in the order of opening: the newest STATE that came behind each batch."""
        self._ready: bytes | None = None

    @property
    def waiting(self) -> int:
        """STATEs that are held back: at most one for each unacknowledged batch, and one."""
        values = [self._ready, *self._unacknowledged.values()]
        return sum(value is not None for value in values)

    def open_batch(self) -> int:
        """Return the number of a batch that opens."""
        self._newest += 1
        self._unacknowledged[self._newest] = None
        return self._newest

    def acknowledge(self, number: int) -> None:
        """Take note that every record of a batch is safe with the service.

        A STATE that waited for it waits for the batch before it from now on, if that is not
        acknowledged either. One that waits there already is older, and passed over for good.
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
        """Take note of a STATE; of several that wait for the same batches the newest wins."""
        newest = next(reversed(self._unacknowledged), None)
        if newest is None:
            self._ready = value
        else:
            self._unacknowledged[newest] = value

    def release(self) -> None:
        """Write the newest STATE that waits for nothing, if there is one."""
        value, self._ready = self._ready, None
        if value is not None:
            self._write(value)

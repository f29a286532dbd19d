"""Which STATE may be written now.

A STATE is a promise: it is written only when every record that came before it has been
acknowledged. Batches are numbered as they open. A STATE waits for every batch up to the newest one
that is open when it comes. At most one STATE is kept for each unacknowledged batch, and one more.
"""

from __future__ import annotations

from collections.abc import Callable


class Checkpoint:
    """Keeps the STATEs that wait, and writes the newest one that need not wait any longer."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """Pass each STATE that may be written to ``write``, as the tap's own bytes."""
        self._write = write
        self._newest = 0
        # By number: the newest STATE that came after each unacknowledged batch opened. Number 0
        # stands for the beginning of the run: a STATE there waits for no batch.
        self._states: dict[int, bytes | None] = {0: None}

    def open_batch(self) -> int:
        """Return the number of a batch that opens."""
        self._newest += 1
        self._states[self._newest] = None
        return self._newest

    def acknowledge(self, number: int) -> None:
        """Mark a batch as acknowledged.

        A STATE that waited for it now waits for the unacknowledged batch before it, and replaces
        an older STATE there.
        """
        if (state := self._states.pop(number)) is not None:
            before = max(earlier for earlier in self._states if earlier < number)
            self._states[before] = state

    def remember(self, state: bytes) -> None:
        """Keep a STATE until it may be written; it replaces one that waits for the same batches."""
        self._states[next(reversed(self._states))] = state

    def release(self) -> None:
        """Write the newest STATE that waits for no batch, if there is one."""
        state, self._states[0] = self._states[0], None
        if state is not None:
            self._write(state)

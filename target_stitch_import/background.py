"""What goes on beside the reading, and its turns while the reading has to wait.

Knows descriptors; nothing of what is read, or of what is done in a turn.
"""

from __future__ import annotations

import select
from typing import Protocol

__all__ = ["Background", "wait_for"]


class Background(Protocol):
    """What goes on beside the reading."""

    @property
    def wake_fd(self) -> int:
        """Readable when there is something to do."""

    def clear_wakeup(self) -> None:
        """Make ``wake_fd`` unreadable, until there is something to do once more."""

    def tick(self) -> float | None:
        """Do what there is to do; return the seconds until there may be more, if that is known."""


def wait_for(descriptor: int, background: Background) -> None:
    """Return when there is something to read, with a turn of the background before each wait.

    While there always is, nobody asks who has woken it: it has its turns anyway.
    """
    while True:
        timeout = background.tick()
        readable, _, _ = select.select([descriptor, background.wake_fd], [], [], timeout)
        if descriptor in readable:
            return
        if readable:
            background.clear_wakeup()

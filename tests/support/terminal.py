"""A terminal for a process's stderr, and what stands on its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal:
    """One end is the process's; what comes out of the other is drawn on a screen."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self._screen = pyte.HistoryScreen(width, height, history=10_000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.raw = b""
        """All that was written."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while piece := os.read(self._ours, 65_536):
                with self._changed:
                    self.raw += piece
                    self._stream.feed(piece)
                    self._changed.notify_all()

    def wait_for(self, text: str) -> list[str]:
        """Wait until a text stands on the screen, in a line or two; return its lines."""
        with self._changed:
            came = self._changed.wait_for(lambda: text in "".join(self._screen.display), 60)
            assert came, "\n".join(self._shown())
            return self._shown()

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, and what has left it at the top."""
        with self._changed:
            gone = [
                "".join(row[place].data for place in range(self._screen.columns)).rstrip()
                for row in self._screen.history.top
            ]
            return [*gone, *self._shown()]

    def _shown(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def press(self, keys: bytes) -> None:
        """Type something."""
        os.write(self._ours, keys)

    def hang_up(self) -> None:
        """Wait until all that was written is drawn, once every process has closed its end."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1
        self._thread.join()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Terminal]:
        """Watch it within a block."""
        self._thread.start()
        try:
            yield self
        finally:
            self.hang_up()
            os.close(self._ours)


def terminal(width: int = 80, height: int = 24) -> contextlib.AbstractContextManager[Terminal]:
    """Open a terminal of a size for a block."""
    return Terminal(width, height)()

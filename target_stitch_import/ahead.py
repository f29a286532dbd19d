"""Reading ahead in a thread, so that a slow file holds up nothing else.

While the thread waits for a disk or a network, batches grow old, acknowledgements come in, and a
signal may ask to end: the background has its turn before each wait, as it has while a tap is quiet.
Knows threads and pipes; nothing of what is read.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


__all__ = ["AHEAD", "read_ahead"]

AHEAD: Final = 2
"""So many items wait to be taken at most; the thread holds one more."""

GRACE: Final = 1.0
"""So many seconds the thread has to end with what it does."""

T = TypeVar("T")


def read_ahead(
    items: Callable[[], Iterator[T]], wait: Callable[[int], None]
) -> Generator[T, None, None]:
    """Yield what ``items`` gives, which a thread of its own calls and goes through.

    An error of the thread is raised behind what came before it; nothing more is read once the
    iterator is closed.
    """
    feed = _Feed(items)
    try:
        while True:
            wait(feed.readable)
            if isinstance(found := feed.take(), _End):
                if found.error is not None:
                    raise found.error
                return
            yield found
    finally:
        feed.close()


class _End:
    """What stands behind the last item."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error


class _Feed(Generic[T]):
    """A thread that goes through items; a byte in a pipe stands for each that waits."""

    def __init__(self, items: Callable[[], Iterator[T]]) -> None:
        self._waiting: queue.Queue[T | _End] = queue.Queue(AHEAD)
        self._stopped = False
        self.readable, self._writable = os.pipe()
        # It may hang in a read for ever, and must not hold up the end of the process.
        self._thread = threading.Thread(
            target=self._run, args=(items,), name="reading", daemon=True
        )
        self._thread.start()

    def take(self) -> T | _End:
        os.read(self.readable, 1)
        return self._waiting.get()

    def close(self) -> None:
        """Let the thread end with what it does, and wait a little for that.

        The process ends soon where a run fails, and is aborted by a thread that is in a library then.
        """
        self._stopped = True
        os.close(self.readable)
        with contextlib.suppress(queue.Empty):
            while True:  # it may wait for room
                self._waiting.get_nowait()
        self._thread.join(GRACE)

    def _run(self, items: Callable[[], Iterator[T]]) -> None:
        try:
            with contextlib.closing(_as_generator(items)) as found:
                for item in found:
                    self._give(item)
                    if self._stopped:
                        return
            self._give(_End())
        except Exception as error:  # noqa: BLE001 - the thread that takes raises it
            self._give(_End(error))
        finally:
            os.close(self._writable)

    def _give(self, item: T | _End) -> None:
        self._waiting.put(item)
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writable, b"\0")


def _as_generator(items: Callable[[], Iterator[T]]) -> Generator[T, None, None]:
    yield from items()

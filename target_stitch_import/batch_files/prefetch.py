"""Reads ahead in a thread, so that delivery goes on while a file is slow.

While the thread waits for a disk or a network, the main thread seals old batches, and handles
acknowledgements and signals.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


MAX_WAITING: Final = 2
"""The most items that wait in the queue; the thread has one more."""

STOP_SECONDS: Final = 1.0
"""Seconds to wait for the thread to end."""

T = TypeVar("T")


def read_ahead(
    items: Callable[[], Iterator[T]], wait: Callable[[int], None]
) -> Generator[T, None, None]:
    """Yield the items of an iterator that a thread creates and reads.

    An error in the thread is raised after the items before it. When the generator is closed, the
    thread stops after its current item.

    Args:
        items: Returns the iterator; called in the thread.
        wait: Called with a file descriptor; returns when that is readable.
    """
    thread = _ReadingThread(items)
    try:
        while True:
            wait(thread.readable)
            if isinstance(item := thread.get(), _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        thread.close()


class _End:
    """Follows the last item; ``error`` is what ended the reading, if anything did."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error


class _ReadingThread(Generic[T]):
    """A thread that puts items into a queue, and for each a byte into a pipe."""

    def __init__(self, items: Callable[[], Iterator[T]]) -> None:
        self._waiting: queue.Queue[T | _End] = queue.Queue(MAX_WAITING)
        self._stopped = False
        self.readable, self._writable = os.pipe()
        # It may hang in a read for ever, and must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._run, args=(items,), name="reading", daemon=True
        )
        self._thread.start()

    def get(self) -> T | _End:
        """Return the next item, or the end."""
        os.read(self.readable, 1)
        return self._waiting.get()

    def close(self) -> None:
        """Stop the thread, and wait a little for it to end.

        A failed run exits soon, and a thread that is in a library at that time aborts the process.
        """
        self._stopped = True
        os.close(self.readable)
        with contextlib.suppress(queue.Empty):
            while True:  # the thread may wait for room in the queue
                self._waiting.get_nowait()
        self._thread.join(STOP_SECONDS)

    def _run(self, items: Callable[[], Iterator[T]]) -> None:
        try:
            with contextlib.closing(_as_generator(items)) as iterator:
                for item in iterator:
                    self._put(item)
                    if self._stopped:
                        return
            self._put(_End())
        except Exception as error:  # noqa: BLE001 - raised in the main thread
            self._put(_End(error))
        finally:
            os.close(self._writable)

    def _put(self, item: T | _End) -> None:
        self._waiting.put(item)
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writable, b"\0")


def _as_generator(items: Callable[[], Iterator[T]]) -> Generator[T, None, None]:
    yield from items()

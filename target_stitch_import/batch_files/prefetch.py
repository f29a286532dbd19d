"""Reads ahead in a thread, so that delivery goes on while a file is slow.

Meanwhile the main thread seals old batches, and handles acknowledgements and signals.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Final, TypeVar

MAX_WAITING: Final = 2  # the most items that wait in the queue; the thread has one more

STOP_SECONDS: Final = 1.0  # seconds to wait for the thread to end

T = TypeVar("T")


def read_ahead(
    items: Callable[[], Iterator[T]], wait: Callable[[int], None]
) -> Generator[T, None, None]:
    """Yield the items of the iterator that ``items`` returns; a thread calls it and reads.

    An error in the thread is raised after the items before it. When the generator is closed, the
    thread stops after its current item. ``wait`` returns when a file descriptor is readable.
    """
    # The last one is None, or what ended the reading.
    waiting: queue.Queue[T | Exception | None] = queue.Queue(MAX_WAITING)
    stopped = threading.Event()
    readable, writable = os.pipe()

    def put(item: T | Exception | None) -> None:
        waiting.put(item)
        with contextlib.suppress(BrokenPipeError):
            os.write(writable, b"\0")

    def run() -> None:
        try:
            for item in items():
                put(item)
                if stopped.is_set():
                    return
            put(None)
        except Exception as error:  # noqa: BLE001 - raised in the main thread
            put(error)
        finally:
            os.close(writable)

    # It may hang in a read for ever, and must not keep the process from ending.
    thread = threading.Thread(target=run, name="reading", daemon=True)
    thread.start()
    try:
        while True:
            wait(readable)
            os.read(readable, 1)
            if (item := waiting.get()) is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        # A failed run exits soon, and a thread that is in a library at that time aborts the process.
        stopped.set()
        os.close(readable)
        with contextlib.suppress(queue.Empty):
            while True:  # the thread may wait for room in the queue
                waiting.get_nowait()
        thread.join(STOP_SECONDS)

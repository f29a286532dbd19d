"""Worker threads that post to the service, each over a connection of its own.

The caller starts jobs and collects their outcomes. A byte in a pipe wakes it when there is one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Protocol

from target_stitch_import.errors import DeliveryError


class Client(Protocol):
    """A connection to the service, or what stands in for it in a dry run."""

    def check_status(self) -> None:
        """Return if the service says that it is up."""

    def post(self, body: bytes) -> None:
        """Return once the service has accepted the body."""

    def close(self) -> None:
        """Close the connection."""


class WorkerPool:
    """As many worker threads as there were jobs at once."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        """Let each thread work with a client of its own, which ``connect`` returns."""
        self._connect = connect
        self._threads: list[threading.Thread] = []
        # A job is an object of its own: the same key may be started again once it is abandoned.
        self._jobs: SimpleQueue[tuple[int, object, Callable[[Client], None]] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[tuple[int, object, Exception | None]] = SimpleQueue()
        self._running: dict[int, object] = {}
        self._abandoned = 0
        self.wake_fd, self._wake_write = os.pipe()
        """Readable when there are outcomes, or after ``wake``; stays so until ``clear_wakeup``."""
        os.set_blocking(self.wake_fd, False)
        os.set_blocking(self._wake_write, False)
        self._wakes_on_signals = False

    def start(self, key: int, call: Callable[[Client], None]) -> None:
        """Let a thread ``call`` its client; the outcome has the same ``key``.

        Raise ``DeliveryError`` if there is no thread, and none can be started.
        """
        if len(self._threads) <= len(self._running) + self._abandoned:
            self._start_thread()
        self._running[key] = job = object()
        self._jobs.put((key, job, call))

    def outcomes(self) -> Iterator[tuple[int, Exception | None]]:
        """Yield the key and the error of each job that has ended; None if it succeeded."""
        while not self._outcomes.empty():
            key, job, error = self._outcomes.get()
            if self._running.get(key) is job:
                del self._running[key]
                yield key, error
            else:
                self._abandoned -= 1

    def abandon(self, key: int) -> None:
        """Give a job up that does not end: its thread is left alone, its outcome is ignored."""
        del self._running[key]
        self._abandoned += 1

    def wait(self, seconds: float | None) -> None:
        """Wait for an outcome, for ``wake``, or for so many seconds; None is without limit."""
        if self._outcomes.empty() and select.select([self.wake_fd], [], [], seconds)[0]:
            self.clear_wakeup()

    def wake(self) -> None:
        """Wake the thread that waits for ``wake_fd``; may be called from a signal handler."""
        with contextlib.suppress(OSError):  # full of earlier calls, or closed
            os.write(self._wake_write, b"\0")

    def wake_on_signals(self) -> None:
        """Let signals wake, too: the system may give one to any thread, which wakes no other."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._wakes_on_signals = True

    def clear_wakeup(self) -> None:
        """Make ``wake_fd`` unreadable; call it before the outcomes are collected."""
        with contextlib.suppress(OSError):  # nothing there, or closed
            os.read(self.wake_fd, 1 << 16)  # as much as a pipe holds

    def close(self) -> None:
        """End the threads and their connections; a job that still runs ends with the process."""
        for _ in self._threads:
            self._jobs.put(None)
        if self._running or self._abandoned or self.wake_fd < 0:
            return
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._wakes_on_signals:
            signal.set_wakeup_fd(-1)
        for descriptor in (self.wake_fd, self._wake_write):
            os.close(descriptor)
        self.wake_fd = self._wake_write = -1

    def _start_thread(self) -> None:
        name = f"post-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, args=[self._connect()], name=name, daemon=True)
        try:
            thread.start()
            self._threads.append(thread)
        except RuntimeError as error:
            if not self._threads:
                raise DeliveryError(f"no thread can be started to post with: {error}") from error

    def _work(self, client: Client) -> None:
        while (queued := self._jobs.get()) is not None:
            key, job, call = queued
            try:
                call(client)
                outcome: Exception | None = None
            except Exception as failure:  # noqa: BLE001 - the thread that started the job handles it
                outcome = failure
            del queued, call  # they hold the body, whose memory is needed elsewhere
            self._outcomes.put((key, job, outcome))
            del outcome
            self.wake()
        client.close()

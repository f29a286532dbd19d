"""Worker threads that post to the service, each over a connection of its own.

The caller starts jobs and collects their outcomes from a queue. A byte in a pipe wakes it when there
is an outcome.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from target_stitch_import.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Client", "WorkerPool"]


class Client(Protocol):
    """A connection to the service, or what stands in for it in a dry run."""

    def check_status(self) -> None:
        """Return if the service says that it is up."""

    def post(self, body: bytes) -> None:
        """Return once the service has accepted the body."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, eq=False)
class _Job:
    """A call to the service whose outcome is awaited."""

    key: int


class WorkerPool:
    """As many worker threads as there were jobs at once."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        """Let each thread work with a client of its own, which ``connect`` returns."""
        self._connect = connect
        self._threads: list[threading.Thread] = []
        self._jobs: SimpleQueue[tuple[_Job, Callable[[Client], None]] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[tuple[_Job, Exception | None]] = SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._running: dict[int, _Job] = {}
        self._abandoned = 0

    @property
    def wake_fd(self) -> int:
        """A file descriptor that is readable when there are outcomes, or after ``wake``.

        It stays so until ``clear_wakeup`` is called.
        """
        return self._wake_read

    def start(self, key: int, call: Callable[[Client], None]) -> None:
        """Let a thread ``call`` its client; the outcome has the same ``key``.

        Raises:
            DeliveryError: There is no thread, and none can be started.
        """
        if len(self._threads) <= len(self._running) + self._abandoned:
            self._start_thread()
        self._running[key] = _Job(key)
        self._jobs.put((self._running[key], call))

    def outcomes(self) -> Iterator[tuple[int, Exception | None]]:
        """Yield the key and the error of each job that has ended; None if it succeeded."""
        while not self._outcomes.empty():
            job, error = self._outcomes.get()
            if self._running.get(job.key) is job:
                del self._running[job.key]
                yield job.key, error
            else:
                self._abandoned -= 1

    def abandon(self, key: int) -> None:
        """Give a job up that does not end: its thread is left alone, its outcome is ignored."""
        del self._running[key]
        self._abandoned += 1

    def wait(self, seconds: float | None) -> None:
        """Wait for an outcome, for ``wake``, or for so many seconds; None is without limit."""
        if self._outcomes.empty() and select.select([self._wake_read], [], [], seconds)[0]:
            self.clear_wakeup()

    def wake(self) -> None:
        """Wake the thread that waits for ``wake_fd``; may be called from a signal handler."""
        with contextlib.suppress(OSError):  # full of earlier calls, or closed
            os.write(self._wake_write, b"\0")

    def clear_wakeup(self) -> None:
        """Make ``wake_fd`` unreadable; call it before the outcomes are collected."""
        with contextlib.suppress(OSError):  # nothing there, or closed
            os.read(self._wake_read, 1 << 16)  # as much as a pipe holds

    def close(self) -> None:
        """End the threads and close their connections.

        A job that still runs ends with the process.
        """
        for _ in self._threads:
            self._jobs.put(None)
        if self._running or self._abandoned or self._wake_read < 0:
            return
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)
        self._wake_read = self._wake_write = -1

    def _start_thread(self) -> None:
        name = f"post-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, args=[self._connect()], name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise DeliveryError(f"no thread can be started to post with: {error}") from error
        else:
            self._threads.append(thread)

    def _work(self, client: Client) -> None:
        while (queued := self._jobs.get()) is not None:
            job, call = queued
            error = _call(call, client)
            del queued, call  # they hold the body, whose memory is needed elsewhere
            self._outcomes.put((job, error))
            del error
            self.wake()
        client.close()


def _call(call: Callable[[Client], None], client: Client) -> Exception | None:
    try:
        call(client)
    except Exception as error:  # noqa: BLE001 - the thread that started the job handles it
        return error
    return None

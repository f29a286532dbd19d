"""Threads that do nothing but talk to the service, each over a connection of its own.

Who hands them something to say takes each outcome back through a queue, and is woken by a byte in a
pipe. Knows threads and connections; nothing of what is said.
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

__all__ = ["Client", "Posters"]


class Client(Protocol):
    """A connection to the service."""

    def check_status(self) -> None:
        """Return if the service says that it is up."""

    def post(self, body: bytes) -> None:
        """Return once the service has taken the body."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, eq=False)
class _Talk:
    """Something that is said to the service, as long as its outcome is waited for."""

    key: int


class Posters:
    """As many threads as there ever was to say at once."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        """Talk over what ``connect`` opens."""
        self._connect = connect
        self._threads: list[threading.Thread] = []
        self._talks: SimpleQueue[tuple[_Talk, Callable[[Client], None]] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[tuple[_Talk, Exception | None]] = SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._going_on: dict[int, _Talk] = {}
        self._abandoned = 0

    @property
    def wake_fd(self) -> int:
        """Readable when there are outcomes, or after ``wake``, until ``woken`` is called."""
        return self._wake_read

    def start(self, key: int, talk: Callable[[Client], None]) -> None:
        """Let a thread talk to the service; the outcome will have the same ``key``.

        Raises:
            DeliveryError: There is no thread, and none can be started.
        """
        if len(self._threads) <= len(self._going_on) + self._abandoned:
            self._start_thread()
        self._going_on[key] = _Talk(key)
        self._talks.put((self._going_on[key], talk))

    def outcomes(self) -> Iterator[tuple[int, Exception | None]]:
        """Yield what came of each talk that has ended: None if all went well."""
        while not self._outcomes.empty():
            talk, error = self._outcomes.get()
            if self._going_on.get(talk.key) is talk:
                del self._going_on[talk.key]
                yield talk.key, error
            else:
                self._abandoned -= 1

    def abandon(self, key: int) -> None:
        """Give a talk up that goes on and on: its thread is left alone, its outcome ignored."""
        del self._going_on[key]
        self._abandoned += 1

    def wait(self, seconds: float | None) -> None:
        """Wait until there are outcomes, or ``wake`` is called, or the time is over."""
        if self._outcomes.empty() and select.select([self._wake_read], [], [], seconds)[0]:
            self.woken()

    def wake(self) -> None:
        """End the wait of whoever waits for ``wake_fd``; may be called from a signal handler."""
        with contextlib.suppress(OSError):  # full of earlier calls, or closed
            os.write(self._wake_write, b"\0")

    def woken(self) -> None:
        """Make ``wake_fd`` unreadable; who waits for it does so, and then takes the outcomes."""
        with contextlib.suppress(OSError):  # nothing there, or closed
            os.read(self._wake_read, 1 << 16)  # as much as a pipe holds

    def close(self) -> None:
        """End the threads and close their connections; a talk that goes on ends with the process."""
        for _ in self._threads:
            self._talks.put(None)
        if self._going_on or self._abandoned or self._wake_read < 0:
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
        while (ready := self._talks.get()) is not None:
            talk, say = ready
            error = _outcome(say, client)
            # Nothing of it is held any longer: the memory of its body is used again.
            del ready, say
            self._outcomes.put((talk, error))
            del error
            self.wake()
        client.close()


def _outcome(say: Callable[[Client], None], client: Client) -> Exception | None:
    try:
        say(client)
    except Exception as error:  # noqa: BLE001 - whatever it is, who asked must know
        return error
    return None

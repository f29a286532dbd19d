"""Batches in flight: parallel posts, backpressure, barriers, first failure wins.

The thread that reads owns everything but the posts themselves: it hands sealed batches over, and
takes each outcome back. A few threads do nothing but post, each over a connection of its own.
Knows numbers, tables and generations of batches; nothing of what is in them or what was answered.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from target_stitch_import.errors import DeliveryError, RejectedRecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.batch import Batch

__all__ = ["Client", "Delivery"]

logger = logging.getLogger("target-stitch-import")


class Client(Protocol):
    """What a posting thread works with."""

    def deliver_batch(
        self,
        body: bytes,
        on_try: Callable[[int], None],
        on_wait: Callable[[int, float, str], None],
    ) -> None:
        """Return once the service has taken the body; tell of each try and of each wait."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True)
class _Trying:
    """A post is on the wire."""


@dataclass(frozen=True)
class _Waiting:
    """A post did not succeed, and waits for its next try."""

    tries: int
    seconds: float
    cause: str


@dataclass(frozen=True)
class _Acknowledged:
    """A batch is safe with the service."""


@dataclass(frozen=True)
class _Failed:
    """A batch can't be delivered."""

    error: Exception


_Event = _Trying | _Waiting | _Acknowledged | _Failed


class Delivery:
    """Holds sealed batches until they are acknowledged, at most ``parallel`` at a time."""

    def __init__(
        self,
        connect: Callable[[], Client],
        acknowledged: Callable[[Batch], None],
        *,
        parallel: int,
    ) -> None:
        """Post over what ``connect`` opens; tell ``acknowledged`` of each batch that is safe."""
        self._connect = connect
        self._acknowledged = acknowledged
        self._parallel = parallel
        self._threads: list[threading.Thread] = []
        self._posts: SimpleQueue[Batch | None] = SimpleQueue()
        self._events: SimpleQueue[tuple[Batch, _Event]] = SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._held: dict[int, Batch] = {}
        self._posted: set[int] = set()
        self._between_tries: set[int] = set()
        self._stopping = threading.Event()
        self._failure: DeliveryError | None = None

    @property
    def wake_fd(self) -> int:
        """Readable when there is something to ``collect``."""
        return self._wake_read

    @property
    def held(self) -> int:
        """Batches that are sealed and not acknowledged."""
        return len(self._held)

    def submit(self, batch: Batch) -> None:
        """Take a batch over; wait first, and so slow the tap, while as many as may be are held."""
        while len(self._held) >= self._parallel:
            self.collect(block=True)
        self._held[batch.number] = batch
        self._post_what_may_go()

    def collect(self, *, block: bool = False) -> None:
        """Take in what the posting threads report; with ``block``, wait for something.

        Raises:
            DeliveryError: A batch can't be delivered; from then on, none is sent any more.
        """
        if block and self._failure is None and self._events.empty():
            select.select([self._wake_read], [], [])
        self._take_in()
        if self._failure is not None:
            raise self._failure
        self._post_what_may_go()

    def wake(self) -> None:
        """End the wait of whoever waits for ``wake_fd``; may be called from a signal handler."""
        with contextlib.suppress(OSError):  # full of earlier calls, or closed
            os.write(self._wake_write, b"\0")

    def finish(self) -> None:
        """Wait until every batch is acknowledged."""
        while self._held:
            self.collect(block=True)

    def close(self) -> None:
        """Send nothing more; count the posts that are on the wire, and close the connections."""
        if self._wake_read < 0:
            return
        self._stopping.set()
        self._take_in()
        while self._posted - self._between_tries:
            select.select([self._wake_read], [], [])
            self._take_in()
        for _ in self._threads:
            self._posts.put(None)
        if self._posted:
            return  # threads that sleep between two tries end with the process
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)
        self._wake_read = self._wake_write = -1

    def _post_what_may_go(self) -> None:
        """Post what no barrier holds: of each table, the batches of its smallest generation."""
        smallest: dict[str, int] = {}
        for batch in self._held.values():
            known = smallest.setdefault(batch.table_name, batch.generation)
            smallest[batch.table_name] = min(known, batch.generation)
        for batch in self._held.values():
            if batch.number in self._posted or batch.generation > smallest[batch.table_name]:
                continue
            if len(self._threads) <= len(self._posted):
                self._start_thread()
            self._posted.add(batch.number)
            self._posts.put(batch)

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
        while (batch := self._posts.get()) is not None:
            self._report(batch, self._post(client, batch))
        client.close()

    def _post(self, client: Client, batch: Batch) -> _Event:
        def on_try(tries: int) -> None:
            if tries > 1:
                self._report(batch, _Trying())
            if self._stopping.is_set():
                raise DeliveryError("not tried again, as another batch has failed")

        def on_wait(tries: int, seconds: float, cause: str) -> None:
            self._report(batch, _Waiting(tries, seconds, cause))

        try:
            client.deliver_batch(batch.body, on_try, on_wait)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reading thread must know
            return _Failed(error)
        return _Acknowledged()

    def _report(self, batch: Batch, event: _Event) -> None:
        self._events.put((batch, event))
        self.wake()

    def _take_in(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        while not self._events.empty():
            batch, event = self._events.get()
            self._between_tries.discard(batch.number)
            if isinstance(event, _Waiting):
                self._between_tries.add(batch.number)
                self._log_wait(batch, event)
            elif isinstance(event, _Acknowledged):
                self._posted.remove(batch.number)
                del self._held[batch.number]
                self._acknowledged(batch)
            elif isinstance(event, _Failed):
                self._posted.remove(batch.number)
                self._fail(batch, event.error)

    def _log_wait(self, batch: Batch, event: _Waiting) -> None:
        logger.warning(
            "Try %d of %s did not succeed: %s. Next try in %.1f s; batches held meanwhile: %d.",
            event.tries,
            batch,
            event.cause,
            event.seconds,
            self.held,
        )

    def _fail(self, batch: Batch, error: Exception) -> None:
        self._stopping.set()
        if self._failure is None:
            named = (
                batch.name_message(error.index) if isinstance(error, RejectedRecordError) else ""
            )
            self._failure = DeliveryError(f"{batch} could not be delivered: {error}{named}")
            self._failure.__cause__ = error

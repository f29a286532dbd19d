"""A service for the delivery to post to, which answers when a test says so."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from target_stitch_import.batch import Batch
from target_stitch_import.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0
"""Seconds after which a test that hangs fails."""


def batch(number: int, table: str = "t", generation: int = 0) -> Batch:
    """Return a sealed batch whose body is its number."""
    body = b'{"key_names":["id"],"messages":[{"data":{"id":%d}}],"n":%d}' % (number, number)
    return Batch(number, table, generation, body, [number * 100])


def number_of(body: bytes) -> int:
    """Return the number of a batch by its body."""
    return int(body.rpartition(b":")[2].rstrip(b"}"))


class Service:
    """Keeps which posts have begun; each waits until it is answered."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.begun: list[int] = []
        self.clients = 0
        self.closed = 0
        self._on_wire: set[int] = set()
        self.most_on_wire = 0
        self._answers: dict[int, Exception | None] = {}
        self.answers_all = False
        self.script: (
            Callable[[int, Callable[[int], None], Callable[[int, float, str], None]], None] | None
        ) = None
        """What a post does instead of waiting for its answer."""

    def connect(self) -> Client:
        """Open a connection."""
        with self._changed:
            self.clients += 1
        return Client(self)

    def answer(self, *numbers: int, error: Exception | None = None) -> None:
        """Let posts end, well or with an error."""
        with self._changed:
            self._answers.update(dict.fromkeys(numbers, error))
            self._changed.notify_all()

    def wait_for(self, *numbers: int) -> None:
        """Wait until the posts of these batches have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: {*numbers} <= {*self.begun}, PATIENCE)

    def post(self, number: int) -> None:
        """Begin a post, and wait for its answer."""
        with self._changed:
            self.begun.append(number)
            self._on_wire.add(number)
            self.most_on_wire = max(self.most_on_wire, len(self._on_wire))
            self._changed.notify_all()
            try:
                assert self._changed.wait_for(
                    lambda: self.answers_all or number in self._answers, PATIENCE
                )
                if error := self._answers.get(number):
                    raise error
            finally:
                self._on_wire.discard(number)

    def note_closed(self) -> None:
        """Count a connection that is closed."""
        with self._changed:
            self.closed += 1


class Client:
    """One connection to the service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def deliver_batch(
        self,
        body: bytes,
        on_try: Callable[[int], None],
        on_wait: Callable[[int, float, str], None],
    ) -> None:
        """Post once, or as the test's script says."""
        number = number_of(body)
        if self._service.script is not None:
            self._service.script(number, on_try, on_wait)
            return
        on_try(1)
        self._service.post(number)

    def close(self) -> None:
        """Close the connection."""
        self._service.note_closed()


class Run:
    """A delivery to such a service, and what it acknowledged."""

    def __init__(self, parallel: int = 4) -> None:
        self.service = Service()
        self.acknowledged: list[int] = []
        self.delivery = Delivery(
            self.service.connect,
            lambda batch: self.acknowledged.append(batch.number),
            parallel=parallel,
        )

    def aside(self, do: Callable[[], None]) -> threading.Thread:
        """Do something beside the thread that reads."""
        thread = threading.Thread(target=do)
        thread.start()
        return thread

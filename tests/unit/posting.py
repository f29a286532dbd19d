"""A service for the delivery to post to, which answers when a test says so."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from target_stitch_import.body_limit import BodyLimit
from target_stitch_import.delivery import Delivery
from target_stitch_import.flight import Rules
from target_stitch_import.jsontext import decode_exactly
from target_stitch_import.posting import Posters
from target_stitch_import.progress import Progress
from target_stitch_import.retries import Attempts
from tests.unit.batches import TableFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.batch import Batch

PATIENCE = 30.0
"""Seconds after which a test that hangs fails."""


def batch(number: int, table: str = "t", generation: int = 0, rows: int = 1) -> Batch:
    """Return a sealed batch; its records have the ids number * 100 and on, as have its lines."""
    places = range(number * 100, number * 100 + rows)
    return TableFormat(table).sealed(
        *(b'{"id":%d}' % place for place in places),
        number=number,
        generation=generation,
        sequences=places,
        positions=places,
    )


def ids_of(body: bytes) -> list[int]:
    """Return the ids of the records in a body."""
    return [message["data"]["id"] for message in decode_exactly(body)["messages"]]


class Service:
    """Keeps which posts have begun; each waits until its batch is answered."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.begun: list[int] = []
        """The number of each batch that was posted."""
        self.posted: list[list[int]] = []
        """The ids in each body."""
        self.looks = 0
        """How often the status was asked for."""
        self.clients = 0
        self.closed = 0
        self._on_wire: set[int] = set()
        self.most_on_wire = 0
        self._answers: dict[int, Exception | None] = {}
        self.answers_all = False
        self.answer_at_once: Callable[[list[int]], None] | None = None
        """Answers a post by its ids, or raises; for tests that need no waiting."""
        self.status: Callable[[], None] = lambda: None

    def answer(self, *numbers: int, error: Exception | None = None) -> None:
        """Let posts end, well or with an error."""
        with self._changed:
            self._answers.update(dict.fromkeys(numbers, error))
            self._changed.notify_all()

    def wait_for(self, *numbers: int) -> None:
        """Wait until the posts of these batches have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: {*numbers} <= {*self.begun}, PATIENCE)

    def connect(self) -> Client:
        """Open a connection."""
        with self._changed:
            self.clients += 1
        return Client(self)

    def check_status(self) -> None:
        """Answer a look at the status."""
        with self._changed:
            self.looks += 1
        self.status()

    def post(self, body: bytes) -> None:
        """Begin a post, and wait for its answer."""
        ids = ids_of(body)
        number = ids[0] // 100
        with self._changed:
            self.begun.append(number)
            self.posted.append(ids)
            self._on_wire.add(number)
            self.most_on_wire = max(self.most_on_wire, len(self._on_wire))
            self._changed.notify_all()
        try:
            if self.answer_at_once is not None:
                self.answer_at_once(ids)
            else:
                self._wait_for_answer(number)
        finally:
            with self._changed:
                self._on_wire.discard(number)

    def _wait_for_answer(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: self.answers_all or number in self._answers, PATIENCE
            )
            if error := self._answers.get(number):
                raise error

    def note_closed(self) -> None:
        """Count a connection that is closed."""
        with self._changed:
            self.closed += 1


class Client:
    """One connection to the service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def check_status(self) -> None:
        """Look if the service is up."""
        self._service.check_status()

    def post(self, body: bytes) -> None:
        """Post a body."""
        self._service.post(body)

    def close(self) -> None:
        """Close the connection."""
        self._service.note_closed()


class Run:
    """A delivery to such a service, and what it acknowledged."""

    def __init__(
        self,
        parallel: int = 4,
        *,
        budget: float = PATIENCE,
        longest: float = PATIENCE,
        set_aside: Callable[[Batch, int, str], None] | None = None,
        check_status: bool = False,
    ) -> None:
        self.service = Service()
        self.acknowledged: list[int] = []
        self.limit = BodyLimit(4_000_000)
        self.progress = Progress()
        self.posters = Posters(self.service.connect)
        self.delivery = Delivery(
            self.posters,
            self.acknowledged.append,
            Rules(partial(Attempts, budget, longest), self.limit, set_aside, self.progress),
            parallel=parallel,
            check_status=check_status,
        )

    def deliver(self, *batches: Batch) -> None:
        """Hand batches over, and see them through."""
        for each in batches:
            self.delivery.submit(each)
        self.delivery.finish()
        self.delivery.close()

    def aside(self, do: Callable[[], None]) -> threading.Thread:
        """Do something beside the thread that reads."""
        thread = threading.Thread(target=do)
        thread.start()
        return thread

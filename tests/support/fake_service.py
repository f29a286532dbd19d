"""A fake service inside the process, which answers posts when a test says so."""

from __future__ import annotations

import math
import threading
from functools import partial
from typing import TYPE_CHECKING

from target_stitch_import.batches.body_limit import BodyLimit
from target_stitch_import.batches.splitting import describe_record
from target_stitch_import.delivery.refusals import Refusals
from target_stitch_import.delivery.retry import Retry, RetryLog, Startup
from target_stitch_import.delivery.scheduler import DeliveryScheduler
from target_stitch_import.delivery.task import DeliveryOptions
from target_stitch_import.delivery.workers import WorkerPool
from target_stitch_import.errors import RejectedError
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.reporting.metrics import Metrics
from tests.support.tables import TableFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.batches.batch import Batch
    from target_stitch_import.delivery.refusals import FindInvalid
    from target_stitch_import.delivery.workers import Client

TEST_TIMEOUT = 30.0
"""Seconds after which a test that hangs fails."""


def sealed_batch(number: int, table: str = "t", generation: int = 0, rows: int = 1) -> Batch:
    """Return a sealed batch; its records have the ids number * 100 and on, as have its lines."""
    places = range(number * 100, number * 100 + rows)
    return TableFormat(table).sealed(
        *(b'{"id":%d}' % place for place in places),
        number=number,
        generation=generation,
        sequences=places,
        positions=places,
    )


def record_ids(body: bytes) -> list[int]:
    """Return the ids of the records in a body."""
    return [message["data"]["id"] for message in decode_exactly(body)["messages"]]


def refuse(record: Batch, reason: str, _status: int | None) -> None:
    """End the run at a refused record, as it does without a quarantine."""
    raise RejectedError(f"{reason.rstrip('.')}.{describe_record(record)}")


class FakeService:
    """Notes each post; the post then waits until the test answers it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.begun: list[int] = []
        """The number of each batch that was posted."""
        self.posted: list[list[int]] = []
        """The ids in each body."""
        self.status_checks = 0
        """How often the status was asked for."""
        self.clients = 0
        """How many connections were opened."""
        self.closed = 0
        """How many connections were closed."""
        self._in_flight: set[int] = set()
        self.most_in_flight = 0
        """The greatest number of posts at once."""
        self._answers: dict[int, Exception | None] = {}
        self.accepts_all = False
        """Accept posts that have no answer of their own."""
        self.answer_at_once: Callable[[list[int]], None] | None = None
        """Answers a post by its ids, or raises; for tests that need no waiting."""
        self.status: Callable[[], None] = lambda: None
        """Answers a status check, or raises."""

    def answer(self, *numbers: int, error: Exception | None = None) -> None:
        """Let the posts of batches end, with an error or without."""
        with self._changed:
            self._answers.update(dict.fromkeys(numbers, error))
            self._changed.notify_all()

    def wait_for(self, *numbers: int) -> None:
        """Wait until the posts of these batches have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: {*numbers} <= {*self.begun}, TEST_TIMEOUT)

    def connect(self) -> FakeClient:
        """Open a connection."""
        with self._changed:
            self.clients += 1
        return FakeClient(self)

    def check_status(self) -> None:
        """Answer a status check."""
        with self._changed:
            self.status_checks += 1
        self.status()

    def post(self, body: bytes) -> None:
        """Note a post, and wait for its answer."""
        ids = record_ids(body)
        number = ids[0] // 100
        with self._changed:
            self.begun.append(number)
            self.posted.append(ids)
            self._in_flight.add(number)
            self.most_in_flight = max(self.most_in_flight, len(self._in_flight))
            self._changed.notify_all()
        try:
            if self.answer_at_once is not None:
                self.answer_at_once(ids)
            else:
                self._wait_for_answer(number)
        finally:
            with self._changed:
                self._in_flight.discard(number)

    def _wait_for_answer(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: self.accepts_all or number in self._answers, TEST_TIMEOUT
            )
            if error := self._answers.get(number):
                raise error

    def count_closed(self) -> None:
        """Count a connection that is closed."""
        with self._changed:
            self.closed += 1


class FakeClient:
    """One connection to the fake service."""

    def __init__(self, service: FakeService) -> None:
        self._service = service

    def check_status(self) -> None:
        """Ask if the service is up."""
        self._service.check_status()

    def post(self, body: bytes) -> None:
        """Post a body."""
        self._service.post(body)

    def close(self) -> None:
        """Close the connection."""
        self._service.count_closed()


class DeliveryRun:
    """A scheduler that delivers to a fake service, and the numbers that it acknowledged."""

    def __init__(
        self,
        parallel: int = 4,
        *,
        budget: float = TEST_TIMEOUT,
        timeout: float = TEST_TIMEOUT,
        set_aside: Callable[[Batch, str, int | None], None] = refuse,
        check_status: bool = False,
        connect: Callable[[], Client] | None = None,
        metrics: Metrics | None = None,
        find_invalid: FindInvalid = lambda *_: {},
        validates: bool = False,
        startup: Startup | None = None,
    ) -> None:
        self.service = FakeService()
        self.acknowledged: list[int] = []
        self.limit = BodyLimit(4_000_000)
        self.metrics = metrics or Metrics()
        self.refusals = Refusals(set_aside, find_invalid, validates=validates)
        self.workers = WorkerPool(connect or self.service.connect)
        self.scheduler = DeliveryScheduler(
            self.workers,
            self.acknowledged.append,
            DeliveryOptions(
                partial(Retry, budget, timeout, log=RetryLog()),
                self.limit,
                self.refusals,
                self.metrics,
            ),
            parallel=parallel,
            check_status=check_status,
            startup=startup or Startup(math.inf, "the service"),
            before_post=lambda _: None,
        )

    def deliver(self, *batches: Batch) -> None:
        """Submit batches, and wait until all are delivered."""
        for each in batches:
            self.scheduler.submit(each)
        self.scheduler.finish()
        self.scheduler.close()

    def in_thread(self, call: Callable[[], None]) -> threading.Thread:
        """Call something in another thread."""
        thread = threading.Thread(target=call)
        thread.start()
        return thread

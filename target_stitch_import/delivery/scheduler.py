"""Schedules sealed batches: parallel posts, backpressure, barriers, the first failure ends the run.

Everything here runs in the thread that reads the input; only the posts run in worker threads. No
thread sleeps between two attempts: the scheduler knows when the next one starts.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from operator import methodcaller
from typing import Final

from target_stitch_import.batches.batch import Batch
from target_stitch_import.delivery.retry import Retry, Startup
from target_stitch_import.delivery.task import DeliveryOptions, DeliveryTask
from target_stitch_import.delivery.workers import WorkerPool
from target_stitch_import.errors import DeliveryError, TransientError

logger = logging.getLogger("target-stitch-import")

READY: Final = 2
"""Batches that wait for a free worker, so that none is idle while another batch fills."""

_STATUS: Final = 0  # the key of the status check; batches are numbered from 1


class DeliveryScheduler:
    """Delivers sealed batches, ``parallel`` of them at once, until they are acknowledged."""

    def __init__(
        self,
        workers: WorkerPool,
        on_acknowledged: Callable[[int], None],
        options: DeliveryOptions,
        *,
        parallel: int,
        check_status: bool,
        startup: Startup,
        before_post: Callable[[Batch], None],
    ) -> None:
        """Call ``on_acknowledged`` with the number of each batch that is acknowledged.

        ``before_post`` is called with a batch before each post, and may raise. With ``check_status``,
        nothing is posted before the service was asked if it is up. The delivery fails once the budget
        of ``startup`` is spent.
        """
        self._workers = workers
        self._on_acknowledged = on_acknowledged
        self._options = options
        self._before_post = before_post
        self._parallel = parallel
        self._status = options.create_retry() if check_status else None
        self._tasks: dict[int, DeliveryTask] = {}
        self._startup = startup
        self._deadline = math.inf
        self._deadline_seen = False
        self._stopping = False
        self._failure: DeliveryError | None = None

    @property
    def seconds_to_next(self) -> float | None:
        """Seconds until the next retry or timeout, or None."""
        posts = self._posts()
        # While all workers are busy, nothing starts: only timeouts count.
        return self._seconds_to_first(posts if len(posts) >= self._parallel else self._retries())

    def has_unacknowledged(self, table_name: str, generation: int) -> bool:
        """Return True if a sealed batch of a table's generation is not acknowledged yet.

        Those of an earlier generation don't count: this one's are posted after them.
        """
        batches = (task.batch for task in self._tasks.values())
        return (table_name, generation) in ((each.table_name, each.generation) for each in batches)

    def submit(self, batch: Batch) -> None:
        """Add a sealed batch; wait first, and so slow the tap, while too many are in flight."""
        while len(self._tasks) >= self._parallel + READY:
            self.collect(block=True)
        self._tasks[batch.number] = DeliveryTask(batch, self._options)
        self._options.metrics.in_flight = len(self._tasks)
        self._post_what_may_start()

    def collect(self, *, block: bool = False) -> None:
        """Handle the outcomes of posts; with ``block``, wait for one, or for the next retry.

        Raise ``DeliveryError`` if a batch can't be delivered; nothing is sent any more.
        """
        if block and self._failure is None:
            self._workers.wait(self.seconds_to_next)
        self._handle_outcomes()
        if self._tasks and time.monotonic() >= self._deadline:
            self._fail(DeliveryError("the time that a signal leaves is over"))
        if self._tasks and time.monotonic() >= self._startup.deadline:
            self._fail(self._startup.give_up())
        if self._failure is not None:
            raise self._failure
        self._post_what_may_start()

    def set_deadline(self, deadline: float) -> None:
        """Retry all at once, and give up at ``deadline``, a time by the monotonic clock.

        May be called from a signal handler.
        """
        self._deadline = deadline
        self._workers.wake()

    def finish(self) -> None:
        """Wait until every batch is acknowledged; raise ``DeliveryError`` if one can't be delivered."""
        while self._tasks:
            self.collect(block=True)

    def close(self) -> None:
        """Post nothing more; wait for the posts in flight, and close the connections."""
        self._stopping = True
        self._handle_outcomes()
        while (posts := self._posts()) and not self._is_over():
            self._workers.wait(self._seconds_to_first(posts))
            self._handle_outcomes()
        self._workers.close()

    def _is_over(self) -> bool:
        return time.monotonic() >= min(self._deadline, self._startup.deadline)

    def _retries(self) -> dict[int, Retry]:
        status = {} if self._status is None else {_STATUS: self._status}
        return {**status, **{number: task.retry for number, task in self._tasks.items()}}

    def _posts(self) -> dict[int, Retry]:
        return {key: retry for key, retry in self._retries().items() if retry.in_flight}

    def _seconds_to_first(self, retries: dict[int, Retry]) -> float | None:
        ends = [self._deadline, self._startup.deadline]
        first = min([*ends, *(each.next_at for each in retries.values() if each.next_at)])
        return None if first == math.inf else max(0.0, first - time.monotonic())

    def _retry_before_deadline(self) -> None:
        """Once there is a deadline: log it, and cut all waits short."""
        if self._deadline == math.inf or self._deadline_seen:
            return
        self._deadline_seen = True
        # Not logged by the signal handler: it may have interrupted one that writes to the log.
        logger.info(
            "A signal asks to end: the batches in flight are delivered, for at most %.0f s. "
            "The same signal again, two seconds later, stops at once.",
            self._deadline - time.monotonic(),
        )
        for retry in self._retries().values():
            retry.retry_now()

    def _post_what_may_start(self) -> None:
        """Post each batch that need not wait: for a retry, a barrier or a free worker.

        A barrier: of each table, only batches of the smallest generation are posted.
        """
        if self._stopping:
            return
        self._retry_before_deadline()
        now = time.monotonic()
        if self._tasks:
            self._startup.begin(now)
        if self._status is not None:
            if self._tasks and not self._status.in_flight and self._status.next_at <= now:
                self._workers.start(_STATUS, methodcaller("check_status"))
                self._status.start_attempt()
            return
        smallest: dict[str, int] = {}
        for task in self._tasks.values():
            name, generation = task.batch.table_name, task.batch.generation
            smallest[name] = min(generation, smallest.get(name, generation))
        free = self._parallel - len(self._posts())
        waiting = [*self._tasks.values()]
        for task in waiting:
            is_due = not task.retry.in_flight and task.retry.next_at <= now
            may_start = is_due and task.batch.generation == smallest[task.batch.table_name]
            if free and may_start and self._prepare(task):
                task.post(self._workers)
                free -= 1
        if len(self._tasks) < len(waiting):  # others may have waited for those that are delivered
            self._post_what_may_start()

    def _prepare(self, task: DeliveryTask) -> bool:
        """Return True if a batch has something left to post."""
        try:
            task.prepare()
            if not task.is_delivered:
                self._before_post(task.batch)
        except Exception as failure:
            raise self._fail(failure, task) from failure
        if task.is_delivered:
            self._acknowledge(task)
            return False
        return True

    def _handle_outcomes(self) -> None:
        for key, error in self._workers.outcomes():
            self._handle_outcome(key, error)
        for key, retry in self._posts().items():
            if retry.timed_out:
                self._workers.abandon(key)
                kind = DeliveryError if key == _STATUS else TransientError
                self._handle_outcome(key, kind("the answer had no end, and was given up"))

    def _handle_outcome(self, key: int, error: Exception | None) -> None:
        self._startup.handle_outcome(error)
        if key == _STATUS:
            self._handle_status(error)
            return
        task = self._tasks[key]
        if self._stopping and error is not None:
            task.retry.in_flight = False
            return
        try:
            task.handle_outcome(error, self._deadline)
        except Exception as failure:  # noqa: BLE001 - the first of any kind is raised
            self._fail(failure, task, status=getattr(error, "status", None))
            return
        if task.is_delivered:
            self._acknowledge(task)

    def _acknowledge(self, task: DeliveryTask) -> None:
        metrics = self._options.metrics
        metrics.batch_acknowledged(task.batch.contents, task.sealed_at)
        del self._tasks[task.batch.number]
        metrics.in_flight = len(self._tasks)
        self._on_acknowledged(task.batch.number)

    def _handle_status(self, error: Exception | None) -> None:
        if self._status is not None and isinstance(error, TransientError):
            try:
                self._status.schedule(error, "the status check", self._deadline, len(self._tasks))
            except TransientError as failure:
                self._fail(failure, status=error.status)
            return
        self._status = None
        if error is not None:
            text = "The status of the Import API is unknown (%s); batches are posted all the same."
            logger.warning(text, error)

    def _fail(
        self, error: Exception, task: DeliveryTask | None = None, *, status: int | None = None
    ) -> DeliveryError:
        """Let a run end for what has failed first, which may be a batch."""
        self._stopping = True
        if self._failure is None:
            error, subject = self._startup.explain(error), task or "the batches in flight"
            self._failure = DeliveryError(f"{subject} could not be delivered: {error}")
            self._failure.__cause__ = error
            self._failure.exit_code = getattr(error, "exit_code", 1)
            self._failure.stream = task.batch.table_name if task else None
            self._failure.status = status
        return self._failure

"""One batch on its way to the service: attempts, splitting, records that are set aside."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING

from target_stitch_import import errors
from target_stitch_import.batches import splitting

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.batches.batch import Batch
    from target_stitch_import.batches.body_limit import BodyLimit
    from target_stitch_import.delivery.retry import Retry
    from target_stitch_import.delivery.workers import WorkerPool
    from target_stitch_import.reporting.metrics import Metrics

logger = logging.getLogger("target-stitch-import")


@dataclass(frozen=True)
class DeliveryOptions:
    """What all batches of a run share."""

    create_retry: Callable[[], Retry]
    """Returns the retries of a new request."""
    body_limit: BodyLimit
    """How large bodies may be; it changes with the answers."""
    set_aside: Callable[[Batch, int, str], None] | None
    """Called with a batch, a refused message's index and the reason; None: that fails the batch."""
    metrics: Metrics
    """Counts requests, acknowledged records and records that are set aside."""


class DeliveryTask:
    """One batch on its way, in as many parts as it takes, one after the other."""

    def __init__(self, batch: Batch, options: DeliveryOptions) -> None:
        self.batch = batch
        self.retry = options.create_retry()
        """The attempts of the next part."""
        self._parts = [batch]
        self._options = options
        self._sealed_at = options.metrics.clock()

    def __str__(self) -> str:
        return str(self._parts[0])

    def post(self, workers: WorkerPool) -> None:
        """Post the next part."""
        while self._options.body_limit.must_split(self._parts[0]):
            self._parts[:1] = splitting.split_in_half(self._parts[0])
        part = self._parts[0]
        workers.start(self.batch.number, methodcaller("post", part.body))
        self._options.metrics.request_sent(part.contents, is_retry=self.retry.attempts > 0)
        self.retry.start_attempt()

    def handle_outcome(self, error: Exception | None, deadline: float) -> bool:
        """Handle the outcome of an attempt; return True once the whole batch is acknowledged.

        A transient failure is tried again until ``deadline``, a time by the monotonic clock. A part
        that is too large is split. A refused record is set aside, and the rest is sent again.

        Raises:
            Exception: The batch can't be delivered.
        """
        self.retry.in_flight = False
        part, metrics = self._parts[0], self._options.metrics
        if error is None:
            metrics.acknowledged(part.contents, len(part.body))
            self._options.body_limit.handle_accepted(part)
            self._replace_part([])
        elif isinstance(error, errors.TransientError):
            self.retry.schedule(error, part, deadline=deadline, in_flight=metrics.in_flight)
        elif isinstance(error, errors.TooLargeError):
            self._handle_too_large(part, error)
        elif isinstance(error, errors.RejectedRecordError):
            self._refuse(part, error.index, error)
        elif isinstance(error, errors.UnidentifiedRecordError):
            if part.rows == 1:
                self._refuse(part, 0, error)
            else:  # the half that is refused again has the record
                self._replace_part(splitting.split_in_half(part))
        else:
            raise error
        if self._parts:
            return False
        metrics.batch_acknowledged(self.batch.contents, self._sealed_at)
        return True

    def _handle_too_large(self, part: Batch, error: errors.TooLargeError) -> None:
        self._options.body_limit.handle_refused(part)
        if part.rows == 1:
            self._refuse(part, 0, error)
            return
        max_bytes = f"{self._options.body_limit.max_bytes:,}"
        logger.warning("%s: %s. Split; later ones stay below %s bytes.", part, error, max_bytes)
        self._replace_part(splitting.split_in_half(part))

    def _refuse(self, part: Batch, index: int, error: errors.RejectedError) -> None:
        """Set a record aside, and send the rest; or raise which record it is."""
        if self._options.set_aside is None:
            reason = f"{error}{splitting.describe_record(part, index)}"
            raise errors.RejectedError(reason) from error
        self._options.set_aside(part, index, str(error))
        self._options.metrics.set_aside(splitting.table_name_at(part, index))
        self._replace_part(splitting.without_message(part, index))

    def _replace_part(self, parts: list[Batch]) -> None:
        self._parts[:1] = parts
        self.retry = self._options.create_retry()

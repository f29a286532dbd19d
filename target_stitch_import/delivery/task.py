"""One batch on its way to the service: attempts, splitting, records that are set aside."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import methodcaller

from target_stitch_import import errors
from target_stitch_import.batches import splitting
from target_stitch_import.batches.batch import Batch
from target_stitch_import.batches.body_limit import BodyLimit
from target_stitch_import.delivery.refusals import Refusals
from target_stitch_import.delivery.retry import Retry
from target_stitch_import.delivery.workers import WorkerPool
from target_stitch_import.preview.reader import Preview
from target_stitch_import.reporting.metrics import Metrics

logger = logging.getLogger("target-stitch-import")


@dataclass(frozen=True)
class DeliveryOptions:
    """What all batches of a run share."""

    create_retry: Callable[[], Retry]  # returns the retries of a new request
    body_limit: BodyLimit  # how large bodies may be; it changes with the answers
    refusals: Refusals  # what is done about a refused record
    metrics: Metrics  # counts requests, acknowledged records and records that are set aside
    preview: Preview | None = None  # reads what is acknowledged


@dataclass(frozen=True)
class _Part:
    batch: Batch
    is_first_half: bool = False
    """Whether it and the next part together were refused for a record: one of them has that."""
    has_refused: bool = False  # whether it is known to have a record that the service refuses
    checked_tables: frozenset[str] = frozenset()  # those whose records in it are checked


class DeliveryTask:
    """One batch on its way, in as many parts as it takes, one after the other."""

    def __init__(self, batch: Batch, options: DeliveryOptions) -> None:
        self.batch = batch
        self.retry = options.create_retry()  # the attempts of the next part
        self._parts = [_Part(batch)]
        self._options = options
        self.sealed_at = options.metrics.clock()
        self._has_refused = False

    def __str__(self) -> str:
        return str(self._parts[0].batch if self._parts else self.batch)

    @property
    def is_delivered(self) -> bool:
        """Whether all of its records are acknowledged or set aside."""
        return not self._parts

    def prepare(self) -> None:
        """Make the next part one that may be posted, or find that there is none.

        Records that are to be checked are, what is too large is split, and so is what is known to be
        refused. Raise ``QuarantineError`` if an invalid record can't be set aside.
        """
        while self._parts:
            part = self._parts[0]
            tables = self._options.refusals.tables_to_check(part.batch) - part.checked_tables
            if tables:
                self._check(part, tables)
            elif part.has_refused and part.batch.rows > 1:
                self._halve(part)
            elif self._options.body_limit.must_split(part.batch):
                self._parts[:1] = _parts_like(part, splitting.split_in_half(part.batch))
            else:
                return

    def post(self, workers: WorkerPool) -> None:
        """Post the next part, which is prepared."""
        batch = self._parts[0].batch
        workers.start(self.batch.number, methodcaller("post", batch.body))
        self._options.metrics.request_sent(batch.contents, is_retry=self.retry.attempts > 0)
        self.retry.start_attempt()

    def handle_outcome(self, error: Exception | None, deadline: float) -> None:
        """Handle the outcome of an attempt; raise if the batch can't be delivered.

        A transient failure is tried again until ``deadline``, a time by the monotonic clock. A part
        that is too large is split. A refused record is found, by halving where the service does not
        say which it is, and set aside; the rest is sent again.
        """
        self.retry.in_flight = False
        part, metrics = self._parts[0], self._options.metrics
        batch = part.batch
        if error is None:
            metrics.acknowledged(batch.contents, len(batch.body))
            self.retry.log.end_outage()
            self._log_delivered(batch)
            if self._options.preview is not None:
                metrics.add_sub_rows(self._options.preview.add(batch.body))
            self._options.body_limit.handle_accepted(batch)
            self._replace_part([])
            if part.is_first_half:
                self._parts[0] = replace(self._parts[0], has_refused=True)
        elif isinstance(error, errors.TransientError):
            self.retry.schedule(error, batch, deadline, metrics.in_flight)
        elif isinstance(error, errors.TooLargeError):
            self._handle_too_large(part, error)
        elif not isinstance(error, errors.RejectedRecordError):
            raise error
        elif error.index is None and batch.rows > 1:
            self._halve(part)
        else:
            self._refuse(part, error.index or 0, error)

    def _log_delivered(self, batch: Batch) -> None:
        """Log each stream's part of a body that is acknowledged, for machines."""
        seconds = round(self._options.metrics.clock() - self.sealed_at, 3)
        for stream, (records, size) in batch.contents.items():
            fields = {
                "event_name": "batch_delivered",
                "stream_name": stream,
                "batch": batch.number,
                "records": records,
                "bytes": size,
                "attempts": self.retry.attempts,
                "seconds": seconds,
            }
            logger.info("Delivered %s.", batch, extra=fields)

    def _check(self, part: _Part, tables: frozenset[str]) -> None:
        """Set the invalid records of some tables aside."""
        invalid = self._options.refusals.find_invalid(part.batch, tables)
        alone = splitting.each_alone(part.batch, invalid)
        for record, reason in zip(alone, invalid.values(), strict=True):
            self._set_aside(record, reason)
        part = replace(part, checked_tables=part.checked_tables | tables)
        if not invalid:
            self._parts[0] = part
        else:  # what it was refused for may be gone
            self._replace_part(_parts_like(part, splitting.without_messages(part.batch, invalid)))

    def _halve(self, part: _Part) -> None:
        """Look for a refused record in the first half, and then in the other."""
        halves = splitting.split_at(part.batch, part.batch.rows // 2)
        first, second = _parts_like(part, halves)
        self._replace_part([replace(first, is_first_half=True), second])

    def _handle_too_large(self, part: _Part, error: errors.TooLargeError) -> None:
        batch, limit = part.batch, self._options.body_limit
        limit.handle_refused(batch)
        if batch.rows == 1:
            self._refuse(part, 0, error)
            return
        max_bytes = f"{limit.max_bytes:,}"
        logger.warning("%s: %s. Split; later ones stay below %s bytes.", batch, error, max_bytes)
        self._replace_part(_parts_like(part, splitting.split_in_half(batch)))

    def _refuse(self, part: _Part, index: int, error: errors.RejectedError) -> None:
        """Set a record aside, and send the rest."""
        batch = part.batch
        if index >= batch.rows:
            raise error
        (record,) = splitting.each_alone(batch, [index])
        self._set_aside(record, str(error), error.status)
        if isinstance(error, errors.RejectedRecordError):
            self._options.refusals.count(record, error)
        rest = splitting.without_messages(batch, [index])
        if rest and self._has_refused:
            # In several parts: or one of many refused records would cost a full body each time.
            rest = splitting.split_at(rest[0], index, (index + batch.rows) // 2)
        self._has_refused = True
        self._replace_part(_parts_like(part, rest))

    def _set_aside(self, record: Batch, reason: str, status: int | None = None) -> None:
        self._options.refusals.set_aside(record, reason, status)
        self._options.metrics.set_aside(splitting.table_of(record))

    def _replace_part(self, parts: list[_Part]) -> None:
        self._parts[:1] = parts
        self.retry = self._options.create_retry()


def _parts_like(part: _Part, batches: list[Batch]) -> list[_Part]:
    """Return parts of a part: what is known of its refusal does not hold for each."""
    return [_Part(batch, checked_tables=part.checked_tables) for batch in batches]

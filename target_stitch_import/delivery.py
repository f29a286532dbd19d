"""Batches in flight: backpressure, barriers, retries, splitting, first failure wins.

The thread that reads owns everything but the posts themselves: it hands sealed batches over, and
takes each outcome back. So a wait between two tries is no thread that sleeps but a moment to come
back at. Knows numbers, tables and generations of batches, and the classes of errors; nothing of
what is in a record.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING, Final

from target_stitch_import.errors import (
    DeliveryError,
    RejectedError,
    RejectedRecordError,
    TooLargeError,
    TransientError,
)
from target_stitch_import.parts import halves, name_record, without

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.batch import Batch, BodyLimit
    from target_stitch_import.posting import Posters
    from target_stitch_import.retries import Attempts

__all__ = ["Delivery"]

logger = logging.getLogger("target-stitch-import")

_STATUS: Final = 0  # the key of the status check; batches are numbered from 1


@dataclass
class _Flight:
    """A batch on its way, in as many parts as it takes, one after the other."""

    batch: Batch
    parts: list[Batch]
    attempts: Attempts
    """Of the first part."""


class Delivery:
    """Holds sealed batches until they are acknowledged, at most ``parallel`` at a time."""

    def __init__(
        self,
        posters: Posters,
        acknowledged: Callable[[int], None],
        *,
        parallel: int,
        attempts: Callable[[], Attempts],
        limit: BodyLimit,
        set_aside: Callable[[Batch, int, str], None] | None = None,
        check_status: bool = False,
    ) -> None:
        """Tell ``acknowledged`` the number of each batch that is safe.

        ``attempts`` gives each request its retries; ``limit`` learns from a body that is too large;
        ``set_aside`` takes a record that the service refuses, by its place in a batch, and why:
        without it, the batch fails. With ``check_status``, the service is asked first if it is up.
        """
        self._posters = posters
        self._acknowledged = acknowledged
        self._parallel = parallel
        self._attempts = attempts
        self._limit = limit
        self._set_aside = set_aside
        self._status = attempts() if check_status else None
        self._held: dict[int, _Flight] = {}
        self._deadline = math.inf
        self._hurried = False
        self._stopping = False
        self._failure: DeliveryError | None = None

    @property
    def held(self) -> int:
        """Batches that are sealed and not acknowledged."""
        return len(self._held)

    @property
    def patience(self) -> float | None:
        """Seconds until there is something to ``collect`` without any outcome, or None."""
        moments = [each.due for each in self._all_attempts() if each.due and not each.on_wire]
        return self._seconds_until(min([*moments, self._deadline]))

    def submit(self, batch: Batch) -> None:
        """Take a batch over; wait first, and so slow the tap, while as many as may be are held."""
        while len(self._held) >= self._parallel:
            self.collect(block=True)
        self._held[batch.number] = _Flight(batch, [batch], self._attempts())
        self._post_what_may_go()

    def collect(self, *, block: bool = False) -> None:
        """Take in what the posting threads report; with ``block``, wait for something.

        Raises:
            DeliveryError: A batch can't be delivered; from then on, none is sent any more.
        """
        if block and self._failure is None:
            self._posters.wait(self.patience)
        self._take_in()
        if self._held and self._is_late():
            self._fail("what is held", DeliveryError("the time that a signal leaves is over"))
        if self._failure is not None:
            raise self._failure
        self._post_what_may_go()

    def hurry(self, deadline: float) -> None:
        """Try all again at once, and give up at a moment; may be called from a signal handler."""
        self._deadline = deadline
        self._posters.wake()

    def finish(self) -> None:
        """Wait until every batch is acknowledged."""
        while self._held:
            self.collect(block=True)

    def close(self) -> None:
        """Send nothing more; count the posts that are on the wire, and close the connections."""
        self._stopping = True
        self._take_in()
        while self._is_on_wire() and not self._is_late():
            self._posters.wait(self._seconds_until(self._deadline))
            self._take_in()
        self._posters.close()

    # Time

    def _all_attempts(self) -> list[Attempts]:
        status = [self._status] if self._status else []
        return [*status, *(flight.attempts for flight in self._held.values())]

    def _seconds_until(self, moment: float) -> float | None:
        return None if moment == math.inf else max(0.0, moment - time.monotonic())

    def _is_late(self) -> bool:
        return time.monotonic() >= self._deadline

    def _is_on_wire(self) -> bool:
        return any(flight.attempts.on_wire for flight in self._held.values())

    # What may go

    def _post_what_may_go(self) -> None:
        """Post what no wait and no barrier holds: the smallest generation of each table."""
        if self._stopping:
            return
        self._hurry_once()
        now = time.monotonic()
        if self._status is not None:
            if self._held and not self._status.on_wire and self._status.due <= now:
                self._posters.start(_STATUS, methodcaller("check_status"))
                self._status.begin()
            return
        smallest: dict[str, int] = {}
        for flight in self._held.values():
            batch = flight.batch
            known = smallest.setdefault(batch.table_name, batch.generation)
            smallest[batch.table_name] = min(known, batch.generation)
        for flight in self._held.values():
            if flight.attempts.on_wire or flight.attempts.due > now:
                continue
            if flight.batch.generation == smallest[flight.batch.table_name]:
                self._post(flight)

    def _hurry_once(self) -> None:
        if self._deadline < math.inf and not self._hurried:
            self._hurried = True
            # Said here, for a handler that writes to a log might interrupt one that does.
            logger.info(
                "A signal asks to end: what is held is delivered, for at most %.0f s. "
                "A second one stops at once.",
                self._deadline - time.monotonic(),
            )
            for attempts in self._all_attempts():
                attempts.hurry()

    def _post(self, flight: _Flight) -> None:
        while self._limit.would_refuse(flight.parts[0]):
            flight.parts[:1] = halves(flight.parts[0])
        body = flight.parts[0].body
        self._posters.start(flight.batch.number, methodcaller("post_batch", body))
        flight.attempts.begin()

    # What came of it

    def _take_in(self) -> None:
        for key, error in self._posters.outcomes():
            if key == _STATUS:
                self._take_status(error)
                continue
            flight = self._held[key]
            flight.attempts.on_wire = False
            if error is None:
                self._go_on(flight, [])
            elif not self._stopping:
                try:
                    self._answer(flight, error)
                except Exception as failure:  # noqa: BLE001 - the first of any kind is raised
                    self._fail(flight.parts[0], failure)

    def _answer(self, flight: _Flight, error: Exception) -> None:
        """Do what an answer that is no success asks for, or raise why nothing helps."""
        part = flight.parts[0]
        if isinstance(error, TransientError):
            self._plan(flight.attempts, str(part), error)
        elif isinstance(error, TooLargeError):
            self._limit.refused(part)
            if part.rows == 1:
                self._refuse(flight, 0, error)
                return
            limit = f"{self._limit.max_bytes:,}"
            logger.warning("%s: %s. Split; later ones stay below %s bytes.", part, error, limit)
            self._go_on(flight, halves(part))
        elif isinstance(error, RejectedRecordError):
            self._refuse(flight, error.index, error)
        else:
            raise error

    def _refuse(self, flight: _Flight, index: int, error: RejectedError) -> None:
        """Set a record aside, and send the rest; or raise which record it is."""
        part = flight.parts[0]
        if self._set_aside is None:
            raise RejectedError(f"{error}{name_record(part, index)}") from error
        self._set_aside(part, index, str(error))
        self._go_on(flight, without(part, index))

    def _plan(self, attempts: Attempts, what: str, error: TransientError) -> None:
        seconds = attempts.failed(error, self._deadline)
        logger.warning(
            "Try %d of %s did not succeed: %s. Next try in %.1f s; batches held meanwhile: %d.",
            attempts.count,
            what,
            error,
            seconds,
            self.held,
        )

    def _go_on(self, flight: _Flight, parts: list[Batch]) -> None:
        """Put ``parts`` in the place of the first; a batch of which none is left is safe."""
        flight.parts[:1] = parts
        flight.attempts = self._attempts()
        if not flight.parts:
            number = flight.batch.number
            del self._held[number]
            self._acknowledged(number)

    def _take_status(self, error: Exception | None) -> None:
        status, self._status = self._status, None
        if status is not None and isinstance(error, TransientError):
            status.on_wire = False
            self._status = status
            try:
                self._plan(status, "the status check", error)
            except TransientError as spent:
                self._fail("what is held", spent)
            return
        if error is not None:
            logger.warning(
                "It can't be told if the Import API is up (%s); the posts decide.", error
            )

    def _fail(self, what: object, error: Exception) -> None:
        self._stopping = True
        if self._failure is None:
            self._failure = DeliveryError(f"{what} could not be delivered: {error}")
            self._failure.__cause__ = error

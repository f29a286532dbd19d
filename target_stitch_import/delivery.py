"""Batches in flight: backpressure, barriers, first failure wins.

The thread that reads owns everything but the posts themselves: it hands sealed batches over, and
takes each outcome back. So a wait between two tries is no thread that sleeps but a moment to come
back at. Knows numbers, tables and generations of batches; nothing of what is in them, or of what an
answer asks for.
"""

from __future__ import annotations

import logging
import math
import time
from operator import methodcaller
from typing import TYPE_CHECKING, Final

from target_stitch_import.errors import DeliveryError, TransientError
from target_stitch_import.flight import Flight, say_wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.batch import Batch
    from target_stitch_import.flight import Rules
    from target_stitch_import.posting import Posters
    from target_stitch_import.retries import Attempts

__all__ = ["READY", "Delivery"]

logger = logging.getLogger("target-stitch-import")

READY: Final = 2
"""Batches that wait for the next place, so that none is empty while another batch fills."""

_STATUS: Final = 0  # the key of the status check; batches are numbered from 1


class Delivery:
    """Holds sealed batches until they are acknowledged, ``parallel`` of them on the wire."""

    def __init__(
        self,
        posters: Posters,
        acknowledged: Callable[[int], None],
        rules: Rules,
        *,
        parallel: int,
        check_status: bool = False,
    ) -> None:
        """Tell ``acknowledged`` the number of each batch that is safe.

        With ``check_status``, the service is asked first if it is up.
        """
        self._posters = posters
        self._acknowledged = acknowledged
        self._rules = rules
        self._parallel = parallel
        self._status = rules.attempts() if check_status else None
        self._held: dict[int, Flight] = {}
        self._deadline = math.inf
        self._hurried = False
        self._stopping = False
        self._failure: DeliveryError | None = None

    @property
    def held(self) -> int:
        """Batches that are sealed and not acknowledged."""
        return len(self._held)

    def has_unacknowledged(self, table_name: str, generation: int) -> bool:
        """Return True if a batch of a table's generation is sealed and not acknowledged."""
        return any(
            flight.batch.table_name == table_name and flight.batch.generation == generation
            for flight in self._held.values()
        )

    @property
    def patience(self) -> float | None:
        """Seconds until there is something to ``collect`` without any outcome, or None."""
        on_wire = self._on_wire()
        # Without a place, nothing is due but what is on the wire.
        is_full = len(on_wire) >= self._parallel
        return self._until(list(on_wire.values()) if is_full else self._all_attempts())

    def submit(self, batch: Batch) -> None:
        """Take a batch over; wait first, and so slow the tap, while as many as may be are held."""
        while len(self._held) >= self._parallel + READY:
            self.collect(block=True)
        self._held[batch.number] = Flight(batch, self._rules)
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
        while (on_wire := self._on_wire()) and not self._is_late():
            self._posters.wait(self._until(list(on_wire.values())))
            self._take_in()
        self._posters.close()

    # Time

    def _all_attempts(self) -> list[Attempts]:
        status = [self._status] if self._status else []
        return [*status, *(flight.attempts for flight in self._held.values())]

    def _on_wire(self) -> dict[int, Attempts]:
        found = {number: flight.attempts for number, flight in self._held.items()}
        if self._status is not None:
            found[_STATUS] = self._status
        return {key: attempts for key, attempts in found.items() if attempts.on_wire}

    def _until(self, attempts: list[Attempts]) -> float | None:
        moment = min([self._deadline, *(each.due for each in attempts if each.due)])
        return None if moment == math.inf else max(0.0, moment - time.monotonic())

    def _is_late(self) -> bool:
        return time.monotonic() >= self._deadline

    def _hurry_once(self) -> None:
        if self._deadline == math.inf or self._hurried:
            return
        self._hurried = True
        # Said here, for a handler that writes to a log might interrupt one that does.
        logger.info(
            "A signal asks to end: what is held is delivered, for at most %.0f s. "
            "A second one stops at once.",
            self._deadline - time.monotonic(),
        )
        for attempts in self._all_attempts():
            attempts.hurry()

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
        places = self._parallel - len(self._on_wire())
        for flight in self._held.values():
            if flight.attempts.on_wire or flight.attempts.due > now:
                continue
            if places and flight.batch.generation == smallest[flight.batch.table_name]:
                flight.post(self._posters)
                places -= 1

    # What came of it

    def _take_in(self) -> None:
        for key, error in self._posters.outcomes():
            self._take(key, error)
        for key, attempts in self._on_wire().items():
            if attempts.is_overdue:
                self._posters.abandon(key)
                kind = DeliveryError if key == _STATUS else TransientError
                self._take(key, kind("the answer had no end, and was given up"))

    def _take(self, key: int, error: Exception | None) -> None:
        if key == _STATUS:
            self._take_status(error)
            return
        flight = self._held[key]
        if self._stopping and error is not None:
            flight.attempts.on_wire = False
            return
        try:
            is_safe = flight.take(error, self._deadline, self.held)
        except Exception as failure:  # noqa: BLE001 - the first of any kind is raised
            self._fail(flight, failure)
            return
        if is_safe:
            del self._held[key]
            self._acknowledged(key)

    def _take_status(self, error: Exception | None) -> None:
        status, self._status = self._status, None
        if status is not None and isinstance(error, TransientError):
            self._status = status
            try:
                say_wait(status, "the status check", error, self._deadline, self.held)
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

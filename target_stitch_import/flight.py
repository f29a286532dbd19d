"""One batch on its way: its tries, the parts it is split into, records that are left out.

Knows what each answer of the service asks for; nothing of other batches, threads or STATEs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from operator import methodcaller
from typing import TYPE_CHECKING

from target_stitch_import.errors import (
    RejectedError,
    RejectedRecordError,
    TooLargeError,
    TransientError,
    UnidentifiedRecordError,
)
from target_stitch_import.parts import halves, name_record, table_at, without
from target_stitch_import.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.batch import Batch
    from target_stitch_import.body_limit import BodyLimit
    from target_stitch_import.posting import Posters
    from target_stitch_import.retries import Attempts

__all__ = ["Flight", "Rules", "say_wait"]

logger = logging.getLogger("target-stitch-import")


@dataclass(frozen=True)
class Rules:
    """What holds for every batch of a run."""

    attempts: Callable[[], Attempts]
    """Gives each request its retries."""
    limit: BodyLimit
    """Learns from a body that is too large."""
    set_aside: Callable[[Batch, int, str], None] | None = None
    """Takes a record that the service refuses, by its place in a batch, and why.

    Without it, the batch fails.
    """
    progress: Progress = field(default_factory=Progress)
    """Is told what is sent, and what came of it."""


class Flight:
    """A batch on its way, in as many parts as it takes, one after the other."""

    def __init__(self, batch: Batch, rules: Rules) -> None:
        """Begin with the whole batch as the only part."""
        self.batch = batch
        self.attempts = rules.attempts()
        """Of the part that is next."""
        self._parts = [batch]
        self._rules = rules
        self._sealed = rules.progress.clock()

    def __str__(self) -> str:
        """Name the part that is next in a message for people."""
        return str(self._parts[0])

    def post(self, posters: Posters) -> None:
        """Post the next part."""
        while self._rules.limit.would_refuse(self._parts[0]):
            self._parts[:1] = halves(self._parts[0])
        part = self._parts[0]
        posters.start(self.batch.number, methodcaller("post", part.body))
        self._rules.progress.posted(part.contents, again=self.attempts.count > 0)
        self.attempts.begin()

    def take(self, error: Exception | None, deadline: float, held: int) -> bool:
        """Do what an answer asks for; return True if all of the batch is safe.

        What may pass is tried again until ``deadline``; ``held`` is told in the log.

        Raises:
            Exception: Nothing helps.
        """
        self.attempts.on_wire = False
        part = self._parts[0]
        if error is None:
            self._rules.progress.acknowledged(part.contents, len(part.body))
            self._go_on([])
        elif isinstance(error, TransientError):
            say_wait(self.attempts, part, error, deadline, held)
        elif isinstance(error, TooLargeError):
            self._rules.limit.refused(part)
            if part.rows == 1:
                self._refuse(part, 0, error)
            else:
                size = f"{self._rules.limit.max_bytes:,}"
                logger.warning("%s: %s. Split; later ones stay below %s bytes.", part, error, size)
                self._go_on(halves(part))
        elif isinstance(error, RejectedRecordError):
            self._refuse(part, error.index, error)
        elif isinstance(error, UnidentifiedRecordError):
            if part.rows == 1:
                self._refuse(part, 0, error)
            else:  # the half that is refused again has it
                self._go_on(halves(part))
        else:
            raise error
        if self._parts:
            return False
        self._rules.progress.batch_safe(self.batch.contents, self._sealed)
        return True

    def _refuse(self, part: Batch, index: int, error: RejectedError) -> None:
        """Set a record aside, and send the rest; or raise which record it is."""
        if self._rules.set_aside is None:
            raise RejectedError(f"{error}{name_record(part, index)}") from error
        self._rules.set_aside(part, index, str(error))
        self._rules.progress.set_aside(table_at(part, index))
        self._go_on(without(part, index))

    def _go_on(self, parts: list[Batch]) -> None:
        """Put ``parts`` in the place of the one that was answered."""
        self._parts[:1] = parts
        self.attempts = self._rules.attempts()


def say_wait(
    attempts: Attempts, what: object, error: TransientError, deadline: float, held: int
) -> None:
    """Plan the next try of ``what``, and say so.

    Raises:
        TransientError: There is none.
    """
    seconds = attempts.failed(error, deadline)
    logger.warning(
        "Try %d of %s did not succeed: %s. Next try in %.1f s; batches held meanwhile: %d.",
        attempts.count,
        what,
        str(error).rstrip("."),
        seconds,
        held,
    )

"""What goes on beside the reading: batches that grow old, acknowledgements, STATEs, signals.

Ties the open batches, the delivery and the checkpoint together, all in the thread that reads. Knows
the order of things; nothing of messages, or of what is in a batch.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from target_stitch_import.body_limit import BodyLimit
from target_stitch_import.builder import BatchBuilder
from target_stitch_import.checkpoint import Checkpoint
from target_stitch_import.delivery import Delivery
from target_stitch_import.flight import Rules
from target_stitch_import.posting import Posters
from target_stitch_import.progress import Progress

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from target_stitch_import.batch import Batch
    from target_stitch_import.posting import Client
    from target_stitch_import.retries import Attempts

__all__ = ["Pipeline", "StateWriter", "Terminated"]


GRACE_SECONDS: Final = 20.0
"""What a signal leaves to deliver what is held: within the 30 that container platforms give."""


class Terminated(Exception):  # noqa: N818 - it is no error
    """A signal asks to end.

    Attributes:
        exit_code: What a shell expects of a process that ends by this signal.
    """

    def __init__(self, signum: int, *, lost: str = "all that came before it is delivered") -> None:
        super().__init__(f"Ended by signal {signum}: {lost}")
        self.exit_code = 128 + signum


class Pipeline:
    """From sealed batches to written STATEs."""

    def __init__(
        self,
        connect: Callable[[], Client],
        write_state: Callable[[bytes], None],
        *,
        attempts: Callable[[], Attempts],
        max_rows: int,
        max_bytes: int,
        max_age: float,
        parallel: int,
        set_aside: Callable[[Batch, int, str], None] | None = None,
        check_status: bool = False,
    ) -> None:
        """Post over what ``connect`` opens; seal batches after ``max_age`` seconds.

        Bodies have at most ``max_rows`` messages and stay below ``max_bytes``. The rest is as
        ``Rules`` and ``Delivery`` have it.
        """
        self.progress = Progress()
        """What the run has come to so far."""
        self.checkpoint = Checkpoint(write_state)
        limit = BodyLimit(max_bytes)
        self._posters = Posters(connect)
        self.delivery = Delivery(
            self._posters,
            self._acknowledged,
            Rules(attempts, limit, set_aside, self.progress),
            parallel=parallel,
            check_status=check_status,
        )
        self.builder = BatchBuilder(
            self.delivery.submit,
            next_number=self.checkpoint.open_batch,
            limit=limit,
            max_rows=max_rows,
            max_age=max_age,
        )
        self.signum: int | None = None
        """The signal that has asked to end, if one has."""
        self.before_abort: Callable[[], None] = lambda: None
        """Is called, in a signal handler, before the process ends at once."""

    @property
    def wake_fd(self) -> int:
        """Readable when ``tick`` has something to do, until ``woken`` is called."""
        return self._posters.wake_fd

    def woken(self) -> None:
        """Make ``wake_fd`` unreadable; ``tick`` comes next."""
        self._posters.woken()

    def wait(self, descriptor: int | None) -> None:
        """Go on with the delivery until a descriptor is readable; without one, as far as that goes now.

        Raises:
            DeliveryError: A batch can't be delivered.
            Terminated: A signal has asked to end.
        """
        while True:
            timeout = self.tick()
            if descriptor is None:
                return
            readable, _, _ = select.select([descriptor, self.wake_fd], [], [], timeout)
            if descriptor in readable:
                return
            if readable:
                self.woken()

    def tick(self) -> float | None:
        """Take in acknowledgements, seal what is old, try again, write the STATE that may go.

        Return the seconds until there is more to do, None if nothing is to come.

        Raises:
            DeliveryError: A batch can't be delivered.
            Terminated: A signal has asked to end.
        """
        self.delivery.collect()
        left = self.builder.seal_due()
        self.checkpoint.release()
        if self.signum is not None:
            raise Terminated(self.signum)
        moments = [left, self.delivery.patience]
        return min((moment for moment in moments if moment is not None), default=None)

    def finish(self) -> None:
        """Deliver all that is held, and write the last STATE."""
        self.builder.seal_all()
        self.delivery.finish()
        self.checkpoint.release()

    def close(self) -> None:
        """Send nothing more; count what is on the wire, and write the STATE that this allows."""
        self.delivery.close()
        self.checkpoint.release()

    def terminate(self, signum: int) -> None:
        """Ask the reading to end in good order; a second signal ends the process at once."""
        if self.signum is not None:
            self._abort(signum)
        self.signum = signum
        self.delivery.hurry(time.monotonic() + GRACE_SECONDS)
        # Should something hold the process up for longer: a stdout that nobody reads, a disk.
        signal.signal(signal.SIGALRM, lambda *_: self._abort(signum))
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS + 1)

    def _abort(self, signum: int) -> None:
        self.before_abort()
        os._exit(128 + signum)

    def _acknowledged(self, number: int) -> None:
        self.checkpoint.acknowledge(number)
        self.checkpoint.release()


class StateWriter:
    """Writes STATEs to stdout, and goes on without them once nobody reads them any more."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self.lost = False
        """True once a STATE could not be written."""

    def __call__(self, value: bytes) -> None:
        """Write one STATE, as the tap's own bytes."""
        try:
            sys.stdout.buffer.write(value + b"\n")
            sys.stdout.buffer.flush()
        except (OSError, ValueError, AttributeError) as error:
            if not self.lost:
                self._logger.error("stdout is closed (%s); delivery goes on.", error)  # noqa: TRY400
            self.lost = True
            with contextlib.suppress(OSError, ValueError, AttributeError):
                # or the interpreter would fail once more when it flushes at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

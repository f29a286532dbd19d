"""Connects the open batches, the delivery and the checkpoint; handles signals.

All of it runs in the thread that reads the input.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from target_stitch_import.bodies import BodyMemory
from target_stitch_import.body_limit import BodyLimit
from target_stitch_import.checkpoint import Checkpoint
from target_stitch_import.delivery import READY, DeliveryScheduler
from target_stitch_import.filling import Filling
from target_stitch_import.flight import DeliveryOptions
from target_stitch_import.open_batches import OpenBatches
from target_stitch_import.posting import WorkerPool
from target_stitch_import.progress import Metrics

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import TypeAlias

    from target_stitch_import.batch import Batch
    from target_stitch_import.posting import Client
    from target_stitch_import.retries import Retry

    SignalHandler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

__all__ = ["Pipeline", "StateWriter", "Terminated", "restore_signal_handlers"]


GRACE_SECONDS: Final = 20.0
"""Seconds for delivery after a signal: less than the 30 that container platforms give."""


class Terminated(Exception):  # noqa: N818 - it is no error
    """The run ends because of a signal.

    Attributes:
        exit_code: The exit code that a shell expects after this signal.
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
        create_retry: Callable[[], Retry],
        max_rows: int,
        max_bytes: int,
        max_age: float,
        parallel: int,
        shared: bool = False,
        set_aside: Callable[[Batch, int, str], None] | None = None,
        check_status: bool = False,
    ) -> None:
        """Post over the clients that ``connect`` returns; write STATEs with ``write_state``.

        Bodies have at most ``max_rows`` messages and stay below ``max_bytes`` bytes. An open batch is
        sealed after ``max_age`` seconds. With ``shared``, all tables share one batch. The other
        arguments are those of ``DeliveryOptions`` and ``DeliveryScheduler``.
        """
        self.metrics = Metrics()
        """The numbers of the run so far."""
        self.checkpoint = Checkpoint(write_state)
        limit = BodyLimit(max_bytes)
        # The batches in flight, and the one that waits.
        memory = BodyMemory(parallel + READY + 1, max_bytes)
        self.batches = OpenBatches(
            self.checkpoint.open_batch, limit=limit, join=memory.join, max_age=max_age
        )
        self._workers = WorkerPool(connect)
        self.delivery = DeliveryScheduler(
            self._workers,
            self._handle_acknowledged,
            DeliveryOptions(create_retry, limit, set_aside, self.metrics),
            parallel=parallel,
            check_status=check_status,
        )
        self._max_rows = max_rows
        self._shared = self._new_filling() if shared else None
        self.signum: int | None = None
        """The signal that asked the run to end, or None."""
        self.before_abort: Callable[[], None] = lambda: None
        """Called, in a signal handler, before the process ends at once."""
        self._alarm_before: tuple[SignalHandler, tuple[float, float]] | None = None

    @property
    def wake_fd(self) -> int:
        """A file descriptor that is readable when ``tick`` has something to do.

        It stays so until ``clear_wakeup`` is called.
        """
        return self._workers.wake_fd

    def clear_wakeup(self) -> None:
        """Make ``wake_fd`` unreadable; call it before ``tick``."""
        self._workers.clear_wakeup()

    def filling(self) -> Filling:
        """Return where records of a table go: a batch of its own, or the one that all share."""
        return self._shared or self._new_filling()

    def _new_filling(self) -> Filling:
        return Filling(self.batches, self.delivery.submit, max_rows=self._max_rows)

    def tick(self) -> float | None:
        """Handle acknowledgements, seal old batches, start retries, write the STATE that may go.

        Return the seconds until there is more to do; None if only ``wake_fd`` can tell.

        Raises:
            DeliveryError: A batch can't be delivered.
            Terminated: A signal has asked the run to end.
        """
        self.delivery.collect()
        seconds_to_seal = self.batches.seal_some()
        self.checkpoint.release()
        if self.signum is not None:
            raise Terminated(self.signum)
        waits = [seconds_to_seal, self.delivery.seconds_to_next]
        return min((seconds for seconds in waits if seconds is not None), default=None)

    def finish(self) -> None:
        """Deliver every batch, and write the last STATE.

        Raises:
            DeliveryError: A batch can't be delivered.
        """
        self.batches.seal_all()
        self.delivery.finish()
        self.checkpoint.release()

    def close(self) -> None:
        """Post nothing more; wait for the posts in flight, and write the STATE that they allow."""
        self.delivery.close()
        self.checkpoint.release()

    def terminate(self, signum: int) -> None:
        """Ask the run to end after a signal; a second signal ends the process at once.

        What is read is delivered for at most ``GRACE_SECONDS``. An alarm ends the process shortly
        after that, until ``cancel_alarm`` is called.
        """
        if self.signum is not None:
            self._abort(signum)
        self.signum = signum
        self.delivery.set_deadline(time.monotonic() + GRACE_SECONDS)
        # In case something blocks for longer: a stdout that nobody reads, a disk.
        handler = signal.signal(signal.SIGALRM, lambda *_: self._abort(signum))
        timer = signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS + 1)
        self._alarm_before = handler, timer

    def cancel_alarm(self) -> None:
        """Take back the alarm of ``terminate``, which ends the process should it not end by itself.

        The process may go on after the run: another program may use the target as a library.
        """
        if self._alarm_before is None:
            return
        (handler, timer), self._alarm_before = self._alarm_before, None
        signal.setitimer(signal.ITIMER_REAL, 0)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, *timer)

    def _abort(self, signum: int) -> None:
        self.before_abort()
        os._exit(128 + signum)

    def _handle_acknowledged(self, number: int) -> None:
        self.checkpoint.acknowledge(number)
        self.checkpoint.release()


def restore_signal_handlers(
    ours: SignalHandler, before: Mapping[signal.Signals, SignalHandler]
) -> None:
    """Set the handlers again that signals had ``before``, where they have ``ours`` now.

    Only the main thread may change handlers; another one leaves them as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for signum, handler in before.items():
        if signal.getsignal(signum) == ours:
            signal.signal(signum, handler or signal.SIG_DFL)


class StateWriter:
    """Writes STATEs to stdout, and drops them once stdout is closed."""

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
                # or the interpreter's last flush would fail, too
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

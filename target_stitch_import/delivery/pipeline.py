"""Connects the open batches, the delivery and the checkpoint; handles signals.

All of it runs in the thread that reads the input.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Final, TypeAlias

from target_stitch_import.batches.builder import BatchBuilder
from target_stitch_import.delivery.checkpoint import Checkpoint
from target_stitch_import.delivery.retry import Startup
from target_stitch_import.delivery.scheduler import DeliveryScheduler
from target_stitch_import.delivery.task import DeliveryOptions
from target_stitch_import.delivery.workers import Client, WorkerPool
from target_stitch_import.reporting.log_format import log_at_once

if TYPE_CHECKING:
    from target_stitch_import.unchanged.rows import UnchangedRows

    SignalHandler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

GRACE_SECONDS: Final = 20.0
"""Seconds for delivery after a signal: less than the 30 that container platforms give."""

REPEAT_SECONDS: Final = 2.0
"""Seconds after a signal from which on the same one again ends the process at once."""


class Terminated(Exception):  # noqa: N818 - it is no error
    """The run ends because of a signal; ``exit_code`` is what a shell expects after it."""

    retryable = True

    def __init__(self, signum: int, *, lost: str = "all that came before it is delivered") -> None:
        super().__init__(f"Ended by signal {signum}: {lost.rstrip('.')}.")
        self.exit_code = 128 + signum


class Pipeline:
    """From sealed batches to written STATEs."""

    def __init__(
        self,
        connect: Callable[[], Client],
        write_state: Callable[[bytes], None],
        options: DeliveryOptions,
        *,
        max_rows: int,
        max_age: float,
        parallel: int,
        check_status: bool,
        startup: Startup,
        unchanged: UnchangedRows | None = None,
    ) -> None:
        """Post over the clients that ``connect`` returns; write STATEs with ``write_state``.

        Bodies have at most ``max_rows`` messages. An open batch is sealed after ``max_age`` seconds.
        ``unchanged`` remembers rows. The other arguments are those of ``DeliveryScheduler``.
        """
        self.metrics = options.metrics
        self.preview = options.preview
        self.unchanged = unchanged
        self.checkpoint = Checkpoint(write_state)
        self._workers = WorkerPool(connect)
        self.delivery = DeliveryScheduler(
            self._workers,
            self._handle_acknowledged,
            options,
            parallel=parallel,
            check_status=check_status,
            startup=startup,
            before_post=unchanged.before_post if unchanged else lambda _: None,
        )
        self.builder = BatchBuilder(
            self.delivery.submit, self.checkpoint.open_batch, options.body_limit, max_rows, max_age
        )
        self.signum: int | None = None  # the signal that asked the run to end, or None
        self._signalled_at = 0.0
        self.before_abort: Callable[[], None] = lambda: None
        """Called, in a signal handler, before the process ends at once."""
        self._alarm_before: tuple[SignalHandler, tuple[float, float]] | None = None

    def wait(self, descriptor: int | None) -> None:
        """Go on with the delivery until a descriptor is readable; without one, as far as that goes now.

        Raise ``DeliveryError`` if a batch can't be delivered, ``Terminated`` if a signal asks to end.
        """
        while True:
            self.delivery.collect()
            seconds_to_seal = self.builder.seal_due()
            self.checkpoint.release()
            if self.signum is not None:
                raise Terminated(self.signum)
            if descriptor is None:
                return
            waits = [seconds_to_seal, self.delivery.seconds_to_next]
            timeout = min((seconds for seconds in waits if seconds is not None), default=None)
            readable, _, _ = select.select([descriptor, self._workers.wake_fd], [], [], timeout)
            if descriptor in readable:
                return
            if readable:
                self._workers.clear_wakeup()

    def finish(self) -> None:
        """Deliver every batch, and write the last STATE; raise ``DeliveryError`` if that fails."""
        self.builder.seal_all()
        self.delivery.finish()
        self.checkpoint.release()

    def close(self) -> None:
        """Post nothing more; wait for the posts in flight, and write the STATE that they allow."""
        self.delivery.close()
        self.checkpoint.release()

    def terminate(self, signum: int) -> None:
        """Ask the run to end after a signal; deliver what is read for at most ``GRACE_SECONDS``.

        The same signal ends the process at once after ``REPEAT_SECONDS``. What comes earlier, or is
        another signal, belongs to the first: Meltano sends SIGTERM right after the terminal's SIGINT.
        Shortly after ``GRACE_SECONDS`` an alarm ends the process, until ``cancel_alarm`` is called.
        """
        now = time.monotonic()
        if self.signum is not None:
            if signum == self.signum and now >= self._signalled_at + REPEAT_SECONDS:
                self._abort(signum)
            return
        self.signum, self._signalled_at = signum, now
        self._workers.wake_on_signals()
        self.delivery.set_deadline(now + GRACE_SECONDS)
        # In case something blocks for longer: a stdout that nobody reads, a disk.
        handler = signal.signal(signal.SIGALRM, lambda *_: self._abort(signum))
        timer = signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS + 1)
        self._alarm_before = handler, timer

    def cancel_alarm(self) -> None:
        """Take back the alarm of ``terminate``: a program that uses the target as a library goes on."""
        if self._alarm_before is None:
            return
        (handler, timer), self._alarm_before = self._alarm_before, None
        signal.setitimer(signal.ITIMER_REAL, 0)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, *timer)

    def _abort(self, signum: int) -> None:
        text = (
            f"Stopped at once after signal {signum}, before all was delivered. What the service has "
            "not acknowledged comes again: run it again from the last STATE."
        )
        try:
            self.before_abort()
            log_at_once(text, event_name="run_failed", reason=text, retryable=True)
        finally:
            os._exit(128 + signum)

    def _handle_acknowledged(self, number: int) -> None:
        if self.unchanged is not None:
            self.unchanged.acknowledge(number)
        self.checkpoint.acknowledge(number)
        self.checkpoint.release()


def restore_signal_handlers(
    ours: SignalHandler, before: Mapping[signal.Signals, SignalHandler]
) -> None:
    """Set the handlers again that signals had ``before``, where they have ``ours`` now."""
    if threading.current_thread() is threading.main_thread():  # no other may
        for signum, handler in before.items():
            if signal.getsignal(signum) == ours:
                signal.signal(signum, handler or signal.SIG_DFL)


class StateWriter:
    """Writes STATEs to stdout, and drops them once that has failed."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self.failure: Exception | None = None  # why a STATE could not be written

    def __call__(self, value: bytes) -> None:
        """Write one STATE, as the tap's own bytes."""
        try:
            _write_line(value + b"\n")
        except (OSError, ValueError, AttributeError) as error:
            if self.failure is None:
                text = "A STATE can't be written to stdout (%s); delivery goes on."
                self._logger.error(text, error)  # noqa: TRY400
                self.failure = error
            with contextlib.suppress(OSError, ValueError, AttributeError):
                # or the interpreter's last flush would fail, too
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_line(line: bytes) -> None:
    """Write a line to stdout; if that fails in its midst, and stdout is a file, none of it stays.

    Whoever starts the next run takes the last line for the STATE.
    """
    sys.stdout.flush()
    # without a buffer: so it is known how much is written
    raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
    written = 0
    try:
        while written < len(line):
            if (count := raw.write(line[written:])) is None:  # it is full, and does not block
                select.select([], [raw], [])
            written += count or 0
    except OSError:
        with contextlib.suppress(OSError):  # it is no file
            end = os.lseek(raw.fileno(), 0, os.SEEK_CUR)
            if end == os.fstat(raw.fileno()).st_size:  # nobody else has written behind it
                os.ftruncate(raw.fileno(), end - written)
        raise

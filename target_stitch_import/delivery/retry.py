"""When a request is tried again, and until when.

The waits grow exponentially, with full jitter; a longer ``Retry-After`` is honoured. All attempts lie
within a budget of seconds that begins with the first failure. Until the service has answered once,
all requests together have a budget of their own: so a wrong address fails after a minute.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import backoff

from target_stitch_import.errors import DeliveryError, TransientError
from target_stitch_import.text import counted

logger = logging.getLogger("target-stitch-import")

MAX_WAIT: Final = 60.0
"""Seconds that the wait between two attempts grows to; a ``Retry-After`` may ask for more."""

MAX_WAIT_BEFORE_DEADLINE: Final = 1.0
"""Seconds between two attempts once there is a deadline, whatever a ``Retry-After`` asks for."""

REPEAT_SECONDS: Final = 60.0  # seconds for which failures with the same reason are not logged again

_ADVICE: Final = (
    "Is the setting api_url right, is the network up, and the proxy, if HTTPS_PROXY names one? If it "
    "is the emulator's address, is it running?"
)


class RetryLog:
    """Logs failed attempts: in an outage those with the same reason once a minute, else at DEBUG."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}

    def __call__(self, text: str, now: float, fields: Mapping[str, Any]) -> None:
        """Log a ``text`` with the fields of its event, at a time in seconds."""
        reason = fields["reason"]
        is_new = now - self._logged.get(reason, -math.inf) >= REPEAT_SECONDS
        if is_new:
            self._logged[reason] = now
        logger.log(logging.WARNING if is_new else logging.DEBUG, "%s", text, extra=fields)

    def end_outage(self) -> None:
        """Log the next failure, whatever its reason is: an attempt has succeeded."""
        self._logged.clear()


@dataclass(eq=False)
class Retry:
    """Plans the attempts of one request; the caller waits, as a signal may wake it."""

    budget: float  # seconds after the first failure in which it is tried again
    timeout: float  # seconds that one attempt may last
    clock: Callable[[], float] = time.monotonic  # returns seconds
    log: RetryLog = field(default_factory=RetryLog)  # those that share it repeat no reason
    attempts: int = field(default=0, init=False)
    in_flight: bool = field(default=False, init=False)  # true while an attempt waits for its answer
    next_at: float = field(default=0.0, init=False)
    """By the clock, when the next attempt may start or this one times out; at first 0."""
    _first_failure: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._waits = backoff.expo(max_value=MAX_WAIT)
        next(self._waits)  # the generator's first value is no wait

    def start_attempt(self) -> None:
        """Count an attempt that starts now."""
        self.attempts += 1
        self.in_flight = True
        self.next_at = self.clock() + self.timeout

    @property
    def timed_out(self) -> bool:
        """True if an attempt is in flight for longer than it may last."""
        return self.in_flight and self.clock() >= self.next_at

    def schedule(
        self, error: TransientError, request: object, deadline: float, in_flight: int
    ) -> float:
        """Plan the attempt that follows a failed one, and log it; return the seconds until then.

        It starts at the ``deadline`` at the latest, which is a time by the clock. The log names the
        ``request`` and the number of batches in flight. Raise ``TransientError`` if no time is left.
        """
        now = self.clock()
        self.in_flight = False
        if self._first_failure is None:
            self._first_failure = now
        left = min(self._first_failure + self.budget, deadline) - now
        if left <= 0:
            raise TransientError(
                f"given up after {counted(self.attempts, 'attempt')} "
                f"in {now - self._first_failure:,.0f} s; the last ended with: {error}"
            )
        wait = backoff.full_jitter(next(self._waits))
        if deadline == math.inf:
            wait = max(wait, error.retry_after or 0.0)
        else:  # the process is asked to end: try as often as is decent
            wait = min(wait, MAX_WAIT_BEFORE_DEADLINE)
        wait = min(wait, left)
        self.next_at = now + wait
        reason = str(error).rstrip(".")
        text = (
            f"Attempt {self.attempts} of {request} failed: {reason}. Next attempt in {wait:.1f} s; "
            f"batches in flight: {in_flight}."
        )
        fields = {
            "event_name": "retry",
            "stream_name": getattr(request, "table_name", None),
            "status": error.status,
            "reason": reason,
            "retryable": True,
            "attempts": self.attempts,
            "wait_seconds": round(wait, 3),
            "in_flight": in_flight,
        }
        self.log(text, now, fields)
        return wait

    def retry_now(self) -> None:
        """Cut the wait for the next attempt short; one that is in flight goes on."""
        if not self.in_flight:
            self.next_at = min(self.next_at, self.clock())


@dataclass(eq=False)
class Startup:
    """The budget of all requests together, until one of them is answered."""

    seconds: float
    url: str
    deadline: float = field(default=math.inf, init=False)  # in the time of ``begin``
    _has_answered: bool = field(default=False, init=False)
    _last: Exception | None = field(default=None, init=False)

    def begin(self, now: float) -> None:
        """Start the budget with the first request, which is sent now."""
        if not self._has_answered:
            self.deadline = min(self.deadline, now + self.seconds)

    def handle_outcome(self, error: Exception | None) -> None:
        """Note whether a request was answered."""
        if isinstance(error, DeliveryError) and not error.is_answer:
            self._last = error
        else:
            self._has_answered = True
            self.deadline = math.inf

    def give_up(self) -> DeliveryError:
        """Return the error for a budget that is spent."""
        last = f"; the last attempt ended with: {self._last}" if self._last else ""
        return TransientError(
            f"{self.url} has given no answer of the Import API for {self.seconds:,g} s "
            f"(startup_timeout_seconds){last}. {_ADVICE}"
        )

    def explain(self, error: Exception) -> Exception:
        """Return an error with advice on the address, if that has never answered."""
        if self._has_answered or self._last is None or _ADVICE in str(error):
            return error
        text = f"{str(error).rstrip('.')}. {self.url} has never answered. {_ADVICE}"
        return TransientError(text) if isinstance(error, TransientError) else DeliveryError(text)

"""When a request is tried again.

Exponential waits with full jitter, a ``Retry-After`` honoured where it is longer, all within a
budget that begins with the first failure. Knows time; nothing of what is sent or to whom.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

import backoff

from target_stitch_import.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Attempts"]

MAX_WAIT: Final = 60.0
"""Seconds that the exponential wait between two tries grows to; a Retry-After may ask for more."""

MAX_HURRIED_WAIT: Final = 1.0
"""Seconds between two tries while a signal asks to end, whatever a Retry-After asks for."""


class Attempts:
    """The tries of one request.

    The waits are ``backoff``'s. Waiting itself is the caller's, who has more to do meanwhile than
    to sleep, and has to be woken by a signal.
    """

    def __init__(
        self, budget: float, longest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Try again for ``budget`` seconds after the first failure; a try takes ``longest``."""
        self._budget = budget
        self._longest = longest
        self._clock = clock
        self._waits = backoff.expo(max_value=MAX_WAIT)
        next(self._waits)  # the generator's first value is none
        self._first_failure: float | None = None
        self.count = 0
        """Tries so far."""
        self.on_wire = False
        self.due = 0.0
        """When the next try may begin, by the clock; 0 before the first.

        While one is on the wire, when that has lasted too long.
        """

    def begin(self) -> None:
        """Take note that a try begins."""
        self.count += 1
        self.on_wire = True
        self.due = self._clock() + self._longest

    @property
    def is_overdue(self) -> bool:
        """True if a try is on the wire for longer than it may last."""
        return self.on_wire and self._clock() >= self.due

    def failed(self, error: TransientError, until: float = math.inf) -> float:
        """Plan the next try, not later than ``until``; return the seconds to wait for it.

        Raises:
            TransientError: The budget is spent; it says on what.
        """
        now = self._clock()
        self.on_wire = False
        if self._first_failure is None:
            self._first_failure = now
        left = min(self._first_failure + self._budget, until) - now
        if left <= 0:
            tries = "1 try" if self.count == 1 else f"{self.count} tries"
            raise TransientError(
                f"given up after {tries} in {now - self._first_failure:,.0f} s; "
                f"the last ended with: {error}"
            )
        wait = backoff.full_jitter(next(self._waits))
        if until == math.inf:
            wait = max(wait, error.retry_after or 0.0)
        else:  # somebody waits for the end: try as often as is decent
            wait = min(wait, MAX_HURRIED_WAIT)
        wait = min(wait, left)
        self.due = now + wait
        return wait

    def hurry(self) -> None:
        """Let the next try begin at once."""
        if not self.on_wire:
            self.due = min(self.due, self._clock())

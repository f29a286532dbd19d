"""The time until the service has answered once.

A wrong address fails after a minute, and an outage later on may last longer.
"""

from __future__ import annotations

import math
from typing import Final

from target_stitch_import.errors import DeliveryError, TransientError

_ADVICE: Final = "Is the setting api_url right, is the network up? If it is the emulator's address, is it running?"


class Startup:
    """The budget of all requests together, until one of them is answered."""

    def __init__(self, seconds: float, url: str) -> None:
        """Give up after ``seconds`` without an answer; messages name the ``url``."""
        self._seconds = seconds
        self._url = url
        self._has_answered = False
        self._last: Exception | None = None
        self.deadline = math.inf  # when to give up, in the time of ``begin``

    def begin(self, now: float) -> None:
        """Start the budget with the first request, which is sent now."""
        if not self._has_answered:
            self.deadline = min(self.deadline, now + self._seconds)

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
            f"{self._url} has given no answer of the Import API for {self._seconds:,g} s "
            f"(startup_timeout_seconds){last}. {_ADVICE}"
        )

    def explain(self, error: Exception) -> Exception:
        """Return an error with advice on the address, if that has never answered."""
        if self._has_answered or self._last is None or _ADVICE in str(error):
            return error
        text = f"{str(error).rstrip('.')}. {self._url} has never answered. {_ADVICE}"
        return TransientError(text) if isinstance(error, TransientError) else DeliveryError(text)

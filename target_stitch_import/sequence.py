"""Times of records -> strictly increasing sequences, per table.

Knows the rules of a sequence (Import API reference, section Sequence); nothing of how a time is
written, of messages, batches or settings.
"""

from __future__ import annotations

import time
from itertools import repeat
from operator import lt
from typing import TYPE_CHECKING, Final

from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.times import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_stitch_import.times import Moments

__all__ = ["MAX_AHEAD_NS", "ArrivalSequencer", "Sequencer"]

MAX_AHEAD_NS: Final = 5 * 60 * SECOND_NS
"""A time further ahead of this machine's clock is held to the clock."""


class Sequencer:
    """The sequences of one table: Unix nanoseconds, strictly increasing.

    Of two versions of a key the later one in the stream has the greater sequence, so it wins,
    whatever the clocks say and in whatever order the batches arrive.
    """

    def __init__(self) -> None:
        self._last = 0
        self.held_to_clock = False
        """True once a time was more than five minutes ahead of this machine's clock."""

    def next(self, time_ns: int | None = None) -> int:
        """Return the sequence for a record of this time (Unix ns; None: the time of receipt).

        A time before 1970, such as the zero time of many languages, is taken for none: with its
        sequence the service would drop every update of a row that is there, without a word.
        """
        now = time.time_ns()
        if time_ns is None or time_ns <= 0:
            time_ns = now
        elif time_ns > now + MAX_AHEAD_NS:
            self.held_to_clock = True
            time_ns = now
        self._last = time_ns if time_ns > self._last else self._last + 1
        return self._last

    def next_many(self, moments: Moments | None, count: int) -> Moments:
        """Return the sequences of several records, as ``next`` does each."""
        now = time.time_ns()
        times: Iterable[int] = repeat(now, count)
        if moments is not None:
            latest = int(moments[-1])
            if (
                int(moments[0]) > self._last
                and latest <= now + MAX_AHEAD_NS
                and all(map(lt, moments, moments[1:]))
            ):
                self._last = latest
                return moments
            times = [int(moment) for moment in moments]
            if min(times) <= 0 or max(times) > now + MAX_AHEAD_NS:
                return [self.next(time_ns) for time_ns in times]
        found = []
        last = self._last
        for time_ns in times:
            last = time_ns if time_ns > last else last + 1
            found.append(last)
        self._last = last
        return found

    def held_to_the_clock(self, time_ns: int) -> int:
        """Return a time, or this machine's where it is too far ahead of it (Unix ns)."""
        now = time.time_ns()
        if time_ns <= now + MAX_AHEAD_NS:
            return time_ns
        self.held_to_clock = True
        return now

    def next_own(self, own: int) -> int:
        """Return the sequence for a record that brings its own; 0 if it brings none."""
        self._last = own if own > self._last else self._last + 1
        return self._last

    def ahead(self) -> int:
        """Return a sequence that is greater than any so far, and counts for no record."""
        return min(max(self._last + 1, time.time_ns()), MAX_SEQUENCE)


class ArrivalSequencer(Sequencer):
    """The sequences of one table by the time of receipt, whatever times its records have."""

    def next(self, time_ns: int | None = None) -> int:  # noqa: ARG002 - the general signature
        """Return the sequence for a record that is here now."""
        return super().next()

    def next_many(self, moments: Moments | None, count: int) -> Moments:  # noqa: ARG002
        """Return the sequences of several records that are here now."""
        return super().next_many(None, count)

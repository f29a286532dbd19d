"""What a run has come to so far, by stream and together.

A stream here is what is loaded under its name: behind a stream map, the table. Told once a request,
never once a record, by the thread that reads; another thread may look at the numbers meanwhile, and
may find one of them a request ahead of another. Knows numbers and the clock; nothing of batches, or
of how the numbers are shown.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Counts", "Progress", "busiest"]


@dataclass
class Counts:
    """What a stream, or the whole run, has come to."""

    records: int = 0
    """Acknowledged by the service."""
    size: int = 0
    """Bytes of what is acknowledged.

    A body of one stream is all that stream's; of one that streams share, each has its messages.
    """
    requests: int = 0
    """Posts with something of the stream in them, whatever came of them."""
    retries: int = 0
    """Of these, posts of what was posted before."""
    quarantined: int = 0
    """Records that were set aside, by this target or after the service's refusal."""
    began: float | None = None
    """When the first post began, by the clock."""
    ended: float | None = None
    """When the last was acknowledged, by the clock."""

    @property
    def seconds(self) -> float:
        """From the first post to the last acknowledgement."""
        if self.began is None or self.ended is None:
            return 0.0
        return self.ended - self.began

    def plus(self, other: Counts) -> Counts:
        """Return the sum; its time is from the first of both to the last of both."""
        began = [each for each in (self.began, other.began) if each is not None]
        ended = [each for each in (self.ended, other.ended) if each is not None]
        return Counts(
            self.records + other.records,
            self.size + other.size,
            self.requests + other.requests,
            self.retries + other.retries,
            self.quarantined + other.quarantined,
            min(began, default=None),
            max(ended, default=None),
        )


class Progress:
    """The numbers of a run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now; times are in seconds of ``clock``."""
        self.clock = clock
        self.began = clock()
        self.total = Counts()
        """Of the run: a request that streams share counts once, and all of its body."""
        self.states = 0
        """STATEs that were written."""
        self.last_state: float | None = None
        """When the last one was, by the clock."""
        self.on_batch: Callable[[str, float], None] | None = None
        """Is told of each batch that is safe: its stream, and the seconds since it was sealed."""
        self._streams: dict[str, Counts] = {}

    @property
    def streams(self) -> dict[str, Counts]:
        """Each stream's counts, in the order of the tap; a copy, which does not grow."""
        return self._streams.copy()

    def declared(self, stream: str) -> None:
        """Take note of a stream, of which nothing may come."""
        self._of(stream)

    def posted(self, streams: Iterable[str], *, again: bool) -> None:
        """Count a post with something of ``streams``; ``again`` if it was posted before."""
        now = self.clock()
        for counts in (self.total, *map(self._of, streams)):
            counts.requests += 1
            counts.retries += again
            if counts.began is None:
                counts.began = now

    def acknowledged(self, contents: Mapping[str, tuple[int, int]], size: int) -> None:
        """Count a body of ``size`` bytes; ``contents`` has each stream's records and bytes."""
        now = self.clock()
        for stream, (records, its_size) in contents.items():
            counts = self._of(stream)
            counts.records += records
            counts.size += its_size
            counts.ended = now
            self.total.records += records
        self.total.size += size
        self.total.ended = now

    def batch_safe(self, streams: Iterable[str], sealed: float) -> None:
        """Tell of a batch that was sealed then, by the clock."""
        if self.on_batch is not None:
            for stream in streams:
                self.on_batch(stream, self.clock() - sealed)

    def set_aside(self, stream: str) -> None:
        """Count a record that has gone to the quarantine."""
        self._of(stream).quarantined += 1
        self.total.quarantined += 1

    def state_written(self) -> None:
        """Count a STATE."""
        self.states += 1
        self.last_state = self.clock()

    def _of(self, stream: str) -> Counts:
        counts = self._streams.get(stream)
        if counts is None:
            counts = self._streams[stream] = Counts()
        return counts


def busiest(
    streams: dict[str, Counts], most: int, by: Callable[[Counts], Any]
) -> tuple[dict[str, Counts], Counts]:
    """Return the first ``most`` streams ``by`` something, in their order, and the sum of the rest."""
    if len(streams) <= most:
        return streams, Counts()
    chosen = set(sorted(streams, key=lambda name: by(streams[name]), reverse=True)[:most])
    rest = Counts()
    for name, counts in streams.items():
        if name not in chosen:
            rest = rest.plus(counts)
    return {name: counts for name, counts in streams.items() if name in chosen}, rest

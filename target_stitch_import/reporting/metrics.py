"""Counts what a run has done so far: by stream, and together.

A stream here is a table: a stream map may rename it. Only the thread that reads the input counts.
Another thread may read the numbers meanwhile; one of them may then be a request ahead of another.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

RATE_SECONDS: Final = 30.0  # that the rate is taken over: records are acknowledged in bursts
MAX_COLUMNS: Final = 100  # columns of a stream that are counted by name: an object may have any

_NUMBERS: Final = ("records", "requests", "retries", "quarantined", "unchanged")


@dataclass
class StreamCounts:
    """The numbers of a stream, or of the whole run."""

    records: int = 0  # acknowledged by the service
    size: int = 0  # bytes acknowledged; of a body that streams share, each has its messages
    requests: int = 0  # posts with something of the stream in them, whatever the answer was
    retries: int = 0  # posts, among these, of a body that was posted before
    quarantined: int = 0  # records set aside, by this target or after the service's refusal
    unchanged: int = 0  # records that were not sent, as Stitch has their rows
    # Date-times that are not sent in the form that the tap wrote: by column; of a run, by stream.
    normalized: Counter[str] = field(default_factory=Counter)
    sub_rows: int = 0  # rows of subtables that the destination makes of what is acknowledged
    began: float | None = None  # when the first post began, by the clock
    ended: float | None = None  # when the last post was acknowledged, by the clock

    @property
    def billed_rows(self) -> int:
        """Rows that Stitch bills."""
        return self.records + self.sub_rows

    @property
    def seconds(self) -> float:
        """Seconds from the first post to the last acknowledgement."""
        return 0.0 if self.began is None or self.ended is None else self.ended - self.began

    def fields(self) -> dict[str, Any]:
        """Return the numbers as fields of a log event."""
        counts = {name: getattr(self, name) for name in (*_NUMBERS, "billed_rows", "sub_rows")}
        return {**counts, "bytes": self.size, "normalized": self.normalized.total()}

    def plus(self, other: StreamCounts) -> StreamCounts:
        """Return the sum; its time is from the first post of both to the last of both."""
        names = (*_NUMBERS, "size", "sub_rows")
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        # Copies, as the reading thread may add a column meanwhile.
        normalized = self.normalized.copy() + other.normalized.copy()
        began = [each for each in (self.began, other.began) if each is not None]
        ended = [each for each in (self.ended, other.ended) if each is not None]
        times = min(began, default=None), max(ended, default=None)
        return StreamCounts(**sums, normalized=normalized, began=times[0], ended=times[1])


class Metrics:
    """The numbers of a run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the run now; ``clock`` returns seconds."""
        self.clock = clock
        self.began = clock()
        self.total = StreamCounts()  # a request that streams share counts once
        self.in_flight = 0  # batches that are sealed and not acknowledged
        self.states = 0  # STATEs that were written
        self.last_state: float | None = None  # when the last STATE was written, by the clock
        # Called for each acknowledged batch, with its stream and the seconds since it was sealed.
        self.on_batch: Callable[[str, float], None] | None = None
        self._streams: dict[str, StreamCounts] = {}
        self._samples = deque([(self.began, 0)])

    @property
    def streams(self) -> dict[str, StreamCounts]:
        """The numbers of each stream, in the order of the tap; a copy, which does not grow."""
        return self._streams.copy()

    def add_stream(self, stream: str) -> None:
        """Show a stream, also if no record of it comes."""
        self._counts(stream)

    def request_sent(self, streams: Iterable[str], *, is_retry: bool) -> None:
        """Count a post with something of ``streams``."""
        now = self.clock()
        for counts in (self.total, *map(self._counts, streams)):
            counts.requests += 1
            counts.retries += is_retry
            if counts.began is None:
                counts.began = now

    def acknowledged(self, contents: Mapping[str, tuple[int, int]], size: int) -> None:
        """Count a body of ``size`` bytes; ``contents`` has each stream's records and bytes."""
        now = self.clock()
        for stream, (records, stream_size) in contents.items():
            counts = self._counts(stream)
            counts.records += records
            counts.size += stream_size
            counts.ended = now
            self.total.records += records
        self.total.size += size
        self.total.ended = now

    def batch_acknowledged(self, streams: Iterable[str], sealed_at: float) -> None:
        """Pass a whole batch on to ``on_batch``; it was sealed at a time by the clock."""
        if self.on_batch is not None:
            for stream in streams:
                self.on_batch(stream, self.clock() - sealed_at)

    def set_aside(self, stream: str) -> None:
        """Count a record that was set aside in the quarantine."""
        self._counts(stream).quarantined += 1
        self.total.quarantined += 1

    def add_unchanged(self, stream: str, records: int) -> None:
        """Count records that are not sent, as their rows have not changed."""
        self._counts(stream).unchanged += records
        self.total.unchanged += records

    def add_normalized(self, stream: str, columns: Mapping[str, int]) -> None:
        """Count date-times of some columns that are not sent in the form that the tap wrote."""
        counted = self._counts(stream).normalized
        for column, values in columns.items():
            is_shown = column in counted or len(counted) < MAX_COLUMNS
            counted[column if is_shown else "others"] += values
            self.total.normalized[stream] += values

    def add_sub_rows(self, sub_rows: Mapping[str, int]) -> None:
        """Count rows of subtables, by stream."""
        for stream, rows in sub_rows.items():
            self._counts(stream).sub_rows += rows
            self.total.sub_rows += rows

    def state_written(self) -> None:
        """Count a STATE."""
        self.states += 1
        self.last_state = self.clock()

    def rate(self) -> float:
        """Return the records a second over about the last half minute; for the thread that reports."""
        now, records = self.clock(), self.total.records
        self._samples.append((now, records))
        while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_SECONDS:  # noqa: PLR2004
            self._samples.popleft()
        then, before = self._samples[0]
        return (records - before) / max(now - then, 1e-3)

    def _counts(self, stream: str) -> StreamCounts:
        return self._streams.setdefault(stream, StreamCounts())


def top_streams(
    streams: dict[str, StreamCounts], most: int, key: Callable[[StreamCounts], Any]
) -> tuple[dict[str, StreamCounts], StreamCounts]:
    """Return the ``most`` streams with the greatest ``key``, in their order, and the others' sum."""
    chosen = set(sorted(streams, key=lambda name: key(streams[name]), reverse=True)[:most])
    rest = StreamCounts()
    for name, counts in streams.items():
        if name not in chosen:
            rest = rest.plus(counts)
    return {name: counts for name, counts in streams.items() if name in chosen}, rest

"""How far a run is, told while it goes on, and what it has come to, told at its end.

On a terminal there is a table that lives; elsewhere a line in the log now and then, by a thread of
its own, so that it also comes while the tap is quiet or the service slow. Each line has its numbers
as fields, too, for a formatter that writes JSON. Knows the numbers and the log; how a table is drawn
is the business of ``display``, which is loaded only where there is a terminal to draw on.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from singer_sdk.metrics import Metric, Point, Status, Tag, Timer, log

from target_stitch_import.progress import busiest
from target_stitch_import.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from target_stitch_import.pipeline import Pipeline
    from target_stitch_import.progress import Counts, Progress

__all__ = ["Rate", "Telling"]

LOG_SECONDS: Final = 30.0
"""Between two lines in the log."""

DRAW_SECONDS: Final = 0.5
"""Between two pictures on a terminal."""

MOST_TOLD: Final = 100
"""Streams that have an event of their own at the end; the others share one."""

RATE_SECONDS: Final = 30.0
"""What the rate is taken over: the last batches of each stream, for they come in bursts."""


class Telling:
    """Tells of a run as long as it is entered, and of its end."""

    def __init__(self, pipeline: Pipeline, logger: logging.Logger, *, quiet: bool = False) -> None:
        """Tell of a ``pipeline`` through a ``logger``, unless that lets no INFO pass, or ``quiet``."""
        self._pipeline = pipeline
        self._progress = pipeline.progress
        self._logger = logger
        self._is_on = logger.isEnabledFor(logging.INFO) and not quiet
        self._rate = Rate(self._progress)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._end: Callable[[], None] = lambda: None
        if not _is_terminal():  # a line for each batch would drive all else off the screen
            self._progress.on_batch = _time_batch

    def __enter__(self) -> None:
        """Begin."""
        if not self._is_on:
            return
        tell, seconds = self._tell, LOG_SECONDS
        if _is_terminal():
            from target_stitch_import.display import Display  # noqa: PLC0415 - takes its time

            display = Display(sys.stderr, self._progress, self._rate, self._held)
            display.begin()
            self._pipeline.before_abort = display.abort
            tell, seconds, self._end = display.draw, DRAW_SECONDS, display.end

        def go_on() -> None:
            while not self._over.wait(seconds):
                tell()

        self._thread = threading.Thread(target=go_on, name="progress", daemon=True)
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, and say what the run has come to."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._end()
        failed = "failed" if error else "completed"
        self._sum_up("ended by a signal" if self._pipeline.signum is not None else failed)

    def _held(self) -> int:
        return self._pipeline.delivery.held

    def _tell(self) -> None:
        """Say how far the run is."""
        progress, now = self._progress, self._progress.clock()
        rate, held, last = self._rate.now(), self._held(), progress.last_state
        ago = None if last is None else now - last
        state = "no STATE yet" if ago is None else f"STATE {progress.states:,} ({ago:,.0f} s ago)"
        fields = {
            **_fields(progress.total, now - progress.began),
            "records_per_second": round(rate, 1),
            "in_flight": held,
            "states": progress.states,
            "seconds_since_state": None if ago is None else round(ago, 3),
        }
        told = f"{_told(progress.total)}, {counted(held, 'batch', 'batches')} in flight, {rate:,.0f} records/s, {state}"
        self._log(f"Progress: {told}.", "progress", fields)

    def _sum_up(self, outcome: str) -> None:
        """Say what each stream has come to, and all together."""
        progress = self._progress
        streams = progress.streams
        told, rest = busiest(streams, MOST_TOLD, lambda counts: (counts.quarantined, counts.size))
        for name, counts in told.items():
            fields = {"stream_name": name, **_fields(counts, counts.seconds)}
            text = f"{_told(counts)}, {counts.seconds:,.1f} s"
            self._log(f"Stream {name!r}: {text}.", "stream_summary", fields)
        others = len(streams) - len(told)
        if others:
            fields = {"streams": others, **_fields(rest, rest.seconds)}
            text = f"{_told(rest)}, {rest.seconds:,.1f} s"
            self._log(f"{counted(others, 'other stream')}: {text}.", "other_streams", fields)
        seconds = progress.clock() - progress.began
        fields = {
            "outcome": outcome,
            "streams": len(streams),
            **_fields(progress.total, seconds),
            "states": progress.states,
        }
        text = f"{counted(len(streams), 'stream')}, {_told(progress.total)}"
        text = f"{text}, {counted(progress.states, 'STATE')}, {seconds:,.1f} s"
        self._log(f"Run {outcome}: {text}.", "run_summary", fields)

    def _log(self, text: str, event: str, fields: dict[str, Any]) -> None:
        self._logger.info("%s", text, extra={"event_name": event, **fields})


def _time_batch(stream: str, seconds: float) -> None:
    """Emit the SDK's metric of a batch, as its own targets do."""
    tags = {Tag.STREAM: stream, Tag.STATUS: Status.SUCCEEDED}
    timer = Timer(Metric.BATCH_PROCESSING_TIME, tags)
    log(timer.logger, Point("timer", timer.metric, round(seconds, 6), timer.tags))


class Rate:
    """Records a second, as of lately."""

    def __init__(self, progress: Progress) -> None:
        """Begin with none."""
        self._progress = progress
        self._seen = deque([(progress.began, 0)])

    def now(self) -> float:
        """Return the rate over about the last half minute, or since the beginning."""
        now, records = self._progress.clock(), self._progress.total.records
        self._seen.append((now, records))
        while len(self._seen) > 2 and self._seen[1][0] <= now - RATE_SECONDS:  # noqa: PLR2004
            self._seen.popleft()
        then, before = self._seen[0]
        return (records - before) / max(now - then, 1e-3)


def _is_terminal() -> bool:
    """Return True if a table can live on stderr."""
    is_dumb = os.environ.get("TERM", "dumb").lower() in ("", "dumb", "unknown")
    return not is_dumb and sys.stderr is not None and sys.stderr.isatty()


def _fields(counts: Counts, seconds: float) -> dict[str, Any]:
    return {
        "records": counts.records,
        "bytes": counts.size,
        "requests": counts.requests,
        "retries": counts.retries,
        "quarantined": counts.quarantined,
        "seconds": round(seconds, 3),
    }


def _told(counts: Counts) -> str:
    retries = counted(counts.retries, "retry", "retries")
    return (
        f"{counted(counts.records, 'record')}, {counted(counts.size, 'byte')}, "
        f"{counted(counts.requests, 'request')}, {retries}, {counts.quarantined:,} quarantined"
    )

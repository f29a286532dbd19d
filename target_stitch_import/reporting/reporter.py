"""Reports a run: its progress while it goes on, and a summary at its end.

On a terminal it shows a live table. Elsewhere it logs a line every 30 seconds. A thread of its own
reports while the tap is quiet or the service is slow, too. Each line has its numbers also as fields,
for a formatter that writes JSON.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from singer_sdk.metrics import Metric, Point, Status, Tag, Timer, log

from target_stitch_import.reporting.log_format import is_structured
from target_stitch_import.reporting.metrics import StreamCounts, top_streams
from target_stitch_import.text import counted

if TYPE_CHECKING:
    from target_stitch_import.delivery.pipeline import Pipeline
    from target_stitch_import.reporting.live_table import LiveTable

LOG_SECONDS: Final = 30.0  # between two lines in the log
DRAW_SECONDS: Final = 0.5  # between two drawings of the live table
MAX_SUMMARIES: Final = 100  # streams with a line of their own in the summary; others share one


class Reporter:
    """Reports a run while its ``with`` block lasts, and sums it up at the end."""

    def __init__(
        self,
        pipeline: Pipeline,
        logger: logging.Logger,
        *,
        quiet: bool = False,
        quarantine_path: str | None = None,
    ) -> None:
        """Report the run of a ``pipeline``; ``quarantine_path`` is where records are set aside.

        Nothing is reported if ``logger`` lets no INFO pass, or with ``quiet``.
        """
        self._quarantine_path = quarantine_path
        self._pipeline = pipeline
        self._metrics = pipeline.metrics
        self._logger = logger
        self._is_on = logger.isEnabledFor(logging.INFO) and not quiet
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        self._table: LiveTable | None = None
        if not _is_terminal():  # a line for each batch would push all else off the screen
            self._metrics.on_batch = _log_batch_time

    def __enter__(self) -> None:
        if not self._is_on:
            return
        report, seconds = self._log_progress, LOG_SECONDS
        if _is_terminal():
            from target_stitch_import.reporting.live_table import (  # noqa: PLC0415 - slow to import
                LiveTable,
            )

            self._table = table = LiveTable(sys.stderr, self._metrics)
            table.start()
            self._pipeline.before_abort = table.abort
            report, seconds = table.draw, DRAW_SECONDS

        def repeat() -> None:
            while not self._is_over.wait(seconds):
                report()

        self._thread = threading.Thread(target=repeat, name="progress", daemon=True)
        self._thread.start()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._thread is None:
            return
        self._is_over.set()
        self._thread.join()
        outcome = "failed" if error else "completed"
        if self._pipeline.signum is not None:
            outcome = "ended by a signal"
        if self._table is not None:  # which has the streams
            self._table.stop(completed=outcome == "completed")
        else:
            self._log_streams()
        self._log_run(outcome)

    def _log_progress(self) -> None:
        metrics = self._metrics
        now, rate, in_flight = metrics.clock(), metrics.rate(), metrics.in_flight
        ago = None if metrics.last_state is None else now - metrics.last_state
        state = "no STATE yet" if ago is None else f"STATE {metrics.states:,} ({ago:,.0f} s ago)"
        batches = counted(in_flight, "batch", "batches")
        self._log(
            f"Progress: {_describe(metrics.total)}, {batches} in flight, "
            f"{rate:,.0f} records/s, {state}.",
            "progress",
            metrics.total,
            now - metrics.began,
            records_per_second=round(rate, 1),
            in_flight=in_flight,
            states=metrics.states,
            seconds_since_state=None if ago is None else round(ago, 3),
        )

    def _log_streams(self) -> None:
        streams = self._metrics.streams
        shown, rest = top_streams(
            streams, MAX_SUMMARIES, lambda counts: (counts.quarantined, counts.size)
        )
        for name, counts in shown.items():
            text = f"Stream {name!r}: {_describe(counts)}, {_describe_billed(counts)}."
            if counts.normalized:
                text = f"{text} {_describe_normalized(counts.normalized)}"
            self._log(text, "stream_summary", counts, counts.seconds, stream_name=name)
        if hidden := len(streams) - len(shown):
            text = (
                f"{counted(hidden, 'other stream')}: {_describe(rest)}, {_describe_billed(rest)}."
            )
            self._log(text, "other_streams", rest, rest.seconds, streams=hidden)

    def _log_run(self, outcome: str) -> None:
        metrics, streams = self._metrics, self._metrics.streams
        seconds = metrics.clock() - metrics.began
        self._log(
            f"{self._describe_end(outcome)}: {counted(len(streams), 'stream')}, {_describe(metrics.total)}, "
            f"{counted(metrics.states, 'STATE')}, {seconds:,.1f} s, "
            f"{counted(metrics.total.billed_rows, 'billable row')}.",
            "run_summary",
            metrics.total,
            seconds,
            outcome=outcome,
            streams=len(streams),
            states=metrics.states,
        )

    def _describe_end(self, outcome: str) -> str:
        total = self._metrics.total
        if outcome != "completed":
            return outcome.capitalize()
        if total.quarantined:
            set_aside = counted(total.quarantined, "record")
            return f"Completed, {set_aside} set aside in {self._quarantine_path}"
        return "Completed" if total.requests else "Nothing to load"

    def _log(
        self, text: str, event: str, counts: StreamCounts, seconds: float, **more: Any
    ) -> None:
        fields = {"event_name": event, **counts.fields(), "seconds": round(seconds, 3), **more}
        self._logger.info("%s", text, extra=fields)


def _log_batch_time(stream: str, seconds: float) -> None:
    """Log the SDK's metric of a batch, as its own targets do."""
    tags = {Tag.STREAM: stream, Tag.STATUS: Status.SUCCEEDED}
    timer = Timer(Metric.BATCH_PROCESSING_TIME, tags)
    log(timer.logger, Point("timer", timer.metric, round(seconds, 6), timer.tags))


def _is_terminal() -> bool:
    """Return True if stderr is a terminal that can show a live table, and its log is for people."""
    if is_structured():
        return False
    is_dumb = os.environ.get("TERM", "dumb").lower() in ("", "dumb", "unknown")
    return not is_dumb and sys.stderr is not None and sys.stderr.isatty()


def _describe(counts: StreamCounts) -> str:
    retries = counted(counts.retries, "retry", "retries")
    unchanged = f", {counts.unchanged:,} unchanged" if counts.unchanged else ""
    return (
        f"{counted(counts.records, 'record')}, {counted(counts.size, 'byte')}, "
        f"{counted(counts.requests, 'request')}, {retries}, {counts.quarantined:,} quarantined"
        f"{unchanged}"
    )


def _describe_billed(counts: StreamCounts) -> str:
    sub_rows = f" ({counts.sub_rows:,} of subtables)" if counts.sub_rows else ""
    return f"{counts.seconds:,.1f} s, {counted(counts.billed_rows, 'billable row')}{sub_rows}"


def _describe_normalized(columns: Counter[str]) -> str:
    by_column = ", ".join(f"{values:,} of {name!r}" for name, values in columns.most_common(5))
    more = ", ..." if len(columns) > 5 else ""  # noqa: PLR2004
    return f"{counted(columns.total(), 'date-time')} normalized: {by_column}{more}."

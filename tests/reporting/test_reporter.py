"""A run is reported now and then, and summed up at its end."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from target_stitch_import.reporting import reporter as reporter_module
from target_stitch_import.reporting.metrics import Metrics, StreamCounts, top_streams
from target_stitch_import.reporting.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_stitch_import.delivery.pipeline import Pipeline

logger = logging.getLogger("reported")


class _Pipeline:
    """As much of a pipeline as is reported."""

    def __init__(self) -> None:
        self.now = 100.0
        self.metrics = Metrics(lambda: self.now)
        self.metrics.in_flight = 3
        self.signum: int | None = None

    def reporter(self, **options: Any) -> Reporter:
        return Reporter(cast("Pipeline", self), logger, **options)


class _Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Any] = []
        self.changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.changed:
            self.records.append(record)
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.records) >= count, 30)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def kept() -> Iterator[_Kept]:
    """Listen to the log."""
    handler = _Kept()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)


def test_a_line_comes_again_and_again_while_nothing_else_happens(
    kept: _Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a short time between two lines, and a run
    monkeypatch.setattr(reporter_module, "LOG_SECONDS", 0.01)
    pipeline = _Pipeline()
    pipeline.metrics.request_sent(["orders"], is_retry=False)
    pipeline.metrics.acknowledged({"orders": (1_200, 64_000)}, 64_000)
    pipeline.now += 10
    pipeline.metrics.state_written()
    pipeline.now += 2
    # when nothing happens in it
    with pipeline.reporter():
        kept.wait_for(3)
    # then the lines come, with the numbers as text and as fields
    assert kept.messages[0] == (
        "Progress: 1,200 records, 64,000 bytes, 1 request, 0 retries, 0 quarantined, "
        "3 batches in flight, 100 records/s, STATE 1 (2 s ago)."
    )
    first = kept.records[0]
    assert (first.event_name, first.records, first.bytes) == ("progress", 1_200, 64_000)
    assert (first.in_flight, first.records_per_second) == (3, 100.0)
    assert (first.states, first.seconds_since_state, first.seconds) == (1, 2.0, 12.0)
    # and none comes after the end
    assert kept.records[-1].event_name == "run_summary"
    assert "progress" not in [thread.name for thread in threading.enumerate()]


def test_a_run_without_a_state_says_so(kept: _Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter_module, "LOG_SECONDS", 0.01)
    with _Pipeline().reporter():
        kept.wait_for(1)
    assert kept.messages[0].endswith("no STATE yet.")
    assert kept.records[0].seconds_since_state is None


def test_the_end_has_an_event_for_each_stream_and_one_for_all(kept: _Kept) -> None:
    # given a run of two streams, one of which is empty
    pipeline = _Pipeline()
    with pipeline.reporter(quarantine_path="bad.singer"):
        pipeline.metrics.add_stream("empty")
        pipeline.metrics.request_sent(["orders"], is_retry=False)
        pipeline.metrics.request_sent(["orders"], is_retry=True)
        pipeline.now += 2.5
        pipeline.metrics.acknowledged({"orders": (1, 70)}, 70)
        pipeline.metrics.set_aside("orders")
    # when it is over, then each is reported
    assert kept.messages == [
        (
            "Stream 'empty': 0 records, 0 bytes, 0 requests, 0 retries, 0 quarantined, 0.0 s, "
            "0 billable rows."
        ),
        (
            "Stream 'orders': 1 record, 70 bytes, 2 requests, 1 retry, 1 quarantined, 2.5 s, "
            "1 billable row."
        ),
        (
            "Completed, 1 record set aside in bad.singer: 2 streams, 1 record, 70 bytes, 2 requests, 1 retry, 1 quarantined, "
            "0 STATEs, 2.5 s, 1 billable row."
        ),
    ]
    assert [record.event_name for record in kept.records] == [
        "stream_summary", "stream_summary", "run_summary",
    ]  # fmt: skip
    orders, run = kept.records[1:]
    assert (orders.stream_name, orders.requests, orders.retries) == ("orders", 2, 1)
    assert (run.outcome, run.streams, run.quarantined, run.seconds) == ("completed", 2, 1, 2.5)


def test_a_stream_says_how_many_date_times_of_which_columns_were_normalized(kept: _Kept) -> None:
    # given a run in which date-times of one stream were normalized, of very many columns
    pipeline = _Pipeline()
    with pipeline.reporter():
        pipeline.metrics.add_stream("plain")
        pipeline.metrics.add_normalized("orders", {"created_at": 1_000, "updated_at": 2})
        pipeline.metrics.add_normalized("orders", {"created_at": 1})
        pipeline.metrics.add_normalized("orders", {f"c{n}": 1 for n in range(200)})
    # when it is over, then the stream says so once, and the run has the sum
    plain, orders, run = kept.records
    assert "normalized" not in plain.getMessage()
    assert orders.getMessage().endswith(
        "1,203 date-times normalized: 1,001 of 'created_at', 102 of 'others', 2 of 'updated_at', "
        "1 of 'c0', 1 of 'c1', ..."
        "."
    )
    assert [record.normalized for record in kept.records] == [0, 1_203, 1_203]
    assert run.event_name == "run_summary"


@pytest.mark.parametrize(
    ("error", "signum", "outcome"),
    [
        (None, None, "completed"),
        (ValueError("x"), None, "failed"),
        (ValueError("x"), 15, "ended by a signal"),
    ],
)
def test_the_end_says_how_it_came(
    error: Exception | None, signum: int | None, outcome: str, kept: _Kept
) -> None:
    pipeline = _Pipeline()
    pipeline.signum = signum
    try:
        with pipeline.reporter():
            if error is not None:
                raise error
    except ValueError as raised:
        assert raised is error  # noqa: PT017 - one of the cases has none
    assert [record.outcome for record in kept.records] == [outcome]
    end = "Nothing to load" if outcome == "completed" else outcome.capitalize()
    assert kept.messages[0].startswith(f"{end}: 0 streams, 0 records, ")


def test_of_very_many_streams_those_that_matter_have_an_event(kept: _Kept) -> None:
    # given ten thousand streams: one with a refused record, some larger than others
    pipeline = _Pipeline()
    with pipeline.reporter():
        for place in range(10_000):
            pipeline.metrics.request_sent([f"s{place}"], is_retry=False)
            pipeline.metrics.acknowledged({f"s{place}": (1, place)}, place)
        pipeline.metrics.set_aside("s7")
    # then the end is bounded, has that one and the largest, and the sum of the others
    *streams, rest, run = kept.records
    assert [record.stream_name for record in streams] == [
        "s7", *(f"s{place}" for place in range(9_901, 10_000))
    ]  # fmt: skip
    assert (rest.event_name, rest.streams, rest.records) == ("other_streams", 9_900, 9_900)
    assert run.bytes == rest.bytes + sum(record.bytes for record in streams)
    assert kept.messages[-2].startswith("9,900 other streams: 9,900 records, ")


@pytest.mark.parametrize(("level", "quiet"), [(logging.WARNING, False), (logging.INFO, True)])
def test_it_can_be_switched_off(level: int, quiet: bool, kept: _Kept) -> None:
    logger.setLevel(level)
    threads = threading.active_count()
    with _Pipeline().reporter(quiet=quiet):
        assert threading.active_count() == threads
    assert kept.records == []


@pytest.mark.parametrize("term", ["dumb", "unknown", "", None])
def test_a_terminal_that_can_do_little_gets_lines(
    term: str | None, kept: _Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a terminal
    class Tty:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Tty())
    monkeypatch.setattr(reporter_module, "LOG_SECONDS", 0.01)
    # when it calls itself dumb, or nothing
    if term is None:
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("TERM", term)
    with _Pipeline().reporter():
        kept.wait_for(1)
    # then there are lines in the log
    assert kept.records[0].event_name == "progress"


def test_without_a_stderr_nothing_breaks(kept: _Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", None)
    with _Pipeline().reporter():
        pass
    assert kept.records[-1].event_name == "run_summary"


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    # given a run that was quick once, and is slow now
    now = 0.0
    metrics = Metrics(lambda: now)
    metrics.acknowledged({"t": (6_000, 1)}, 1)
    for now in range(1, 120):  # noqa: B007 - the clock has it
        metrics.acknowledged({"t": (2, 1)}, 1)
        seen = metrics.rate()
    # then only what it is now counts
    assert seen == 2.0


def test_the_top_streams_keep_their_order() -> None:
    streams = {name: StreamCounts(records) for name, records in [("a", 1), ("b", 9), ("c", 3)]}
    shown, rest = top_streams(streams, 2, lambda counts: counts.records)
    assert (list(shown), rest.records) == (["b", "c"], 1)
    assert top_streams(streams, 3, lambda counts: counts.records) == (streams, StreamCounts())

"""The table on a terminal: what is in it, at any width, and where it is drawn."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyte
import pytest
from rich.console import Console

from target_stitch_import.reporting.live_table import ERASE, LiveTable, render
from target_stitch_import.reporting.metrics import Metrics

if TYPE_CHECKING:
    from typing import Any


class Clock:
    """A clock that a test sets."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    """A terminal that draws what is written to it, and rules no process."""

    encoding = "utf-8"

    def __init__(self, width: int = 80, height: int = 24) -> None:
        super().__init__()
        self._screen = pyte.HistoryScreen(width, height, history=1_000)
        self._stream = pyte.Stream(self._screen)
        self.fails = False

    def write(self, text: str) -> int:
        if self.fails:
            raise OSError("hung up")
        self._stream.feed(text.replace("\n", "\r\n"))  # as a terminal's driver does
        return super().write(text)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def cursor(self) -> tuple[int, int]:
        return self._screen.cursor.x, self._screen.cursor.y


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    """Two streams, of which one has waited for a retry, and a STATE of three seconds ago."""
    metrics = Metrics(clock)
    metrics.in_flight = 2
    for stream, records, size in [("orders", 12_345, 8_400_000), ("customers", 678, 91_000)]:
        metrics.request_sent([stream], is_retry=False)
        metrics.acknowledged({stream: (records, size)}, size)
    metrics.request_sent(["orders"], is_retry=True)
    metrics.state_written()
    clock.now += 3
    return metrics


def drawn(metrics: Metrics, width: int) -> list[str]:
    """Return the lines of a table."""
    console = Console(record=True, width=width, file=io.StringIO(), color_system=None)
    console.print(render(metrics, width, 8))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_eighty_columns_have_all_of_it(metrics: Metrics) -> None:
    head, orders, customers, together, line = drawn(metrics, 80)
    assert head.split() == ["stream", "records", "bytes", "requests", "retries", "quarantined"]
    assert orders.split() == ["orders", "12,345", "8.4", "MB", "2", "1", "0"]
    assert customers.split() == ["customers", "678", "91.0", "kB", "1", "0", "0"]
    assert together.split() == ["all", "13,023", "8.5", "MB", "3", "1", "0"]
    assert line == "4,341 records/s, 2 batches being sent, last bookmark saved 3 s ago, 3 s"


def test_columns_are_as_wide_as_what_is_in_them(metrics: Metrics) -> None:
    head, orders, customers, *_ = drawn(metrics, 200)
    assert head == "stream     records    bytes  requests  retries  quarantined"
    assert orders == "orders      12,345   8.4 MB         2        1            0"
    assert customers == "customers      678  91.0 kB         1        0            0"


def test_who_is_waited_for_is_named(metrics: Metrics, clock: Clock) -> None:
    clock.now += 10
    assert "waiting for Stitch" in drawn(metrics, 80)[-1]
    metrics.in_flight = 0
    assert "waiting for the tap" in drawn(metrics, 80)[-1]


@pytest.mark.parametrize(("completed", "mark"), [(True, "✓"), (False, " ")])
def test_the_table_stays_at_the_end_with_ticks_and_times(
    completed: bool, mark: str, metrics: Metrics, clock: Clock
) -> None:
    # given a table, and a stream with a record that was set aside
    screen = Screen()
    live_table = LiveTable(screen, metrics)
    live_table.start()
    metrics.set_aside("customers")
    clock.now += 60
    metrics.acknowledged({"orders": (1, 70)}, 70)
    # when the run is over
    live_table.stop(completed=completed)
    # then the table stands there, whole, and what comes next stands below
    head, orders, customers, together = screen.lines
    assert head.split()[-1] == "time"
    assert orders.startswith(f"{mark} orders ")
    assert orders.endswith(" 1 min 3 s")
    assert customers.startswith("! customers ")
    assert together.startswith("! all ")
    assert screen.cursor == (0, 4)


@pytest.mark.parametrize("width", [20, 30, 40, 50, 60, 70, 80, 200])
def test_any_width_has_whole_numbers_and_no_line_is_longer(width: int, metrics: Metrics) -> None:
    # given a name that is longer than any screen
    metrics.request_sent(["x" * 300], is_retry=False)
    # when it is drawn
    lines = drawn(metrics, width)
    # then what is cut is the name, and what does not fit goes on below
    assert max(map(len, lines)) <= width
    assert [line.split()[1] for line in lines[1:5]] == ["12,345", "678", "0", "13,023"]
    assert any("…" in line for line in lines)
    assert "last bookmark saved 3 s ago" in " ".join(lines)


def test_a_single_stream_needs_no_sum(clock: Clock) -> None:
    metrics = Metrics(clock)
    metrics.set_aside("orders")
    clock.now += 3_725
    _, orders, line = drawn(metrics, 100)
    assert orders.split()[0] == "orders"
    assert line.endswith(", no bookmark saved yet, waiting for the tap, 1 h 2 min")


def test_a_run_that_has_no_stream_yet(clock: Clock) -> None:
    metrics = Metrics(clock)
    clock.now += 65
    _, together, line = drawn(metrics, 100)
    assert together.split()[:2] == ["all", "0"]
    assert line.endswith(", 1 min 5 s")


def test_of_a_thousand_streams_the_latest_are_shown(clock: Clock) -> None:
    # given a thousand streams, one after the other
    metrics = Metrics(clock)
    for place in range(1_000):
        clock.now += 1
        metrics.request_sent([f"s{place}"], is_retry=False)
        metrics.acknowledged({f"s{place}": (10, 100)}, 100)
    # when they are drawn
    _, *streams, rest, together, _ = drawn(metrics, 80)
    # then there are few, and sums of the others and of all
    assert [line.split()[0] for line in streams] == [f"s{place}" for place in range(992, 1_000)]
    assert rest.split()[:3] == ["992", "others", "9,920"]
    assert together.split()[:2] == ["all", "10,000"]


def test_a_name_can_not_write_to_the_terminal(clock: Clock) -> None:
    metrics = Metrics(clock)
    metrics.add_stream("[red]a\x1b[2J\nb")
    assert drawn(metrics, 80)[1].startswith(r"[red]a\x1b[2J\nb ")


def test_what_is_logged_stands_above_the_table(metrics: Metrics) -> None:
    # given a table on a terminal that logs go to
    screen = Screen()
    handler = logging.StreamHandler(cast("Any", screen))
    logger = logging.getLogger("above")
    logger.addHandler(handler)
    live_table = LiveTable(screen, metrics)
    live_table.start()
    table = screen.lines
    # when lines are logged, one of them long
    logger.error("the first")
    logger.error("x" * 100)
    # then they stand above, and the table below as before
    assert screen.lines == ["the first", "x" * 80, "x" * 20, *table]
    # and at the end they are left, and what is logged goes the way it went before
    live_table.stop()
    assert screen.lines[:3] == ["the first", "x" * 80, "x" * 20]
    assert handler.stream is screen
    logger.removeHandler(handler)


def test_a_line_of_the_tap_is_whole(metrics: Metrics) -> None:
    # given a table, with the cursor above it
    screen = Screen()
    live_table = LiveTable(screen, metrics)
    live_table.start()
    table = screen.lines
    # when another process writes to the terminal, and then the table is drawn again
    screen.write("a line of the tap\n")
    live_table.draw()
    # then its line stands above the table
    assert screen.lines == ["a line of the tap", *table]
    assert screen.cursor == (0, 1)


def test_it_is_drawn_over_itself_at_the_bottom_of_the_screen(metrics: Metrics) -> None:
    # given a screen that is full
    screen = Screen(height=10)
    screen.write("line\n" * 20)
    live_table = LiveTable(screen, metrics)
    # when it is drawn again and again
    for _ in range(5):
        live_table.draw()
    # then it stands there once
    assert [line.split()[0] for line in screen.lines].count("stream") == 1
    assert screen.lines[-1].startswith("0 records/s") or "records/s" in screen.lines[-1]


@pytest.mark.parametrize("height", [1, 2, 4, 6, 9])
def test_a_low_screen_has_as_much_as_fits(
    height: int, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(height=height)
    monkeypatch.setattr(screen, "fileno", lambda: 0)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((80, height)))
    live_table = LiveTable(screen, metrics)
    for _ in range(3):
        live_table.draw()
    assert "\n".join(screen.lines).count("stream") <= 1
    assert screen.cursor == (0, 0)


def test_a_run_in_the_background_draws_nothing(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a shell that has put the run behind itself
    screen = Screen()
    monkeypatch.setattr(screen, "fileno", lambda: 0)
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    # when it would be drawn
    LiveTable(screen, metrics).draw()
    # then it is not
    assert screen.getvalue() == ""


def test_a_run_that_goes_into_the_background_leaves_the_shell_alone(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a table, and a shell that then puts the run behind itself
    screen = Screen()
    live_table = LiveTable(screen, metrics)
    live_table.draw()
    monkeypatch.setattr(screen, "fileno", lambda: 0)
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    drawn = screen.getvalue()
    # when something is logged, it is time to draw, and the run ends
    live_table.write("a line\n")
    live_table.draw()
    live_table.stop()
    # then the line is all that is written
    assert screen.getvalue() == f"{drawn}a line\n"
    # and back in front, no table of before stands below a line
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
    live_table.write("another\n")
    assert screen.getvalue() == f"{drawn}a line\n{ERASE}another\n"


def test_a_terminal_that_hangs_up_is_not_a_failure(metrics: Metrics) -> None:
    screen = Screen()
    live_table = LiveTable(screen, metrics)
    live_table.start()
    screen.fails = True
    live_table.draw()
    live_table.stop()
    live_table.abort()  # it has no descriptor


def test_an_abort_wipes_the_table_away(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a terminal with a descriptor
    reading, writing = os.pipe()
    screen = Screen()
    monkeypatch.setattr(screen, "fileno", lambda: writing)
    # when a signal handler asks for it
    LiveTable(screen, metrics).abort()
    os.close(writing)
    # then no more than that is written, past every buffer
    assert os.read(reading, 100) == ERASE.encode()
    os.close(reading)
    assert screen.getvalue() == ""


def test_an_abort_does_not_wait_for_a_terminal_that_is_stopped(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a terminal that takes no more, as after Ctrl-S
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, bytes(4096)):
            pass
    os.set_blocking(writing, True)
    screen = Screen()
    monkeypatch.setattr(screen, "fileno", lambda: writing)
    # when a signal handler asks for it, then it returns
    LiveTable(screen, metrics).abort()
    os.close(writing)
    os.close(reading)


@pytest.mark.parametrize("no_color", [True, False])
def test_colours_can_be_switched_off(
    no_color: bool, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen()
    LiveTable(screen, metrics).draw()
    assert ("\x1b[36m" in screen.getvalue()) is not no_color


def test_a_terminal_that_has_but_ascii_gets_that(metrics: Metrics) -> None:
    screen = Screen()
    screen.encoding = "ascii"
    metrics.add_stream("é" * 100)
    LiveTable(screen, metrics).draw()
    assert screen.getvalue().isascii()


def test_the_picture_in_the_docs_is_drawn_by_it_and_fetches_nothing() -> None:
    svg = (Path(__file__).parents[2] / "docs/images/progress.svg").read_text()
    text = re.sub("<[^>]*>|&#160;", " ", svg)
    for heading in ("stream", "records", "bytes", "requests", "retries", "quarantined", "bookmark"):
        assert heading in text
    assert set(re.findall(r"https?://[^\s\"']+", svg)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in svg
    assert "@import" not in svg

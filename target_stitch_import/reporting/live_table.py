"""The live table on a terminal while a run goes on.

The table is drawn below the cursor, which stays above it at the beginning of an empty line: there the
tap, which shares the terminal, writes its lines, and log handlers theirs. (A table above the cursor, as
``rich`` draws one, would wipe the tap's lines away.) No setting of the terminal is changed, so a
process that is killed leaves nothing but the drawing.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import threading
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from target_stitch_import.reporting.log_format import write_at_once
from target_stitch_import.reporting.metrics import Metrics, StreamCounts, top_streams
from target_stitch_import.text import counted, printable

MAX_STREAMS: Final = 8  # in the table: those that changed last; the others share a line
MAX_STREAMS_AT_END: Final = 100  # in the table that stays at the end
QUIET_SECONDS: Final = 5.0  # without an acknowledgement until the table names who is waited for
ERASE: Final = "\x1b[J"  # from the cursor on

_COLUMNS: Final[tuple[tuple[str, int, Callable[[StreamCounts], str]], ...]] = (
    # heading, width of the narrowest screen that shows it, text
    ("records", 0, lambda counts: f"{counts.records:,}"),
    ("bytes", 36, lambda counts: decimal(counts.size)),
    ("requests", 52, lambda counts: f"{counts.requests:,}"),
    ("retries", 62, lambda counts: f"{counts.retries:,}"),
    ("quarantined", 76, lambda counts: f"{counts.quarantined:,}"),
)


def render(
    metrics: Metrics, width: int, max_streams: int, end: str | None = None
) -> RenderableType:
    """Return the table, and a line on the run, for a screen of ``width`` columns.

    ``end`` is the mark of each stream once the run is over: a tick, or none. The line is not shown then.
    """
    columns = [column for column in _COLUMNS if width >= column[1]]
    if end is not None:
        columns.append(("time", 0, lambda counts: _period(counts.seconds)))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("stream")
    for heading, _, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)

    def add(name: str, style: str, counts: StreamCounts) -> None:
        # What is cut is the name: the numbers stay whole.
        label = Text(no_wrap=True, overflow="ellipsis")
        if end is not None:
            label.append(*(("! ", "yellow") if counts.quarantined else (f"{end} ", "green")))
        label.append(printable(name), style)
        row_style = "bold" if counts is metrics.total else None
        table.add_row(label, *(text(counts) for _, _, text in columns), style=row_style)

    def last_change(counts: StreamCounts) -> tuple[float, int]:
        return max(counts.began or 0.0, counts.ended or 0.0), counts.size

    streams = metrics.streams
    shown, rest = top_streams(streams, max_streams, last_change)
    for name, counts in shown.items():
        add(name, "cyan", counts)
    if len(shown) < len(streams):
        add(f"{len(streams) - len(shown):,} others", "dim", rest)
    if len(streams) != 1:
        add("all", "", metrics.total)
    return Group(table, _render_run(metrics, width)) if end is None else table


def _render_run(metrics: Metrics, width: int) -> Text:
    """Return the numbers of the whole run, on as many lines as they need."""
    numbers = [
        (f"{metrics.rate():,.0f} records/s", "green"),
        (f"{counted(metrics.in_flight, 'batch', 'batches')} being sent", ""),
    ]
    if metrics.last_state is None:
        numbers.append(("no bookmark saved yet", ""))
    else:
        ago = metrics.clock() - metrics.last_state
        numbers.append((f"last bookmark saved {_period(ago)} ago", ""))
    if metrics.clock() - (metrics.total.ended or metrics.began) > QUIET_SECONDS:
        numbers.append((f"waiting for {'Stitch' if metrics.in_flight else 'the tap'}", "yellow"))
    numbers.append((_period(metrics.clock() - metrics.began), "dim"))
    lines = [Text()]
    for text, style in numbers:  # none is broken at the end of a line
        if lines[-1] and len(lines[-1]) + 2 + len(text) > width:
            lines.append(Text())
        lines[-1].append(", " if lines[-1] else "").append(text, style)
    return Text("\n").join(lines)


def _period(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _draw(content: RenderableType, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=True, highlight=False).print(content)
    return file.getvalue()


class LiveTable:
    """Draws the table on a terminal; log handlers write to it as to a stream."""

    def __init__(self, terminal: Any, metrics: Metrics) -> None:
        """Draw on ``terminal``, a text stream."""
        self._terminal = terminal
        self._metrics = metrics
        self._lock = threading.RLock()
        self._frame = ""
        self._handlers: list[logging.StreamHandler[Any]] = []

    def start(self) -> None:
        """Draw the table, and redirect every log handler of the terminal to this."""
        loggers: list[Any] = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
        handlers = {each for logger in loggers for each in getattr(logger, "handlers", ())}
        for handler in handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._terminal:
                handler.setStream(self)
                self._handlers.append(handler)
        self.draw()

    def stop(self, *, completed: bool = True) -> None:
        """Leave the table of the end, with ticks if the run has ``completed``.

        Log handlers write to the terminal again.
        """
        for handler in self._handlers:
            handler.setStream(self._terminal)
        if self._is_in_foreground():
            can_encode = "\N{CHECK MARK}".encode(self._terminal.encoding or "utf-8", "ignore")
            tick = "\N{CHECK MARK}" if completed and can_encode else " "
            table = ""
            if self._metrics.streams:
                width = self._size()[0] - 1
                table = _draw(render(self._metrics, width, MAX_STREAMS_AT_END, tick), width)
            with self._lock, contextlib.suppress(OSError, ValueError):
                self._write(ERASE + table)

    def abort(self) -> None:
        """Erase the table, from a signal handler."""
        if self._is_in_foreground():
            write_at_once(self._terminal, ERASE)

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return int(self._terminal.fileno())

    def draw(self) -> None:
        """Draw the table with the numbers of now; nothing if the run is in the background."""
        if not self._is_in_foreground():
            self._frame = ""
            return
        width, height = self._size()
        max_streams = max(0, min(MAX_STREAMS, height - 8))  # other lines need the rest
        text = _draw(render(self._metrics, width - 1, max_streams), width - 1)
        lines = text.splitlines()[: max(0, height - 2)]
        # below the cursor, which then goes back
        frame = "\n" + "".join(f"{line}\n" for line in lines) + f"\x1b[{len(lines) + 1}A\r"
        with self._lock, contextlib.suppress(OSError, ValueError):  # a terminal may go away
            self._frame = frame
            self._write(ERASE + frame)

    def write(self, text: str) -> None:
        """Write whole lines, and the table again below them; in the background the lines alone."""
        with self._lock:
            self._write(ERASE + text + self._frame if self._is_in_foreground() else text)

    def flush(self) -> None:
        """Do nothing: each write is flushed."""

    def _write(self, text: str) -> None:
        encoding = self._terminal.encoding or "utf-8"
        self._terminal.write(text.encode(encoding, "replace").decode(encoding))
        self._terminal.flush()

    def _size(self) -> tuple[int, int]:
        with contextlib.suppress(OSError, ValueError):
            width, height = os.get_terminal_size(self._terminal.fileno())
            return width or 80, height or 24
        return 80, 24

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._terminal.fileno()) == os.getpgrp()
        except (OSError, ValueError):  # not the terminal that controls this process
            return True

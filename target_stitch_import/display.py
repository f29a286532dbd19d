"""The table that lives on a terminal while a run goes on.

It is drawn below the cursor, which stays above it at the beginning of an empty line: so a line of the
tap, which writes to the same terminal, takes that line and is whole, and what this target logs is
written there, with the table moved down behind it. (A table above the cursor, as ``rich`` itself keeps
one, would wipe the tap's lines away.) Nothing is hidden or changed of the terminal, so that a process
that is killed leaves no more than a picture. Knows terminals and numbers; nothing of what they count.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import threading
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from target_stitch_import.progress import busiest
from target_stitch_import.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from target_stitch_import.progress import Counts, Progress
    from target_stitch_import.telling import Rate

__all__ = ["Display", "picture"]

MOST_SHOWN: Final = 8
"""Streams in the table: those that something has come of last; the others share a line."""

ERASE: Final = "\x1b[J"  # from the cursor on
_AROUND: Final = 8  # lines of the screen that are not for streams

_COLUMNS: Final[tuple[tuple[str, int, Callable[[Counts], str]], ...]] = (
    # heading, the narrowest screen that has it, what is in it
    ("records", 0, lambda counts: f"{counts.records:,}"),
    ("bytes", 36, lambda counts: decimal(counts.size)),
    ("requests", 52, lambda counts: f"{counts.requests:,}"),
    ("retries", 62, lambda counts: f"{counts.retries:,}"),
    ("quarantined", 76, lambda counts: f"{counts.quarantined:,}"),
)


def picture(progress: Progress, rate: float, held: int, width: int, most: int) -> RenderableType:
    """Return a table of at most ``most`` streams, and a line on the run, for a screen's width."""
    columns = [column for column in _COLUMNS if width >= column[1]]
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("stream", ratio=1, no_wrap=True, overflow="ellipsis")
    for heading, _, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)

    def add(name: Text, counts: Counts, style: str | None = None) -> None:
        table.add_row(name, *(value(counts) for _, _, value in columns), style=style)

    streams = progress.streams
    shown, rest = busiest(streams, most, _last_moment)
    for name, counts in shown.items():
        add(Text(_printable(name), "cyan"), counts)
    if len(shown) < len(streams):
        add(Text(f"{len(streams) - len(shown):,} others", "dim"), rest)
    if len(streams) != 1:
        add(Text("all"), progress.total, "bold")
    return Group(table, _line(progress, rate, held, width))


def _last_moment(counts: Counts) -> tuple[float, int]:
    return max(counts.began or 0.0, counts.ended or 0.0), counts.size


def _line(progress: Progress, rate: float, held: int, width: int) -> Text:
    """Return what is told of the run as a whole; it goes on in a next line where it must."""
    retries, states = progress.total.retries, progress.states
    said = [
        (f"{rate:,.0f} records/s", "green"),
        (f"{held:,} in flight", ""),
        (counted(retries, "retry", "retries"), "yellow" if retries else ""),
    ]
    if progress.total.quarantined:
        said.append((f"{progress.total.quarantined:,} quarantined", "yellow"))
    if progress.last_state is None:
        said.append(("no STATE yet", ""))
    else:
        ago = progress.clock() - progress.last_state
        said.append((f"STATE {states:,} ({_period(ago)} ago)", ""))
    said.append((_period(progress.clock() - progress.began), "dim"))
    lines = [Text()]
    for text, style in said:  # what belongs together is not torn apart at the end of a line
        if lines[-1] and len(lines[-1]) + 2 + len(text) > width:
            lines.append(Text())
        lines[-1].append("  " if lines[-1] else "").append(text, style)
    return Text("\n").join(lines)


def _period(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _printable(name: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in name)


class Display:
    """Draws on a terminal, and lets what is logged appear above."""

    def __init__(
        self, terminal: Any, progress: Progress, rate: Rate, held: Callable[[], int]
    ) -> None:
        """Draw on ``terminal``, a text stream; ``held`` tells the batches in flight."""
        self._terminal = terminal
        self._progress = progress
        self._rate = rate
        self._held = held
        self._lock = threading.RLock()
        self._frame = ""
        self._handlers: list[logging.StreamHandler[Any]] = []

    def begin(self) -> None:
        """Draw for the first time, and let every log to the terminal pass through here."""
        for handler in _handlers_on(self._terminal):
            handler.setStream(_Above(self))
            self._handlers.append(handler)
        self.draw()

    def end(self) -> None:
        """Wipe the table away, and let logs go the way that they went before."""
        for handler in self._handlers:
            handler.setStream(self._terminal)
        self._handlers.clear()
        if self._is_in_front():
            with self._lock, contextlib.suppress(OSError, ValueError):
                self._write(ERASE)

    def abort(self) -> None:
        """Wipe the table away, from a signal handler: without a lock, a buffer, or a wait.

        A terminal that is stopped takes nothing, and must not hold up the end.
        """
        with contextlib.suppress(OSError, ValueError):
            descriptor = self._terminal.fileno()
            if self._is_in_front() and select.select([], [descriptor], [], 0)[1]:
                os.write(descriptor, ERASE.encode())

    def draw(self) -> None:
        """Draw the table as it is now, but not over a shell that has put this run behind it."""
        if not self._is_in_front():
            self._frame = ""
            return
        width, height = self._size()
        most = max(0, min(MOST_SHOWN, height - _AROUND))
        rate, held = self._rate.now(), self._held()
        told = picture(self._progress, rate, held, width - 1, most)
        frame = self._framed(told, width - 1, height)
        with self._lock, contextlib.suppress(OSError, ValueError):  # a terminal may go away
            self._frame = frame
            self._write(ERASE + frame)

    def above(self, text: str) -> None:
        """Write whole lines where the table is, and that below them; or, in the background, alone."""
        with self._lock:
            self._write(ERASE + text + self._frame if self._is_in_front() else text)

    def _write(self, text: str) -> None:
        encoding = self._terminal.encoding or "utf-8"
        self._terminal.write(text.encode(encoding, "replace").decode(encoding))
        self._terminal.flush()

    def _framed(self, told: RenderableType, width: int, height: int) -> str:
        """Return what draws a picture below the cursor, and brings the cursor back."""
        console = Console(
            file=io.StringIO(), width=width, force_terminal=True, highlight=False, markup=False
        )
        with console.capture() as capture:
            console.print(told)
        lines = capture.get().splitlines()[: max(0, height - 2)]
        return "\n" + "".join(f"{line}\n" for line in lines) + f"\x1b[{len(lines) + 1}A\r"

    def _size(self) -> tuple[int, int]:
        with contextlib.suppress(OSError, ValueError):
            width, height = os.get_terminal_size(self._terminal.fileno())
            return width or 80, height or 24
        return 80, 24

    def _is_in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._terminal.fileno()) == os.getpgrp()
        except (OSError, ValueError):  # it does not rule this process
            return True


class _Above:
    """Takes what a handler writes to the terminal."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def write(self, text: str) -> None:
        self._display.above(text)

    def flush(self) -> None:
        """Have nothing to flush."""


def _handlers_on(terminal: Any) -> list[logging.StreamHandler[Any]]:
    """Return the handlers, of whichever logger, that write to a terminal."""
    loggers: list[Any] = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
    handlers = [each for logger in loggers for each in getattr(logger, "handlers", ())]
    return [
        each
        for each in dict.fromkeys(handlers)
        if isinstance(each, logging.StreamHandler) and each.stream is terminal
    ]

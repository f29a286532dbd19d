"""One run: the target is fed line by line, and disturbed at the instant that was drawn."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import termios
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.processes import ended, stop

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tests.chaos.processes import Child

LIMIT = 70.0
"""Seconds after which a run hangs; its feeding takes a few."""
CALM = 0.25
"""Seconds that a target gets to work off what it has read."""
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}


@dataclass(frozen=True)
class Action:
    """What happens to a run, and when."""

    kind: str
    """``none``, ``kill``, ``term``, ``int``, ``calm`` (a SIGTERM when all is read), ``close`` (the
    tap ends early) or ``break`` (in the middle of a line)."""
    after: int = 0
    """Lines that are fed before."""
    delay: float = 0
    hold: bool = False
    """The tap neither goes on nor ends behind it."""
    again: float | None = None
    """Seconds to a second signal."""


@dataclass
class Fed:
    """What a run was given, and what it gave back."""

    whole: list[int] = field(default_factory=list)
    """Places of the lines that the target could read in full."""
    reached: int = -1
    """The last place of which a byte may have been read."""
    written: bytearray = field(default_factory=bytearray)
    stdout: bytearray = field(default_factory=bytearray)
    signals: list[str] = field(default_factory=list)
    at_end: bool = False
    """True if the tap came to its end."""
    feeds: bool = True
    """False once the target's input is closed."""
    deadline: float = field(default_factory=lambda: time.monotonic() + LIMIT)
    hangs: bool = False
    exit_code: int = 0
    """Negative: ended by this signal."""


def fed(child: Child, lines: list[tuple[int, bytes]], action: Action, dice: random.Random) -> Fed:
    """Feed a target, do to it what is to be done, and wait for its end."""
    run = Fed()
    try:
        for wait in _steps(child, run, lines, action, dice):
            if _has_ended(child, run, wait):
                break
        _close_input(child, run)
        run.hangs = not _has_ended(child, run, LIMIT)
    except BaseException:
        stop(child.pid)
        raise
    finally:
        _close_input(child, run)
        os.close(child.stdout)
    run.exit_code = stop(child.pid) if run.hangs else ended(child.pid)
    return run


def _steps(
    child: Child,
    run: Fed,
    lines: list[tuple[int, bytes]],
    action: Action,
    dice: random.Random,
) -> Iterator[float]:
    """Do one thing after the other; yield the seconds to let pass between them."""
    for count, (place, line) in enumerate(lines):
        if count == action.after and action.kind != "none":
            yield from _disturbed(child, run, action)
            if action.kind == "break":
                run.reached = max(run.reached, place)
                yield from _write(child, run, line[: dice.randrange(1, len(line) - 1)])
            if action.hold:
                yield LIMIT
            if action.kind in ("close", "break") or action.hold:
                return
        run.reached = max(run.reached, place)
        yield from _write(child, run, line)
        run.whole.append(place)
        if dice.random() < 0.1:
            yield dice.random() * 0.01
    run.at_end = True
    _close_input(child, run)
    if action.after >= len(lines) and action.kind in SIGNALS:
        yield from _disturbed(child, run, action)


def _disturbed(child: Child, run: Fed, action: Action) -> Iterator[float]:
    """Let the instant come, and send what signals there are to send."""
    if action.kind == "calm":
        while _unread(child):
            yield 0.01
        yield CALM
    yield action.delay
    if action.kind in SIGNALS or action.kind == "calm":
        _send(child, run, "term" if action.kind == "calm" else action.kind)
        if action.again is not None:
            yield action.again
            _send(child, run, action.kind)


def _send(child: Child, run: Fed, name: str) -> None:
    os.kill(child.pid, SIGNALS[name])  # not waited for yet, so the number is still the child's
    run.signals.append(name)


def _unread(child: Child) -> int:
    size: int = struct.unpack("i", fcntl.ioctl(child.stdin, termios.FIONREAD, b"\0" * 4))[0]
    return size


def _write(child: Child, run: Fed, data: bytes) -> Iterator[float]:
    """Write all of it, in as many pieces as the pipe takes; a pipe without a reader takes none."""
    left = memoryview(data)
    while left:
        try:
            count = os.write(child.stdin, left)
        except BlockingIOError:
            yield 0.002
            continue
        except BrokenPipeError:
            yield LIMIT
            return
        run.written += left[:count]
        left = left[count:]


def _has_ended(child: Child, run: Fed, seconds: float) -> bool:
    """Let time pass, and take what the target writes; return True if it has ended by then."""
    until = min(time.monotonic() + seconds, run.deadline)
    while True:
        left = until - time.monotonic()
        if select.select([child.stdout], [], [], max(0.0, left))[0]:
            data = os.read(child.stdout, 65_536)
            run.stdout += data
            if not data:
                return True
        elif left <= 0:
            return False


def _close_input(child: Child, run: Fed) -> None:
    if run.feeds:
        run.feeds = False
        os.close(child.stdin)

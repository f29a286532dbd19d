"""While the tap is quiet, the background has its turns."""

from __future__ import annotations

import fcntl
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.reader import CHUNK_BYTES, MessageReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINE = b'{"type":"STATE","value":{"a":1}}\n'
TYPES = ("RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION", "BATCH")


class Background:
    """Counts its turns; what it does in each is the test's business."""

    def __init__(self, on_tick: Callable[[int], float | None]) -> None:
        self.wake_fd, self.wake_end = os.pipe()
        self.ticks = 0
        self._on_tick = on_tick

    def tick(self) -> float | None:
        """Count, and do what the test wants."""
        self.ticks += 1
        return self._on_tick(self.ticks)

    def clear_wakeup(self) -> None:
        """Take the byte that woke it."""
        os.read(self.wake_fd, 1)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.wake_fd)
        os.close(self.wake_end)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Open a pipe; a test may close its writing end."""
    read_end, write_end = os.pipe()
    yield read_end, write_end
    os.close(read_end)


def listen(read_end: int, background: Background, order: list[str]) -> None:
    """Read the pipe to its end, noting each message."""
    reader = MessageReader()
    reader.background = background

    def note(kind: str, _message: Any) -> None:
        order.append(kind)

    with os.fdopen(os.dup(read_end), "rb") as source:
        reader.process_lines(source, {kind: partial(note, kind) for kind in TYPES})
    background.close()


def test_a_quiet_tap_does_not_stop_the_background(pipe: tuple[int, int]) -> None:
    # Given a tap that says something only once the background has had its third turn
    read_end, write_end = pipe
    order: list[str] = []

    def on_tick(tick: int) -> float | None:
        order.append("tick")
        if tick == 3:
            os.write(write_end, LINE)
            os.close(write_end)
        return 0.001 if tick < 3 else None

    listen(read_end, Background(on_tick), order)
    # Then the turns came without a line, and reading went on
    assert order == ["tick", "tick", "tick", "STATE", "tick"]


def test_a_wake_ends_the_wait(pipe: tuple[int, int]) -> None:
    # Given a background that knows no time to wait, and is woken from another thread
    read_end, write_end = pipe
    order: list[str] = []
    waker: list[threading.Thread] = []

    def on_tick(tick: int) -> float | None:
        order.append("tick")
        if tick == 1:
            waker.append(threading.Thread(target=os.write, args=(background.wake_end, b"\0")))
            waker[0].start()
        if tick == 2:
            os.close(write_end)
        return None

    background = Background(on_tick)
    listen(read_end, background, order)
    waker[0].join()
    assert order == ["tick", "tick"]


def test_the_background_has_its_turn_between_two_chunks_of_a_busy_tap(
    pipe: tuple[int, int],
) -> None:
    read_end, write_end = pipe
    order: list[str] = []

    def on_tick(tick: int) -> float | None:
        order.append("tick")
        if tick <= 3:
            os.write(write_end, LINE)
        if tick == 3:
            os.close(write_end)
        return None

    listen(read_end, Background(on_tick), order)
    assert order == ["tick", "STATE"] * 3 + ["tick"]


def test_what_the_background_raises_ends_the_reading(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe

    def on_tick(tick: int) -> float | None:
        raise InterruptedError("enough")

    background = Background(on_tick)
    with pytest.raises(InterruptedError, match="enough"):
        listen(read_end, background, [])
    background.close()
    os.close(write_end)


def test_without_a_background_a_pipe_is_read_to_its_end(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    os.write(write_end, LINE * 2)
    os.close(write_end)
    reader = MessageReader()
    counted = {kind: (lambda _message: None) for kind in TYPES}
    with os.fdopen(os.dup(read_end), "rb") as source:
        assert reader.process_lines(source, counted) == {"STATE": 2}


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="only Linux tells")
@pytest.mark.parametrize("before", [CHUNK_BYTES // 8, CHUNK_BYTES * 2])
def test_a_pipe_holds_as_much_as_is_read_at_once_or_more(
    pipe: tuple[int, int], before: int
) -> None:
    read_end, write_end = pipe
    fcntl.fcntl(read_end, fcntl.F_SETPIPE_SZ, before)
    os.close(write_end)
    listen(read_end, Background(lambda _: None), [])
    assert fcntl.fcntl(read_end, fcntl.F_GETPIPE_SZ) == max(before, CHUNK_BYTES)

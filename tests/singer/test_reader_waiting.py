"""Before each read there is a wait, in which all else goes on; a live tap's lines come together."""

from __future__ import annotations

import fcntl
import os
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.errors import InputError
from target_stitch_import.singer.reader import CHUNK_BYTES, MessageReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_stitch_import.singer.runs import Run

LINE = b'{"type":"RECORD","stream":"s","record":{}}\n'
TYPES = ("RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION", "BATCH")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Open a pipe; a test closes its writing end."""
    read_end, write_end = os.pipe()
    yield read_end, write_end
    os.close(read_end)


def listen(
    read_end: int,
    wait: Callable[[int | None], None] | None = None,
    on_run: Callable[[int], None] = lambda _: None,
) -> None:
    """Read a pipe to its end; ``on_run`` is called with the number of records in each run."""

    def note(run: Run) -> None:
        on_run(len(run.blocks["s"].records))

    reader = MessageReader()
    reader.on_run = note
    if wait is not None:
        reader.wait = wait
    with os.fdopen(os.dup(read_end), "rb") as source:
        reader.process_lines(source, {kind: partial(_refuse, kind) for kind in TYPES})


def _refuse(kind: str, _message: Any) -> None:
    raise AssertionError(kind)


def test_there_is_a_wait_before_each_read_and_at_the_end(pipe: tuple[int, int]) -> None:
    # given a tap that writes a line in each of the first three waits
    read_end, write_end = pipe
    order: list[str] = []

    def wait(descriptor: int | None) -> None:
        assert descriptor is not None
        order.append("wait")
        if order.count("wait") <= 3:
            os.write(write_end, LINE)
        else:
            os.close(write_end)

    listen(read_end, wait, lambda _: order.append("run"))
    assert order == ["wait", "run"] * 3 + ["wait"]


def test_what_a_wait_raises_ends_the_reading(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe

    def wait(_descriptor: int | None) -> None:
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        listen(read_end, wait)
    os.close(write_end)


def test_a_pipe_is_read_to_its_end_without_anything_to_wait_for(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    os.write(write_end, LINE * 2)
    os.close(write_end)
    received: list[int] = []
    listen(read_end, on_run=received.append)
    assert received == [2]


def test_lines_that_come_a_moment_later_are_read_together(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a tap that flushes each line: the next ones come while the reader naps
    read_end, write_end = pipe
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 1:
            for line in [LINE] * 3:
                os.write(write_end, line)
            os.close(write_end)

    monkeypatch.setattr("target_stitch_import.singer.reader.time.sleep", nap)
    os.write(write_end, LINE)
    # when it is read, then the first is handed over at once, and those that come behind it together
    received: list[int] = []
    listen(read_end, on_run=received.append)
    assert received == [1, 3]
    # and no line waits longer than two milliseconds for others
    assert naps == [0.002] * 2


def test_there_is_no_nap_where_much_is_there(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a pipe that is full, as that of a tap that is faster than this target
    read_end, write_end = pipe
    os.write(write_end, LINE * (65_536 // len(LINE)))
    os.write(write_end, LINE[: 65_536 % len(LINE)])
    os.close(write_end)

    def nap(_seconds: float) -> None:
        raise AssertionError("a nap")

    monkeypatch.setattr("target_stitch_import.singer.reader.time.sleep", nap)
    received: list[int] = []
    with pytest.raises(InputError):  # the last line is cut off
        listen(read_end, on_run=received.append)
    assert sum(received) == 65_536 // len(LINE)


@pytest.mark.parametrize("lines", [1, 3])
def test_no_message_waits_for_the_next_one(pipe: tuple[int, int], lines: int) -> None:
    # given a tap that writes on only once what it has written was handed over
    read_end, write_end = pipe
    handed = threading.Event()
    in_time: list[bool] = []

    def write() -> None:
        for _ in range(3):
            os.write(write_end, LINE * lines + LINE[:10])  # and the start of one more
            in_time.append(handed.wait(30))
            handed.clear()
            os.write(write_end, LINE[10:])
            in_time.append(handed.wait(30))
            handed.clear()
        os.close(write_end)

    tap = threading.Thread(target=write)
    tap.start()
    listen(read_end, on_run=lambda _: handed.set())
    tap.join()
    # then it never waits in vain
    assert in_time == [True] * 6


def test_a_source_without_a_descriptor_lets_all_else_go_on_between_two_chunks() -> None:
    # given an input in memory of two chunks
    waited: list[int | None] = []
    reader = MessageReader()
    reader.wait = waited.append
    chunks = [LINE, LINE, b""]

    class Source:
        def fileno(self) -> int:
            raise OSError

        def read(self, _size: int) -> bytes:
            return chunks.pop(0)

    source: Any = Source()
    counts = reader.process_lines(source, dict.fromkeys(TYPES, lambda _: None))
    assert counts == Counter({"RECORD": 2})
    assert waited == [None, None]


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="only Linux tells")
@pytest.mark.parametrize("before", [CHUNK_BYTES // 8, CHUNK_BYTES * 2])
def test_a_pipe_holds_as_much_as_is_read_at_once_or_more(
    pipe: tuple[int, int], before: int
) -> None:
    read_end, write_end = pipe
    fcntl.fcntl(read_end, fcntl.F_SETPIPE_SZ, before)
    os.close(write_end)
    listen(read_end)
    assert fcntl.fcntl(read_end, fcntl.F_GETPIPE_SZ) == max(before, CHUNK_BYTES)

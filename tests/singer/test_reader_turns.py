"""Where many streams take turns, more is read at once."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from target_stitch_import.singer import reader
from target_stitch_import.singer.reader import CHUNK_BYTES, MessageReader
from tests.support.messages import record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from target_stitch_import.singer.runs import Run

STREAMS = 100
TURN = [record({"id": 1, "text": "x" * 200}, f"s{place}").encode() for place in range(STREAMS)]
TURN = [line + b"\n" for line in TURN]
TYPES = ("RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION", "BATCH")


def sizes_read(descriptor: int, on_chunk: Callable[[], None] = lambda: None) -> list[int]:
    """Read records to the end; return the bytes of the lines that came at once, about."""
    sizes: list[int] = []

    def on_run(run: Run) -> None:
        lines = sum(len(block.records) for block in run.blocks.values())
        sizes.append(lines * len(TURN[0]))
        on_chunk()

    messages = MessageReader()
    messages.on_run = on_run
    with os.fdopen(descriptor, "rb") as source:
        messages.process_lines(source, dict.fromkeys(TYPES, lambda _: None))
    return sizes


def test_more_of_a_file_is_read_at_once(tmp_path: Path) -> None:
    # given a file in which 100 streams take turns
    path = tmp_path / "turns.jsonl"
    path.write_bytes(b"".join(TURN) * 100)
    # when it is read
    sizes = sizes_read(os.open(path, os.O_RDONLY))
    # then what is read first is a chunk, and then so much that each has 32 lines in it
    assert sizes[0] <= CHUNK_BYTES
    assert sizes[1] == pytest.approx(32 * sum(map(len, TURN)), rel=0.02)


def test_no_more_is_read_than_the_memory_is_meant_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given such a file, and a limit in the place of 8 MiB
    monkeypatch.setattr(reader, "MAX_CHUNK_BYTES", 2 * CHUNK_BYTES)
    path = tmp_path / "turns.jsonl"
    path.write_bytes(b"".join(TURN) * 100)
    sizes = sizes_read(os.open(path, os.O_RDONLY))
    assert CHUNK_BYTES < max(sizes) < 2 * CHUNK_BYTES + len(TURN[0])


def test_one_stream_is_read_in_chunks(tmp_path: Path) -> None:
    # given a file in which streams take turns at first, and one goes on alone
    path = tmp_path / "alone.jsonl"
    path.write_bytes(b"".join(TURN) * 50 + TURN[0] * 30_000)
    sizes = sizes_read(os.open(path, os.O_RDONLY))
    # then it is read as if it had been alone
    assert max(sizes[-8:]) < CHUNK_BYTES + len(TURN[0])


def test_a_pipe_is_read_until_there_is_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a tap that writes all it has into a pipe, and time enough for it
    monkeypatch.setattr(reader, "_MOMENT", 1)
    read_end, write_end = os.pipe()

    def write() -> None:
        with os.fdopen(write_end, "wb") as tap:
            for _ in range(100):
                tap.writelines(TURN)

    tap = threading.Thread(target=write)
    tap.start()
    # when the pipe, which holds much less, is read
    sizes = sizes_read(read_end)
    tap.join()
    # then the lines of several of its fillings come at once
    assert max(sizes) == pytest.approx(32 * sum(map(len, TURN)), rel=0.02)


def test_what_a_tap_has_written_does_not_wait_for_more() -> None:
    # given a tap whose streams take turns, and which writes on only once it has been read
    read_end, write_end = os.pipe()
    was_read = threading.Event()
    waited: list[bool] = []

    def write() -> None:
        with os.fdopen(write_end, "wb") as tap:
            for _ in range(4):
                tap.writelines(TURN)
                tap.flush()
                waited.append(was_read.wait(30))
                was_read.clear()

    tap = threading.Thread(target=write)
    tap.start()
    sizes_read(read_end, was_read.set)
    tap.join()
    # then it never waits in vain
    assert waited == [True] * 4

"""Stdin bytes become lines, however they are cut and ended."""

from __future__ import annotations

import io
from functools import partial
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.errors import InputError
from target_stitch_import.singer import lines as lines_module
from target_stitch_import.singer.reader import MessageReader
from target_stitch_import.singer.runs import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TYPES = ("RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION", "BATCH")


def record(number: int) -> bytes:
    """Return a RECORD line without its end."""
    return b'{"type":"RECORD","stream":"s","record":{"id":%d}}' % number


class Chunked(io.RawIOBase):
    """A source without a file descriptor that gives prepared chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = [chunk for chunk in chunks if chunk]

    def read(self, _size: int = -1) -> bytes:
        """Return the next chunk; nothing at the end."""
        return self._chunks.pop(0) if self._chunks else b""


def read_all(
    source: Any, on_item: Callable[[Any], None] | None = None
) -> list[tuple[int, str, bytes]]:
    """Return line, type and payload of every message of a source, each run in its order.

    ``on_item`` is called with each run, and with each other message.
    """
    reader = MessageReader()
    received: list[tuple[int, str, bytes]] = []

    def note(kind: str, message: Any) -> None:
        received.append((reader.line, kind, b""))
        if on_item is not None:
            on_item(message)

    def note_run(run: Run) -> None:
        part = [(at, "STATE", value) for at, value in run.states]
        for block in run.blocks.values():
            pairs = zip(block.positions, block.records, strict=True)
            part += [(at, "RECORD", bytes(record)) for at, record in pairs]
        received.extend(sorted(part))
        if on_item is not None:
            on_item(run)

    reader.on_run = note_run
    counts = reader.process_lines(
        cast("IO[Any]", source), {kind: partial(note, kind) for kind in TYPES}
    )
    assert counts.total() == len(received)
    return received


def ids(source: Any) -> list[bytes]:
    """Return the record of every message."""
    return [payload for _, _, payload in read_all(source)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b" \n", b"\n \t\r\n\n"])
@pytest.mark.parametrize("last", [True, False], ids=["last line end", "no last line end"])
def test_lines_may_end_in_any_way(end: bytes, last: bool) -> None:
    data = end.join([record(1), record(2), record(3)]) + (end if last else b"")
    assert ids(io.BytesIO(data)) == [b'{"id":1}', b'{"id":2}', b'{"id":3}']


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\r\n\r\n", b"   ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"]
)
def test_an_input_without_messages_is_no_error(data: bytes) -> None:
    assert read_all(io.BytesIO(data)) == []


def test_blank_lines_count_in_the_number_of_a_line() -> None:
    data = b"\n" + record(1) + b"\r\n\n\n" + record(2)
    assert [line for line, _, _ in read_all(io.BytesIO(data))] == [2, 5]


MIXED = (
    b"\xef\xbb\xbf"
    b'{"type":"SCHEMA","stream":"s","schema":{"properties":{}}}\r\n'
    + record(1)
    + b"\n\n"
    + b'{"type":"RECORD","stream":"s","record":{"\xc3\xa9":"\xf0\x9f\x98\x80\\n","n":NaN}}\n'
    + b'{"type":"ACTIVATE_VERSION","stream":"s","version":1}\n'
    + b'{"type":"STATE","value":{"a":1}}'
)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(MIXED)), max_size=30))
def test_wherever_chunks_are_cut_the_messages_are_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(MIXED)]
    chunks = [MIXED[start:end] for start, end in pairwise(places)]
    assert read_all(Chunked(chunks)) == [
        (1, "SCHEMA", b""),
        (2, "RECORD", b'{"id":1}'),
        (4, "RECORD", '{"é":"😀\\n","n":null}'.encode()),
        (5, "ACTIVATE_VERSION", b""),
        (6, "STATE", b'{"a":1}'),
    ]


def test_chunks_of_one_byte_give_the_same_messages() -> None:
    chunks = [bytes([byte]) for byte in MIXED]
    assert read_all(Chunked(chunks)) == read_all(io.BytesIO(MIXED))


def test_text_is_read_as_well_as_bytes() -> None:
    text = '{"type":"RECORD","stream":"s","record":{"a":"é😀"}}\n'
    assert ids(io.StringIO(text * 2)) == ['{"a":"é😀"}'.encode()] * 2


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_a_file_is_read_by_its_descriptor(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "messages.jsonl"
    path.write_bytes(MIXED)
    with path.open(mode) as file:
        assert read_all(file) == read_all(io.BytesIO(MIXED))


@pytest.mark.parametrize("size", [1, 20, 10_000])
def test_what_comes_before_a_bad_line_is_handed_over_first(size: int) -> None:
    # given records with a line among them that is none, in chunks of any size
    seen: list[Any] = []
    data = record(1) + b"\n\n" + record(2) + b"\nbroken\n" + record(3) + b"\n"
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    # when they are read, then those before it come first
    with pytest.raises(InputError, match=r"^Line 4 of the input: it is not JSON") as refused:
        read_all(Chunked(chunks), seen.append)
    records = [bytes(each) for run in seen for each in run.blocks["s"].records]
    assert records == [b'{"id":1}', b'{"id":2}']
    assert refused.value.line == 4


def test_a_state_that_can_not_be_used_is_refused_with_its_line() -> None:
    seen: list[Any] = []
    data = record(1) + b'\n{"type":"STATE","value":[1]}\n' + record(2)
    with pytest.raises(
        InputError, match=r"^Line 2 of the input: the value of a STATE is not a JSON"
    ):
        read_all(io.BytesIO(data), seen.append)
    assert [run.blocks["s"].positions for run in seen] == [[1]]


ACTIVATION = b'{"type":"ACTIVATE_VERSION","stream":"s","version":1}'


def test_an_error_of_a_callback_is_given_the_number_of_its_line() -> None:
    def refuse(item: Any) -> None:
        if not isinstance(item, Run):
            raise InputError("no good")

    with pytest.raises(InputError, match=r"^Line 3 of the input: no good$"):
        read_all(io.BytesIO(b"\n" + record(1) + b"\n" + ACTIVATION), refuse)


@pytest.mark.parametrize("line", [record(1), ACTIVATION])
def test_an_error_that_knows_its_line_keeps_it(line: bytes) -> None:
    def refuse(_item: Any) -> None:
        error = InputError("no good")
        error.line = 77
        raise error

    with pytest.raises(InputError, match=r"^Line 77 "):
        read_all(io.BytesIO(line), refuse)


def test_an_error_of_a_run_ends_the_reading() -> None:
    def refuse(_run: Any) -> None:
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        read_all(io.BytesIO(record(1)), refuse)


def test_a_line_of_fifty_megabytes_is_read() -> None:
    text = b"x" * 50_000_000
    data = b'{"type":"RECORD","stream":"s","record":{"a":"' + text + b'"}}\n' + record(2)
    (first, second) = ids(io.BytesIO(data))
    assert len(first) == len(text) + len(b'{"a":""}')
    assert second == b'{"id":2}'


def test_an_input_without_line_ends_is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1_000)
    chunks = [record(1) + b"\n", *([b"x" * 100] * 100)]
    source = Chunked(chunks)
    with pytest.raises(InputError, match=r"^Line 2 of the input: it is longer than 1,000 bytes$"):
        read_all(source)
    assert len(source.read()) == 100  # the rest was not read


def test_the_default_input_is_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(record(1))))
    assert ids(None) == [b'{"id":1}']


def test_memory_that_is_not_enough_is_reported_with_its_place() -> None:
    # given a source whose third chunk does not fit into the memory
    class Huge(Chunked):
        def read(self, size: int = -1) -> bytes:
            """Return the next chunk."""
            return super().read(size) or bytes(1 << 62)

    # when it is read
    received: list[Any] = []
    with pytest.raises(InputError) as raised:
        read_all(Huge([record(1) + b"\n", record(2) + b"\n"]), received.append)
    # then what came before was handed over, and the message says behind which line it was
    assert len(received) == 2
    assert str(raised.value) == (
        "Line 2 of the input: it or a line close behind needs more memory than there is"
    )

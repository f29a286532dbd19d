"""Files are read a part at a time, and every value of Parquet stays what it is."""

from __future__ import annotations

import gzip
import io
import os
import select
import subprocess
import sys
import threading
import uuid
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from target_stitch_import import batch_files
from target_stitch_import.batch_files import parquet as our_parquet
from target_stitch_import.batch_files import prefetch as ahead
from target_stitch_import.batch_files import rows as file_rows
from target_stitch_import.batch_files.prefetch import MAX_WAITING, read_ahead
from target_stitch_import.batch_files.rows import FileReadError, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NS = pa.timestamp("ns")
TOKYO = pa.timestamp("ns", "Asia/Tokyo")
WRITTEN = {
    "null": (pa.null(), None, "null"),
    "boolean": (pa.bool_(), True, "true"),
    "int64": (pa.int64(), -(2**63), "-9223372036854775808"),
    "uint64": (pa.uint64(), 2**64 - 1, "18446744073709551615"),
    "double": (pa.float64(), 0.1, "0.1"),
    "nan": (pa.float64(), float("nan"), "NaN"),
    "infinity": (pa.float32(), float("-inf"), "-Infinity"),
    "decimal128": (pa.decimal128(38, 2), Decimal("1.10"), "1.10"),
    "decimal256": (pa.decimal256(76, 1), Decimal(10**70), "1" + "0" * 70 + ".0"),
    "decimal of many digits": (pa.decimal128(38, 10), Decimal("1E-7"), "0.0000001000"),
    "decimal of zero": (pa.decimal128(38, 10), Decimal(0), "0.0000000000"),
    "list of decimals": (pa.list_(pa.decimal128(9, 7)), [Decimal(0), None], "[0.0000000,null]"),
    "string": (pa.string(), "é", '"é"'),
    "large string": (pa.large_string(), "a", '"a"'),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), "a", '"a"'),
    "binary": (pa.binary(), b"\xff\x00", '"/wA="'),
    "fixed binary": (pa.binary(2), b"ab", '"YWI="'),
    "uuid": (pa.uuid(), uuid.UUID(int=5).bytes, '"00000000-0000-0000-0000-000000000005"'),
    "date": (pa.date32(), 1, '"1970-01-02"'),
    "time ms": (pa.time32("ms"), 1, '"00:00:00.001"'),
    "time ns": (pa.time64("ns"), 1, '"00:00:00.000000001"'),
    "timestamp ms": (pa.timestamp("ms"), 1, '"1970-01-01T00:00:00.001"'),
    "timestamp us": (pa.timestamp("us"), 1, '"1970-01-01T00:00:00.000001"'),
    "timestamp ns": (NS, 1, '"1970-01-01T00:00:00.000000001"'),
    "zoned": (TOKYO, 1, '"1970-01-01T00:00:00.000000001Z"'),
    "list": (pa.list_(pa.int8()), [1, None], "[1,null]"),
    "list of dates": (pa.list_(pa.date32()), [1, None], '["1970-01-02",null]'),
    "large list": (pa.large_list(NS), [1], '["1970-01-01T00:00:00.000000001"]'),
    "fixed list": (pa.list_(pa.float64(), 2), [1.5, None], "[1.5,null]"),
    "struct": (
        pa.struct([("a", TOKYO), ("b", pa.list_(pa.decimal128(3, 2)))]),
        {"a": 1, "b": [Decimal("1.10")]},
        '{"a":"1970-01-01T00:00:00.000000001Z","b":[1.10]}',
    ),
    "map": (pa.map_(pa.string(), pa.date32()), [("k", 1)], '{"k":"1970-01-02"}'),
    "map of large keys": (pa.map_(pa.large_string(), pa.int8()), [("k", 1)], '{"k":1}'),
    "map of views": (pa.map_(pa.string_view(), pa.int8()), [("k", 1)], '{"k":1}'),
    "map of other keys": (
        pa.map_(pa.date32(), pa.int8()),
        [(1, 2)],
        '[{"key":"1970-01-02","value":2}]',
    ),
}


def written(path: Path, *columns: Any, names: list[str] | None = None) -> str:
    """Write a Parquet file; return its path."""
    names = names or [f"c{n}" for n, _ in enumerate(columns)]
    parquet.write_table(pa.table(list(columns), names=names), path)
    return str(path)


def read_records(path: str) -> list[bytes]:
    """Return the records of a Parquet file."""
    return [record for _, records in read_rows(path, "parquet", "none") for record in records]


def wait(descriptor: int) -> None:
    """Have nothing else to do until there is something to read."""
    select.select([descriptor], [], [])


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_value_of_parquet_is_written_to_its_last_digit(kind: str, tmp_path: Path) -> None:
    # given a value, and none, of a type
    arrow, value, text = WRITTEN[kind]
    version = int(pa.__version__.partition(".")[0])
    if kind == "fixed list" and version < 26:
        pytest.skip("pyarrow before 26 can't read none of a list of fixed size")
    if kind == "map of views" and version < 19:
        pytest.skip("pyarrow 18 can't write views")
    path = written(tmp_path / "a.parquet", pa.array([value, None], arrow))
    # then both are written so
    assert read_records(path) == [f'{{"c0":{text}}}'.encode(), b'{"c0":null}']


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([1], pa.duration("ns")), "has the type duration"),
        (pa.array([[1]], pa.list_(pa.duration("ns"))), "has the type duration"),
        (pa.array([10**17], pa.timestamp("ms")), "outside of the years 1 to 9999"),
        (pa.array([10**9], pa.date32()), "outside of the years 1 to 9999"),
        # as far as Arrow can say them, but in no year of four digits
        (pa.array([2_932_897], pa.date32()), "outside of the years 1 to 9999"),
        (pa.array([253_402_300_800], pa.timestamp("s")), "outside of the years 1 to 9999"),
        (pa.array([253_402_300_800], pa.timestamp("s", "UTC")), "outside of the years 1 to 9999"),
        (pa.array([[-719_529]], pa.list_(pa.date32())), "outside of the years 1 to 9999"),
        (pa.array([-719_529], pa.date32()), "outside of the years 1 to 9999"),
        (pa.array([-720_000], pa.date32()), "outside of the years 1 to 9999"),
        (pa.array([86_400_000], pa.time32("ms")), "outside of a day"),
    ],
)
def test_what_cant_be_written_is_reported_with_its_column(
    column: Any, reason: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "a.parquet", column, names=["when"])
    with pytest.raises(FileReadError, match=f"column 'when'.*{reason}"):
        read_records(path)


@pytest.mark.parametrize(("day", "text"), [(2_932_896, "9999-12-31"), (-719_162, "0001-01-01")])
def test_the_first_and_the_last_day_of_the_calendar_are_written(
    day: int, text: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "a.parquet", pa.array([day], pa.date32()))
    assert read_records(path) == [f'{{"c0":"{text}"}}'.encode()]


def test_a_map_whose_keys_are_a_dictionary_of_strings_is_an_object(tmp_path: Path) -> None:
    keys = pa.array(["k"]).dictionary_encode()
    path = written(tmp_path / "a.parquet", pa.MapArray.from_arrays([0, 1], keys, pa.array([1])))
    assert read_records(path) == [b'{"c0":{"k":1}}']


def test_two_columns_of_one_name_are_reported(tmp_path: Path) -> None:
    path = written(tmp_path / "a", pa.array([1]), pa.array([2]), names=["x", "x"])
    with pytest.raises(FileReadError, match="it has two columns named 'x'"):
        read_records(path)


def test_parquet_is_read_some_rows_at_a_time(tmp_path: Path) -> None:
    # given a file of many rows, in one group and in several
    column = pa.array(range(5_000))
    for size in (5_000, 300):
        path = tmp_path / "a.parquet"
        parquet.write_table(pa.table({"id": column}), path, row_group_size=size, compression="zstd")
        # when it is read
        found = list(read_rows(str(path), "parquet", "zstd"))
        # then no more rows are in memory than that, and each has its number
        assert max(len(records) for _, records in found) <= our_parquet.MAX_ROWS
        assert [number for numbers, _ in found for number in numbers] == list(range(1, 5_001))


@pytest.mark.parametrize(
    ("columns", "most"),
    [
        # as wide as the file says, and wide by values that stand in the file but once
        ({"text": [f"{n}" * 50_000 for n in range(100_000, 100_100)]}, 14),
        ({"text": ["x" * 200_000] * 100}, 20),
        # many columns, and many values in one: of integers that take next to no room in the file
        ({f"c{n}": [1] * 200 for n in range(5_000)}, 100),
        ({"list": [[1] * 5_000] * 200}, 100),
    ],
    ids=["long texts", "one long text", "many columns", "long lists"],
)
def test_the_wider_rows_are_the_fewer_are_read_at_once(
    columns: dict[str, Any], most: int, tmp_path: Path
) -> None:
    # given a file of wide rows
    table = pa.table(columns)
    parquet.write_table(table, tmp_path / "a.parquet")
    # when it is read
    found = [
        len(records) for _, records in read_rows(str(tmp_path / "a.parquet"), "parquet", "none")
    ]
    # then few of them are in memory at once
    assert sum(found) == table.num_rows
    assert max(found) <= most


@pytest.mark.parametrize(("text", "most"), [("x" * 200_000, 167), ("short", our_parquet.MAX_ROWS)])
def test_arrow_is_not_asked_for_many_rows_of_a_long_text_that_the_file_has_once(
    text: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a file of two row groups whose rows all have the same text
    table = pa.table({"text": [text] * 2_200})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=1_100)
    asked: list[tuple[int, int]] = []

    iter_batches = parquet.ParquetFile.iter_batches

    def noted(source: Any, size: int, **more: Any) -> Any:
        asked.append((*more["row_groups"], size))
        return iter_batches(source, size, **more)

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", noted)
    # when its first rows are taken
    next(read_rows(str(tmp_path / "a.parquet"), "parquet", "none"))
    # then so many of the first group are asked for as fit if each is as long as that
    assert asked == [(0, most)]


SPEND = """
import sys
from target_stitch_import.batch_files.rows import FileReadError, read_rows
try:
    rows = sum(len(records) for _, records in read_rows(sys.argv[1], sys.argv[2], "none"))
    print("read", rows)
except FileReadError as error:
    print(error)
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""
"""Reads a file, and prints the rows or what is wrong, and how many KB of memory it had at most."""


def spend(path: Path, file_format: str) -> tuple[str, int]:
    """Read a file in a process of its own; return what it printed, and its memory in MB."""
    command = [sys.executable, "-c", SPEND, str(path), file_format]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    printed, memory = ended.stdout.splitlines()
    return printed, int(memory) // 1024


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count otherwise")
@pytest.mark.parametrize(
    ("columns", "printed"),
    [
        ({"text": ["x"] * 16 + ["x" * 1_000_000] * 1_000}, "read 1016"),
        (
            {"text": pa.array(["x" * 200_000_000])},
            "a row group unpacks to 200,000,053 bytes, more than 1,000 times its size in the file",
        ),
        (
            {"list": pa.array([[0] * 30_000_000], pa.list_(pa.int8()))},
            "column 'list.list.element' has 30,000,000 values in 1 row, and a record may have 10,000",
        ),
    ],
    ids=["long texts behind short ones", "one text", "one list"],
)
def test_a_small_file_does_not_fill_the_memory(
    columns: dict[str, Any], printed: str, tmp_path: Path
) -> None:
    # given a Parquet file of some KB that has a gigabyte
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table(columns), path, compression="brotli")
    assert path.stat().st_size < 10_000
    # when it is read
    found, megabytes = spend(path, "parquet")
    # then it takes little memory, as it is read in small parts, or not at all
    assert found.startswith(printed)
    assert megabytes < 500


def test_a_file_of_blank_lines_is_refused(tmp_path: Path) -> None:
    # given a megabyte of gzip with a billion blank lines behind a record
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"id": 1}\n')
        for _ in range(300):
            file.write(b"\n" * 1_000_000)
    # when it is read, then it ends soon, with the reason, behind the record
    found = read_rows(str(path), "jsonl", "gzip")
    assert next(found)[1] == [b'{"id": 1}']
    with pytest.raises(FileReadError, match="it has more than 1,000,000 blank lines"):
        list(found)


def test_memory_that_is_not_enough_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a file whose next part does not fit into the memory
    def fail(_: str) -> None:
        bytearray(1 << 62)

    monkeypatch.setattr(file_rows, "open_file", fail)
    # when it is read, then the reason is there
    with pytest.raises(FileReadError, match="there is not enough memory for its next rows"):
        read_records("x")


class Counted(io.FileIO):
    """A file that knows how much was read of it."""

    read_bytes = 0

    def readinto(self, buffer: Any) -> int:
        """Count what is read."""
        size = super().readinto(buffer) or 0
        self.read_bytes += size
        return size

    def read(self, size: int | None = -1) -> bytes:
        """Count what is read."""
        data = super().read(-1 if size is None else size) or b""
        self.read_bytes += len(data)
        return data


@pytest.mark.parametrize("is_near", [True, False])
def test_a_large_file_of_parquet_is_not_read_ahead_of_its_rows(
    is_near: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a file of two row groups of many rows
    text = os.urandom(1 << 21).hex()
    column = pa.array([text[at : at + 64] for at in range(0, len(text), 64)])
    table = pa.table({"id": column})
    parquet.write_table(table, tmp_path / "a", row_group_size=1 << 15, use_dictionary=False)
    size, groups = (tmp_path / "a").stat().st_size, 2
    # and that it is in a file of this machine, or elsewhere, where each read takes its time
    raw = Counted(tmp_path / "a")
    file: Any = io.BufferedReader(raw) if is_near else raw
    monkeypatch.setattr(file_rows, "open_file", lambda _: file)
    # when the first of its rows are taken
    found = read_rows("x", "parquet", "none")
    next(found)
    # then some of the first row group is read of it, or that one whole
    assert raw.read_bytes < size / groups * (0.8 if is_near else 1.3)
    # and in the end all of them
    assert sum(len(records) for _, records in found) == len(column) - our_parquet.MAX_ROWS


class Endless(io.RawIOBase):
    """A file of JSON lines without an end."""

    def __init__(self) -> None:
        super().__init__()
        self.read_bytes = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give lines."""
        line = b'{"id": 1}\n'
        size = len(buffer) // len(line) * len(line) or len(buffer)
        buffer[:size] = (line * (size // len(line) + 1))[:size]
        self.read_bytes += size
        return size


def test_json_lines_without_an_end_are_read_as_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a file without an end
    endless = Endless()
    monkeypatch.setattr(file_rows, "open_file", lambda _: io.BufferedReader(endless))
    # when a few parts of it are taken
    found = read_ahead(lambda: read_rows("x", "jsonl", "none"), wait)
    taken = list(islice(found, 5))
    found.close()
    # then no more was read than is taken, and waits to be
    assert taken[0][1][0] == b'{"id": 1}'
    assert endless.read_bytes <= (len(taken) + MAX_WAITING + 3) * file_rows.CHUNK_BYTES
    # and the thread has ended
    assert reading_threads() == []


def reading_threads() -> list[threading.Thread]:
    """Return the threads that read."""
    return [thread for thread in threading.enumerate() if thread.name == "reading"]


def test_a_thread_in_the_midst_of_its_work_has_ended_when_the_reading_is_given_up() -> None:
    # given a thread whose work takes a while
    def items() -> Iterator[int]:
        for number in range(9):
            yield number
            threading.Event().wait(0.1)

    found = read_ahead(items, wait)
    next(found)
    # when no more of it is wanted
    found.close()
    # then it has ended, and does not run on while the process ends
    assert reading_threads() == []


def test_a_thread_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a thread that hangs in a read
    monkeypatch.setattr(ahead, "STOP_SECONDS", 0.01)
    hangs, released = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        hangs.set()
        released.wait()

    found = read_ahead(items, wait)
    next(found)
    hangs.wait()
    # when no more of it is wanted, then that is all the same
    found.close()
    (thread,) = reading_threads()
    released.set()
    thread.join(30)
    assert not thread.is_alive()


class Dripping(io.RawIOBase):
    """A file that comes byte by byte."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give a byte."""
        return self._data.readinto(memoryview(buffer)[:1])


def test_gzip_that_comes_byte_by_byte_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a gzip of several members from a pipe
    data = gzip.compress(b'{"id": 1}\n') + gzip.compress(b'{"id": 2}\n')
    monkeypatch.setattr(file_rows, "open_file", lambda _: io.BufferedReader(Dripping(data)))
    # then its lines are those of all members, with their numbers
    found = [pair for rows in read_rows("x", "jsonl", "gzip") for pair in zip(*rows, strict=True)]
    assert found == [(1, b'{"id": 1}'), (2, b'{"id": 2}')]


def test_a_line_that_is_too_long_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target_stitch_import.singer.lines.MAX_LINE_BYTES", 10)
    monkeypatch.setattr(file_rows, "CHUNK_BYTES", 8)
    (tmp_path / "a").write_bytes(b"x" * 100)
    with pytest.raises(FileReadError, match="its next line is longer than 10 bytes"):
        list(read_rows(str(tmp_path / "a"), "jsonl", "none"))


def test_a_file_that_may_not_be_read_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_rows, "open_file", refuse)
    with pytest.raises(
        FileReadError, match="the user that runs this target has no permission to read it"
    ):
        list(read_rows("x", "jsonl", "none"))


@pytest.mark.parametrize(
    ("module", "address", "extra"), [("pyarrow", "a", "parquet"), ("smart_open", "s3://b/k", "s3")]
)
def test_a_missing_extra_is_reported(
    module: str, address: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").touch()
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "target_stitch_import.batch_files.parquet")
    monkeypatch.delattr(batch_files, "parquet")
    with pytest.raises(FileReadError, match=rf"pip install 'target-stitch-import\[{extra}\]'"):
        list(read_rows(address, "parquet", "none"))


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("a b", "file://{}/a%20b"),
        ("a%20b", "file://{}/a%20b"),
        ("a", "file://localhost{}/a"),
        ("a", "FILE://{}/a"),
        ("a", "file://./a"),
        ("a", "a"),
    ],
)
def test_a_local_file_is_found_by_each_form_of_its_address(
    name: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"it")
    with file_rows.open_file(address.format(tmp_path)) as file:
        assert file.read() == b"it"

"""A file of a BATCH message -> its records as JSON, some at a time.

Knows the forms that the SDK's taps write: JSON lines, plain or gzip, and Parquet; nothing of where
the file is, of the message that names it, or of what becomes of a record.
"""

from __future__ import annotations

import gzip
import zlib
from typing import IO, TYPE_CHECKING, Final, TypeAlias, cast

from target_stitch_import import parquet
from target_stitch_import.lines import BYTE_ORDER_MARK, LineTooLongError, split_lines
from target_stitch_import.opening import open_file

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Sequence

    Rows: TypeAlias = tuple[Sequence[int], list[bytes]]
    """Records as JSON, and for each the number of its line, or its row, in the file, from 1."""

__all__ = ["COMPRESSIONS", "ReadingError", "rows_of"]

COMPRESSIONS: Final = {
    "jsonl": frozenset({"none", "gzip"}),
    "parquet": frozenset({"none", "brotli", "gzip", "lz4", "snappy", "zstd"}),
}
"""By format, the compressions that are read."""

CHUNK_BYTES: Final = 1 << 18
"""Read at once where there is so much."""

_GZIP: Final = b"\x1f\x8b"


class ReadingError(Exception):
    """A file can't be read, or not to its end; says why, and what to do."""


def rows_of(address: str, file_format: str, compression: str) -> Iterator[Rows]:
    """Yield the records of a file, which may be of any size.

    Raises:
        ReadingError: It can't be read, or not to its end.
    """
    try:
        with open_file(address) as file:
            if file_format == "parquet":  # it says by itself how it is compressed
                yield from _parquet_rows(file)
            else:
                yield from _json_rows(file, must_be_gzip=compression == "gzip")
    except Exception as error:
        raise ReadingError(_told(error)) from error


def _parquet_rows(file: io.BufferedIOBase) -> Iterator[Rows]:
    first = 1
    for records in parquet.rows_of(file):
        yield range(first, first + len(records)), records
        first += len(records)


def _json_rows(file: io.BufferedIOBase, *, must_be_gzip: bool) -> Iterator[Rows]:
    first = 1
    for lines in split_lines(_chunks(file, must_be_gzip=must_be_gzip)):
        if first == 1:
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        records = [line.strip() for line in lines]
        numbers: Sequence[int] = range(first, first + len(lines))
        first += len(lines)
        if not all(records):
            pairs = zip(numbers, records, strict=True)
            numbers = [number for number, record in pairs if record]
            records = [record for record in records if record]
        yield numbers, records


def _chunks(file: io.BufferedIOBase, *, must_be_gzip: bool) -> Iterable[bytes]:
    """Yield what there is to read; whether it is gzip is told by the file, not by the message.

    The SDK's taps write gzip also where they say that there is none.
    """
    start = file.read(len(_GZIP))
    if not start and must_be_gzip:
        raise EOFError("it is empty, and so no gzip")
    whole = _Again(start, file)
    read = whole.read1
    if start == _GZIP:
        read = gzip.GzipFile(mode="rb", fileobj=cast("IO[bytes]", whole)).read1
    while chunk := read(CHUNK_BYTES):
        yield chunk


class _Again:
    """A file whose first bytes are read already; it need not be one that can be sought in."""

    def __init__(self, start: bytes, file: io.BufferedIOBase) -> None:
        self._start = start
        self._file = file

    def read1(self, size: int) -> bytes:
        """Return what there is, without waiting for more; nothing at the end alone."""
        start, self._start = self._start, b""
        return start or self._file.read1(size)

    def read(self, size: int) -> bytes:
        """Return at most so many bytes; as many as asked for where these are few."""
        data = self.read1(size)
        while len(data) < min(size, len(_GZIP)) and (more := self.read1(size - len(data))):
            data += more
        return data


def _told(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            "it is not there; the tap must leave its files until the run has ended, where this "
            "target can read them"
        )
    if isinstance(error, PermissionError):
        return "the user that this target runs as may not read it"
    if isinstance(error, EOFError | gzip.BadGzipFile | zlib.error):
        return f"its gzip data is cut off or damaged ({error}); let the tap write it again"
    if isinstance(error, LineTooLongError):
        return f"its next line {error}"
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error) or type(error).__name__

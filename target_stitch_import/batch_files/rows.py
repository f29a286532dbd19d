"""Reads the records of a BATCH message's file: JSON lines, plain or gzip, or Parquet.

It is at a path, a ``file://`` URL or, with the extra ``s3``, an ``s3://`` one.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias
from urllib.parse import unquote

from target_stitch_import.singer.lines import BYTE_ORDER_MARK, LineTooLongError, split_lines

NumberedRecords: TypeAlias = tuple[Sequence[int], list[bytes]]
"""The number of each record's line or row in the file, from 1, and the records as JSON."""

COMPRESSIONS: Final = {
    "jsonl": frozenset({"none", "gzip"}),
    "parquet": frozenset({"none", "brotli", "gzip", "lz4", "snappy", "zstd"}),
}
"""The compressions that can be read, by format."""

CHUNK_BYTES: Final = 1 << 18  # that are read at a time, at most

MAX_BLANK_LINES: Final = 1_000_000
"""A file with more is refused: a small one with gzip may have billions."""

_GZIP: Final = b"\x1f"  # the first byte of gzip, and of no JSON


class FileReadError(Exception):
    """A file can't be read to its end. The message says why and what to do."""


def read_rows(address: str, file_format: str, compression: str) -> Iterator[NumberedRecords]:
    """Yield the records of a file of any size, several at a time.

    The compression is one of ``COMPRESSIONS`` for the format. Raise ``FileReadError`` at what can't
    be read.
    """
    try:
        with open_file(address) as file:
            if file_format == "parquet":  # the file itself names its compression
                yield from _read_parquet(file)
            else:
                yield from _read_json_lines(file, must_be_gzip=compression == "gzip")
    except Exception as error:
        raise FileReadError(_describe(error)) from error


def open_file(address: str) -> io.BufferedIOBase:
    """Open a file for reading; it supports ``seek`` unless it is a pipe. The caller closes it.

    Raise an error that says why it can't be opened.
    """
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", address)
    scheme, rest = (match[1].lower(), address[match.end() :]) if match else ("", address)
    if scheme == "s3":
        return _open_s3(rest)
    if scheme not in ("", "file"):
        raise ValueError(
            f"this target can't read from {scheme}://: let the tap write to a local folder or to "
            "s3://"
        )
    return open(_local_path(rest) if scheme else rest, "rb")  # noqa: PTH123 - as it is written


def _local_path(rest: str) -> str:
    """Return the path of a file URL whose scheme is removed; ``file://folder/x`` is relative."""
    path = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
    decoded = unquote(path)
    # Some taps do not encode a % in a name.
    return path if path != decoded and os.path.lexists(path) else decoded


def _open_s3(rest: str) -> io.BufferedIOBase:
    bucket, _, key = rest.partition("/")
    if not bucket or not key:
        raise ValueError("an address in S3 has to be s3://BUCKET/KEY")
    try:
        from smart_open import s3  # noqa: PLC0415 - imported only if needed
    except ImportError:
        raise _missing_extra("a BATCH message with files in S3", "s3") from None
    return s3.open(bucket, key, "rb", defer_seek=True)


def _read_parquet(file: io.BufferedIOBase) -> Iterator[NumberedRecords]:
    try:
        from target_stitch_import.batch_files import parquet  # noqa: PLC0415 - of an extra
    except ImportError:
        raise _missing_extra("a BATCH message of Parquet files", "parquet") from None
    first = 1
    for records in parquet.read_rows(file):
        yield range(first, first + len(records)), records
        first += len(records)


def _read_json_lines(file: io.BufferedIOBase, *, must_be_gzip: bool) -> Iterator[NumberedRecords]:
    first, blank = 1, 0
    for lines in split_lines(_read_chunks(file, must_be_gzip=must_be_gzip)):
        if first == 1:
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        records = [line.strip() for line in lines]
        numbers = [number for number, record in enumerate(records, first) if record]
        first += len(lines)
        blank += len(lines) - len(numbers)
        if blank > MAX_BLANK_LINES:
            raise ValueError(f"it has more than {MAX_BLANK_LINES:,} blank lines")
        yield numbers, [record for record in records if record]


def _read_chunks(file: io.BufferedIOBase, *, must_be_gzip: bool) -> Iterable[bytes]:
    """Yield the content of a file, decompressed if it is gzip.

    Its first byte decides that, as the SDK's taps write gzip even if the message says none.
    """
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(file)
    start = buffered.peek(1)
    if not start and must_be_gzip:
        raise EOFError("it is empty, so it is not gzip")
    is_gzip = start.startswith(_GZIP)
    read = gzip.GzipFile(mode="rb", fileobj=buffered).read1 if is_gzip else buffered.read1
    while chunk := read(CHUNK_BYTES):
        yield chunk


def _missing_extra(needed_for: str, extra: str) -> ImportError:
    """Return the error for a library of an extra that is not installed."""
    return ImportError(
        f"{needed_for} needs the extra {extra}: pip install 'target-stitch-import[{extra}]'"
    )


def _describe(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            "it does not exist; the tap must keep its files until the run has ended, where this "
            "target can read them"
        )
    if isinstance(error, PermissionError):
        return "the user that runs this target has no permission to read it"
    if isinstance(error, EOFError | gzip.BadGzipFile | zlib.error):
        return f"its gzip data is cut off or damaged ({error}); let the tap write it again"
    if isinstance(error, MemoryError):
        return "there is not enough memory for its next rows; let the tap write smaller files"
    if isinstance(error, LineTooLongError):
        return f"its next line {error}"
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error) or type(error).__name__

"""Reads the rows of a Parquet file as JSON, exactly, and a few at a time to limit the memory.

It needs ``pyarrow``, from the extra ``parquet``.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from pyarrow import parquet

from target_stitch_import.batch_files.arrow import column_converter
from target_stitch_import.limits import MAX_DATA_POINTS
from target_stitch_import.text import counted

# The most that is in memory as Python values, unless one row has more.
MAX_ROWS: Final = 1_000
MAX_CELLS: Final = 500_000
MAX_ROWS_BYTES: Final = 4_000_000

MAX_UNPACKED_BYTES: Final = 64_000_000
MAX_RATIO: Final = 1_000
"""A row group is not read if its columns unpack to more, and to so many times their size in the file."""
MAX_VALUES: Final = 20_000_000
"""A column is not read if it has more in a row group, and more for each row than a record may have."""

_MAX_REPEATED_BYTES: Final = 1 << 25  # of values that a file has once, in rows read at once
_COLUMN_BUFFER_BYTES: Final = 1 << 18  # for each column of a local file
_BUFFERS_BYTES: Final = 1 << 25  # for all columns together, at most

_encode = msgspec.json.Encoder(decimal_format="number").encode


def read_rows(file: io.BufferedIOBase) -> Iterator[list[bytes]]:
    """Yield the rows of a file as JSON, several at a time; NaN and infinity stay, as ``NaN``, ...

    Raise ``ValueError`` for a column that can't be written as JSON, and what ``pyarrow`` raises.
    """
    with _open_parquet(file) as source:
        schema = source.schema_arrow
        names: list[str] = schema.names
        if duplicates := sorted(name for name, count in Counter(names).items() if count > 1):
            raise ValueError(f"it has two columns named {duplicates[0]!r}")
        converters = [column_converter(field.name, field.type) for field in schema]
        for part in _slices(source):
            pairs = zip(converters, part.columns, strict=True)
            columns = [convert(column) for convert, column in pairs]
            # A file without columns has only a number of rows.
            rows = zip(*columns, strict=True) if columns else [()] * part.num_rows
            yield [_encode(dict(zip(names, row, strict=True))) for row in rows]


def _open_parquet(file: io.BufferedIOBase) -> Any:
    """Open a file with little of it in memory: a buffer for each column of a local file.

    In S3 each read is a request, so a row group is read as a whole, with few requests.
    """
    if not isinstance(file, io.BufferedReader):
        return parquet.ParquetFile(file, pre_buffer=True)
    metadata = parquet.read_metadata(file)
    size = max(1, min(_COLUMN_BUFFER_BYTES, _BUFFERS_BYTES // max(1, metadata.num_columns)))
    return parquet.ParquetFile(file, metadata=metadata, pre_buffer=False, buffer_size=size)


def _slices(source: Any) -> Iterator[Any]:
    """Yield the rows as Arrow batches that are small enough to be converted to Python values."""
    # One group at a time, as Arrow keeps what it has read until it has yielded all that was asked for.
    for group in range(source.num_row_groups):
        metadata = source.metadata.row_group(group)
        columns = [metadata.column(index) for index in range(metadata.num_columns)]
        _refuse_bomb(columns, metadata.num_rows)
        max_rows = _max_rows_by_metadata(metadata, columns)
        for batch in source.iter_batches(max_rows, row_groups=[group], use_threads=False):
            # if all are as large as those of this batch
            rows = max(1, min(max_rows, batch.num_rows * MAX_ROWS_BYTES // max(1, batch.nbytes)))
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)


def _refuse_bomb(columns: Sequence[Any], rows: int) -> None:
    """Raise ValueError if a row group would fill the memory with what hardly any file has."""
    sizes = [(each.total_uncompressed_size, each.total_compressed_size) for each in columns]
    size = sum(unpacked for unpacked, packed in sizes if unpacked > MAX_RATIO * packed)
    if size > MAX_UNPACKED_BYTES:
        raise ValueError(
            f"a row group unpacks to {size:,} bytes, more than {MAX_RATIO:,} times its size in the "
            "file; let the tap write smaller row groups"
        )
    for each in columns:
        if each.num_values > max(MAX_VALUES, MAX_DATA_POINTS * rows):
            raise ValueError(
                f"column {each.path_in_schema!r} has {each.num_values:,} values in "
                f"{counted(rows, 'row')}, and a record may have {MAX_DATA_POINTS:,}"
            )


def _max_rows_by_metadata(group: Any, columns: Sequence[Any]) -> int:
    """Return how many rows of a row group may be in memory as values, by its metadata."""
    by_cells: int = MAX_CELLS * group.num_rows // max(1, sum(each.num_values for each in columns))
    by_bytes: int = MAX_ROWS_BYTES * group.num_rows // max(1, group.total_byte_size)
    # A value in a dictionary counts once there, however many rows have it: each may be the longest.
    repeated = filter(_may_repeat_long_values, columns)
    longest = max((each.total_uncompressed_size for each in repeated), default=0)
    by_longest = _MAX_REPEATED_BYTES // longest if longest else MAX_ROWS
    return max(1, min(MAX_ROWS, by_cells, by_bytes, by_longest))


def _may_repeat_long_values(column: Any) -> bool:
    """Return True for text with a dictionary and without statistics, which long values do not have."""
    has_statistics = column.statistics and column.statistics.has_min_max
    return (
        column.physical_type == "BYTE_ARRAY" and column.has_dictionary_page and not has_statistics
    )

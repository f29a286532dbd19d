"""A Parquet file -> the JSON text of its rows, exact to the last digit.

Read some rows at a time, so that a file of any size fits into the memory. Knows ``pyarrow``, which
the extra ``parquet`` brings, and how it reads; nothing of the types of columns, of where the file is
or of what becomes of a row.
"""

from __future__ import annotations

import io
from collections import Counter
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.arrow import ArrowType, UnwritableError
from target_stitch_import.opening import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["rows_of"]

ROWS: Final = 1_000
"""So many rows are in memory as values at once, at most."""
CELLS: Final = 500_000
"""So many values are, unless one row has more."""
ROWS_BYTES: Final = 4_000_000
"""So large the rows are that are in memory as values at once, unless one row is larger."""

_LOOKED_AT: Final = 16
"""So many rows are looked at first where they may be wider than the file says."""
_BUFFER_BYTES: Final = 1 << 18
"""Read at once of a column of a near file."""
_BUFFERS_BYTES: Final = 1 << 25
"""And of all its columns together."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def rows_of(file: io.BufferedIOBase) -> Iterator[list[bytes]]:
    """Yield the rows of a file as JSON objects, some at a time; NaN and the like stay such words.

    Raises:
        MissingExtraError: ``pyarrow`` is not installed.
        UnwritableError: A column can't be written.
        Exception: Of ``pyarrow``: it is no such file.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - only where it is used
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("a BATCH message of Parquet files", "parquet") from None
    with _opened(parquet, file) as source:
        schema = source.schema_arrow
        names: list[str] = schema.names
        if twice := sorted(name for name, count in Counter(names).items() if count > 1):
            raise UnwritableError(f"it has two columns {twice[0]!r}")
        types = [ArrowType(pa, field.type, field.name) for field in schema]
        for part in _parts(source):
            columns = [
                kind.values(column) for kind, column in zip(types, part.columns, strict=True)
            ]
            # Of a file without columns, only the number of rows is known.
            rows = zip(*columns, strict=True) if columns else [()] * part.num_rows
            yield [_encode(dict(zip(names, row, strict=True))) for row in rows]


def _opened(parquet: Any, file: io.BufferedIOBase) -> Any:
    """Open a file so that little of it is in memory.

    Of one that is near, that is a buffer for each column. Of one that is far each read is a request,
    so a row group is read whole, in few of them.
    """
    if not isinstance(file, io.BufferedReader):
        return parquet.ParquetFile(file, pre_buffer=True)
    metadata = parquet.read_metadata(file)
    buffer = min(_BUFFER_BYTES, _BUFFERS_BYTES // max(1, metadata.num_columns))
    return parquet.ParquetFile(
        file, metadata=metadata, pre_buffer=False, buffer_size=max(1, buffer)
    )


def _parts(source: Any) -> Iterator[Any]:
    """Yield the rows, as Arrow has them, so many at a time as may be in memory as values."""
    # Group by group: what Arrow has read it keeps until it has gone through all that was asked for.
    for group in range(source.num_row_groups):
        described = source.metadata.row_group(group)
        most = _rows_at_once(described)
        batches = partial(source.iter_batches, row_groups=[group], use_threads=False)
        if _may_be_wider(described):
            most = min([most, *map(_rows_that_fit, islice(batches(min(most, _LOOKED_AT)), 1))])
        for batch in batches(most):
            rows = min(most, _rows_that_fit(batch))
            for at in range(0, batch.num_rows, rows):
                yield batch.slice(at, rows)


def _rows_that_fit(batch: Any) -> int:
    """Return how many rows as wide as those of a batch may be in memory as values."""
    return int(max(1, batch.num_rows * ROWS_BYTES // max(1, batch.nbytes)))


def _may_be_wider(group: Any) -> bool:
    """Return True if rows may be much wider than what is said of a row group.

    What stands in a dictionary counts once there, however many rows have it. Of long values there are
    no statistics.
    """
    columns = map(group.column, range(group.num_columns))
    return any(
        each.physical_type == "BYTE_ARRAY"
        and each.has_dictionary_page
        and not (each.statistics and each.statistics.has_min_max)
        for each in columns
    )


def _rows_at_once(group: Any) -> int:
    """Return how many rows of a row group may be in memory as values, by what is said of it."""
    cells: int = sum(group.column(place).num_values for place in range(group.num_columns))
    by_cells: int = CELLS * group.num_rows // max(1, cells)
    by_bytes: int = ROWS_BYTES * group.num_rows // max(1, group.total_byte_size)
    return max(1, min(ROWS, by_cells, by_bytes))

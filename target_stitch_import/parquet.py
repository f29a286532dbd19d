"""A Parquet file -> the JSON text of its rows, exact to the last digit.

Read some rows at a time, so that a file of any size fits into the memory. What JSON lacks is written
as text; the types that have no such text are refused. Knows Arrow's types, and ``pyarrow``, which
the extra ``parquet`` brings; nothing of where the file is or of what becomes of a row.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from target_stitch_import.opening import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Convert: TypeAlias = Callable[[Any], Any]

__all__ = ["UnwritableError", "rows_of"]

ROWS: Final = 1_000
"""So many rows are in memory as values at once, at most."""
CELLS: Final = 500_000
"""So many values are, unless one row has more."""
ROWS_BYTES: Final = 4_000_000
"""So large the rows are that are in memory as values at once, unless one row is larger."""

_BUFFER_BYTES: Final = 1 << 18
"""Read at once of a column of a near file."""
_BUFFERS_BYTES: Final = 1 << 25
"""And of all its columns together."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


class UnwritableError(ValueError):
    """A column has a type, or a value, that can't be written as JSON."""


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
        types = [_Type(pa, field.type, field.name) for field in schema]
        for part in _parts(source):
            columns = [
                _values(kind, column) for kind, column in zip(types, part.columns, strict=True)
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
        most = _rows_at_once(source.metadata.row_group(group))
        for batch in source.iter_batches(most, row_groups=[group], use_threads=False):
            # A value that stands there once for many rows is not many times in the size of a group.
            rows = max(1, min(most, batch.num_rows * ROWS_BYTES // max(1, batch.nbytes)))
            for at in range(0, batch.num_rows, rows):
                yield batch.slice(at, rows)


def _rows_at_once(group: Any) -> int:
    """Return how many rows of a row group may be in memory as values, by what is said of it."""
    cells: int = sum(group.column(place).num_values for place in range(group.num_columns))
    by_cells: int = CELLS * group.num_rows // max(1, cells)
    by_bytes: int = ROWS_BYTES * group.num_rows // max(1, group.total_byte_size)
    return max(1, min(ROWS, by_cells, by_bytes))


def _values(kind: _Type, column: Any) -> list[Any]:
    try:
        for plainer in kind.casts:
            column = column.cast(plainer)
        values: list[Any] = column.to_pylist()
        return values if kind.convert is None else [kind.convert(value) for value in values]
    except ValueError as error:  # as are those of pyarrow
        raise UnwritableError(f"column {kind.column!r}: {error}") from error


class _Type:
    """How a column is written: cast by Arrow first, then each value converted."""

    def __init__(self, pa: Any, declared: Any, column: str) -> None:
        self.column = column
        self._pa = pa
        is_a = pa.types

        def in_utc(kind: Any) -> Any:
            is_zoned = is_a.is_timestamp(kind) and kind.tz is not None
            return pa.timestamp(kind.unit, "UTC") if is_zoned else kind

        def as_text(kind: Any) -> Any:
            is_moment = is_a.is_timestamp(kind) or is_a.is_date(kind) or is_a.is_time(kind)
            return pa.string() if is_moment else kind

        casts = [self._each(declared, leaf) for leaf in (in_utc, as_text)]
        self.casts = [each for each in casts if each != declared]
        """Types to cast to, one after the other."""
        self.convert = self._converter(declared)

    def _each(self, kind: Any, leaf: Callable[[Any], Any]) -> Any:
        """Return a type with what ``leaf`` makes of each type in it that holds no other."""
        pa, is_a = self._pa, self._pa.types
        if is_a.is_struct(kind):
            fields = [kind.field(place) for place in range(kind.num_fields)]
            result = pa.struct([each.with_type(self._each(each.type, leaf)) for each in fields])
        elif is_a.is_map(kind):
            result = pa.map_(self._each(kind.key_type, leaf), self._each(kind.item_type, leaf))
        elif is_a.is_fixed_size_list(kind):
            result = pa.list_(self._each(kind.value_type, leaf), kind.list_size)
        elif is_a.is_large_list(kind):
            result = pa.large_list(self._each(kind.value_type, leaf))
        elif is_a.is_list(kind):
            result = pa.list_(self._each(kind.value_type, leaf))
        elif is_a.is_dictionary(kind):
            result = self._each(kind.value_type, leaf)
        else:
            result = leaf(kind)
        return result

    def _converter(self, kind: Any) -> Convert | None:
        """Return what makes of a value what is written; None if it is written as it is."""
        is_a = self._pa.types
        result: Convert | None = None
        if is_a.is_floating(kind):
            result = _float
        elif is_a.is_timestamp(kind) or is_a.is_date(kind):
            result = _moment
        elif is_a.is_dictionary(kind):
            result = self._converter(kind.value_type)
        elif is_a.is_struct(kind):
            fields = [kind.field(place) for place in range(kind.num_fields)]
            result = _struct({each.name: self._converter(each.type) for each in fields})
        elif is_a.is_map(kind):
            key, item = self._converter(kind.key_type), self._converter(kind.item_type)
            result = _object(item) if is_a.is_string(kind.key_type) else _pairs(key, item)
        elif is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind):
            result = _list(self._converter(kind.value_type))
        elif not self._is_plain(kind):
            raise UnwritableError(
                f"column {self.column!r} has the type {kind}, which this target does not write; "
                "let the tap write another type, or text"
            )
        return result

    def _is_plain(self, kind: Any) -> bool:
        is_a = self._pa.types
        tests = (
            "null boolean integer decimal time string large_string string_view "
            "binary large_binary fixed_size_binary binary_view"
        )
        return _is_text(kind) or any(getattr(is_a, f"is_{test}")(kind) for test in tests.split())


def _is_text(kind: Any) -> bool:
    """Return True for an extension of Arrow that is written as text."""
    return getattr(kind, "extension_name", "") in {"arrow.uuid", "arrow.json"}


# Values


def _float(value: float | None) -> Any:
    # The words NaN and Infinity: whoever reads the row warns of them, and puts null there.
    return value if value is None or math.isfinite(value) else Decimal(value)


def _moment(text: str | None) -> str | None:
    if text is not None and text.startswith("<"):  # what Arrow says of it
        raise ValueError("it has a time that is beyond the calendar")
    return text and text.replace(" ", "T", 1)


def _applied(convert: Convert | None, value: Any) -> Any:
    return value if convert is None else convert(value)


def _struct(converters: dict[str, Convert | None]) -> Convert:
    def convert(value: dict[str, Any] | None) -> Any:
        if value is None:
            return None
        return {name: _applied(converters[name], part) for name, part in value.items()}

    return convert


def _object(item: Convert | None) -> Convert:
    def convert(value: list[tuple[str, Any]] | None) -> Any:
        return None if value is None else {name: _applied(item, part) for name, part in value}

    return convert


def _pairs(key: Convert | None, item: Convert | None) -> Convert:
    def convert(value: list[tuple[Any, Any]] | None) -> Any:
        if value is None:
            return None
        return [{"key": _applied(key, name), "value": _applied(item, part)} for name, part in value]

    return convert


def _list(item: Convert | None) -> Convert | None:
    if item is None:
        return None

    def convert(value: list[Any] | None) -> Any:
        return None if value is None else [item(part) for part in value]

    return convert

"""Values into SQLite's storage classes and back, without changing one.

SQLite has strings, 64-bit integers and doubles. Any other value is stored as a BLOB of its
JSON text, which no column affinity converts: an integer outside 64 bits, a decimal that no
double equals, a value of another type than its column's. A column of decimals has their digits
as text.
"""

from __future__ import annotations

import decimal
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.storage.columns import ColumnType
from target_stitch_import.emulator.storage.exact_json import decode, is_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Stored = str | int | float | bytes | None

_MAX: Final = 2**63 - 1
_MIN: Final = -(2**63)
_MIN_WHOLE_DOUBLE: Final = 2.0**53
"""Doubles from here on are integers, and SQLite would convert them with all their bits."""
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_EXACT_CONTEXT: Final = decimal.Context(
    prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN
)
# Python types that a column of each type stores unchanged, if integers have 64 bits.
_UNCHANGED: Final[dict[ColumnType, frozenset[type]]] = {
    ColumnType.INTEGER: frozenset({int, type(None)}),
    ColumnType.NUMBER: frozenset({int, type(None)}),
    ColumnType.BOOLEAN: frozenset({bool, type(None)}),
    ColumnType.STRING: frozenset({str, type(None)}),
    ColumnType.DECIMAL: frozenset({type(None)}),
    ColumnType.JSON: frozenset({type(None)}),
    ColumnType.ANY: frozenset({str, int, type(None)}),
}


def to_sqlite(
    column: list[Any], column_type: ColumnType, json_text: Callable[[int], bytes], *, is_key: bool
) -> list[Stored]:
    """Return the values of a column as SQLite stores them.

    Args:
        column: the values, as decoded.
        column_type: the column's type.
        json_text: returns the JSON text that was posted for the value at an index of ``column``.
        is_key: True if equal numbers must be stored alike, however they were written.
    """
    types = set(map(type, column))
    if types <= _UNCHANGED[column_type] and (int not in types or _are_64_bit(column)):
        return column
    if column_type is ColumnType.NUMBER and types <= {Decimal, type(None)}:
        doubles = _doubles(column)
        if doubles is not None:
            return doubles
    indexes = range(len(column))
    return [
        _value_to_sqlite(column[index], index, column_type, json_text, is_key=is_key)
        for index in indexes
    ]


def _are_64_bit(column: list[Any]) -> bool:
    integers = [value for value in column if type(value) is int]
    return max(integers) <= _MAX and min(integers) >= _MIN


def _doubles(column: list[Any]) -> list[Stored] | None:
    """Return decimals as doubles; None if one of them has no equal double."""
    numbers = [value for value in column if value is not None]
    doubles = list(map(float, numbers))
    if list(map(Decimal, map(repr, doubles))) != numbers:
        return None
    if max(map(abs, doubles), default=0.0) >= _MIN_WHOLE_DOUBLE:
        return None
    remaining = iter(doubles)
    return [None if value is None else next(remaining) for value in column]


def _value_to_sqlite(
    value: Any,
    index: int,
    column_type: ColumnType,
    json_text: Callable[[int], bytes],
    *,
    is_key: bool,
) -> Stored:
    if value is None:
        return None
    if isinstance(value, bool):
        return value if column_type is ColumnType.BOOLEAN else json_text(index)
    if isinstance(value, str):
        text = _column_text(value, column_type, is_key=is_key)
        return json_text(index) if text is None else text
    if isinstance(value, (dict, list)):
        return json_text(index).decode() if column_type is ColumnType.JSON else json_text(index)
    if column_type in (ColumnType.NUMBER, ColumnType.ANY) or (
        column_type is ColumnType.INTEGER and is_integer(value)
    ):
        number = _sqlite_number(value)
        if number is not None:
            return number
    return _canonical_text(value) if is_key else json_text(index)


def _column_text(text: str, column_type: ColumnType, *, is_key: bool) -> str | None:
    """Return a string as its column has it; None if it is not of the column's type."""
    if column_type in (ColumnType.STRING, ColumnType.ANY):
        return text
    if column_type is not ColumnType.DECIMAL or _DECIMAL.fullmatch(text) is None:
        return None
    try:
        number = Decimal(text)
    except decimal.InvalidOperation:
        return None
    return str(number.normalize(_EXACT_CONTEXT) if is_key else number)


def _sqlite_number(value: int | Decimal) -> int | float | None:
    """Return the SQLite number that equals ``value``, or None."""
    if isinstance(value, int):
        return value if _MIN <= value <= _MAX else None
    number = float(value)
    # The shortest text of the double counts: that is what is read back.
    if Decimal(repr(number)) != value:
        return None
    return int(value) if _MIN_WHOLE_DOUBLE <= abs(number) < _MAX else number


def _canonical_text(value: int | Decimal) -> bytes:
    number = Decimal(value)
    return str(number if is_integer(number) else number.normalize(_EXACT_CONTEXT)).encode()


def from_sqlite(value: Stored, column_type: ColumnType) -> Any:
    """Return the value that ``to_sqlite`` stored as ``value``."""
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if column_type is ColumnType.BOOLEAN and value is not None:
        return bool(value)
    if column_type is ColumnType.JSON and isinstance(value, str):
        return decode(value)
    if column_type is ColumnType.DECIMAL and isinstance(value, str):
        return Decimal(value)
    return value


def join_fields(texts: Mapping[str, bytes]) -> str:
    """Return the text of a JSON object whose values are JSON text already."""
    fields = (f"{json.dumps(name)}:{text.decode()}" for name, text in texts.items())
    return f"{{{','.join(fields)}}}"

"""Values into SQLite's storage classes and back, without changing one.

SQLite holds strings, 64-bit integers and doubles. Whatever is none of these, exactly, is
stored as a BLOB of its JSON text, which no column affinity converts: an integer outside 64
bits, a decimal that no double holds, an array or a value of another type in a column that
has a type. Knows nothing of tables.
"""

from __future__ import annotations

import decimal
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.storage.columns import Kind
from target_stitch_import.emulator.storage.exact_json import decode, is_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Stored = str | int | float | bytes | None

_MAX: Final = 2**63 - 1
_MIN: Final = -(2**63)
_WHOLE: Final = 2.0**53
"""Doubles from here on are whole, and SQLite would turn them into integers by all their bits."""
_WIDE: Final = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
# What a column of each kind takes as it is, if its integers are of 64 bits.
_AS_THEY_ARE: Final[dict[Kind, frozenset[type]]] = {
    Kind.INTEGER: frozenset({int, type(None)}),
    Kind.NUMBER: frozenset({int, type(None)}),
    Kind.BOOLEAN: frozenset({bool, type(None)}),
    Kind.STRING: frozenset({str, type(None)}),
    Kind.JSON: frozenset({type(None)}),
    Kind.ANY: frozenset({str, int, type(None)}),
}


def stored_column(
    column: list[Any], kind: Kind, text_of: Callable[[int], bytes], *, is_key: bool
) -> list[Stored]:
    """Return what stands for the values of a column of ``kind``.

    Args:
        column: the values, as decoded.
        kind: of the column.
        text_of: gives a value's JSON text as it was written, from its place in ``column``.
        is_key: equal numbers must be stored alike, however they were written.
    """
    types = set(map(type, column))
    if types <= _AS_THEY_ARE[kind] and (int not in types or _are_64_bit(column)):
        return column
    if kind is Kind.NUMBER and types <= {Decimal, type(None)}:
        doubles = _doubles(column)
        if doubles is not None:
            return doubles
    places = range(len(column))
    return [_stored(column[place], place, kind, text_of, is_key=is_key) for place in places]


def _are_64_bit(column: list[Any]) -> bool:
    integers = [value for value in column if type(value) is int]
    return max(integers) <= _MAX and min(integers) >= _MIN


def _doubles(column: list[Any]) -> list[Stored] | None:
    """Return decimals as doubles; None when one of them is not exactly held by one."""
    numbers = [value for value in column if value is not None]
    doubles = list(map(float, numbers))
    if list(map(Decimal, map(repr, doubles))) != numbers:
        return None
    if max(map(abs, doubles), default=0.0) >= _WHOLE:
        return None
    each = iter(doubles)
    return [None if value is None else next(each) for value in column]


def _stored(
    value: Any, place: int, kind: Kind, text_of: Callable[[int], bytes], *, is_key: bool
) -> Stored:
    if value is None:
        return None
    if isinstance(value, bool):
        return value if kind is Kind.BOOLEAN else text_of(place)
    if isinstance(value, str):
        return value if kind in (Kind.STRING, Kind.ANY) else text_of(place)
    if isinstance(value, (dict, list)):
        return text_of(place).decode() if kind is Kind.JSON else text_of(place)
    if kind in (Kind.NUMBER, Kind.ANY) or (kind is Kind.INTEGER and is_integer(value)):
        number = _number(value)
        if number is not None:
            return number
    return _canonical(value) if is_key else text_of(place)


def _number(value: int | Decimal) -> int | float | None:
    """Return the SQLite number that equals ``value``; None where there is none."""
    if isinstance(value, int):
        return value if _MIN <= value <= _MAX else None
    number = float(value)
    # What counts is the shortest text of the double, for that is what everybody reads.
    if Decimal(repr(number)) != value:
        return None
    return int(value) if _WHOLE <= abs(number) < _MAX else number


def _canonical(value: int | Decimal) -> bytes:
    number = Decimal(value)
    return str(number if is_integer(number) else number.normalize(_WIDE)).encode()


def read(value: Stored, kind: Kind) -> Any:
    """Return the value that ``stored`` made ``value`` of."""
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if kind is Kind.BOOLEAN and value is not None:
        return bool(value)
    if kind is Kind.JSON and isinstance(value, str):
        return decode(value)
    return value


def merged_texts(texts: Mapping[str, bytes]) -> str:
    """Return one JSON object of fields that are JSON text already."""
    fields = (f"{json.dumps(name)}:{text.decode()}" for name, text in texts.items())
    return f"{{{','.join(fields)}}}"

"""The values of an Arrow column -> what is written of them as JSON, exact to the last digit.

What JSON lacks is written as text; the types that have no such text are refused. Knows Arrow's types
alone; nothing of files or of rows.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    Convert: TypeAlias = Callable[[Any], Any]

__all__ = ["ArrowType", "UnwritableError"]

_STRINGS: Final = ("string", "large_string", "string_view")
_BINARIES: Final = ("binary", "large_binary", "fixed_size_binary", "binary_view")
_PLAIN: Final = ("null", "boolean", "integer", "decimal", *_BINARIES)

_PLAIN_SCALE: Final = 6
"""A decimal of a larger scale may be written with an exponent, and without all of its digits."""


class UnwritableError(ValueError):
    """A column has a type, or a value, that can't be written as JSON."""


class ArrowType:
    """How a column is written: cast by Arrow first, then each value converted."""

    def __init__(self, pa: Any, declared: Any, column: str) -> None:
        """Take the module ``pyarrow``, the type that a column has, and its name.

        Raises:
            UnwritableError: It has no form in JSON.
        """
        self._column = column
        self._pa = pa
        is_a = pa.types

        def in_utc(kind: Any) -> Any:
            is_zoned = is_a.is_timestamp(kind) and kind.tz is not None
            return pa.timestamp(kind.unit, "UTC") if is_zoned else kind

        def as_text(kind: Any) -> Any:
            is_moment = is_a.is_timestamp(kind) or is_a.is_date(kind) or is_a.is_time(kind)
            return pa.string() if is_moment else kind

        casts = [self._each(declared, leaf) for leaf in (in_utc, as_text)]
        self._casts = [each for each in casts if each != declared]
        """Types to cast to, one after the other."""
        self._convert = self._converter(declared)

    def values(self, column: Any) -> list[Any]:
        """Return the values of a column as ``msgspec`` writes them.

        Raises:
            UnwritableError: One of them can't be written.
        """
        try:
            for plainer in self._casts:
                column = column.cast(plainer)
            values: list[Any] = column.to_pylist()
            return values if self._convert is None else [self._convert(value) for value in values]
        except ValueError as error:  # as are those of pyarrow
            raise UnwritableError(f"column {self._column!r}: {error}") from error

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
        elif is_a.is_time(kind):
            result = _time
        elif is_a.is_decimal(kind) and not 0 <= kind.scale <= _PLAIN_SCALE:
            result = _decimal
        elif is_a.is_dictionary(kind):
            result = self._converter(kind.value_type)
        elif is_a.is_struct(kind):
            fields = [kind.field(place) for place in range(kind.num_fields)]
            result = _struct({each.name: self._converter(each.type) for each in fields})
        elif is_a.is_map(kind):
            key, item = self._converter(kind.key_type), self._converter(kind.item_type)
            result = _object(item) if self._is_string(kind.key_type) else _pairs(key, item)
        elif is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind):
            result = _list(self._converter(kind.value_type))
        elif not self._is_plain(kind):
            raise UnwritableError(
                f"column {self._column!r} has the type {kind}, which this target does not write; "
                "let the tap write another type, or text"
            )
        return result

    def _is_string(self, kind: Any) -> bool:
        is_a = self._pa.types
        if is_a.is_dictionary(kind):
            return self._is_string(kind.value_type)
        return any(getattr(is_a, f"is_{test}")(kind) for test in _STRINGS)

    def _is_plain(self, kind: Any) -> bool:
        is_a = self._pa.types
        is_known = any(getattr(is_a, f"is_{test}")(kind) for test in _PLAIN)
        return is_known or self._is_string(kind) or _is_text(kind)


def _is_text(kind: Any) -> bool:
    """Return True for an extension of Arrow that is written as text."""
    return getattr(kind, "extension_name", "") in {"arrow.uuid", "arrow.json"}


# Values


def _float(value: float | None) -> Any:
    # The words NaN and Infinity: whoever reads the row warns of them, and puts null there.
    return value if value is None or math.isfinite(value) else Decimal(value)


def _moment(text: str | None) -> str | None:
    # A year has four digits, and is not 0000; what Arrow can't say begins with <.
    if text is not None and (text[4:5] != "-" or text.startswith("0000")):
        raise ValueError("it has a time that is beyond the calendar")
    return text and text.replace(" ", "T", 1)


def _time(text: str | None) -> str | None:
    if text is not None and text.startswith("<"):
        raise ValueError("it has a time that is beyond the day")
    return text


def _decimal(value: Decimal | None) -> msgspec.Raw | None:
    return None if value is None else msgspec.Raw(format(value, "f").encode())


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

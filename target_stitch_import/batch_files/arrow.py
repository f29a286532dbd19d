"""Converts the values of an Arrow column to values that are written as JSON, exactly.

Types that JSON does not have are written as text; types without a usual text are refused.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    Convert: TypeAlias = Callable[[Any], Any]

_STRINGS: Final = ("string", "large_string", "string_view")
_BINARIES: Final = ("binary", "large_binary", "fixed_size_binary", "binary_view")
_PLAIN: Final = ("null", "boolean", "integer", "decimal", *_BINARIES)

_PLAIN_SCALE: Final = 6
"""Decimals of a larger scale are formatted here, as they could be written with an exponent."""


class UnsupportedColumnError(ValueError):
    """A column has a type, or a value, that can't be written as JSON."""


class ColumnConverter:
    """Converts a column: Arrow casts it, then each value is converted where that is needed."""

    def __init__(self, pa: Any, declared: Any, column: str) -> None:
        """Prepare for a column; ``pa`` is the module ``pyarrow``, ``declared`` the column's type.

        Raises:
            UnsupportedColumnError: The type has no form in JSON.
        """
        self._column = column
        self._pa = pa
        is_a = pa.types

        def in_utc(arrow_type: Any) -> Any:
            is_zoned = is_a.is_timestamp(arrow_type) and arrow_type.tz is not None
            return pa.timestamp(arrow_type.unit, "UTC") if is_zoned else arrow_type

        def as_text(arrow_type: Any) -> Any:
            is_temporal = (
                is_a.is_timestamp(arrow_type)
                or is_a.is_date(arrow_type)
                or is_a.is_time(arrow_type)
            )
            return pa.string() if is_temporal else arrow_type

        casts = [self._map_leaves(declared, leaf) for leaf in (in_utc, as_text)]
        self._casts = [cast for cast in casts if cast != declared]
        """The types to cast to, one after the other."""
        self._convert = self._converter(declared)

    def convert(self, column: Any) -> list[Any]:
        """Return the values of a column in the form that ``msgspec`` encodes.

        Raises:
            UnsupportedColumnError: A value can't be written as JSON.
        """
        try:
            for target in self._casts:
                column = column.cast(target)
            values: list[Any] = column.to_pylist()
            return values if self._convert is None else [self._convert(value) for value in values]
        except ValueError as error:  # pyarrow's errors are ValueErrors, too
            raise UnsupportedColumnError(f"column {self._column!r}: {error}") from error

    def _map_leaves(self, arrow_type: Any, leaf: Callable[[Any], Any]) -> Any:
        """Return a type in which ``leaf`` has replaced each type that contains no other."""
        pa, is_a = self._pa, self._pa.types
        if is_a.is_struct(arrow_type):
            fields = [arrow_type.field(index) for index in range(arrow_type.num_fields)]
            result = pa.struct(
                [field.with_type(self._map_leaves(field.type, leaf)) for field in fields]
            )
        elif is_a.is_map(arrow_type):
            result = pa.map_(
                self._map_leaves(arrow_type.key_type, leaf),
                self._map_leaves(arrow_type.item_type, leaf),
            )
        elif is_a.is_fixed_size_list(arrow_type):
            result = pa.list_(self._map_leaves(arrow_type.value_type, leaf), arrow_type.list_size)
        elif is_a.is_large_list(arrow_type):
            result = pa.large_list(self._map_leaves(arrow_type.value_type, leaf))
        elif is_a.is_list(arrow_type):
            result = pa.list_(self._map_leaves(arrow_type.value_type, leaf))
        elif is_a.is_dictionary(arrow_type):
            result = self._map_leaves(arrow_type.value_type, leaf)
        else:
            result = leaf(arrow_type)
        return result

    def _converter(self, arrow_type: Any) -> Convert | None:
        """Return the function that converts a value; None if it needs no conversion."""
        is_a = self._pa.types
        result: Convert | None = None
        if is_a.is_floating(arrow_type):
            result = _convert_float
        elif is_a.is_timestamp(arrow_type) or is_a.is_date(arrow_type):
            result = _convert_datetime
        elif is_a.is_time(arrow_type):
            result = _convert_time
        elif is_a.is_decimal(arrow_type) and not 0 <= arrow_type.scale <= _PLAIN_SCALE:
            result = _convert_decimal
        elif is_a.is_dictionary(arrow_type):
            result = self._converter(arrow_type.value_type)
        elif is_a.is_struct(arrow_type):
            fields = [arrow_type.field(index) for index in range(arrow_type.num_fields)]
            result = _struct_converter(
                {field.name: self._converter(field.type) for field in fields}
            )
        elif is_a.is_map(arrow_type):
            key, item = self._converter(arrow_type.key_type), self._converter(arrow_type.item_type)
            result = (
                _object_converter(item)
                if self._is_string(arrow_type.key_type)
                else _pairs_converter(key, item)
            )
        elif (
            is_a.is_list(arrow_type)
            or is_a.is_large_list(arrow_type)
            or is_a.is_fixed_size_list(arrow_type)
        ):
            result = _list_converter(self._converter(arrow_type.value_type))
        elif not self._is_plain(arrow_type):
            raise UnsupportedColumnError(
                f"column {self._column!r} has the type {arrow_type}, which this target can't load; let the tap "
                "write another type, or text"
            )
        return result

    def _is_string(self, arrow_type: Any) -> bool:
        is_a = self._pa.types
        if is_a.is_dictionary(arrow_type):
            return self._is_string(arrow_type.value_type)
        return any(getattr(is_a, f"is_{test}")(arrow_type) for test in _STRINGS)

    def _is_plain(self, arrow_type: Any) -> bool:
        is_a = self._pa.types
        is_known = any(getattr(is_a, f"is_{test}")(arrow_type) for test in _PLAIN)
        return is_known or self._is_string(arrow_type) or _is_text(arrow_type)


def _is_text(arrow_type: Any) -> bool:
    """Return True for an extension type of Arrow that is written as text."""
    return getattr(arrow_type, "extension_name", "") in {"arrow.uuid", "arrow.json"}


# Values


def _convert_float(value: float | None) -> Any:
    # Written as NaN and Infinity: who reads the row logs a warning and replaces them by null.
    return value if value is None or math.isfinite(value) else Decimal(value)


def _convert_datetime(text: str | None) -> str | None:
    # A year has four digits and is not 0000; text of what Arrow can't format begins with <.
    if text is not None and (text[4:5] != "-" or text.startswith("0000")):
        raise ValueError("it has a time outside of the years 1 to 9999")
    return text and text.replace(" ", "T", 1)


def _convert_time(text: str | None) -> str | None:
    if text is not None and text.startswith("<"):
        raise ValueError("it has a time outside of a day")
    return text


def _convert_decimal(value: Decimal | None) -> msgspec.Raw | None:
    return None if value is None else msgspec.Raw(format(value, "f").encode())


def _apply(convert: Convert | None, value: Any) -> Any:
    return value if convert is None else convert(value)


def _struct_converter(converters: dict[str, Convert | None]) -> Convert:
    def convert(value: dict[str, Any] | None) -> Any:
        if value is None:
            return None
        return {name: _apply(converters[name], part) for name, part in value.items()}

    return convert


def _object_converter(item: Convert | None) -> Convert:
    def convert(value: list[tuple[str, Any]] | None) -> Any:
        return None if value is None else {name: _apply(item, part) for name, part in value}

    return convert


def _pairs_converter(key: Convert | None, item: Convert | None) -> Convert:
    def convert(value: list[tuple[Any, Any]] | None) -> Any:
        if value is None:
            return None
        return [{"key": _apply(key, name), "value": _apply(item, part)} for name, part in value]

    return convert


def _list_converter(item: Convert | None) -> Convert | None:
    if item is None:
        return None

    def convert(value: list[Any] | None) -> Any:
        return None if value is None else [item(part) for part in value]

    return convert

"""Converts the values of an Arrow column to values that are written as JSON, exactly.

Types that JSON does not have are written as text; types without a usual text are refused.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    Convert: TypeAlias = Callable[[Any], Any]

_STRINGS: Final = ("string", "large_string", "string_view")
_BINARIES: Final = ("binary", "large_binary", "fixed_size_binary", "binary_view")
_PLAIN: Final = ("null", "boolean", "integer", "decimal", *_BINARIES, *_STRINGS)
_LISTS: Final = ("list", "large_list", "fixed_size_list")
_TIMES: Final = ("timestamp", "date", "time")

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
        casts = [self._map_leaves(declared, leaf) for leaf in (self._in_utc, self._as_text)]
        self._casts = [cast for cast in casts if cast != declared]
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
            return values if self._convert is None else [*map(self._convert, values)]
        except ValueError as error:  # pyarrow's errors are ValueErrors, too
            raise UnsupportedColumnError(f"column {self._column!r}: {error}") from error

    def _is_any(self, arrow_type: Any, names: tuple[str, ...]) -> bool:
        return any(getattr(self._pa.types, f"is_{name}")(arrow_type) for name in names)

    def _in_utc(self, arrow_type: Any) -> Any:
        is_zoned = self._is_any(arrow_type, ("timestamp",)) and arrow_type.tz is not None
        return self._pa.timestamp(arrow_type.unit, "UTC") if is_zoned else arrow_type

    def _as_text(self, arrow_type: Any) -> Any:
        return self._pa.string() if self._is_any(arrow_type, _TIMES) else arrow_type

    def _map_leaves(self, arrow_type: Any, leaf: Callable[[Any], Any]) -> Any:
        """Return a type in which ``leaf`` has replaced each type that contains no other."""
        pa, is_a = self._pa, self._pa.types
        if is_a.is_struct(arrow_type):
            fields = [arrow_type.field(index) for index in range(arrow_type.num_fields)]
            return pa.struct([each.with_type(self._map_leaves(each.type, leaf)) for each in fields])
        if is_a.is_map(arrow_type):
            key = self._map_leaves(arrow_type.key_type, leaf)
            return pa.map_(key, self._map_leaves(arrow_type.item_type, leaf))
        if is_a.is_dictionary(arrow_type):
            return self._map_leaves(arrow_type.value_type, leaf)
        if not self._is_any(arrow_type, _LISTS):
            return leaf(arrow_type)
        item = self._map_leaves(arrow_type.value_type, leaf)
        if is_a.is_fixed_size_list(arrow_type):
            return pa.list_(item, arrow_type.list_size)
        return pa.large_list(item) if is_a.is_large_list(arrow_type) else pa.list_(item)

    def _converter(self, arrow_type: Any) -> Convert | None:
        """Return the function that converts a value; None if it needs no conversion."""
        if self._pa.types.is_dictionary(arrow_type):
            return self._converter(arrow_type.value_type)
        convert = self._leaf_converter(arrow_type) or self._nested_converter(arrow_type)
        return None if convert is None else partial(_convert_unless_null, convert)

    def _leaf_converter(self, arrow_type: Any) -> Convert | None:
        for names, convert in _LEAF_CONVERTERS.items():
            if self._is_any(arrow_type, names):
                return convert
        if self._is_any(arrow_type, ("decimal",)) and not 0 <= arrow_type.scale <= _PLAIN_SCALE:
            return _convert_decimal
        return None

    def _nested_converter(self, arrow_type: Any) -> Convert | None:
        is_a = self._pa.types
        if is_a.is_struct(arrow_type):
            fields = [arrow_type.field(index) for index in range(arrow_type.num_fields)]
            parts = {field.name: self._converter(field.type) or _keep for field in fields}
            return partial(_convert_struct, parts)
        if is_a.is_map(arrow_type):
            key_type = arrow_type.key_type
            key_type = key_type.value_type if is_a.is_dictionary(key_type) else key_type
            key = self._converter(key_type) or _keep
            item = self._converter(arrow_type.item_type) or _keep
            if self._is_any(key_type, _STRINGS):
                return partial(_convert_object, item)
            return partial(_convert_pairs, key, item)
        if self._is_any(arrow_type, _LISTS):
            each = self._converter(arrow_type.value_type)
            return each and partial(_convert_list, each)
        is_text = getattr(arrow_type, "extension_name", "") in {"arrow.uuid", "arrow.json"}
        if not is_text and not self._is_any(arrow_type, _PLAIN):
            raise UnsupportedColumnError(
                f"column {self._column!r} has the type {arrow_type}, which this target can't load; "
                "let the tap write another type, or text"
            )
        return None


def _keep(value: Any) -> Any:
    return value


def _convert_unless_null(convert: Convert, value: Any) -> Any:
    return None if value is None else convert(value)


def _convert_float(value: float) -> Any:
    # Written as NaN and Infinity: who reads the row logs a warning and replaces them by null.
    return value if math.isfinite(value) else Decimal(value)


def _convert_datetime(text: str) -> str:
    # A year has four digits and is not 0000; text of what Arrow can't format begins with <.
    if text[4:5] != "-" or text.startswith("0000"):
        raise ValueError("it has a time outside of the years 1 to 9999")
    return text.replace(" ", "T", 1)


def _convert_time(text: str) -> str:
    if text.startswith("<"):
        raise ValueError("it has a time outside of a day")
    return text


def _convert_decimal(value: Decimal) -> msgspec.Raw:
    return msgspec.Raw(format(value, "f").encode())


def _convert_struct(parts: dict[str, Convert], value: dict[str, Any]) -> Any:
    return {name: parts[name](part) for name, part in value.items()}


def _convert_object(item: Convert, value: list[tuple[str, Any]]) -> Any:
    return {name: item(part) for name, part in value}


def _convert_pairs(key: Convert, item: Convert, value: list[tuple[Any, Any]]) -> Any:
    return [{"key": key(name), "value": item(part)} for name, part in value]


def _convert_list(item: Convert, value: list[Any]) -> Any:
    return [item(part) for part in value]


_LEAF_CONVERTERS: Final[dict[tuple[str, ...], Convert]] = {
    ("floating",): _convert_float,
    ("timestamp", "date"): _convert_datetime,
    ("time",): _convert_time,
}

"""Converts the values of an Arrow column to values that are written as JSON, exactly.

Types that JSON does not have are written as text; types without a usual text are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec
import pyarrow as pa
from pyarrow import types

Convert: TypeAlias = Callable[[Any], Any]

_STRINGS: Final = (types.is_string, types.is_large_string, types.is_string_view)
_BINARIES: Final = (
    types.is_binary,
    types.is_large_binary,
    types.is_fixed_size_binary,
    types.is_binary_view,
)
_NUMBERS: Final = (types.is_boolean, types.is_integer, types.is_decimal)
_PLAIN: Final = (types.is_null, *_NUMBERS, *_BINARIES, *_STRINGS)
_LISTS: Final = (types.is_list, types.is_large_list, types.is_fixed_size_list)
_TIMES: Final = (types.is_timestamp, types.is_date, types.is_time)

_PLAIN_SCALE: Final = 6
"""Decimals of a larger scale are formatted here, as they could be written with an exponent."""


def column_converter(name: str, arrow_type: Any) -> Callable[[Any], list[Any]]:
    """Return a function that returns the values of a column in the form that ``msgspec`` encodes.

    Raise ``ValueError`` if the type has no form in JSON; that function does so for such a value.
    """
    targets = [_map_leaves(arrow_type, leaf) for leaf in (_in_utc, _as_text)]
    casts = [target for target in targets if target != arrow_type]
    convert = _converter(arrow_type, name)

    def values(column: Any) -> list[Any]:
        try:
            for target in casts:
                column = column.cast(target)
            found: list[Any] = column.to_pylist()
            return found if convert is None else [*map(convert, found)]
        except ValueError as error:  # pyarrow's errors are ValueErrors, too
            raise ValueError(f"column {name!r}: {error}") from error

    return values


def _is_any(arrow_type: Any, tests: tuple[Callable[[Any], bool], ...]) -> bool:
    return any(test(arrow_type) for test in tests)


def _in_utc(arrow_type: Any) -> Any:
    is_zoned = types.is_timestamp(arrow_type) and arrow_type.tz is not None
    return pa.timestamp(arrow_type.unit, "UTC") if is_zoned else arrow_type


def _as_text(arrow_type: Any) -> Any:
    return pa.string() if _is_any(arrow_type, _TIMES) else arrow_type


def _map_leaves(arrow_type: Any, leaf: Convert) -> Any:
    """Return a type in which ``leaf`` has replaced each type that contains no other."""
    if types.is_struct(arrow_type):
        return pa.struct([each.with_type(_map_leaves(each.type, leaf)) for each in arrow_type])
    if types.is_map(arrow_type):
        key = _map_leaves(arrow_type.key_type, leaf)
        return pa.map_(key, _map_leaves(arrow_type.item_type, leaf))
    if types.is_dictionary(arrow_type):
        return _map_leaves(arrow_type.value_type, leaf)
    if not _is_any(arrow_type, _LISTS):
        return leaf(arrow_type)
    item = _map_leaves(arrow_type.value_type, leaf)
    if types.is_fixed_size_list(arrow_type):
        return pa.list_(item, arrow_type.list_size)
    return pa.large_list(item) if types.is_large_list(arrow_type) else pa.list_(item)


def _converter(arrow_type: Any, column: str) -> Convert | None:
    """Return the function that converts a value, also None; None if all stay as they are."""
    if types.is_dictionary(arrow_type):
        return _converter(arrow_type.value_type, column)
    convert = _leaf_converter(arrow_type) or _nested_converter(arrow_type, column)
    if convert is None:
        return None
    return lambda value: None if value is None else convert(value)


def _leaf_converter(arrow_type: Any) -> Convert | None:
    for test, convert in _LEAF_CONVERTERS.items():
        if test(arrow_type):
            return convert
    if types.is_decimal(arrow_type) and not 0 <= arrow_type.scale <= _PLAIN_SCALE:
        return _convert_decimal
    return None


def _nested_converter(arrow_type: Any, column: str) -> Convert | None:
    if types.is_struct(arrow_type):
        parts = {each.name: _converter(each.type, column) or _keep for each in arrow_type}
        return lambda value: {name: parts[name](part) for name, part in value.items()}
    if types.is_map(arrow_type):
        key_type = arrow_type.key_type
        key = _converter(key_type, column) or _keep
        item = _converter(arrow_type.item_type, column) or _keep
        key_type = key_type.value_type if types.is_dictionary(key_type) else key_type
        if _is_any(key_type, _STRINGS):
            return lambda pairs: {name: item(part) for name, part in pairs}
        return lambda pairs: [{"key": key(name), "value": item(part)} for name, part in pairs]
    if _is_any(arrow_type, _LISTS):
        each = _converter(arrow_type.value_type, column)
        return each and (lambda values: [*map(each, values)])
    is_text = getattr(arrow_type, "extension_name", "") in {"arrow.uuid", "arrow.json"}
    if not is_text and not _is_any(arrow_type, _PLAIN):
        raise ValueError(
            f"column {column!r} has the type {arrow_type}, which this target can't load; "
            "let the tap write another type, or text"
        )
    return None


def _keep(value: Any) -> Any:
    return value


def _convert_float(value: float) -> Any:
    # Written as NaN and Infinity: who reads the row logs a warning and replaces them by null.
    return value if math.isfinite(value) else msgspec.Raw(str(Decimal(value)).encode())


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


_LEAF_CONVERTERS: Final[dict[Callable[[Any], bool], Convert]] = {
    types.is_floating: _convert_float,
    types.is_timestamp: _convert_datetime,
    types.is_date: _convert_datetime,
    types.is_time: _convert_time,
}

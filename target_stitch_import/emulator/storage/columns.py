"""Column types, from schemas and from values."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.storage.exact_json import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable


class ColumnType(enum.Enum):
    """The type of a column; the value is the type in SQL."""

    INTEGER = "INTEGER"
    NUMBER = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    STRING = "TEXT"
    DECIMAL = "DECIMAL TEXT"
    JSON = "JSON TEXT"
    ANY = ""


_DECIMAL: Final = "singer.decimal"
"""The format of strings that are decimals, and here the name of their type."""
_SCHEMA_TYPES: Final = {
    _DECIMAL: ColumnType.DECIMAL,
    "array": ColumnType.JSON,
    "boolean": ColumnType.BOOLEAN,
    "integer": ColumnType.INTEGER,
    "number": ColumnType.NUMBER,
    "object": ColumnType.JSON,
    "string": ColumnType.STRING,
}
_VALUE_TYPES: Final = {
    "Boolean": ColumnType.BOOLEAN,
    "Integer": ColumnType.INTEGER,
    "JSONArray": ColumnType.JSON,
    "JSONObject": ColumnType.JSON,
    "Number": ColumnType.NUMBER,
    "String": ColumnType.STRING,
}


def merge_types(types: Iterable[ColumnType]) -> ColumnType:
    """Return the type that can hold values of all ``types`` unchanged."""
    found = set(types)
    if found == {ColumnType.INTEGER, ColumnType.NUMBER}:
        return ColumnType.NUMBER
    return found.pop() if len(found) == 1 else ColumnType.ANY


def declared_type(schema: Any) -> ColumnType | None:
    """Return the type of a property of a draft 4 schema; None if only null is permitted."""
    types = _types(schema)
    if types == {"null"}:
        return None
    return merge_types(_SCHEMA_TYPES[name] for name in types if name != "null")


def observed_type(values: Iterable[Any]) -> ColumnType | None:
    """Return the type of a column that no schema declares; None if all are null."""
    types = {_VALUE_TYPES[type_name(value)] for value in values if value is not None}
    return merge_types(types) if types else None


def _types(schema: dict[str, Any]) -> set[str]:
    """Return the names of the types that a schema permits; an empty set means any."""
    # Draft 4 ignores what is beside a reference.
    if "$ref" in schema:
        return set()
    declared = schema.get("type")
    if declared is not None:
        types = {declared} if isinstance(declared, str) else set(declared)
        if schema.get("format") == _DECIMAL and "string" in types:
            return types - {"string"} | {_DECIMAL}
        return types
    for keyword in ("anyOf", "oneOf"):
        branches = [_types(branch) for branch in schema.get(keyword, ())]
        if branches and all(branches):
            return set().union(*branches)
    return set()

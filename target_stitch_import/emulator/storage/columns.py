"""What a column holds, as the schema or the values say.

Pure functions on JSON types; knows nothing of SQL.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.storage.exact_json import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kind(enum.Enum):
    """The kinds of column; the value is the type that the table declares."""

    INTEGER = "INTEGER"
    NUMBER = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    STRING = "TEXT"
    JSON = "JSON TEXT"
    ANY = ""


_KINDS: Final = {
    "array": Kind.JSON,
    "boolean": Kind.BOOLEAN,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "object": Kind.JSON,
    "string": Kind.STRING,
}
_KINDS_OF_VALUES: Final = {
    "Boolean": Kind.BOOLEAN,
    "Integer": Kind.INTEGER,
    "JSONArray": Kind.JSON,
    "JSONObject": Kind.JSON,
    "Number": Kind.NUMBER,
    "String": Kind.STRING,
}


def merged(kinds: Iterable[Kind]) -> Kind:
    """Return the kind that holds all of ``kinds`` without changing a value."""
    found = set(kinds)
    if found == {Kind.INTEGER, Kind.NUMBER}:
        return Kind.NUMBER
    return found.pop() if len(found) == 1 else Kind.ANY


def declared_kind(schema: Any) -> Kind | None:
    """Return the kind of a property of a draft 4 schema; None where only null is permitted."""
    types = _types(schema)
    if types == {"null"}:
        return None
    return merged(_KINDS[name] for name in types if name != "null")


def value_kind(values: Iterable[Any]) -> Kind | None:
    """Return the kind of a column that no schema declares; None where all values are null."""
    kinds = {_KINDS_OF_VALUES[type_name(value)] for value in values if value is not None}
    return merged(kinds) if kinds else None


def _types(schema: dict[str, Any]) -> set[str]:
    """Return the names of the types a schema permits; none where it does not say."""
    # Draft 4 ignores what stands beside a reference.
    if "$ref" in schema:
        return set()
    declared = schema.get("type")
    if declared is not None:
        return {declared} if isinstance(declared, str) else set(declared)
    for keyword in ("anyOf", "oneOf"):
        branches = [_types(branch) for branch in schema.get(keyword, ())]
        if branches and all(branches):
            return set().union(*branches)
    return set()

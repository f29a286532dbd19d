"""Kinds of values, which a destination has types for: from a posted schema, or from the value alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from target_stitch_import.destinations import facts
from target_stitch_import.destinations.facts import ColumnType, Destination, to_number

QuickCheck: TypeAlias = Literal[True] | Callable[[Any], Any]
"""True for all values, or a function that returns what is true for those that it means."""


class Instant(str):
    """A date-time that is one without a schema, as in Transit."""

    __slots__ = ()


_KINDS: Final = {bool: "boolean", dict: "object", list: "array", Instant: "date-time"}
_FORMATS: Final = {"date-time": "date-time", "singer.decimal": "decimal"}
_ORDINARY: Final = {
    "date-time": re.compile(
        r"(?:19[1-9][0-9]|[2-8][0-9]{3})-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
        r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
        r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
        r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
    ),
    "decimal": re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,6})?"),
}
"""By kind, texts that are surely of it, and within the range of each type of each destination."""


class FieldSchema:
    """What the posted schema of a table says of a field, or of all fields of a record."""

    def __init__(self, *schemas: Any) -> None:
        """Combine all ``schemas`` of a field: none if the types come of the values alone."""
        self._schemas = list(_alternatives(schemas))
        self._properties: dict[str | None, FieldSchema] = {}
        self.kinds = list(dict.fromkeys(self._declared_kinds()))
        """The kinds of values that the schema declares."""
        number = next((kind for kind in ("number", "integer") if kind in self.kinds), None)
        self._by_type = {
            **_KINDS,
            int: number or "integer",
            Decimal: number or "number",
            str: None if {"date-time", "decimal"} & set(self.kinds) else "string",
        }

    @cached_property
    def names(self) -> dict[str, None]:
        """The declared fields of its objects, in their order."""
        found = [each.get("properties", {}) for each in self._schemas]
        return dict.fromkeys(name for each in found for name in each)

    def field(self, name: str) -> FieldSchema:
        """Return the schema of a field of its objects."""
        declared = name if name in self.names else None  # all others are alike
        if (schema := self._properties.get(declared)) is None:
            found = [
                each.get("properties", {}).get(name, each.get("additionalProperties"))
                for each in self._schemas
            ]
            schema = self._properties[declared] = FieldSchema(*found)
        return schema

    @cached_property
    def item(self) -> FieldSchema:
        """The schema of the items of its arrays."""
        items = [each.get(name) for each in self._schemas for name in ("items", "additionalItems")]
        return FieldSchema(
            *(part for each in items for part in (each if type(each) is list else [each]))
        )

    def kind(self, value: Any) -> str:
        """Return the kind of a value that is not null."""
        if (kind := self._by_type[type(value)]) is not None:
            return kind
        if "date-time" in self.kinds and facts.to_seconds(value) is not None:
            return "date-time"
        return (
            "decimal"
            if "decimal" in self.kinds and facts.to_decimal(value) is not None
            else "string"
        )

    def quick_check(self, kind: str, held: ColumnType, value: Any) -> QuickCheck | None:
        """Return what is true for no value of the same type of Python but of its kind, and ``held``.

        True if all are; None if nothing quick says so.
        """
        if kind in _ORDINARY and isinstance(value, str):
            return _ORDINARY[kind].fullmatch
        if kind == "integer" and type(value) is int and held.integers is not None:
            return held.integers.__contains__
        is_certain = self._by_type[type(value)] is not None
        return True if is_certain and to_number(kind, value) is None else None

    def _declared_kinds(self) -> Iterator[str]:
        for schema in self._schemas:
            types = schema.get("type")
            for name in types if isinstance(types, list) else [types]:
                if isinstance(name, str) and name != "null":
                    yield (
                        _FORMATS.get(str(schema.get("format")), name) if name == "string" else name
                    )


def narrowest_type(types: Sequence[ColumnType], kind: str, value: Any) -> int | None:
    """Return the place of the first of the ``types`` that holds a value; None if none does."""
    if (number := to_number(kind, value)) is None:
        return 0
    return next((place for place, each in enumerate(types) if each.holds(number)), None)


def family(destination: Destination, kind: str) -> str:
    """Return what is the same for kinds of values that share a column."""
    return destination.column_types(kind)[0].suffix


def _alternatives(schemas: Any) -> Iterator[dict[str, Any]]:
    for schema in schemas:
        if isinstance(schema, dict):
            yield schema
            for keyword in ("allOf", "anyOf", "oneOf"):
                yield from _alternatives(schema.get(keyword) or ())

"""Kinds of values, which a destination has types for: from a posted schema, or from the value alone."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.destinations.facts import to_decimal, to_number, to_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_stitch_import.destinations.facts import ColumnType, Destination

_KINDS: Final = {bool: "boolean", dict: "object", list: "array"}
_FORMATS: Final = {"date-time": "date-time", "singer.decimal": "decimal"}


class FieldSchema:
    """What the posted schema of a table says of a field, or of all fields of a record."""

    def __init__(self, *schemas: Any) -> None:
        """Combine all ``schemas`` of a field: none if the types come of the values alone."""
        self._schemas = list(_alternatives(schemas))
        self._properties: dict[str, FieldSchema] = {}
        self.kinds = list(dict.fromkeys(filter(None, map(_declared, self._types()))))
        """The kinds of values that the schema declares."""
        number = next((kind for kind in ("number", "integer") if kind in self.kinds), None)
        self._by_type = {
            **_KINDS,
            int: number or "integer",
            Decimal: number or "number",
            str: None if {"date-time", "decimal"} & set(self.kinds) else "string",
        }

    @property
    def names(self) -> list[str]:
        """The declared fields of its objects."""
        return [name for each in self._schemas for name in _mapping(each.get("properties"))]

    def field(self, name: str) -> FieldSchema:
        """Return the schema of a field of its objects."""
        if (schema := self._properties.get(name)) is None:
            found = [
                _mapping(each.get("properties")).get(name, each.get("additionalProperties"))
                for each in self._schemas
            ]
            schema = self._properties[name] = FieldSchema(*found)
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
        if "date-time" in self.kinds and to_seconds(value) is not None:
            return "date-time"
        return "decimal" if "decimal" in self.kinds and to_decimal(value) is not None else "string"

    def _types(self) -> Iterator[tuple[Any, Any]]:
        for each in self._schemas:
            types = each.get("type")
            for name in types if isinstance(types, list) else [types]:
                yield name, each.get("format")


def narrowest_type(types: Sequence[ColumnType], kind: str, value: Any) -> int | None:
    """Return the place of the first of the ``types`` that holds a value; None if none does."""
    if (number := to_number(kind, value)) is None:
        return 0
    return next((place for place, each in enumerate(types) if each.holds(number)), None)


def family(destination: Destination, kind: str) -> str:
    """Return what is the same for kinds of values that share a column."""
    return destination.column_types(kind)[0].suffix


def _declared(declared: tuple[Any, Any]) -> str | None:
    name, value_format = declared
    if name == "string" and value_format in _FORMATS:
        return _FORMATS[value_format]
    return name if isinstance(name, str) and name != "null" else None


def _alternatives(schemas: Any) -> Iterator[dict[str, Any]]:
    for schema in schemas:
        if isinstance(schema, dict):
            yield schema
            for keyword in ("allOf", "anyOf", "oneOf"):
                yield from _alternatives(schema.get(keyword) or ())


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

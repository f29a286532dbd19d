"""The places in records whose values the schema makes date-times or decimals, at any depth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any, Final

from target_stitch_import.schemas.keywords import declared_types, subschemas
from target_stitch_import.schemas.posted import DATE_TIME, DECIMAL

Schema = Mapping[str, Any]
Branch = Sequence[Schema]
"""Schemas that all have to hold, of one of the choices that unions give."""

_MAX_BRANCHES: Final = 1_000  # unions within unions multiply


@dataclass
class Place:
    """A place in a record: a value that is edited, or one that has such values within it."""

    name: str = ""
    """Of its column; behind the names of the columns that it is in, with slashes between."""
    is_datetime: bool = False
    """Whether a string has to be a date-time."""
    is_decimal: bool = False
    """Whether a number is posted as a string of its digits."""
    permits_null: bool = False
    columns: dict[str, Place] = field(default_factory=dict)
    """Within an object, by name."""
    other_column: Callable[[str], Place | None] | None = None
    """Finds the place of a column that ``columns`` does not name; None if it has no place."""
    items: list[Place | None] = field(default_factory=list)
    """Of a list, by index; the last one is that of all further items, too."""

    def column(self, name: str) -> Place | None:
        """Return the place of a column, if it has one."""
        found = self.columns.get(name)
        return found or (self.other_column(name) if self.other_column else None)

    def item(self, index: int) -> Place | None:
        """Return the place of an item of a list, if it has one."""
        return self.items[min(index, len(self.items) - 1)] if self.items else None

    def has_decimals(self) -> bool:
        """Return True if a number within it may become a string."""
        parts = [*self.columns.values(), *filter(None, self.items)]
        return self.is_decimal or any(part.has_decimals() for part in parts)


def find_places(schema: Schema, *, not_null: Iterable[str] = ()) -> Place | None:
    """Return the place of a whole record, by the schema that is posted; None if it has none.

    Where a union permits any string beside a date-time, strings are not date-times. The columns in
    ``not_null`` are never null, whatever the schema says.
    """
    if all(part.get("format") not in (DATE_TIME, DECIMAL) for part in subschemas(schema)):
        return None
    place = _find(_branches(schema))
    for name in not_null:
        if place is not None and name in place.columns:
            place.columns[name].permits_null = False
    return place


def _find(branches: Sequence[Branch], name: str = "") -> Place | None:
    texts = _permitting(branches, "string")
    place = Place(
        name,
        is_datetime=bool(texts) and all(_has_format(each, DATE_TIME) for each in texts),
        is_decimal=any(_has_format(each, DECIMAL) for each in texts)
        and not _permitting(branches, "number"),
        permits_null=bool(_permitting(branches, "null")),
        items=_find_items(_permitting(branches, "array"), name),
    )
    objects = _permitting(branches, "object")

    def find_column(column: str) -> Place | None:
        found = _within(objects, partial(_column_schema, name=column))
        return _find(found, f"{name}/{column}" if name else column)

    for column in dict.fromkeys(
        each for part in _parts(objects) for each in part.get("properties", ())
    ):
        if (found := find_column(column)) is not None:
            place.columns[column] = found
    if any(map(_types_unnamed, _parts(objects))):
        place.other_column = find_column
    edits = place.is_datetime or place.is_decimal
    return place if edits or place.columns or place.other_column or place.items else None


def _find_items(arrays: Sequence[Branch], name: str) -> list[Place | None]:
    if not any(part.get("items") for part in _parts(arrays)):
        return []
    listed = [part["items"] for part in _parts(arrays) if isinstance(part.get("items"), list)]
    count = 1 + max(map(len, listed), default=0)
    found = [
        _find(_within(arrays, partial(_item_schema, index=index)), name) for index in range(count)
    ]
    return found if any(found) else []


def _branches(schema: Schema) -> list[Branch]:
    branches: list[Branch] = [[schema]]
    for part in schema.get("allOf", ()):
        branches = _combine(branches, _branches(part))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            choices = [branch for part in schema[keyword] for branch in _branches(part)]
            branches = _combine(branches, choices)
    return branches


def _combine(some: Sequence[Branch], more: Sequence[Branch]) -> list[Branch]:
    if len(some) * len(more) > _MAX_BRANCHES:
        return list(some)
    return [[*one, *other] for one, other in product(some, more)]


def _parts(branches: Sequence[Branch]) -> Iterable[Schema]:
    return (part for branch in branches for part in branch)


def _permitting(branches: Sequence[Branch], name: str) -> list[Branch]:
    """Return the branches that permit values of a JSON type."""
    return [
        branch for branch in branches if all(name in declared_types(part, name) for part in branch)
    ]


def _has_format(branch: Branch, name: str) -> bool:
    return any(part.get("format") == name for part in branch)


def _within(
    branches: Sequence[Branch], get_part: Callable[[Schema], Schema | None]
) -> list[Branch]:
    """Return the branches of what ``get_part`` finds in schemas; None is what can't be there."""
    found: list[Branch] = []
    for branch in branches:
        combined: list[Branch] = [[]]
        for part in map(get_part, branch):
            combined = [] if part is None else _combine(combined, _branches(part))
        found += combined
    return found


def _column_schema(schema: Schema, *, name: str) -> Schema | None:
    """Return what a schema says of a column; None if it does not permit it."""
    patterns = schema.get("patternProperties", {}).items()
    parts = [part for pattern, part in patterns if re.search(pattern, name)]
    if name in schema.get("properties", {}):
        parts.append(schema["properties"][name])
    if parts:
        return {"allOf": parts}
    return _as_schema(schema.get("additionalProperties", True))


def _item_schema(schema: Schema, *, index: int) -> Schema | None:
    items: Schema | list[Schema] = schema.get("items", {})
    if not isinstance(items, list):
        return items
    return items[index] if index < len(items) else _as_schema(schema.get("additionalItems", True))


def _as_schema(value: bool | Schema) -> Schema | None:
    if isinstance(value, bool):
        return {} if value else None
    return value


def _types_unnamed(schema: Schema) -> bool:
    """Return True if a schema says something of columns that it does not name."""
    others = schema.get("additionalProperties")
    return any(schema.get("patternProperties", {}).values()) or (
        isinstance(others, dict) and bool(others)
    )

"""The places in records whose values the schema makes date-times or decimals, at any depth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, product
from typing import Any, Final

from target_stitch_import.json_codec import json_type
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
    is_datetime: bool = False  # a string has to be a date-time, or one of ``texts``
    texts: frozenset[str] = frozenset()
    may_be_datetime: bool = False  # other columns of its object decide whether it has to be one
    object_schema: Schema | None = None  # judges an object that has such columns
    object_test: Callable[[bytes], bool] | None = None  # the same, once it was needed
    is_decimal: bool = False  # a number is posted as a string of its digits
    permits_integer: bool = False  # but an integer is not
    permits_null: bool = False
    columns: dict[str, Place] = field(default_factory=dict)  # within an object
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

    def has_open_datetimes(self) -> bool:
        """Return True if other columns decide whether a string within it has to be a date-time."""
        parts = [*self.columns.values(), *filter(None, self.items)]
        return self.object_schema is not None or any(part.has_open_datetimes() for part in parts)


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


def permits(schema: Schema, name: str) -> bool:
    """Return True if a schema may permit values of a JSON type."""
    return bool(_permitting(_branches(schema), name))


def _find(branches: Sequence[Branch], name: str = "") -> Place | None:
    texts = _permitting(branches, "string")
    place = Place(
        name,
        is_datetime=_needs_datetime(branches),
        texts=frozenset().union(*filter(None, map(_listed_texts, texts))),
        is_decimal=any(_has_format(each, DECIMAL) for each in texts)
        and not _permitting(branches, "number"),
        permits_integer=bool(_permitting(branches, "integer")),
        permits_null=bool(_permitting(branches, "null")),
        items=_find_items(_permitting(branches, "array"), name),
    )
    objects = _permitting(branches, "object")

    def find_column(column: str) -> Place | None:
        of_objects = [
            _within([each], lambda part: _column_schema(part, column)) for each in objects
        ]
        path = f"{name}/{column}" if name else column
        found = _find([*chain.from_iterable(of_objects)], path)
        needs = {_needs_datetime(each) for each in of_objects if _permitting(each, "string")}
        if len(needs) > 1:
            found = found or Place(path)
            found.may_be_datetime = True
        return found

    parts = list(chain.from_iterable(objects))
    for column in dict.fromkeys(each for part in parts for each in part.get("properties", ())):
        if (found := find_column(column)) is not None:
            place.columns[column] = found
    if any(column.may_be_datetime for column in place.columns.values()):
        place.object_schema = {"anyOf": [{"allOf": list(each)} for each in objects]}
    if any(map(_types_unnamed, parts)):
        place.other_column = find_column
    edits = place.is_datetime or place.is_decimal
    return place if edits or place.columns or place.other_column or place.items else None


def _needs_datetime(branches: Sequence[Branch]) -> bool:
    """Return True if a string has to be a date-time, or one of those that a branch lists."""
    texts = _permitting(branches, "string")
    others = [_listed_texts(each) for each in texts if not _has_format(each, DATE_TIME)]
    return len(others) < len(texts) and None not in others


def _find_items(arrays: Sequence[Branch], name: str) -> list[Place | None]:
    items = [part.get("items") for part in chain.from_iterable(arrays)]
    if not any(items):
        return []
    count = 1 + max((len(each) for each in items if isinstance(each, list)), default=0)
    get_parts = [partial(_item_schema, index=index) for index in range(count)]
    found = [_find(_within(arrays, get_part), name) for get_part in get_parts]
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


def _permitting(branches: Sequence[Branch], name: str) -> list[Branch]:
    """Return the branches that permit values of a JSON type."""
    return [branch for branch in branches if all(_permits(part, name) for part in branch)]


def _permits(schema: Schema, name: str) -> bool:
    is_listed = "enum" not in schema or any(json_type(each) == name for each in schema["enum"])
    return is_listed and name in declared_types(schema, name)


def _listed_texts(branch: Branch) -> frozenset[str] | None:
    """Return the only strings that a branch permits; None if it permits any."""
    for part in branch:
        if "enum" in part:
            return frozenset(each for each in part["enum"] if isinstance(each, str))
    return None


def _has_format(branch: Branch, name: str) -> bool:
    return any(part.get("format") == name for part in branch)


def _within(
    branches: Sequence[Branch], get_part: Callable[[Schema], bool | Schema]
) -> list[Branch]:
    """Return the branches of what ``get_part`` finds in schemas; False is what can't be there."""
    found: list[Branch] = []
    for branch in branches:
        combined: list[Branch] = [[]]
        for part in map(get_part, branch):
            schema = part if isinstance(part, Mapping) else {}
            combined = [] if part is False else _combine(combined, _branches(schema))
        found += combined
    return found


def _column_schema(schema: Schema, name: str) -> bool | Schema:
    patterns = schema.get("patternProperties", {}).items()
    parts = [part for pattern, part in patterns if re.search(pattern, name)]
    if name in schema.get("properties", {}):
        parts.append(schema["properties"][name])
    others: bool | Schema = schema.get("additionalProperties", True)
    return {"allOf": parts} if parts else others


def _item_schema(schema: Schema, index: int) -> bool | Schema:
    items: Schema | list[Schema] = schema.get("items", {})
    if not isinstance(items, list):
        return items
    others: bool | Schema = schema.get("additionalItems", True)
    return items[index] if index < len(items) else others


def _types_unnamed(schema: Schema) -> bool:
    """Return True if a schema says something of columns that it does not name."""
    others = schema.get("additionalProperties") not in (None, True, False, {})
    return others or any(schema.get("patternProperties", {}).values())

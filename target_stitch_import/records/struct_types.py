"""A draft 4 schema as a type of ``msgspec``, which decodes only what the schema accepts.

Only the schemas that most taps write can be said this way: fields of plain types, of some values, lists
and objects of them. Knows draft 4 and types; nothing of records, keys or streams.
"""

from __future__ import annotations

import sys
from functools import reduce
from itertools import combinations
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from target_stitch_import.schemas.keywords import ANNOTATIONS, declared_types

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["Types", "Unsayable", "is_plain_object"]

_INT64: Final = range(-(2**63), 2**63)

_WORDS: Final[dict[str, frozenset[str]]] = {
    "array": frozenset({"items"}),
    "boolean": frozenset(),
    "integer": frozenset({"minimum", "maximum"}),
    "null": frozenset(),
    "number": frozenset(),
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "string": frozenset({"minLength", "maxLength"}),
}
"""The keywords of each type that a type of ours can say."""

_LISTED: Final = {str: "string", int: "integer", type(None): "null"}
"""What a type of ours can list the values of."""


class Unsayable(Exception):  # noqa: N818 - it is no error
    """A schema has no type of ours."""


def is_plain_object(schema: Mapping[str, Any]) -> bool:
    """Return True if a schema says of objects only what a type can say; of their parts, nothing."""
    said = _said(schema) - {"type"} - _WORDS["object"]
    return not said and "object" in declared_types(schema, "object")


class Types:
    """Makes types of schemas, with ``others`` such that pass over properties that no schema names."""

    def __init__(self, *, others: bool) -> None:
        self._others = others

    def struct(
        self, schema: Mapping[str, Any], as_text: Container[str] = frozenset()
    ) -> type[msgspec.Struct]:
        """Return the type of an object; the fields in ``as_text`` keep their JSON text."""
        required = frozenset(schema.get("required", ()))
        properties = schema["properties"]
        if required - properties.keys():
            raise Unsayable
        fields: list[Any] = []
        names: dict[str, str] = {}
        # Fields that may be missing come last: a struct needs it so.
        for place, (name, part) in sorted(
            enumerate(properties.items()), key=lambda item: item[1][0] not in required
        ):
            field = f"field_{place}"
            names[field] = name
            if name in as_text:
                fields.append((field, msgspec.Raw, *([] if name in required else [msgspec.Raw()])))
                continue
            kind = self.of(part)
            if name in required:
                fields.append((field, kind))
            else:
                fields.append((field, kind | msgspec.UnsetType, msgspec.UNSET))
        passed_over = self._others and _permits_others(schema)
        return msgspec.defstruct(
            "Record", fields, rename=names, gc=False, forbid_unknown_fields=not passed_over
        )

    def of(self, schema: Mapping[str, Any]) -> Any:
        """Return the type of what a schema permits, or of a part of that."""
        said = _said(schema)
        if not said:
            return Any
        if said == {"anyOf"}:
            return reduce(or_, [self.of(part) for part in schema["anyOf"]])
        if said == {"oneOf"} and _exclude_each_other(schema["oneOf"]):
            return reduce(or_, [self.of(part) for part in schema["oneOf"]])
        kinds = declared_types(schema)
        if "enum" in said:
            return _one_of(schema, kinds)
        if not kinds or said - {"type"} - frozenset().union(*(_WORDS[kind] for kind in kinds)):
            raise Unsayable
        if "number" in kinds and said & _WORDS["integer"]:
            raise Unsayable  # a bound of an integer is one of the other numbers too
        return reduce(or_, [self._kind(kind, schema) for kind in kinds])

    def _kind(self, kind: str, schema: Mapping[str, Any]) -> Any:
        if kind == "array":
            items = schema.get("items", {})
            if isinstance(items, list):
                raise Unsayable
            return list[self.of(items)]  # type: ignore[misc] # it is a type only at run time
        if kind == "object":
            if "properties" in schema:
                return self.struct(schema)
            if "required" in schema or not _permits_others(schema):
                raise Unsayable
            return dict[str, Any]
        if kind == "integer":
            return _bounded(int, ge=schema.get("minimum"), le=schema.get("maximum"))
        if kind == "string":
            return _bounded(
                str, min_length=schema.get("minLength"), max_length=schema.get("maxLength")
            )
        return {"boolean": bool, "null": None, "number": float}[kind]


def _said(schema: Mapping[str, Any]) -> AbstractSet[str]:
    """Return the keywords of a schema that some value may break."""
    said = schema.keys() - ANNOTATIONS
    permits_all = not any(schema.get("patternProperties", {}).values())
    return said - {"patternProperties"} if permits_all else said


def _permits_others(schema: Mapping[str, Any]) -> bool:
    """Return True if an object may have any properties that the schema does not name."""
    return schema.get("additionalProperties", True) in (True, {})


def _exclude_each_other(schemas: Sequence[Mapping[str, Any]]) -> bool:
    """Return True if no value can fit two of them, by their types."""
    kinds = [{*declared_types(schema)} for schema in schemas]
    # Where an integer fits, it is one of the numbers, too.
    kinds = [of_one | ({"integer"} if "number" in of_one else set()) for of_one in kinds]
    return all(kinds) and all(one.isdisjoint(other) for one, other in combinations(kinds, 2))


def _one_of(schema: Mapping[str, Any], kinds: Sequence[str]) -> Any:
    """Return the type of the texts, integers and null that an ``enum`` lists."""
    if schema.keys() - ANNOTATIONS - {"type", "enum", "minLength", "maxLength"}:
        raise Unsayable
    permitted = {*kinds} or {*_LISTED.values()}
    if "number" in permitted:
        permitted.add("integer")
    lengths = range(schema.get("minLength", 0), schema.get("maxLength", sys.maxsize) + 1)
    values = [
        value
        for value in schema["enum"]
        if _LISTED.get(type(value)) in permitted
        and (type(value) is not str or len(value) in lengths)
        and (type(value) is not int or value in _INT64)
    ]
    if not values:
        raise Unsayable
    return Literal[tuple(values)]


def _bounded(kind: type, **bounds: Any) -> Any:
    said = {name: bound for name, bound in bounds.items() if bound is not None}
    if not said:
        return kind
    if any(type(bound) is not int or bound not in _INT64 for bound in said.values()):
        raise Unsayable
    return Annotated[kind, msgspec.Meta(**said)]

"""A draft 4 schema as a type, so that decoding a record is also the test whether it fits.

Only the schemas that most taps write can be said this way: fields of plain types, lists and objects
of them. Sound, not complete: a record that decodes fits the schema; one that does not may still
fit, and is for others to judge. Knows draft 4 and types; nothing of streams or keys.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["record_type"]

_SAYS_NOTHING: Final = frozenset({"default", "description", "format", "title"})
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


class _Unsayable(Exception):  # noqa: N818 - it is no error
    """A schema has no type of ours."""


def record_type(schema: Mapping[str, Any]) -> type[msgspec.Struct] | None:
    """Return a struct whose decoding accepts only what ``schema`` accepts; None if there is none.

    Its attributes are ``field_0``, ``field_1`` ... in the order of the schema's properties, and
    UNSET where a record lacks the property. A record with properties that the schema does not name
    is not accepted.
    """
    said = schema.keys() - _SAYS_NOTHING - {"type"}
    if said - _WORDS["object"] or "object" not in _kinds(schema, "object"):
        return None
    try:
        struct = _struct(schema)
        msgspec.json.Decoder(struct)  # it is only here that a union may prove to be impossible
    except (_Unsayable, TypeError, ValueError):
        return None
    return struct


def _struct(schema: Mapping[str, Any]) -> type[msgspec.Struct]:
    required = frozenset(schema.get("required", ()))
    properties = schema["properties"]
    if required - properties.keys():
        raise _Unsayable
    fields: list[Any] = []
    names: dict[str, str] = {}
    # Fields that may be missing come last: a struct needs it so.
    for place, (name, part) in sorted(
        enumerate(properties.items()), key=lambda item: item[1][0] not in required
    ):
        field = f"field_{place}"
        names[field] = name
        kind = _type(part)
        if name in required:
            fields.append((field, kind))
        else:
            fields.append((field, kind | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct("Record", fields, rename=names, gc=False, forbid_unknown_fields=True)


def _kinds(schema: Mapping[str, Any], *unsaid: str) -> tuple[str, ...]:
    kinds = schema.get("type", unsaid)
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def _type(schema: Mapping[str, Any]) -> Any:
    said = schema.keys() - _SAYS_NOTHING
    if not said:
        return Any
    if said == {"anyOf"}:
        return reduce(or_, [_type(part) for part in schema["anyOf"]])
    kinds = _kinds(schema)
    if not kinds or said - {"type"} - frozenset().union(*(_WORDS[kind] for kind in kinds)):
        raise _Unsayable
    if "number" in kinds and said & _WORDS["integer"]:
        raise _Unsayable  # a bound of an integer is one of the other numbers too
    return reduce(or_, [_one(kind, schema) for kind in kinds])


def _one(kind: str, schema: Mapping[str, Any]) -> Any:
    if kind == "array":
        items = schema.get("items", {})
        if isinstance(items, list):
            raise _Unsayable
        return list[_type(items)]  # type: ignore[misc] # it is a type only at run time
    if kind == "object":
        if "properties" in schema:
            return _struct(schema)
        if "required" in schema or schema.get("additionalProperties", True) not in (True, {}):
            raise _Unsayable
        return dict[str, Any]
    if kind == "integer":
        return _bounded(int, ge=schema.get("minimum"), le=schema.get("maximum"))
    if kind == "string":
        return _bounded(str, min_length=schema.get("minLength"), max_length=schema.get("maxLength"))
    return {"boolean": bool, "null": None, "number": float}[kind]


def _bounded(kind: type, **bounds: Any) -> Any:
    said = {name: bound for name, bound in bounds.items() if bound is not None}
    if not said:
        return kind
    if any(type(bound) is not int or bound not in _INT64 for bound in said.values()):
        raise _Unsayable
    return Annotated[kind, msgspec.Meta(**said)]

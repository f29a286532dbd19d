"""A draft 4 schema as a type of ``msgspec``, which decodes only what the schema accepts.

Only what most taps write is expressible: fields of plain types, enums, lists, objects, and unions.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from target_stitch_import.schemas.keywords import ANNOTATIONS, declared_types, exclude_each_other
from target_stitch_import.schemas.posted import DATE_TIME

_INT64: Final = range(-(2**63), 2**63)

_KEYWORDS: Final[dict[str, frozenset[str]]] = {
    "array": frozenset({"items"}),
    "boolean": frozenset(),
    "integer": frozenset({"minimum", "maximum"}),
    "null": frozenset(),
    "number": frozenset(),
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "string": frozenset({"minLength", "maxLength"}),
}
"""The keywords of each JSON type that a type can express."""

_ENUM_TYPES: Final = {str: "string", int: "integer", type(None): "null"}
"""The types whose values a ``Literal`` can list."""

_NO_DATETIME: Final = msgspec.Raw(b'"1970-01-01T00:00:00Z"')
"""Stands for the date-time that a record does not have: the service takes it."""


class NotExpressible(Exception):  # noqa: N818 - it is not an error
    """A schema can't be expressed as a type."""


def is_plain_object(schema: Mapping[str, Any]) -> bool:
    """Return True if a type can express what a schema says of objects, their properties apart."""
    unsupported = _effective_keywords(schema) - {"type"} - _KEYWORDS["object"]
    return not unsupported and "object" in declared_types(schema, "object")


def create_struct(
    schema: Mapping[str, Any], *, with_unnamed: bool, as_text: Container[str] = ()
) -> type[msgspec.Struct]:
    """Return the type of an object; ``field_0``, ... are its properties, in the schema's order.

    Date-times, and the properties in ``as_text``, keep their JSON text, and are not judged. Properties
    that the schema permits and does not name are skipped if ``with_unnamed``. Raise ``NotExpressible``
    if there is no such type.
    """
    required = frozenset(schema.get("required", ()))
    properties = schema["properties"]
    if required - properties.keys():
        raise NotExpressible
    names = {f"field_{place}": name for place, name in enumerate(properties)}
    fields: list[Any] = []
    for field, name in names.items():
        is_text = name in as_text
        field_type = (
            msgspec.Raw if is_text else _to_type(properties[name], with_unnamed=with_unnamed)
        )
        if name in required:
            fields.append((field, field_type))
        elif field_type is msgspec.Raw:
            fields.append((field, field_type, msgspec.Raw() if is_text else _NO_DATETIME))
        else:
            fields.append((field, field_type | msgspec.UnsetType, msgspec.UNSET))
    fields.sort(key=len)  # a struct needs fields that may be missing to come last
    is_closed = not (with_unnamed and _permits_unnamed(schema))
    return msgspec.defstruct(
        "Record", fields, rename=names, gc=False, forbid_unknown_fields=is_closed
    )


def _to_type(schema: Mapping[str, Any], *, with_unnamed: bool) -> Any:
    """Return the type of what a schema permits, or of a part of that."""
    keywords = _effective_keywords(schema)
    if not keywords and schema.get("format") != DATE_TIME:
        return Any
    if keywords == {"anyOf"} or (keywords == {"oneOf"} and exclude_each_other(schema["oneOf"])):
        choices = schema.get("anyOf") or schema["oneOf"]
        return _union([_to_type(each, with_unnamed=with_unnamed) for each in choices])
    types = declared_types(schema)
    if schema.get("format") == DATE_TIME and "string" in declared_types(schema, "string"):
        if keywords - {"type"} or {*types} - {"null", "string"}:
            raise NotExpressible
        return msgspec.Raw
    if "enum" in keywords:
        return _enum_type(schema, types)
    if not types or keywords - {"type"}.union(*(_KEYWORDS[each] for each in types)):
        raise NotExpressible
    if "number" in types and keywords & _KEYWORDS["integer"]:
        raise NotExpressible  # a bound of an integer is also one of the other numbers
    return reduce(or_, [_plain_type(each, schema, with_unnamed=with_unnamed) for each in types])


def _union(types: Sequence[Any]) -> Any:
    """Return the union of types, of which a date-time can't be one beside others."""
    others = [each for each in types if each is not msgspec.Raw]
    if len(others) == len(types) or any(str in {each, *get_args(each)} for each in others):
        return reduce(or_, [str if each is msgspec.Raw else each for each in types])
    if any(each is not None for each in others):
        raise NotExpressible
    return msgspec.Raw


def _plain_type(name: str, schema: Mapping[str, Any], *, with_unnamed: bool) -> Any:
    if name == "array":
        items = schema.get("items", {})
        if isinstance(items, list):
            raise NotExpressible
        return list[_to_type(items, with_unnamed=with_unnamed)]  # type: ignore[misc] # at run time
    if name == "object":
        if "properties" in schema:
            return create_struct(schema, with_unnamed=with_unnamed)
        if "required" in schema or not _permits_unnamed(schema):
            raise NotExpressible
        return dict[str, Any]
    if name == "integer":
        return _bounded(int, ge=schema.get("minimum"), le=schema.get("maximum"))
    if name == "string":
        return _bounded(str, min_length=schema.get("minLength"), max_length=schema.get("maxLength"))
    return {"boolean": bool, "null": None, "number": float}[name]


def _effective_keywords(schema: Mapping[str, Any]) -> AbstractSet[str]:
    """Return the keywords of a schema that some value may break."""
    keywords = schema.keys() - ANNOTATIONS
    permits_all = not any(schema.get("patternProperties", {}).values())
    return keywords - {"patternProperties"} if permits_all else keywords


def _permits_unnamed(schema: Mapping[str, Any]) -> bool:
    """Return True if an object may have any properties that the schema does not name."""
    return schema.get("additionalProperties", True) in (True, {})


def _enum_type(schema: Mapping[str, Any], types: Sequence[str]) -> Any:
    """Return the type of the strings, integers and null that an ``enum`` lists."""
    if schema.keys() - ANNOTATIONS - {"type", "enum", "minLength", "maxLength"}:
        raise NotExpressible
    permitted = {*types} or {*_ENUM_TYPES.values()}
    if "number" in permitted:
        permitted.add("integer")
    lengths = range(schema.get("minLength", 0), schema.get("maxLength", sys.maxsize) + 1)
    values = [
        value
        for value in schema["enum"]
        if _ENUM_TYPES.get(type(value)) in permitted
        and (type(value) is not str or len(value) in lengths)
        and (type(value) is not int or value in _INT64)
    ]
    if not values:
        raise NotExpressible
    return Literal[tuple(values)]


def _bounded(plain: type, **bounds: Any) -> Any:
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if not given:
        return plain
    if any(type(bound) is not int or bound not in _INT64 for bound in given.values()):
        raise NotExpressible
    return Annotated[plain, msgspec.Meta(**given)]

"""What keywords mean, and those that contain values, not schemas, in draft 4."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any, Final

from target_stitch_import.patterns import distinct

ANNOTATIONS: Final = frozenset({"default", "description", "format", "precision", "scale", "title"})
"""Keywords that no value can violate."""

_SCHEMA_KEYWORDS: Final = (
    "additionalItems", "additionalProperties", "allOf", "anyOf", "items", "not", "oneOf",
)  # fmt: skip
_NAMED_SCHEMAS: Final = ("dependencies", "patternProperties", "properties")
_COUNTS: Final = (
    "maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties",
)  # fmt: skip
_COPIED: Final = (
    *_COUNTS, "default", "description", "exclusiveMaximum", "exclusiveMinimum", "format",
    "maximum", "minimum", "multipleOf", "pattern", "precision", "scale", "title", "type",
    "uniqueItems",
)  # fmt: skip


def declared_types(schema: Mapping[str, Any], *default: str) -> tuple[str, ...]:
    """Return the types that a schema declares; ``default`` if it declares none."""
    types = schema.get("type", default)
    return (types,) if isinstance(types, str) else tuple(types)


def exclude_each_other(schemas: Sequence[Mapping[str, Any]]) -> bool:
    """Return True if no value can fit two of the schemas, by their types."""
    types = [{*declared_types(schema)} for schema in schemas]
    types = [each | ({"integer"} if "number" in each else set()) for each in types]
    return all(types) and all(one.isdisjoint(other) for one, other in combinations(types, 2))


def subschemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a draft 4 schema and every schema within it."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for keyword in _SCHEMA_KEYWORDS:
            inner = part.get(keyword)
            waiting.extend(inner if isinstance(inner, list) else [inner])
        for keyword in _NAMED_SCHEMAS:
            waiting.extend(part.get(keyword, {}).values())


def map_subschemas(
    schema: Mapping[str, Any], change: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Return a draft 4 schema with each of the schemas right within it changed."""
    changed = dict(schema)
    for keyword in _SCHEMA_KEYWORDS:
        if isinstance(part := schema.get(keyword), dict):
            changed[keyword] = change(part)
        elif isinstance(part, list):
            changed[keyword] = [change(each) for each in part]
    for keyword in _NAMED_SCHEMAS:
        if keyword in schema:
            changed[keyword] = {
                name: change(part) if isinstance(part, dict) else part
                for name, part in schema[keyword].items()
            }
    return changed


def set_or_drop(schema: dict[str, Any], keyword: str, value: Any) -> None:
    """Set a keyword to a value, or remove it if the value is empty, which draft 4 may not permit."""
    schema.pop(keyword, None)
    if value:
        schema[keyword] = value


def translate_values(schema: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the translated keywords, and the schemas that have to be added to ``allOf``."""
    result = {word: schema[word] for word in _COPIED if schema.get(word) is not None}
    for word, value in result.items():
        if isinstance(value, float):  # only a stream map can bring one in
            result[word] = Decimal(repr(value))
    for word in ("description", "format", "title"):
        if not isinstance(result.get(word, ""), str):
            del result[word]
    for word in _COUNTS:
        if isinstance(count := result.get(word), Decimal) and count == count.to_integral_value():
            result[word] = int(count)  # since draft 6, 2.0 is an integer
    if isinstance(result.get("type"), list):
        result["type"] = distinct(result["type"])
    _translate_bounds(result)
    return result, _translate_choices(schema, result)


def _translate_bounds(result: dict[str, Any]) -> None:
    """Translate exclusive bounds in place: numbers since draft 6, flags beside the bound in draft 4."""
    for bound, exclusive, tighter in (
        ("minimum", "exclusiveMinimum", max),
        ("maximum", "exclusiveMaximum", min),
    ):
        limit = result.pop(exclusive, None)
        if limit is True and bound in result:
            result[exclusive] = True
        elif type(limit) in (int, Decimal):
            result[bound] = tighter(limit, result.get(bound, limit))
            set_or_drop(result, exclusive, result[bound] == limit)


def _translate_choices(schema: dict[str, Any], result: dict[str, Any]) -> list[dict[str, Any]]:
    extra: list[dict[str, Any]] = []
    required = schema.get("required")
    if isinstance(required, list):
        set_or_drop(result, "required", distinct(required))
    elif required is not None and not isinstance(required, bool):
        result["required"] = required  # invalid; a flag on the property itself is draft 3
    if schema.get("enum") == []:
        extra.append({"not": {}})
    elif "enum" in schema:
        values = schema["enum"]
        result["enum"] = distinct(values) if isinstance(values, list) else values
    if "const" in schema and "enum" in schema:
        extra.append({"enum": [schema["const"]]})
    elif "const" in schema:
        result["enum"] = [schema["const"]]
    return extra

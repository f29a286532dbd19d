"""The keywords that hold values, and no schemas, said in draft 4.

Knows what each draft permits as a value; nothing of references or of schemas within schemas.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "SAYS_NOTHING",
    "distinct",
    "is_pattern",
    "kinds_of",
    "set_or_drop",
    "translate_bounds",
    "translate_values",
]

SAYS_NOTHING: Final = frozenset({"default", "description", "format", "title"})
"""Keywords that no value breaks."""

_AS_THEY_ARE: Final = (
    "default", "description", "exclusiveMaximum", "exclusiveMinimum", "format", "maxItems",
    "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
    "multipleOf", "pattern", "title", "type", "uniqueItems",
)  # fmt: skip
_COUNTS: Final = (
    "maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties",
)  # fmt: skip
_TEXTS: Final = ("description", "format", "title")


def kinds_of(schema: Mapping[str, Any], *unsaid: str) -> tuple[str, ...]:
    """Return the types that a schema permits; ``unsaid`` where it says none."""
    kinds = schema.get("type", unsaid)
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def set_or_drop(schema: dict[str, Any], keyword: str, value: Any) -> None:
    """Set a keyword to a value, or leave it out where the value is empty.

    Draft 4 does not permit an empty ``required``, ``dependencies`` and the like.
    """
    schema.pop(keyword, None)
    if value:
        schema[keyword] = value


def is_pattern(text: Any) -> bool:
    """Return True for a regular expression that can be read here."""
    try:
        re.compile(text)
    except (re.error, TypeError, RecursionError, OverflowError):
        return False
    return True


def distinct(values: list[Any]) -> list[Any]:
    """Return the values that JSON tells apart, as draft 4 does not permit one twice."""
    return list({_canonical(value): value for value in reversed(values)}.values())[::-1]


def translate_values(schema: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what a schema says by values alone, and what has to stand in an allOf of its own."""
    result = {word: _exact(schema[word]) for word in _AS_THEY_ARE if schema.get(word) is not None}
    for word in _TEXTS:
        if not isinstance(result.get(word, ""), str):
            del result[word]
    for word in _COUNTS:
        if isinstance(count := result.get(word), Decimal) and count == count.to_integral_value():
            result[word] = int(count)  # since draft 6, 2.0 is an integer
    if isinstance(result.get("type"), list):
        result["type"] = distinct(result["type"])
    translate_bounds(result)
    return result, _translate_choices(schema, result)


def translate_bounds(result: dict[str, Any]) -> None:
    """Since draft 6 an exclusive bound is a number; in draft 4 it is a flag beside the bound."""
    for bound, exclusive, tighter in (
        ("minimum", "exclusiveMinimum", max),
        ("maximum", "exclusiveMaximum", min),
    ):
        limit = result.get(exclusive)
        if isinstance(limit, bool):
            if bound not in result:
                del result[exclusive]  # a flag without its bound says nothing
        elif _is_number(limit) and _is_number(inclusive := result.get(bound, limit)):
            result[bound] = tighter(limit, inclusive)
            set_or_drop(result, exclusive, result[bound] == limit)


def _translate_choices(schema: dict[str, Any], result: dict[str, Any]) -> list[dict[str, Any]]:
    also: list[dict[str, Any]] = []
    required = schema.get("required")
    if isinstance(required, list):
        set_or_drop(result, "required", distinct(required))
    elif required is not None and not isinstance(required, bool):
        result["required"] = required  # no schema; a flag, on the property itself, was draft 3's
    if "enum" in schema:
        values = schema["enum"]
        if values == []:
            also.append({"not": {}})
        else:
            result["enum"] = distinct(values) if isinstance(values, list) else values
    if "const" in schema:
        only = {"enum": [schema["const"]]}
        if "enum" in result or also:
            also.append(only)
        else:
            result.update(only)
    return also


def _exact(value: Any) -> Any:
    """A float, which only a stream map can bring in, becomes the decimal that it is written as."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _is_number(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _canonical(value: Any) -> Any:
    """Return something hashable that is equal for what JSON Schema calls equal."""
    if isinstance(value, dict):
        return frozenset((name, _canonical(part)) for name, part in value.items())
    if isinstance(value, list):
        return tuple(_canonical(part) for part in value)
    return isinstance(value, bool), value

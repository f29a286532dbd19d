"""One schema of any draft, walked keyword by keyword into draft 4.

Knows what each draft says and how draft 4 says it; not what the service asks of a schema besides.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7

if TYPE_CHECKING:
    from referencing import Specification

__all__ = ["SchemaTranslationError", "Translator", "set_or_drop"]

MAX_PARTS: Final = 100_000
"""Subschemas in one schema: references that multiply are refused before they fill the memory."""

_AS_THEY_ARE: Final = (
    "default", "description", "exclusiveMaximum", "exclusiveMinimum", "format", "maxItems",
    "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
    "multipleOf", "pattern", "title", "type", "uniqueItems",
)  # fmt: skip
_MAPS: Final = ("patternProperties", "properties")

_NEWER: Final = frozenset(
    {
        "const", "contains", "dependentRequired", "dependentSchemas", "else", "if", "maxContains",
        "minContains", "prefixItems", "propertyNames", "then", "unevaluatedItems",
        "unevaluatedProperties",
    }
)  # fmt: skip
_UNSAYABLE: Final = frozenset(
    {
        "$dynamicRef", "$recursiveRef", "maxContains", "minContains", "propertyNames",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip


class SchemaTranslationError(ValueError):
    """What came as a schema is none, or none that can be posted."""


def set_or_drop(schema: dict[str, Any], keyword: str, value: Any) -> None:
    """Set a keyword to a value, or leave it out where the value is empty.

    Draft 4 does not permit an empty ``required``, ``dependencies`` and the like.
    """
    schema.pop(keyword, None)
    if value:
        schema[keyword] = value


class Translator:
    """One walk over one schema.

    Counts the parts so far and what had to be left out, and knows the references that it is in.
    """

    def __init__(self, dialect: Specification[Any]) -> None:
        self._dialect = dialect
        self._parts = 0
        self._losses = 0
        self._within: set[int] = set()

    def translate(self, schema: Any, resolver: Any) -> dict[str, Any]:
        """Return the draft 4 of a schema whose references ``resolver`` resolves."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise SchemaTranslationError(f"it has more than {MAX_PARTS:,} parts")
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if not isinstance(schema, dict):
            raise SchemaTranslationError(f"{schema!r:.40} stands where a schema should")
        if self._dialect is DRAFT4:
            schema = {word: value for word, value in schema.items() if word not in _NEWER}
        resolver = resolver.in_subresource(self._dialect.create_resource(schema))
        if "$ref" in schema:
            return self._referred(schema, resolver)
        return self._keywords(schema, resolver)

    def _referred(self, schema: dict[str, Any], resolver: Any) -> dict[str, Any]:
        reference = schema["$ref"]
        if not isinstance(reference, str):
            raise SchemaTranslationError("a $ref is no string")
        resolved = resolver.lookup(reference)
        place = id(resolved.contents)
        if place in self._within:
            self._losses += 1
            return {}
        self._within.add(place)
        referred = self.translate(resolved.contents, resolved.resolver)
        self._within.remove(place)
        if self._dialect in (DRAFT4, DRAFT6, DRAFT7):
            return referred  # what stands beside a $ref said nothing before 2019-09
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        others = self._keywords(beside, resolver)
        if referred.keys() & others.keys():
            return {**referred, "allOf": [*referred.get("allOf", ()), others]}
        return {**referred, **others}

    def _keywords(self, schema: dict[str, Any], resolver: Any) -> dict[str, Any]:
        self._losses += len(_UNSAYABLE & schema.keys())
        result = {
            word: _exact(schema[word]) for word in _AS_THEY_ARE if schema.get(word) is not None
        }
        self._keep_what_can_be_read(result)
        _translate_bounds(result)
        also = _translate_values(schema, result)
        for keyword in ("allOf", "anyOf"):
            if keyword in schema:
                result[keyword] = self._list(schema[keyword], resolver)
        for keyword in _MAPS:
            if keyword in schema:
                result[keyword] = self._map(schema[keyword], resolver)
        if "additionalProperties" in schema:
            result["additionalProperties"] = self._flag_or_schema(
                schema["additionalProperties"], resolver
            )
        self._items(schema, result, resolver)
        self._dependencies(schema, result, resolver)
        also += self._negations(schema, result, resolver)
        set_or_drop(result, "allOf", [*result.get("allOf", ()), *also])
        return result

    def _keep_what_can_be_read(self, result: dict[str, Any]) -> None:
        for keyword in ("description", "title", "format"):
            if not isinstance(result.get(keyword, ""), str):
                del result[keyword]
        if isinstance(result.get("type"), list):
            result["type"] = _distinct(result["type"])
        try:
            re.compile(result.get("pattern", ""))
        except (re.error, TypeError):
            del result["pattern"]
            self._losses += 1

    def _items(self, schema: dict[str, Any], result: dict[str, Any], resolver: Any) -> None:
        """2020-12 says prefixItems and items where draft 4 says items and additionalItems."""
        first, rest = schema.get("items"), schema.get("additionalItems")
        if "prefixItems" in schema:
            first, rest = schema["prefixItems"], schema.get("items")
        if isinstance(first, list):
            set_or_drop(result, "items", self._list(first, resolver))
            if rest is not None:
                result["additionalItems"] = self._flag_or_schema(rest, resolver)
        elif first is not None:
            result["items"] = self.translate(first, resolver)

    def _dependencies(self, schema: dict[str, Any], result: dict[str, Any], resolver: Any) -> None:
        found: dict[str, Any] = {}
        for keyword in ("dependencies", "dependentSchemas", "dependentRequired"):
            for name, needed in _mapping(schema.get(keyword, {})).items():
                if not isinstance(needed, list):
                    needed = self.translate(needed, resolver)  # noqa: PLW2901 - its draft 4 form
                if name in found:
                    self._losses += 1
                elif needed or isinstance(needed, dict):
                    found[name] = needed
        set_or_drop(result, "dependencies", found)

    def _negations(
        self, schema: dict[str, Any], result: dict[str, Any], resolver: Any
    ) -> list[dict[str, Any]]:
        """Translate what would refuse more if a part of it had been left out."""
        before, also = self._losses, []
        if "not" in schema:
            refused = self.translate(schema["not"], resolver)
            if self._losses == before:
                result["not"] = refused
        if "oneOf" in schema:
            before = self._losses
            choices = self._list(schema["oneOf"], resolver)
            if self._losses == before:
                result["oneOf"] = choices
            else:
                also.append({"anyOf": choices})
        if "contains" in schema and "minContains" not in schema:
            before = self._losses
            wanted = self.translate(schema["contains"], resolver)
            if self._losses == before:
                no_array, one_at_least = {"type": "array"}, {"items": {"not": wanted}}
                also.append({"anyOf": [{"not": no_array}, {"not": one_at_least}]})
        if "if" in schema:
            before = self._losses
            condition = self.translate(schema["if"], resolver)
            if self._losses == before:
                then = self.translate(schema.get("then", True), resolver)
                otherwise = self.translate(schema.get("else", True), resolver)
                also.append({"anyOf": [{"not": condition}, then]})
                also.append({"anyOf": [condition, otherwise]})
        return also

    def _list(self, schemas: Any, resolver: Any) -> list[dict[str, Any]]:
        if not isinstance(schemas, list):
            raise SchemaTranslationError(f"{schemas!r:.40} stands where a list of schemas should")
        return [self.translate(part, resolver) for part in schemas]

    def _map(self, schemas: Any, resolver: Any) -> dict[str, dict[str, Any]]:
        return {name: self.translate(part, resolver) for name, part in _mapping(schemas).items()}

    def _flag_or_schema(self, value: Any, resolver: Any) -> bool | dict[str, Any]:
        return value if isinstance(value, bool) else self.translate(value, resolver)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SchemaTranslationError(f"{value!r:.40} stands where schemas by name should")
    return value


def _exact(value: Any) -> Any:
    """A float, which only a stream map can bring in, becomes the decimal that it is written as."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _is_number(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _distinct(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if not any(
            value is other or (value == other and type(value) is type(other)) for other in kept
        ):
            kept.append(value)
    return kept


def _translate_bounds(result: dict[str, Any]) -> None:
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


def _translate_values(schema: dict[str, Any], result: dict[str, Any]) -> list[dict[str, Any]]:
    """Translate const, enum and required; return what has to stand in an allOf of its own."""
    also: list[dict[str, Any]] = []
    required = schema.get("required")
    if not isinstance(required, bool):  # draft 3 had a flag, on the property itself
        set_or_drop(result, "required", required and _distinct(required))
    if "enum" in schema:
        values = schema["enum"]
        result["enum"] = _distinct(values) if isinstance(values, list) else values
        if not values:
            del result["enum"]
            also.append({"not": {}})
    if "const" in schema:
        also.append({"enum": [schema["const"]]})
    if len(also) == 1 and "enum" not in result and "enum" in also[0]:
        result.update(also.pop())
    return also

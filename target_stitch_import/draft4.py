"""One schema of any draft, walked keyword by keyword into draft 4.

Knows what each draft says and how draft 4 says it; not what the service asks of a schema besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012

from target_stitch_import.keywords import is_pattern, set_or_drop, translate_values

if TYPE_CHECKING:
    from referencing import Specification

__all__ = ["UNKNOWN_TO", "SchemaTranslationError", "Translator"]

MAX_PARTS: Final = 20_000
"""Subschemas in one schema: references that multiply are refused before they fill the memory."""

_APPLICATORS: Final = frozenset(
    {"additionalItems", "additionalProperties", "items", "patternProperties", "properties"}
)
"""What one of these means depends on which others stand beside it."""

_SINCE_6: Final = frozenset({"const", "contains", "propertyNames"})
_SINCE_7: Final = frozenset({"else", "if", "then"})
_SINCE_2019: Final = frozenset(
    {
        "$recursiveRef", "dependentRequired", "dependentSchemas", "maxContains", "minContains",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
_SINCE_2020: Final = frozenset({"$dynamicRef", "prefixItems"})
UNKNOWN_TO: Final[dict[str, frozenset[str]]] = {
    DRAFT4.name: _SINCE_6 | _SINCE_7 | _SINCE_2019 | _SINCE_2020,
    DRAFT6.name: _SINCE_7 | _SINCE_2019 | _SINCE_2020,
    DRAFT7.name: _SINCE_2019 | _SINCE_2020,
    DRAFT201909.name: _SINCE_2020 | {"dependencies"},
    DRAFT202012.name: frozenset({"$recursiveRef", "additionalItems", "dependencies"}),
}
"""Keywords that say nothing in a schema which names its draft."""

_UNSAYABLE: Final = frozenset(
    {
        "$dynamicRef", "$recursiveRef", "maxContains", "minContains", "propertyNames",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip


class SchemaTranslationError(ValueError):
    """What came as a schema is none, or none that can be posted."""


class Translator:
    """One walk over one schema.

    Counts the parts so far and what had to be left out, and knows the references that it is in.
    """

    def __init__(self, dialect: Specification[Any], unknown: frozenset[str]) -> None:
        """Read as ``dialect`` does, and pass over the keywords that are ``unknown`` to it."""
        self._dialect = dialect
        self._unknown = unknown
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
        if not self._unknown.isdisjoint(schema):
            schema = {word: part for word, part in schema.items() if word not in self._unknown}
        resolver = resolver.in_subresource(self._dialect.create_resource(schema))
        if "$ref" in schema:
            return self._referred(schema, resolver)
        return self._keywords(schema, resolver)

    def _referred(self, schema: dict[str, Any], resolver: Any) -> dict[str, Any]:
        reference = schema["$ref"]
        if not isinstance(reference, str):
            raise SchemaTranslationError("a $ref is no string")
        try:
            resolved = resolver.lookup(reference)
        except Unresolvable:
            raise SchemaTranslationError(f"its $ref {reference!r} leads to nothing in it") from None
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
        if referred.keys() & others.keys() or (
            _APPLICATORS & referred.keys() and _APPLICATORS & others.keys()
        ):
            return {**referred, "allOf": [*referred.get("allOf", ()), others]}
        return {**referred, **others}

    def _keywords(self, schema: dict[str, Any], resolver: Any) -> dict[str, Any]:
        self._losses += len(_UNSAYABLE & schema.keys())
        result, also = translate_values(schema)
        if not is_pattern(result.get("pattern", "")):
            del result["pattern"]
            self._losses += 1
        for keyword in ("allOf", "anyOf"):
            if keyword in schema:
                result[keyword] = self._list(schema[keyword], resolver)
        self._properties(schema, result, resolver)
        self._items(schema, result, resolver)
        self._dependencies(schema, result, resolver)
        also += self._negations(schema, result, resolver)
        set_or_drop(result, "allOf", [*result.get("allOf", ()), *also])
        return result

    def _properties(self, schema: dict[str, Any], result: dict[str, Any], resolver: Any) -> None:
        for keyword in ("properties", "patternProperties"):
            if keyword in schema:
                parts = _mapping(schema[keyword]).items()
                result[keyword] = {name: self.translate(part, resolver) for name, part in parts}
        patterns = result.get("patternProperties", {})
        unreadable = [name for name in patterns if not is_pattern(name)]
        for name in unreadable:
            del patterns[name]
            self._losses += 1
        others = schema.get("additionalProperties")
        if others is not None and not unreadable:  # or it would speak of their properties too
            result["additionalProperties"] = self._flag_or_schema(others, resolver)

    def _items(self, schema: dict[str, Any], result: dict[str, Any], resolver: Any) -> None:
        """2020-12 says prefixItems and items where draft 4 says items and additionalItems."""
        first, rest = schema.get("items"), schema.get("additionalItems")
        if "prefixItems" in schema:
            first, rest = schema["prefixItems"], schema.get("items")
        if first == [] and rest is not None:
            first = rest
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

    def _flag_or_schema(self, value: Any, resolver: Any) -> bool | dict[str, Any]:
        return value if isinstance(value, bool) else self.translate(value, resolver)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SchemaTranslationError(f"{value!r:.40} stands where schemas by name should")
    return value

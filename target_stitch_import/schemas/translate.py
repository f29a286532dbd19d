"""Translates a tap's JSON schema of any draft into the draft 4 that is posted.

What draft 4 can't express is left out: the posted schema then accepts more than the tap's, never
less. The exception is ``1.0``, which is not an integer in draft 4.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import jsonschema
import jsonschema_rs
import referencing.jsonschema as drafts
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.limits import is_reserved
from target_stitch_import.patterns import is_valid_pattern
from target_stitch_import.schemas.keywords import (
    declared_types,
    exclude_each_other,
    set_or_drop,
    subschemas,
    translate_values,
)

Json = dict[str, Any]

MAX_SUBSCHEMAS: Final = 20_000  # nested references could fill the memory

_APPLICATORS: Final = frozenset(
    {"additionalItems", "additionalProperties", "items", "patternProperties", "properties"}
)
"""What each of them means depends on the other ones in the same schema."""

_KEYWORDS: Final = frozenset[str]().union(
    jsonschema.Draft7Validator.VALIDATORS,
    jsonschema.Draft201909Validator.VALIDATORS,
    jsonschema.Draft202012Validator.VALIDATORS,
)
"""Those of all drafts."""
_NOT_EXPRESSIBLE: Final = frozenset({
    "$dynamicRef", "$recursiveRef", "maxContains", "minContains", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_META: Final = jsonschema_rs.Draft4Validator(
    jsonschema.Draft4Validator.META_SCHEMA, validate_formats=False, offline=True
)


class SchemaTranslationError(ValueError):
    """A schema is not valid, or has no form in draft 4 that can be posted."""


def to_draft4(schema: Any) -> Json:
    """Return the draft 4 form of a schema whose numbers are decoded exactly.

    References are resolved within it only; a recursive one becomes a schema that accepts everything.
    Top-level properties with reserved names are left out; ``properties`` is always there.
    Raise ``SchemaTranslationError`` if it is not valid, not that of an object, or can't be resolved.
    """
    if not isinstance(schema, dict):
        raise SchemaTranslationError(f"it is not a JSON object but {schema!r:.40}")
    try:
        translator = _Translator(schema)
        translated = _without_reserved(translator.translate(schema, translator.root))
        is_valid = False
        with suppress(ValueError):  # a number that the quick validator can't read
            is_valid = _META.is_valid(translated)
        if not is_valid:
            jsonschema.Draft4Validator.check_schema(translated)
        encode_exactly(translated)
    except SchemaTranslationError:
        raise
    except jsonschema.SchemaError as error:
        place = "/".join(["#", *map(str, error.absolute_path)])
        raise SchemaTranslationError(f"{place}: {error.message:.200}") from None
    except RecursionError:
        raise SchemaTranslationError("it is nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The libraries raise these for an $id that is not a string, a number of 5,000 digits ...
        raise SchemaTranslationError(f"it can't be read: {error!s:.200}") from None
    return translated


def _without_reserved(schema: Json) -> Json:
    if "object" not in declared_types(schema, "object"):
        raise SchemaTranslationError("it is not the schema of an object")
    properties = schema.get("properties", {})  # taps of document databases name none
    kept = {name: part for name, part in properties.items() if not is_reserved(name)}
    columns = {**schema, "properties": kept}
    if isinstance(required := schema.get("required"), list):
        set_or_drop(columns, "required", [name for name in required if not is_reserved(str(name))])
    return columns


class _Translator:
    """Translates one schema, as the draft that its ``$schema`` names defines it."""

    def __init__(self, schema: Json) -> None:
        self._dialect = drafts.DRAFT202012
        self._unknown: frozenset[str] = frozenset()  # keywords without a meaning in it
        with suppress(drafts.UnknownDialect, KeyError):  # as in most taps
            self._dialect = drafts.specification_with(schema["$schema"])
            known = {*validator_for(schema).VALIDATORS, "exclusiveMaximum", "exclusiveMinimum"}
            self._unknown = _KEYWORDS - known
        self.root = Registry[Any]().resolver_with_root(self._dialect.create_resource(schema))
        self._subschemas = 0
        self._omissions = 0
        self._open_refs: set[int] = set()  # ids of the schemas that are being translated

    def translate(self, schema: Any, resolver: Any) -> Json:
        """Return the draft 4 form of a schema, whose references ``resolver`` resolves."""
        self._subschemas += 1
        if self._subschemas > MAX_SUBSCHEMAS:
            raise SchemaTranslationError(f"it has more than {MAX_SUBSCHEMAS:,} subschemas")
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        _require(schema, dict, "a schema")
        if not self._unknown.isdisjoint(schema):
            schema = {word: part for word, part in schema.items() if word not in self._unknown}
        resolver = resolver.in_subresource(self._dialect.create_resource(schema))
        if "$ref" in schema:
            return self._translate_ref(schema, resolver)
        return self._translate_keywords(schema, resolver)

    def _translate_ref(self, schema: Json, resolver: Any) -> Json:
        reference = schema["$ref"]
        if not isinstance(reference, str):
            raise SchemaTranslationError("it has a $ref that is not a string")
        try:
            resolved = resolver.lookup(reference)
        except Unresolvable:
            raise SchemaTranslationError(
                f"its $ref {reference!r} can't be resolved within it"
            ) from None
        place = id(resolved.contents)
        if place in self._open_refs:
            self._omissions += 1
            return {}
        self._open_refs.add(place)
        referred = self.translate(resolved.contents, resolved.resolver)
        self._open_refs.remove(place)
        if self._dialect in (drafts.DRAFT4, drafts.DRAFT6, drafts.DRAFT7):
            return referred  # keywords beside a $ref had no meaning before 2019-09
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        siblings = self._translate_keywords(beside, resolver)
        if referred.keys() & siblings.keys() or (
            _APPLICATORS & referred.keys() and _APPLICATORS & siblings.keys()
        ):
            return {**referred, "allOf": [*referred.get("allOf", ()), siblings]}
        return {**referred, **siblings}

    def _translate_keywords(self, schema: Json, resolver: Any) -> Json:
        self._omissions += len(_NOT_EXPRESSIBLE & schema.keys())
        result, extra = translate_values(schema)
        if "pattern" in result and not is_valid_pattern(result["pattern"]):
            del result["pattern"]
            self._omissions += 1
        for keyword in ("allOf", "anyOf"):
            if keyword in schema:
                result[keyword] = self._translate_list(schema[keyword], resolver)
        self._translate_properties(schema, result, resolver)
        self._translate_items(schema, result, resolver)
        self._translate_dependencies(schema, result, resolver)
        extra += self._translate_negations(schema, result, resolver)
        set_or_drop(result, "allOf", [*result.get("allOf", ()), *extra])
        return result

    def _translate_properties(self, schema: Json, result: Json, resolver: Any) -> None:
        for keyword in ("properties", "patternProperties"):
            if keyword in schema:
                parts = _require(schema[keyword], dict, "schemas by name").items()
                result[keyword] = {name: self.translate(part, resolver) for name, part in parts}
        patterns = result.get("patternProperties", {})
        unreadable = [name for name in patterns if not is_valid_pattern(name)]
        for name in unreadable:
            del patterns[name]
            self._omissions += 1
        additional = schema.get("additionalProperties")
        # With an unreadable pattern, it would apply to the properties of that pattern, too.
        if additional is not None and not unreadable:
            result["additionalProperties"] = self._translate_flag_or_schema(additional, resolver)

    def _translate_items(self, schema: Json, result: Json, resolver: Any) -> None:
        """Translate prefixItems and items of 2020-12 into items and additionalItems."""
        first, rest = schema.get("items"), schema.get("additionalItems")
        if "prefixItems" in schema:
            first, rest = schema["prefixItems"], schema.get("items")
        if first == [] and rest is not None:
            first = rest
        if isinstance(first, list):
            set_or_drop(result, "items", self._translate_list(first, resolver))
            if rest is not None:
                result["additionalItems"] = self._translate_flag_or_schema(rest, resolver)
        elif first is not None:
            result["items"] = self.translate(first, resolver)

    def _translate_dependencies(self, schema: Json, result: Json, resolver: Any) -> None:
        dependencies: Json = {}
        for keyword in ("dependencies", "dependentSchemas", "dependentRequired"):
            by_name = _require(schema.get(keyword, {}), dict, "schemas by name")
            for name, needed in by_name.items():
                if not isinstance(needed, list):
                    needed = self.translate(needed, resolver)  # noqa: PLW2901 - its draft 4 form
                if name in dependencies:
                    self._omissions += 1
                elif needed or isinstance(needed, dict):
                    dependencies[name] = needed
        set_or_drop(result, "dependencies", dependencies)

    def _translate_negations(self, schema: Json, result: Json, resolver: Any) -> list[Json]:
        """Translate the keywords that would refuse more if a part of them were left out.

        Return the schemas that have to be added to ``allOf``.
        """
        extra = []
        if (refused := self._translate_whole(schema, "not", resolver)) is not None:
            result["not"] = refused
        if "oneOf" in schema:
            before = self._omissions
            choices = self._translate_list(schema["oneOf"], resolver)
            parts = (part for choice in choices for part in subschemas(choice))
            # Where formats tell the branches apart, a text may fit more than one in Stitch.
            is_exact = exclude_each_other(choices) or not any("format" in part for part in parts)
            if self._omissions == before and is_exact:
                result["oneOf"] = choices
            elif "anyOf" not in result:
                result["anyOf"] = choices
            else:
                extra.append({"anyOf": choices})
        contains = {} if "minContains" in schema else schema
        if (wanted := self._translate_whole(contains, "contains", resolver)) is not None:
            array, without_wanted = {"type": "array"}, {"items": {"not": wanted}}
            extra.append({"anyOf": [{"not": array}, {"not": without_wanted}]})
        if (condition := self._translate_whole(schema, "if", resolver)) is not None:
            then = self.translate(schema.get("then", True), resolver)
            otherwise = self.translate(schema.get("else", True), resolver)
            extra.append({"anyOf": [{"not": condition}, then]})
            extra.append({"anyOf": [condition, otherwise]})
        return extra

    def _translate_whole(self, schema: Json, keyword: str, resolver: Any) -> Json | None:
        """Return the schema in a keyword; None if there is none, or a part of it is left out."""
        before = self._omissions
        translated = self.translate(schema[keyword], resolver) if keyword in schema else None
        return translated if self._omissions == before else None

    def _translate_list(self, schemas: Any, resolver: Any) -> list[Json]:
        parts = _require(schemas, list, "a list of schemas")
        return [self.translate(part, resolver) for part in parts]

    def _translate_flag_or_schema(self, value: Any, resolver: Any) -> bool | Json:
        return value if isinstance(value, bool) else self.translate(value, resolver)


def _require(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise SchemaTranslationError(f"it has {value!r:.40} in the place of {what}")
    return value

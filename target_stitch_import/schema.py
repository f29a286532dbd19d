"""The tap's JSON schema -> the draft 4 that the service reads.

Taps declare draft 4, 6, 7, 2019-09 or 2020-12; how the service takes the newer ones is not
documented, so what is posted is plain draft 4 that means the same (Import API reference, section
The batch body). What draft 4 can't say is left out rather than guessed: the posted schema then
accepts more, never less, but for ``1.0``, which is no integer in draft 4. Knows JSON schemas;
nothing of streams, records or batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
from jsonschema import Draft4Validator, SchemaError
from referencing import Registry, Specification
from referencing.jsonschema import DRAFT202012, UnknownDialect, specification_with

from target_stitch_import.draft4 import UNKNOWN_TO, SchemaTranslationError, Translator
from target_stitch_import.jsontext import encode_exactly
from target_stitch_import.keywords import set_or_drop
from target_stitch_import.own_columns import is_reserved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["SchemaTranslationError", "subschemas", "to_draft4"]

_META: Final = jsonschema_rs.Draft4Validator(
    Draft4Validator.META_SCHEMA, validate_formats=False, offline=True
)
_ONE: Final = ("additionalItems", "additionalProperties", "items", "not")
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_MAPS: Final = ("patternProperties", "properties")


def to_draft4(schema: Any) -> dict[str, Any]:
    """Return the plain draft 4 that means the same as ``schema``, decoded with exact numbers.

    References are resolved, within the schema alone; where one recurs, everything is accepted.
    Top-level properties whose names are Stitch's own are left out.

    Raises:
        SchemaTranslationError: ``schema`` is no schema, has no ``properties``, or refers to what
            it does not hold.
    """
    if not isinstance(schema, dict):
        raise SchemaTranslationError(f"it is no JSON object but {schema!r:.40}")
    try:
        dialect, unknown = _dialect(schema)
        resolver = Registry[Any]().resolver_with_root(dialect.create_resource(schema))
        translated = _without_reserved(Translator(dialect, unknown).translate(schema, resolver))
        if not _is_plainly_valid(translated):
            Draft4Validator.check_schema(translated)
        encode_exactly(translated)
    except SchemaTranslationError:
        raise
    except SchemaError as error:
        place = "/".join(["#", *map(str, error.absolute_path)])
        raise SchemaTranslationError(f"{place}: {error.message:.200}") from None
    except RecursionError:
        raise SchemaTranslationError("it is nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What the libraries say of an $id that is no string, a number of 5,000 digits ...
        raise SchemaTranslationError(f"it can't be read: {error!s:.200}") from None
    return translated


def _is_plainly_valid(schema: dict[str, Any]) -> bool:
    """Return True if the quick test accepts a schema; it is a hundred times as fast."""
    try:
        return _META.is_valid(schema)
    except ValueError:  # a number that only the exact one can read
        return False


def subschemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a draft 4 schema and every schema within it."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for keyword in (*_ONE, *_LISTS):
            inner = part.get(keyword)
            waiting.extend(inner if isinstance(inner, list) else [inner])
        for keyword in (*_MAPS, "dependencies"):
            waiting.extend(part.get(keyword, {}).values())


def _dialect(schema: dict[str, Any]) -> tuple[Specification[Any], frozenset[str]]:
    """Return the draft that ``$schema`` names, and the keywords that are unknown to it.

    Most taps name none, and mean what they write: all that any draft says is then understood.
    """
    try:
        dialect = specification_with(schema["$schema"])
    except (UnknownDialect, KeyError):
        return DRAFT202012, frozenset()
    return dialect, UNKNOWN_TO.get(dialect.name, frozenset())


def _without_reserved(schema: dict[str, Any]) -> dict[str, Any]:
    if "properties" not in schema:
        raise SchemaTranslationError("it has no properties")
    properties = schema["properties"].items()
    kept = {name: part for name, part in properties if not is_reserved(name)}
    posted = {**schema, "properties": kept}
    if isinstance(required := schema.get("required"), list):
        kept_required = [name for name in required if not is_reserved(str(name))]
        set_or_drop(posted, "required", kept_required)
    return posted

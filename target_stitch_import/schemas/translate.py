"""Translates a tap's JSON schema of any draft into the draft 4 that is posted.

What draft 4 can't express is left out: the posted schema then accepts more than the tap's, never
less. The exception is ``1.0``, which is not an integer in draft 4.
"""

from __future__ import annotations

from typing import Any, Final

import jsonschema_rs
from jsonschema import Draft4Validator, SchemaError
from referencing import Registry, Specification
from referencing.jsonschema import DRAFT202012, UnknownDialect, specification_with

from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.limits import is_reserved
from target_stitch_import.schemas.draft4 import UNKNOWN_KEYWORDS, SchemaTranslationError, Translator
from target_stitch_import.schemas.keywords import declared_types, set_or_drop

__all__ = ["SchemaTranslationError", "to_draft4"]

_META: Final = jsonschema_rs.Draft4Validator(
    Draft4Validator.META_SCHEMA, validate_formats=False, offline=True
)


def to_draft4(schema: Any) -> dict[str, Any]:
    """Return the draft 4 form of a schema whose numbers are decoded exactly.

    References are resolved within it only; a recursive one becomes a schema that accepts everything.
    Top-level properties with reserved names are left out; ``properties`` is always there.

    Raises:
        SchemaTranslationError: It is not valid, is not that of an object, or can't be resolved.
    """
    if not isinstance(schema, dict):
        raise SchemaTranslationError(f"it is not a JSON object but {schema!r:.40}")
    try:
        dialect, unknown = _dialect(schema)
        resolver = Registry[Any]().resolver_with_root(dialect.create_resource(schema))
        translated = _without_reserved(Translator(dialect, unknown).translate(schema, resolver))
        if not _is_quickly_valid(translated):
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
        # The libraries raise these for an $id that is not a string, a number of 5,000 digits ...
        raise SchemaTranslationError(f"it can't be read: {error!s:.200}") from None
    return translated


def _is_quickly_valid(schema: dict[str, Any]) -> bool:
    """Return True if the other validator, which is a hundred times as fast, accepts a schema."""
    try:
        return _META.is_valid(schema)
    except ValueError:  # a number that the fast one can't read
        return False


def _dialect(schema: dict[str, Any]) -> tuple[Specification[Any], frozenset[str]]:
    """Return the draft that ``$schema`` names, and the keywords that are unknown to it."""
    try:
        dialect = specification_with(schema["$schema"])
    except (UnknownDialect, KeyError):  # as in most taps, so the keywords of all drafts are known
        return DRAFT202012, frozenset()
    return dialect, UNKNOWN_KEYWORDS.get(dialect.name, frozenset())


def _without_reserved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what the schema of a stream says of the columns that may be posted.

    Taps of document databases name no properties.
    """
    if "object" not in declared_types(schema, "object"):
        raise SchemaTranslationError("it is not the schema of an object")
    properties = schema.get("properties", {})
    kept = {name: part for name, part in properties.items() if not is_reserved(name)}
    columns = {**schema, "properties": kept}
    if isinstance(required := schema.get("required"), list):
        set_or_drop(columns, "required", [name for name in required if not is_reserved(str(name))])
    return columns

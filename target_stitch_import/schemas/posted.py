"""What is posted of a schema, and what of it records are judged by.

Import API reference, section The batch body: of all formats, only ``date-time`` and
``singer.decimal`` mean anything to a destination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from target_stitch_import.json_codec import json_type
from target_stitch_import.schemas.keywords import declared_types, map_subschemas, set_or_drop

DATE_TIME: Final = "date-time"
DECIMAL: Final = "singer.decimal"

_POSTED_FORMATS: Final = {DATE_TIME: DATE_TIME, DECIMAL: DECIMAL, "x-singer.decimal": DECIMAL}
_TEXT_CHECKS: Final = ("enum", "maxLength", "minLength", "pattern")
_TYPING: Final = frozenset({
    "additionalItems", "additionalProperties", "allOf", "anyOf", "default", "description", "format",
    "items", "patternProperties", "precision", "properties", "scale", "title", "type",
})  # fmt: skip
"""The keywords that say of which type a value is; all others only judge it."""


def without_checks(schema: Mapping[str, Any], key_properties: Sequence[str]) -> dict[str, Any]:
    """Return a draft 4 schema without keywords that only judge values, but that keys are required."""
    typed = _without_checks(schema)
    required = [name for name in schema.get("required", ()) if name in key_properties]
    set_or_drop(typed, "required", required)
    return typed


def posted_schema(
    schema: Mapping[str, Any], key_properties: Sequence[str] = (), *, decimals: bool = False
) -> dict[str, Any]:
    """Return a draft 4 schema as it is posted.

    With ``decimals``, columns that are declared as decimals become strings of the format
    ``singer.decimal``, the key properties apart.
    """
    posted = _posted(schema, decimals=decimals)
    keys = {key: _posted(schema["properties"][key], decimals=False) for key in key_properties}
    posted["properties"].update(keys)
    return posted


def _posted(schema: Mapping[str, Any], *, decimals: bool) -> dict[str, Any]:
    if decimals and _is_decimal(schema):
        kept = {word: schema[word] for word in ("description", "title") if word in schema}
        return {"type": ["null", "string"], "format": DECIMAL, **kept}
    within = decimals and not _binds_numbers(schema)
    posted = map_subschemas(schema, lambda part: _posted(part, decimals=within))
    if "not" in schema:
        posted["not"] = _posted(schema["not"], decimals=False)
    for word in ("precision", "scale"):
        posted.pop(word, None)
    set_or_drop(posted, "format", _POSTED_FORMATS.get(posted.get("format", "")))
    if posted.get("format") == DATE_TIME:  # these judge what the tap writes
        for word in _TEXT_CHECKS:
            posted.pop(word, None)
    return posted


def _is_decimal(schema: Mapping[str, Any]) -> bool:
    types = {*declared_types(schema)}
    return (
        "number" in types
        and types <= {"integer", "null", "number"}
        and not schema.keys().isdisjoint({"multipleOf", "precision", "scale"})
        and schema.keys().isdisjoint({"allOf", "anyOf", "oneOf"})
    )


def _binds_numbers(schema: Mapping[str, Any]) -> bool:
    """Return True if a schema and its parts judge the same numbers, so that no part may change."""
    is_union = not schema.keys().isdisjoint({"anyOf", "oneOf"})
    return "allOf" in schema or (is_union and "number" in declared_types(schema))


def _without_checks(schema: Mapping[str, Any]) -> dict[str, Any]:
    typed = {word: part for word, part in schema.items() if word in _TYPING}
    for word in ("additionalItems", "additionalProperties"):
        if typed.get(word) is False:
            del typed[word]
    if "oneOf" in schema:  # without what judges, more than one may fit
        union = {"anyOf": schema["oneOf"]}
        if "anyOf" in typed:
            union = {"allOf": [*typed.get("allOf", ()), union]}
        typed.update(union)
    if "type" not in typed and "enum" in schema:
        typed["type"] = sorted({json_type(value) for value in schema["enum"]})
    return map_subschemas(typed, _without_checks)

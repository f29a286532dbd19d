"""What is posted of a schema, and what of it records are judged by.

Import API reference, section The batch body: of all formats, only ``date-time`` and
``singer.decimal`` mean anything to a destination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from target_stitch_import.json_codec import json_type
from target_stitch_import.schemas.keywords import (
    declared_types,
    map_subschemas,
    set_or_drop,
    subschemas,
)

DATE_TIME: Final = "date-time"
DECIMAL: Final = "singer.decimal"

_POSTED_FORMATS: Final = {DATE_TIME: DATE_TIME, DECIMAL: DECIMAL, "x-singer.decimal": DECIMAL}
_TEXT_CHECKS: Final = frozenset({"enum", "maxLength", "minLength", "not", "pattern"})
_NUMBERS: Final = frozenset({"integer", "number"})
_UNIONS: Final = ("allOf", "anyOf", "oneOf")
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
    if _judges_datetimes(schema):
        schema = _without_text_checks(schema)
    posted = map_subschemas(schema, lambda part: _posted(part, decimals=within))
    if within and "oneOf" in posted and _has_format({"oneOf": posted["oneOf"]}, DECIMAL):
        posted = _as_any_of(posted)
    if "not" in schema:
        posted["not"] = _posted(schema["not"], decimals=False)
    for word in ("precision", "scale"):
        posted.pop(word, None)
    set_or_drop(posted, "format", _POSTED_FORMATS.get(posted.get("format", "")))
    if "uniqueItems" in posted and _has_format(posted, DATE_TIME):
        del posted["uniqueItems"]  # two texts may be the same time
    return posted


def _without_text_checks(schema: Mapping[str, Any], *, is_datetime: bool = False) -> dict[str, Any]:
    """Return a schema without what judges the text of a date-time, which the tap may write otherwise.

    An ``enum`` beside a date-time in a union stays: it lists the other texts that there are.
    """
    is_datetime |= schema.get("format") == DATE_TIME
    is_datetime |= any(map(_judges_datetimes, schema.get("allOf", ())))
    lists_others = not is_datetime and not _judges_datetimes(schema)
    checks = _TEXT_CHECKS - {"enum"} if lists_others else _TEXT_CHECKS
    kept = {word: part for word, part in schema.items() if word not in checks}
    for union in _UNIONS:
        if union in kept:
            judged = is_datetime or union == "allOf"
            kept[union] = [_without_text_checks(part, is_datetime=judged) for part in kept[union]]
    return kept if kept.get("oneOf") == schema.get("oneOf") else _as_any_of(kept)


def _judges_datetimes(schema: Mapping[str, Any]) -> bool:
    """Return True if a schema, or a part of it that judges the same value, is of a date-time."""
    return schema.get("format") == DATE_TIME or any(
        _judges_datetimes(part) for union in _UNIONS if union in schema for part in schema[union]
    )


def _has_format(schema: Mapping[str, Any], name: str) -> bool:
    """Return True if a format is somewhere in a schema."""
    return any(part.get("format") == name for part in subschemas(schema))


def _as_any_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema whose ``oneOf`` is an ``anyOf``, as more than one may fit from here on."""
    loosened = dict(schema)
    union = {"anyOf": loosened.pop("oneOf")}
    if "anyOf" in loosened:
        union = {"allOf": [*loosened.get("allOf", ()), union]}
    return loosened | union


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
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    judges = not schema.keys().isdisjoint({"enum", "not"}) or "number" in declared_types(schema)
    others = any(map(_permits_other_numbers, parts))
    return "allOf" in schema or (bool(parts) and (judges or others))


def _permits_other_numbers(schema: Mapping[str, Any]) -> bool:
    """Return True if a schema permits numbers that do not become strings."""
    if "enum" in schema:
        return any(json_type(value) in _NUMBERS for value in schema["enum"])
    if _is_decimal(schema) or _NUMBERS.isdisjoint(declared_types(schema, "number")):
        return False
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return not parts or any(map(_permits_other_numbers, parts))


def _without_checks(schema: Mapping[str, Any]) -> dict[str, Any]:
    typed = {word: part for word, part in schema.items() if word in _TYPING}
    for word in ("additionalItems", "additionalProperties"):
        if typed.get(word) is False:
            del typed[word]
    if "oneOf" in schema:
        typed = _as_any_of(typed | {"oneOf": schema["oneOf"]})
    if "type" not in typed and "enum" in schema:
        typed["type"] = sorted({json_type(value) for value in schema["enum"]})
    return map_subschemas(typed, _without_checks)

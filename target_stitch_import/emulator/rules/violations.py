"""Violations of a JSON schema in the words of the service.

They are those of the library that its answers show: one line for each violation, and for a union
one that says so, then those of its branches. Import API reference, section Answers that are not
success.
"""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.rules.formats import describe
from target_stitch_import.emulator.storage.exact_json import is_integer, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from jsonschema import ValidationError

_TYPE_NAMES: Final = {
    "array": "JSONArray",
    "boolean": "Boolean",
    "integer": "Integer",
    "null": "Null",
    "number": "Number",
    "object": "JSONObject",
    "string": "String",
}
_MAX_VALUE_CHARS: Final = 200
"""Longest value that a response repeats, in characters."""
_PLAIN_EXPONENTS: Final = range(-3, 7)
"""Exponents of the numbers that Java writes without one."""


def json_pointer(path: Iterable[str | int]) -> str:
    """Return a path as the service writes it: a JSON pointer behind a hash."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return "/".join(["#", *steps])


def describe_record(errors: Sequence[ValidationError]) -> list[str]:
    """Return the lines about a record that breaks its schema."""
    return _describe_all("#", errors)


def describe_schema(error: ValidationError) -> str:
    """Return the reason why a schema is none, from an error of the meta-schema."""
    # The meta-schema describes "type" with an anyOf; a property of that name breaks other rules.
    if error.validator == "anyOf" and error.absolute_path[-1] == "type":
        found = error.instance
        names = found if isinstance(found, list) and found else [found]
        unknown = [name for name in names if not isinstance(name, str) or name not in _TYPE_NAMES]
        return f"unknown type: [{_value_text((unknown or names)[0])}]"
    for cause in error.context or ():
        if cause.relative_path:
            return describe_schema(cause)
    expected = [
        _TYPE_NAMES[str(each.validator_value)]
        for each in error.context or [error]
        if each.validator == "type"
    ]
    if "JSONObject" in expected:
        found_type = type_name(error.instance)
        return f"key null: expected type is one of {', '.join(expected)}, found: {found_type}"
    return _describe(error)[0]


def _describe_all(pointer: str, errors: Sequence[ValidationError]) -> list[str]:
    lines = list(dict.fromkeys(itertools.chain.from_iterable(map(_describe, errors))))
    if len(lines) == 1 or len(errors) == 1:
        return lines
    return [f"{pointer}: {len(errors)} schema violations found", *lines]


def _describe(error: ValidationError) -> list[str]:
    pointer = json_pointer(error.absolute_path)
    wanted: Any = error.validator_value
    found: Any = error.instance
    if error.validator == "type" and isinstance(wanted, str):
        return [f"{pointer}: {_type_reason(wanted, found)}"]
    if error.validator == "type":
        lines = [f"{pointer}: {_type_reason(name, found)}" for name in wanted]
        return [f"{pointer}: {_no_match(wanted)}", *lines]
    if error.validator in ("anyOf", "oneOf"):
        reason = _no_match(wanted) if error.validator == "anyOf" else error.message
        branches = itertools.groupby(error.context or (), lambda each: each.schema_path[0])
        nested = [_describe_all(pointer, list(errors)) for _, errors in branches]
        return [f"{pointer}: {reason}", *itertools.chain.from_iterable(nested)]
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        return [
            f"{pointer}: extraneous key [{name}] is not permitted"
            for name in found
            if name not in schema.get("properties", {})
        ]
    reason = _REASONS[str(error.validator)](error)
    return [f"{pointer}: {reason}"]


def _no_match(branches: Sequence[Any]) -> str:
    return f"no subschema matched out of the total {len(branches)} subschemas"


def _type_reason(wanted: str, found: Any) -> str:
    if wanted == "null":
        return f"expected: null, found: {type_name(found)}"
    return f"expected type: {_TYPE_NAMES[wanted]}, found: {type_name(found)}"


def _bound_reason(error: ValidationError, exclusive: str, than: str, or_equal: str) -> str:
    schema: Any = error.schema
    comparison = than if schema.get(exclusive) else or_equal
    wanted: Any = error.validator_value
    found: Any = error.instance
    return f"{number_text(found)} is not {comparison} {number_text(wanted)}"


def _missing_dependency(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    found: Any = error.instance
    missing = next(
        name
        for given, names in wanted.items()
        if given in found and isinstance(names, list)
        for name in names
        if name not in found
    )
    return f"property [{missing}] is required"


_REASONS: Final[Mapping[str, Callable[[Any], str]]] = {
    "additionalItems": lambda error: (
        f"expected: [{len(error.schema['items'])}] array items, found: [{len(error.instance)}]"
    ),
    "dependencies": _missing_dependency,
    "enum": lambda error: f"{_value_text(error.instance)} is not a valid enum value",
    "format": lambda error: describe(_value_text(error.instance), error.validator_value),
    "maximum": lambda error: _bound_reason(
        error, "exclusiveMaximum", "less than", "less or equal to"
    ),
    "maxItems": lambda error: (
        f"expected maximum item count: {error.validator_value}, found: {len(error.instance)}"
    ),
    "maxLength": lambda error: (
        f"expected maxLength: {error.validator_value}, actual: {len(error.instance)}"
    ),
    "maxProperties": lambda error: (
        f"maximum size: [{error.validator_value}], found: [{len(error.instance)}]"
    ),
    "minimum": lambda error: _bound_reason(
        error, "exclusiveMinimum", "greater than", "greater or equal to"
    ),
    "minItems": lambda error: (
        f"expected minimum item count: {error.validator_value}, found: {len(error.instance)}"
    ),
    "minLength": lambda error: (
        f"expected minLength: {error.validator_value}, actual: {len(error.instance)}"
    ),
    "minProperties": lambda error: (
        f"minimum size: [{error.validator_value}], found: [{len(error.instance)}]"
    ),
    "multipleOf": lambda error: (
        f"{number_text(error.instance)} is not a multiple of {number_text(error.validator_value)}"
    ),
    "not": lambda error: (
        f"subject must not be valid against schema {_shorten(_json_text(error.validator_value))}"
    ),
    "pattern": lambda error: (
        f"string [{_value_text(error.instance)}] does not match pattern {error.validator_value}"
    ),
    "required": lambda error: error.message,
    "uniqueItems": lambda _: "array items are not unique",
}


def number_text(number: int | Decimal) -> str:
    """Return a number as Java writes it, such as ``1.0E-5``."""
    if not isinstance(number, Decimal) or is_integer(number):
        return _shorten(str(number))
    if not number or number.adjusted() in _PLAIN_EXPONENTS:
        return _shorten(f"{number:f}")
    sign, digits, _ = number.as_tuple()
    first, *rest = map(str, digits)
    fraction = "".join(rest) or "0"
    return _shorten(f"{'-' * sign}{first}.{fraction}") + f"E{number.adjusted()}"


def _value_text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return type_name(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return _shorten(str(value))


def _json_text(schema: Any) -> str:
    return json.dumps(schema, default=str)


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}..."

"""The schema of a batch: compiled, checked against records, and turned into column types.

Fast accept, exact reject: ``jsonschema-rs`` accepts quickly. A record that it does not accept
is checked again by ``exact_validator``, whose verdict and message count.
"""

from __future__ import annotations

import dataclasses
import json
import re
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn

import jsonschema_rs
from jsonschema.exceptions import UnknownType
from referencing.exceptions import Unresolvable

from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.exact_validator import exact_validator, meta_validator
from target_stitch_import.emulator.rules.responses import RefusedError
from target_stitch_import.emulator.storage import columns
from target_stitch_import.emulator.storage.exact_json import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_TYPE_NAMES: Final = {
    "array": "JSONArray",
    "boolean": "Boolean",
    "integer": "Integer",
    "null": "Null",
    "number": "Number",
    "object": "JSONObject",
    "string": "String",
}
_INVALID_REFERENCE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    UnknownType,
    ValueError,
)
"""What the exact validator raises when a reference leads to something that is not a schema."""
_MAX_VALUE_CHARS: Final = 200
"""Longest value that a response repeats, in characters."""
_MAX_CACHED_CHARS: Final = 100_000
"""Longest schema that is cached, in characters."""


@dataclasses.dataclass(frozen=True)
class Schema:
    """A compiled draft 4 schema."""

    column_types: dict[str, columns.ColumnType | None]
    fast: jsonschema_rs.Draft4Validator | None
    exact: Validator

    def check(self, index: int, record: dict[str, Any]) -> None:
        """Check a record; ``index`` is its index in the batch.

        Raises:
            RefusedError: the record breaks the schema, or the schema can't be used.
        """
        if self.fast is not None and self.fast.is_valid(record):
            return
        try:
            error = next(self.exact.iter_errors(record), None)
        except Unresolvable as unresolvable:
            reason = f"unresolvable reference: [{unresolvable.ref}]"
            raise RefusedError(responses.invalid_schema(reason)) from None
        except re.error as broken:
            reason = f"invalid pattern: [{broken.pattern!s}]"
            raise RefusedError(responses.invalid_schema(reason)) from None
        except _INVALID_REFERENCE:
            # A reference may lead to a place that the meta-schema does not check.
            raise RefusedError(responses.invalid_schema("a reference leads to no schema")) from None
        if error is not None:
            pointer, reason = _explain(error)
            raise RefusedError(responses.invalid_record(index, pointer, reason))


class SchemaCache:
    """Compiled schemas: a table sends the same one with every request."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._compiled: dict[str, Schema] = {}

    def compile(self, schema: dict[str, Any]) -> Schema:
        """Return ``schema`` compiled.

        Raises:
            RefusedError: it is not a draft 4 schema.
        """
        text = repr(schema)
        with self._lock:
            compiled = self._compiled.pop(text, None)
        if compiled is None:
            compiled = compile_schema(schema)
        if len(text) <= _MAX_CACHED_CHARS:
            with self._lock:
                self._compiled[text] = compiled
                if len(self._compiled) > self._size:
                    del self._compiled[next(iter(self._compiled))]
        return compiled


def compile_schema(schema: dict[str, Any]) -> Schema:
    """Return ``schema`` compiled, without a cache.

    Raises:
        RefusedError: it is not a draft 4 schema.
    """
    for error in meta_validator().iter_errors(schema):
        raise RefusedError(responses.invalid_schema(_explain_schema(error)))
    return Schema(
        column_types={
            name: columns.declared_type(each) for name, each in schema["properties"].items()
        },
        fast=_fast_validator(schema),
        exact=exact_validator(schema),
    )


def _fast_validator(schema: dict[str, Any]) -> jsonschema_rs.Draft4Validator | None:
    # jsonschema-rs refuses some draft 4 schemas (a pattern that it can't compile). Then the
    # exact validator checks every record.
    try:
        return jsonschema_rs.Draft4Validator(
            schema, validate_formats=False, retriever=_fetch_nothing
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return None


def _fetch_nothing(uri: str) -> NoReturn:
    raise LookupError(uri)


def json_pointer(path: Iterable[str | int]) -> str:
    """Return a path as the service writes it: a JSON pointer behind a hash."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return "/".join(["#", *steps])


def _explain_schema(error: ValidationError) -> str:
    # The meta-schema describes "type" with an anyOf; a property of that name breaks other rules.
    if error.validator == "anyOf" and error.absolute_path[-1] == "type":
        found = error.instance
        names = found if isinstance(found, list) and found else [found]
        unknown = [name for name in names if not isinstance(name, str) or name not in _TYPE_NAMES]
        return f"unknown type: [{_value_text((unknown or names)[0])}]"
    pointer, reason = _explain(error)
    return f"{pointer}: {reason}"


def _explain(error: ValidationError) -> tuple[str, str]:
    pointer = json_pointer(error.absolute_path)
    wanted: Any = error.validator_value
    if error.validator == "required":
        instance: Any = error.instance
        missing = next(name for name in wanted if name not in instance)
        return pointer, f"required key [{missing}] not found"
    names = _expected_types(error)
    if names:
        expected = names[0] if len(names) == 1 else f"one of [{', '.join(names)}]"
        return pointer, f"expected: {expected}, found: {type_name(error.instance)}"
    if isinstance(wanted, (dict, list)):
        return pointer, f"expected: {error.validator}, found: {type_name(error.instance)}"
    return (
        pointer,
        f"expected: {error.validator} {_value_text(wanted)}, found: {_value_text(error.instance)}",
    )


def _expected_types(error: ValidationError) -> list[str]:
    """Return the types that would be valid, if only the type is wrong."""
    if error.validator == "type":
        wanted: Any = error.validator_value
        return [_TYPE_NAMES[name] for name in ([wanted] if isinstance(wanted, str) else wanted)]
    causes = error.context or ()
    if all(cause.validator == "type" and not cause.relative_path for cause in causes):
        return [name for cause in causes for name in _expected_types(cause)]
    return []


def _value_text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return type_name(value)
    text = json.dumps(value) if value is None or isinstance(value, bool) else str(value)
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}..."

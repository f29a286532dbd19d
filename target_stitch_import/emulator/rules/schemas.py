"""The schema of a batch: is it one, does a record conform, what is in which column.

Fast accept, exact reject: ``jsonschema-rs`` says yes quickly; whatever it does not accept is
judged again by ``exactness``, whose verdict and message are the ones that count. Knows nothing of
sequences, HTTP and SQL.
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
_NO_SCHEMA: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    UnknownType,
    ValueError,
)
"""What the exact validator raises where it is led to something that is no schema."""
_SHOWN: Final = 200
"""Characters of a value that an answer repeats."""
_CACHED: Final = 100_000
"""Characters of a schema that is worth keeping."""


@dataclasses.dataclass(frozen=True)
class Schema:
    """A draft 4 schema, ready to judge records."""

    kinds: dict[str, columns.Kind | None]
    fast: jsonschema_rs.Draft4Validator | None
    exact: Validator

    def check(self, index: int, record: dict[str, Any]) -> None:
        """Refuse a record that breaks the schema; ``index`` is its place in the batch."""
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
        except _NO_SCHEMA:
            # A reference may lead to a place that the meta-schema does not look at.
            raise RefusedError(responses.invalid_schema("a reference leads to no schema")) from None
        if error is not None:
            place, reason = _explain(error)
            raise RefusedError(responses.nonconforming(index, place, reason))


class SchemaCache:
    """Compiled schemas, for tables send the same one with every request."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._compiled: dict[str, Schema] = {}

    def read(self, schema: dict[str, Any]) -> Schema:
        """Return ``schema`` compiled, or refuse it."""
        text = repr(schema)
        with self._lock:
            compiled = self._compiled.pop(text, None)
        if compiled is None:
            compiled = compile_schema(schema)
        if len(text) <= _CACHED:
            with self._lock:
                self._compiled[text] = compiled
                if len(self._compiled) > self._size:
                    del self._compiled[next(iter(self._compiled))]
        return compiled


def compile_schema(schema: dict[str, Any]) -> Schema:
    """Make the validators of a schema, or refuse what is no draft 4 schema."""
    for error in meta_validator().iter_errors(schema):
        raise RefusedError(responses.invalid_schema(_explain_schema(error)))
    return Schema(
        kinds={name: columns.declared_kind(each) for name, each in schema["properties"].items()},
        fast=_fast_validator(schema),
        exact=exact_validator(schema),
    )


def _fast_validator(schema: dict[str, Any]) -> jsonschema_rs.Draft4Validator | None:
    # Some schemas are draft 4 and still none to jsonschema-rs (a pattern that it can't
    # compile); the exact validator then judges every record.
    try:
        return jsonschema_rs.Draft4Validator(
            schema, validate_formats=False, retriever=_fetch_nothing
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return None


def _fetch_nothing(uri: str) -> NoReturn:
    raise LookupError(uri)


def pointer(path: Iterable[str | int]) -> str:
    """Return a path as the service writes it: a JSON pointer behind a hash."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return "/".join(["#", *steps])


def _explain_schema(error: ValidationError) -> str:
    # The meta-schema says "type" with an anyOf; a property of that name breaks other rules.
    if error.validator == "anyOf" and error.absolute_path[-1] == "type":
        found = error.instance
        names = found if isinstance(found, list) and found else [found]
        unknown = [name for name in names if not isinstance(name, str) or name not in _TYPE_NAMES]
        return f"unknown type: [{_shown((unknown or names)[0])}]"
    place, reason = _explain(error)
    return f"{place}: {reason}"


def _explain(error: ValidationError) -> tuple[str, str]:
    place = pointer(error.absolute_path)
    wanted: Any = error.validator_value
    if error.validator == "required":
        instance: Any = error.instance
        missing = next(name for name in wanted if name not in instance)
        return place, f"required key [{missing}] not found"
    names = _expected_types(error)
    if names:
        expected = names[0] if len(names) == 1 else f"one of [{', '.join(names)}]"
        return place, f"expected: {expected}, found: {type_name(error.instance)}"
    if isinstance(wanted, (dict, list)):
        return place, f"expected: {error.validator}, found: {type_name(error.instance)}"
    return place, f"expected: {error.validator} {_shown(wanted)}, found: {_shown(error.instance)}"


def _expected_types(error: ValidationError) -> list[str]:
    """Return the types that would have done, where nothing but the type is wrong."""
    if error.validator == "type":
        wanted: Any = error.validator_value
        return [_TYPE_NAMES[name] for name in ([wanted] if isinstance(wanted, str) else wanted)]
    causes = error.context or ()
    if all(cause.validator == "type" and not cause.relative_path for cause in causes):
        return [name for cause in causes for name in _expected_types(cause)]
    return []


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return type_name(value)
    text = json.dumps(value) if value is None or isinstance(value, bool) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

"""The schema of a batch: compiled, checked against records, and turned into column types.

Fast accept, exact reject: ``jsonschema-rs`` accepts quickly. A record that it does not accept
is checked again by ``exact_validator``, whose verdict and message count.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn

import jsonschema_rs
import regex
from jsonschema.exceptions import UnknownType
from referencing.exceptions import Unresolvable

from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.exact_validator import exact_validator, meta_validator
from target_stitch_import.emulator.rules.formats import FORMATS
from target_stitch_import.emulator.rules.responses import RefusedError
from target_stitch_import.emulator.rules.violations import describe_record, describe_schema
from target_stitch_import.emulator.storage import columns
from target_stitch_import.patterns import PatternTooSlowError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_INVALID_REFERENCE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    UnknownType,
    ValueError,
)
"""What the exact validator raises when a reference leads to something that is not a schema."""
_UNCHECKED_FORMATS: Final = ("date", "idn-email", "regex", "time")
"""What ``jsonschema-rs`` would check as well."""
_MAX_CACHED_CHARS: Final = 100_000
"""Longest schema that is cached, in characters."""


@dataclasses.dataclass(frozen=True)
class Schema:
    """A compiled draft 4 schema."""

    column_types: dict[str, columns.ColumnType | None]
    fast: jsonschema_rs.Draft4Validator | None
    exact: Validator

    def check(self, place: int | None, record: dict[str, Any]) -> None:
        """Check a record; ``place`` is its index in the batch, or None if no answer may say it.

        Raises:
            RefusedError: the record breaks the schema, or the schema can't be used.
        """
        if self.fast is not None and self.fast.is_valid(record):
            return
        try:
            errors = list(self.exact.iter_errors(record))
        except PatternTooSlowError as slow:
            raise RefusedError(responses.invalid_record(place, f"#: {slow}")) from None
        except Unresolvable as unresolvable:
            reason = f"unresolvable reference: [{unresolvable.ref}]"
            raise RefusedError(responses.invalid_schema(reason)) from None
        except regex.error as broken:
            reason = f"invalid pattern: [{broken}]"
            raise RefusedError(responses.invalid_schema(reason)) from None
        except _INVALID_REFERENCE:
            # A reference may lead to a place that the meta-schema does not check.
            raise RefusedError(responses.invalid_schema("a reference leads to no schema")) from None
        if errors:
            raise RefusedError(responses.invalid_record(place, *describe_record(errors)))


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
        raise RefusedError(responses.invalid_schema(describe_schema(error)))
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
    formats = {**dict.fromkeys(_UNCHECKED_FORMATS, _is_anything), **FORMATS}
    try:
        return jsonschema_rs.Draft4Validator(
            schema, validate_formats=True, formats=formats, retriever=_fetch_nothing
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return None


def _is_anything(_text: str) -> bool:
    return True


def _fetch_nothing(uri: str) -> NoReturn:
    raise LookupError(uri)

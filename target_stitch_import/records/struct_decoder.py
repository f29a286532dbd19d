"""Decoders that are also the test whether a record fits its draft 4 schema.

The schema becomes a type; bounds of numbers and patterns are tested beside it. A record that decodes
fits the schema; one that does not may still fit, which the other tests decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import msgspec

from target_stitch_import.limits import MAX_KEY_LENGTH
from target_stitch_import.patterns import pattern_test
from target_stitch_import.records.exact_numbers import number_test
from target_stitch_import.records.struct_types import (
    NotExpressible,
    create_struct,
    is_plain_object,
)
from target_stitch_import.schemas.keywords import declared_types
from target_stitch_import.schemas.posted import DATE_TIME

_decode_any = msgspec.json.Decoder().decode


class InDoubtError(Exception):
    """A quick test does not accept a record; the exact one has to judge it."""


def record_decoder(
    schema: Mapping[str, Any],
    key_properties: Sequence[str],
    *,
    max_key_length: int = MAX_KEY_LENGTH,
    with_unnamed: bool = False,
) -> Callable[[bytes | msgspec.Raw], object] | None:
    """Return a decoder that accepts only what ``schema`` accepts; None if there is none.

    A record without a usable value in a key property is not accepted. Properties that the schema
    permits and does not name are skipped unchecked if ``with_unnamed``; else they are not accepted.
    """
    if not is_plain_object(schema):
        return None
    keys = {name: _as_key(schema["properties"][name], max_key_length) for name in key_properties}
    properties = {**schema["properties"], **keys}
    required = {*schema.get("required", ()), *keys}
    numbers = {name: test for name, part in properties.items() if (test := number_test(part))}
    tests, types = {**numbers}, {}
    for name, part in properties.items():
        types[name] = {word: value for word, value in part.items() if word != "pattern"}
        if "pattern" in part:
            # ``msgspec`` has patterns, too, but a union of one with a list breaks the memory.
            tests[name] = partial(_fits, pattern_test(part["pattern"]))
    try:
        whole = {**schema, "properties": types, "required": required}
        struct = create_struct(whole, with_unnamed=with_unnamed, as_text=numbers)
        # It is only here that a union may prove to be impossible.
        decode = msgspec.json.Decoder(struct).decode
    except (NotExpressible, TypeError, ValueError):
        return None
    if not tests:
        return decode
    field_tests = [
        (attrgetter(f"field_{place}"), tests[name])
        for place, name in enumerate(properties)
        if name in tests
    ]

    def decode_and_test(data: bytes | msgspec.Raw) -> object:
        text = bytes(data)
        if not text.isascii():
            text.decode()  # the decoder does not check fields that keep their JSON text
        record = decode(text)
        for get_value, fits in field_tests:
            if not fits(get_value(record)):
                raise InDoubtError
        return record

    return decode_and_test


def _fits(test: Callable[[object], bool], value: object) -> bool:
    """Apply a test to a value, which may be kept as its JSON text."""
    return test(_decode_any(value) if type(value) is msgspec.Raw else value)


def _as_key(schema: Mapping[str, Any], max_length: int) -> Mapping[str, Any]:
    """Return the schema of a key property without null, and with a bound for strings."""
    types = [each for each in declared_types(schema) if each != "null"]
    if not types:
        return {"not": {}}  # which has no type, so the other tests decide
    if "string" not in types or schema.get("format") == DATE_TIME:
        return {**schema, "type": types}
    longest = min(schema.get("maxLength", max_length), max_length)
    return {**schema, "type": types, "maxLength": longest}

"""Decoders that are also the test whether a record fits its draft 4 schema.

The schema is a type, as far as one can say it; bounds of numbers and patterns of columns are tested
beside it. Sound, not complete: a record that decodes fits the schema; one that does not may still
fit, and is for others to judge. Knows draft 4 and the rule for keys; nothing of streams.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from target_stitch_import.limits import MAX_KEY_LENGTH
from target_stitch_import.records.exact_numbers import number_test
from target_stitch_import.records.struct_types import Types, Unsayable, is_plain_object
from target_stitch_import.schemas.keywords import declared_types

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["InDoubtError", "key_decoder", "record_decoder"]

_ANY_KEY: Final = (
    bool | int | float | Annotated[str, msgspec.Meta(max_length=MAX_KEY_LENGTH)] | dict | list
)


class InDoubtError(Exception):
    """A quick test does not accept a record; the exact one has to judge it."""


def record_decoder(
    schema: Mapping[str, Any], key_properties: Sequence[str], *, with_unnamed: bool = False
) -> Callable[[bytes | msgspec.Raw], object] | None:
    """Return a decoder that accepts only what ``schema`` accepts; None if there is none.

    A record without a usable value in a key property is not accepted. With ``with_unnamed``, properties
    that the schema permits and does not name are passed over, without a look at their names, at
    whether they are UTF-8, at how large their numbers are or at how many values they have; else a
    record with any is not accepted.
    """
    if not is_plain_object(schema):
        return None
    keys = {name: _as_key(schema["properties"][name]) for name in key_properties}
    properties = {**schema["properties"], **keys}
    required = {*schema.get("required", ()), *keys}
    numbers = {name: test for name, part in properties.items() if (test := number_test(part))}
    tests = numbers | {
        name: _pattern_test(part["pattern"])
        for name, part in properties.items()
        if "pattern" in part
    }
    types = {
        name: {word: value for word, value in part.items() if word != "pattern"}
        for name, part in properties.items()
    }
    try:
        whole = {**schema, "properties": types, "required": required}
        struct = Types(others=with_unnamed).struct(whole, as_text=numbers)
        # It is only here that a union may prove to be impossible.
        decode = msgspec.json.Decoder(struct).decode
    except (Unsayable, TypeError, ValueError):
        return None
    if not tests:
        return decode
    places = {name: f"field_{place}" for place, name in enumerate(properties)}
    of_fields = [(attrgetter(places[name]), fits) for name, fits in tests.items()]

    def decode_and_look(data: bytes | msgspec.Raw) -> None:
        text = bytes(data)
        if not text.isascii():
            text.decode()  # where a field keeps its JSON text, nobody else sees that it is none
        record = decode(text)
        for value_of, fits in of_fields:
            if not fits(value_of(record)):
                raise InDoubtError

    return decode_and_look


def key_decoder(key_properties: Sequence[str]) -> Callable[[bytes | msgspec.Raw], object] | None:
    """Return a decoder that accepts records with usable keys, and skips the rest of a record.

    None if there is none.
    """
    fields = [(f"field_{place}", _ANY_KEY) for place in range(len(key_properties))]
    names = {field: name for (field, _), name in zip(fields, key_properties, strict=True)}
    try:
        struct = msgspec.defstruct("Keys", fields, rename=names, gc=False)
        return msgspec.json.Decoder(struct).decode
    except ValueError:  # a name with a quote or a control character in it
        return None


def _as_key(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema without null, and with a bound for strings; as far as it says types."""
    kinds = [kind for kind in declared_types(schema) if kind != "null"]
    if not kinds:
        return {"not": {}}  # which no type can say: others judge
    if "string" not in kinds:
        return {**schema, "type": kinds}
    longest = schema.get("maxLength", MAX_KEY_LENGTH)
    return {**schema, "type": kinds, "maxLength": min(longest, MAX_KEY_LENGTH)}


def _pattern_test(pattern: str) -> Callable[[object], bool]:
    """Return a test of a decoded value, as the exact verdict does it.

    ``msgspec`` has patterns, too, but a union of one with a list or an object breaks the memory.
    """
    search = re.compile(pattern).search
    return lambda value: type(value) is not str or search(value) is not None

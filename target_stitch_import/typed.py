"""A draft 4 schema as a type, so that decoding a record is also the test whether it fits.

Only the schemas that most taps write can be said this way: fields of plain types, of some values, lists
and objects of them; bounds of numbers and patterns of columns are tested beside it. Sound, not complete: a record that decodes fits the schema; one that does not may still
fit, and is for others to judge. Knows draft 4, types and the rule for keys; nothing of streams.
"""

from __future__ import annotations

import re
import sys
from functools import reduce
from itertools import combinations
from operator import attrgetter, or_
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from target_stitch_import.decimals import SAYS_NOTHING, number_test
from target_stitch_import.limits import MAX_KEY_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["key_decoder", "kinds_of", "record_decoder"]

_ANY_KEY: Final = (
    bool | int | float | Annotated[str, msgspec.Meta(max_length=MAX_KEY_LENGTH)] | dict | list
)
_INT64: Final = range(-(2**63), 2**63)

_WORDS: Final[dict[str, frozenset[str]]] = {
    "array": frozenset({"items"}),
    "boolean": frozenset(),
    "integer": frozenset({"minimum", "maximum"}),
    "null": frozenset(),
    "number": frozenset(),
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "string": frozenset({"minLength", "maxLength"}),
}
"""The keywords of each type that a type of ours can say."""


_LISTED: Final = {str: "string", int: "integer", type(None): "null"}
"""What a type of ours can list the values of."""


class _Unsayable(Exception):  # noqa: N818 - it is no error
    """A schema has no type of ours."""


def record_decoder(
    schema: Mapping[str, Any], key_properties: Sequence[str], *, others: bool = False
) -> Callable[[bytes | msgspec.Raw], object] | None:
    """Return a decoder that accepts only what ``schema`` accepts; None if there is none.

    A record without a usable value in a key property is not accepted. With ``others``, properties
    that the schema permits and does not name are passed over, without a look at their names, at
    whether they are UTF-8, at how large their numbers are or at how many values they have; else a record with any is not accepted.
    """
    said = _said(schema)
    if said - {"type"} - _WORDS["object"] or "object" not in kinds_of(schema, "object"):
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
        struct = _Types(others=others).struct(whole, as_text=numbers)
        # It is only here that a union may prove to be impossible.
        decode = msgspec.json.Decoder(struct).decode
    except (_Unsayable, TypeError, ValueError):
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
                raise ValueError("others judge")

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
    kinds = [kind for kind in kinds_of(schema) if kind != "null"]
    if not kinds:
        return {"not": {}}  # which no type can say: others judge
    if "string" not in kinds:
        return {**schema, "type": kinds}
    longest = schema.get("maxLength", MAX_KEY_LENGTH)
    return {**schema, "type": kinds, "maxLength": min(longest, MAX_KEY_LENGTH)}


def kinds_of(schema: Mapping[str, Any], *unsaid: str) -> tuple[str, ...]:
    """Return the types that a schema permits; ``unsaid`` where it says none."""
    kinds = schema.get("type", unsaid)
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


class _Types:
    """Types of schemas; ``others`` as ``record_decoder`` has them."""

    def __init__(self, *, others: bool) -> None:
        self._others = others

    def struct(
        self, schema: Mapping[str, Any], as_text: Container[str] = frozenset()
    ) -> type[msgspec.Struct]:
        """Return the type of an object; the fields in ``as_text`` keep their JSON text."""
        required = frozenset(schema.get("required", ()))
        properties = schema["properties"]
        if required - properties.keys():
            raise _Unsayable
        fields: list[Any] = []
        names: dict[str, str] = {}
        # Fields that may be missing come last: a struct needs it so.
        for place, (name, part) in sorted(
            enumerate(properties.items()), key=lambda item: item[1][0] not in required
        ):
            field = f"field_{place}"
            names[field] = name
            if name in as_text:
                fields.append((field, msgspec.Raw, *([] if name in required else [msgspec.Raw()])))
                continue
            kind = self.of(part)
            if name in required:
                fields.append((field, kind))
            else:
                fields.append((field, kind | msgspec.UnsetType, msgspec.UNSET))
        passed_over = self._others and _permits_others(schema)
        return msgspec.defstruct(
            "Record", fields, rename=names, gc=False, forbid_unknown_fields=not passed_over
        )

    def of(self, schema: Mapping[str, Any]) -> Any:
        """Return the type of what a schema permits, or of a part of that."""
        said = _said(schema)
        if not said:
            return Any
        if said == {"anyOf"}:
            return reduce(or_, [self.of(part) for part in schema["anyOf"]])
        if said == {"oneOf"} and _exclude_each_other(schema["oneOf"]):
            return reduce(or_, [self.of(part) for part in schema["oneOf"]])
        kinds = kinds_of(schema)
        if "enum" in said:
            return _one_of(schema, kinds)
        if not kinds or said - {"type"} - frozenset().union(*(_WORDS[kind] for kind in kinds)):
            raise _Unsayable
        if "number" in kinds and said & _WORDS["integer"]:
            raise _Unsayable  # a bound of an integer is one of the other numbers too
        return reduce(or_, [self._kind(kind, schema) for kind in kinds])

    def _kind(self, kind: str, schema: Mapping[str, Any]) -> Any:
        if kind == "array":
            items = schema.get("items", {})
            if isinstance(items, list):
                raise _Unsayable
            return list[self.of(items)]  # type: ignore[misc] # it is a type only at run time
        if kind == "object":
            if "properties" in schema:
                return self.struct(schema)
            if "required" in schema or not _permits_others(schema):
                raise _Unsayable
            return dict[str, Any]
        if kind == "integer":
            return _bounded(int, ge=schema.get("minimum"), le=schema.get("maximum"))
        if kind == "string":
            return _bounded(
                str, min_length=schema.get("minLength"), max_length=schema.get("maxLength")
            )
        return {"boolean": bool, "null": None, "number": float}[kind]


def _said(schema: Mapping[str, Any]) -> AbstractSet[str]:
    """Return the keywords of a schema that some value may break."""
    said = schema.keys() - SAYS_NOTHING
    permits_all = not any(schema.get("patternProperties", {}).values())
    return said - {"patternProperties"} if permits_all else said


def _permits_others(schema: Mapping[str, Any]) -> bool:
    """Return True if an object may have any properties that the schema does not name."""
    return schema.get("additionalProperties", True) in (True, {})


def _exclude_each_other(schemas: Sequence[Mapping[str, Any]]) -> bool:
    """Return True if no value can fit two of them, by their types."""
    kinds = [{*kinds_of(schema)} for schema in schemas]
    # Where an integer fits, it is one of the numbers, too.
    kinds = [of_one | ({"integer"} if "number" in of_one else set()) for of_one in kinds]
    return all(kinds) and all(one.isdisjoint(other) for one, other in combinations(kinds, 2))


def _one_of(schema: Mapping[str, Any], kinds: Sequence[str]) -> Any:
    """Return the type of the texts, integers and null that an ``enum`` lists."""
    if schema.keys() - SAYS_NOTHING - {"type", "enum", "minLength", "maxLength"}:
        raise _Unsayable
    permitted = {*kinds} or {*_LISTED.values()}
    if "number" in permitted:
        permitted.add("integer")
    lengths = range(schema.get("minLength", 0), schema.get("maxLength", sys.maxsize) + 1)
    values = [
        value
        for value in schema["enum"]
        if _LISTED.get(type(value)) in permitted
        and (type(value) is not str or len(value) in lengths)
        and (type(value) is not int or value in _INT64)
    ]
    if not values:
        raise _Unsayable
    return Literal[tuple(values)]


def _bounded(kind: type, **bounds: Any) -> Any:
    said = {name: bound for name, bound in bounds.items() if bound is not None}
    if not said:
        return kind
    if any(type(bound) is not int or bound not in _INT64 for bound in said.values()):
        raise _Unsayable
    return Annotated[kind, msgspec.Meta(**said)]


def _pattern_test(pattern: str) -> Callable[[object], bool]:
    """Return a test of a decoded value, as the exact verdict does it.

    ``msgspec`` has patterns, too, but a union of one with a list or an object breaks the memory.
    """
    search = re.compile(pattern).search
    return lambda value: type(value) is not str or search(value) is not None

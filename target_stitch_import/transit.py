"""Transit, as far as a push body needs it: JSON whose text says what JSON has no type for.

Each value stands for itself, without references to what was written before, so that a body can be put
together of messages and taken apart again, which no library's writer does; and instants keep their
microseconds. Knows JSON values and JSON schemas; nothing of requests (Import API reference, section
The push and validate body; the format is transit-format 0.8).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.jsontext import encode_exactly
from target_stitch_import.times import TimestampReader, format_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["from_transit", "transit_text"]

_MAP: Final = "^ "
_ESCAPED: Final = ("~", "^", "`")
_SAFE: Final = 2**53
"""Integers up to it are read by every reader as they were written."""
_INT64: Final = 2**63


def transit_text(value: Any, schema: Mapping[str, Any] | None = None) -> bytes:
    """Return a value of JSON as Transit: decimals and large integers exact, times as instants.

    A string is an instant where ``schema`` says that its format is ``date-time``, and it can be read
    as one; without a zone it is UTC.

    Raises:
        ValueError: A string holds half of a surrogate pair.
    """
    return encode_exactly(_written(value, schema or {}, TimestampReader()))


def from_transit(value: Any) -> Any:
    """Return the value of JSON that ``transit_text`` has made Transit of; instants are strings."""
    if isinstance(value, str):
        return _read(value)
    if not isinstance(value, list):
        return value
    if value[:1] == [_MAP]:
        names, values = value[1::2], value[2::2]
        return {_read(name): from_transit(each) for name, each in zip(names, values, strict=True)}
    return [from_transit(each) for each in value]


def _written(value: Any, schema: Mapping[str, Any], times: TimestampReader) -> Any:
    if isinstance(value, dict):
        properties = _part(schema, "properties")
        found = [_MAP]
        for name, each in value.items():
            found += [_escaped(name), _written(each, _part(properties, name), times)]
        return found
    if isinstance(value, list):
        items = _part(schema, "items")
        return [_written(each, items, times) for each in value]
    if isinstance(value, str):
        return _instant(value, times) if _is_time(schema) else _escaped(value)
    if isinstance(value, Decimal):
        return f"~f{value}"
    if type(value) is int and not -_SAFE < value < _SAFE:
        return f"~{'i' if -_INT64 <= value < _INT64 else 'n'}{value}"
    return value


def _instant(text: str, times: TimestampReader) -> str:
    (time_ns,), (written,) = times.read([text])
    if not written:
        return _escaped(text)
    return "~t" + (format_timestamp(time_ns) if time_ns % 1_000 else written[:26].decode() + "Z")


def _read(text: str) -> Any:
    if not text.startswith("~"):
        return text
    tag, rest = text[1:2], text[2:]
    if tag in _ESCAPED:
        return text[1:]
    if tag == "t":
        return rest
    return Decimal(rest) if tag == "f" else int(rest)


def _escaped(text: str) -> str:
    return f"~{text}" if text.startswith(_ESCAPED) else text


def _is_time(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "date-time" or any(
        isinstance(each, dict) and each.get("format") == "date-time"
        for each in schema.get("anyOf", ())
    )


def _part(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = schema.get(name)
    return part if isinstance(part, dict) else {}

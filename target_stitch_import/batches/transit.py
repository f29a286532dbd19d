"""Encodes JSON values as Transit, and decodes them, as far as a push body needs it.

Values never refer to earlier ones, so that a body can be joined from messages and split again; no
library offers that. See transit-format 0.8.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.sequences.timestamps import TimestampReader, format_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAP: Final = "^ "
_ESCAPED: Final = ("~", "^", "`")
_SAFE: Final = 2**53  # below it, every reader reads integers exactly
_INT64: Final = 2**63


def encode_transit(value: Any, schema: Mapping[str, Any] | None = None) -> bytes:
    """Return a JSON value as Transit, with exact decimals and integers.

    A string that is a time, and whose format in ``schema`` is ``date-time``, becomes an instant.

    Raises:
        ValueError: A string has a lone surrogate.
    """
    return encode_exactly(_encode(value, schema or {}, TimestampReader()))


def decode_transit(value: Any) -> Any:
    """Return the JSON value that ``encode_transit`` has encoded; instants are strings."""
    if isinstance(value, str):
        return _decode_string(value)
    if not isinstance(value, list):
        return value
    if value[:1] == [_MAP]:
        pairs = zip(value[1::2], value[2::2], strict=True)
        return {_decode_string(name): decode_transit(part) for name, part in pairs}
    return [decode_transit(part) for part in value]


def _encode(value: Any, schema: Mapping[str, Any], times: TimestampReader) -> Any:
    if isinstance(value, dict):
        properties = _subschema(schema, "properties")
        encoded = [_MAP]
        for name, part in value.items():
            encoded += [_escape(name), _encode(part, _subschema(properties, name), times)]
        return encoded
    if isinstance(value, list):
        items = _subschema(schema, "items")
        return [_encode(part, items, times) for part in value]
    if isinstance(value, str):
        return _encode_instant(value, times) if _is_date_time(schema) else _escape(value)
    if isinstance(value, Decimal):
        return f"~f{value}"
    if type(value) is int and not -_SAFE < value < _SAFE:
        return f"~{'i' if -_INT64 <= value < _INT64 else 'n'}{value}"
    return value


def _encode_instant(text: str, times: TimestampReader) -> str:
    (time_ns,), (written,) = times.read([text])
    if not written:
        return _escape(text)
    return "~t" + (format_timestamp(time_ns) if time_ns % 1_000 else written[:26].decode() + "Z")


def _decode_string(text: str) -> Any:
    if not text.startswith("~"):
        return text
    tag, rest = text[1:2], text[2:]
    if tag in _ESCAPED:
        return text[1:]
    if tag == "t":
        return rest
    return Decimal(rest) if tag == "f" else int(rest)


def _escape(text: str) -> str:
    return f"~{text}" if text.startswith(_ESCAPED) else text


def _is_date_time(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "date-time" or any(
        isinstance(part, dict) and part.get("format") == "date-time"
        for part in schema.get("anyOf", ())
    )


def _subschema(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = schema.get(name)
    return part if isinstance(part, dict) else {}

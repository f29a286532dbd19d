"""Encodes JSON values as Transit, and decodes them, as far as a push body needs it.

Values never refer to earlier ones, so that a body can be joined from messages and split again; no
library offers that. See transit-format 0.8.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from target_stitch_import.datetimes import format_unix_ns, to_unix_ns
from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.schemas.places import Place

_MAP: Final = "^ "
_ESCAPED: Final = ("~", "^", "`")
_SAFE: Final = 2**53  # below it, every reader reads integers exactly
_INT64: Final = 2**63


def encode_transit(value: Any, place: Place | None = None) -> bytes:
    """Return a JSON value as Transit, with exact decimals and integers.

    The date-times that ``place`` has within it become instants. Raise ``ValueError`` for a string
    with a lone surrogate.
    """
    return encode_exactly(_encode(value, place))


def decode_transit(value: Any, instant: Callable[[str], Any] = str) -> Any:
    """Return the JSON value that ``encode_transit`` has encoded, with an ``instant`` of each instant."""
    if isinstance(value, str):
        return _decode_string(value, instant)
    if not isinstance(value, list):
        return value
    if value[:1] == [_MAP]:
        pairs = zip(value[1::2], value[2::2], strict=True)
        return {_decode_string(name, str): decode_transit(part, instant) for name, part in pairs}
    return [decode_transit(part, instant) for part in value]


def _encode(value: Any, place: Place | None) -> Any:
    if isinstance(value, dict):
        encoded = [_MAP]
        for name, part in value.items():
            column = place.column(name) if place else None
            encoded += [_escape(name), _encode(part, column)]
        return encoded
    if isinstance(value, list):
        return [
            _encode(part, place.item(index) if place else None) for index, part in enumerate(value)
        ]
    if isinstance(value, str):
        return _encode_instant(value) if place and place.is_datetime else _escape(value)
    if isinstance(value, Decimal):
        return f"~f{value}"
    if type(value) is int and not -_SAFE < value < _SAFE:
        return f"~{'i' if -_INT64 <= value < _INT64 else 'n'}{value}"
    return value


def _encode_instant(text: str) -> str:
    if (time_ns := to_unix_ns(text)) is None:
        return _escape(text)
    written = format_unix_ns(time_ns)
    return f"~t{written if time_ns % 1_000 else f'{written[:26]}Z'}"


def _decode_string(text: str, instant: Callable[[str], Any]) -> Any:
    if not text.startswith("~"):
        return text
    tag, rest = text[1:2], text[2:]
    if tag in _ESCAPED:
        return text[1:]
    if tag == "t":
        return instant(rest)
    return Decimal(rest) if tag == "f" else int(rest)


def _escape(text: str) -> str:
    return f"~{text}" if text.startswith(_ESCAPED) else text

"""Decodes and encodes JSON without rounding, and repairs text that is almost JSON.

Numbers are ``int`` or ``Decimal``, never ``float``.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

_MAX_EXCERPT: Final = 300  # characters
_MAX_INT_DIGITS: Final = 4_300  # more take Python too long to read or write

_JSON_TYPES: Final = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    Decimal: "number",
    type(None): "null",
}

# It begins with a letter, not with \b, so that the next match is found quickly.
_NON_FINITE: Final = re.compile(rb"N(?<=\bN)aN\b|I(?<=\bI)nfinity\b")

_HIGH_SURROGATE_AT_END: Final = re.compile(rb'\\u[dD][89abAB][0-9a-fA-F]{2}"')
_LONE_SURROGATES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def _format_decimal(value: Decimal) -> msgspec.Raw | None:
    return msgspec.Raw(str(value).encode()) if value.is_finite() else None


_decode = msgspec.json.Decoder(float_hook=Decimal).decode
encode_exactly = msgspec.json.Encoder(decimal_format=_format_decimal, enc_hook=str).encode
"""Encodes to JSON with all digits of every ``int`` and ``Decimal``; NaN and infinity become null.

It raises ``ValueError`` for a string with a lone surrogate.
"""
encode_sorted = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode
"""Encodes exactly decoded JSON with sorted keys: the same data always has the same text."""


def _read_int(digits: str) -> int:
    if len(digits) > _MAX_INT_DIGITS:
        raise ValueError(f"it has an integer of {len(digits):,} digits")
    return int(digits)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def decode_exactly(text: bytes) -> Any:
    """Decode JSON with every number exact: ``int``, or ``Decimal`` where the text has a fraction.

    Raise ``ValueError`` if it is not JSON, is nested too deeply, or has an integer of more than 4,300
    digits or an exponent that is too large for a ``Decimal``.
    """
    try:
        return _decode(text)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
        pass  # decoded again below, with exact errors
    try:
        return json.loads(
            text.decode(), parse_float=Decimal, parse_int=_read_int, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except InvalidOperation:
        raise ValueError("it has a number whose exponent is too large") from None


def json_type(value: Any) -> str:
    """Return the name of the JSON type of an exactly decoded value."""
    return _JSON_TYPES[type(value)]


def json_excerpt(value: Any) -> str:
    """Return a value as JSON for a message, cut after 300 characters."""
    text = encode_exactly(value).decode()
    return text if len(text) <= _MAX_EXCERPT else f"{text[:_MAX_EXCERPT]}..."


def replace_non_finite(text: bytes) -> bytes:
    """Replace NaN, Infinity and -Infinity, which some taps write, by null."""
    # Where no quote is escaped, each begins or ends a string.
    masked = text.replace(rb"\\", b"__").replace(rb"\"", b"__")
    pieces, end, counted, is_string = [], 0, 0, 0
    for match in _NON_FINITE.finditer(masked):
        is_string ^= masked.count(b'"', counted, match.start()) & 1
        counted = match.start()
        if not is_string:
            pieces += [text[end:counted].removesuffix(b"-"), b"null"]
            end = match.end()
    return b"".join([*pieces, text[end:]])


def has_lone_surrogate(text: bytes, error: Exception) -> bool:
    """Return True if a lone surrogate in ``text`` is the cause of ``error`` of the decoder."""
    return "utf-16" in str(error) or bool(_HIGH_SURROGATE_AT_END.search(text))


def replace_lone_surrogates(text: bytes) -> bytes:
    """Replace each escaped lone surrogate by U+FFFD; the text keeps its length."""
    return _LONE_SURROGATES.sub(rb"\\ufffd", text)

"""JSON text read and written without loss.

The one place where a record leaves the form of bytes: decimals stay decimals, integers stay whole,
and nothing is rounded. Knows JSON; nothing of Singer or of the service.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

__all__ = [
    "decode_exactly",
    "encode_exactly",
    "has_half_a_pair",
    "shown",
    "without_half_pairs",
    "without_non_finite",
]

_SHOWN: Final = 300  # characters
_MAX_INT_DIGITS: Final = 4_300  # what the interpreter reads and writes; more takes it too long

# A string may lack its end, so that a broken line is read over once, and not once for each quote.
_NON_FINITE = re.compile(rb'(?s)"[^"\\]*(?:\\.[^"\\]*)*"?|-?\bInfinity\b|-?\bNaN\b')

_HALF_A_PAIR: Final = re.compile(rb'\\u[dD][89abAB][0-9a-fA-F]{2}"')
_HALVES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


def _read_int(digits: str) -> int:
    if len(digits) > _MAX_INT_DIGITS:
        message = f"it holds an integer of {len(digits):,} digits"
        raise ValueError(message)
    return int(digits)


def _refuse_constant(name: str) -> None:
    message = f"{name} is no JSON"
    raise ValueError(message)


def decode_exactly(text: bytes) -> Any:
    """Decode JSON with every number exact: ``int``, or ``Decimal`` where the text has a fraction.

    Raises:
        ValueError: The text is no JSON, is nested too deeply, or holds an integer of thousands of
            digits or an exponent beyond what a ``Decimal`` can hold.
    """
    try:
        return _decode(text)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
        pass  # read again below, where the errors are exact
    try:
        return json.loads(
            text.decode(), parse_float=Decimal, parse_int=_read_int, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except InvalidOperation:
        raise ValueError("it holds a number with an absurd exponent") from None


def encode_exactly(value: Any) -> bytes:
    """Encode to JSON with every ``Decimal`` and ``int`` written in full, not finite ones as null.

    Raises:
        ValueError: A string holds half of a surrogate pair.
    """
    text = _encode(value)
    # A single byte is found a dozen times as fast as a word, and by ``find`` twice as fast as by ``in``.
    if (text.find(b"N") >= 0 and b"NaN" in text) or (text.find(b"I") >= 0 and b"Infinity" in text):
        return without_non_finite(text)
    return text


def shown(value: Any) -> str:
    """Return JSON text for a message, cut where it is long.

    Raises:
        ValueError: As ``encode_exactly`` does.
    """
    text = encode_exactly(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def without_non_finite(line: bytes) -> bytes:
    """Replace the NaN, Infinity and -Infinity that Python taps write, which JSON lacks, by null."""
    return _NON_FINITE.sub(lambda match: match[0] if match[0].startswith(b'"') else b"null", line)


def has_half_a_pair(text: bytes, error: Exception) -> bool:
    """Return True if it is half of a surrogate pair that ``error``, the decoder's, is about."""
    return "utf-16" in str(error) or bool(_HALF_A_PAIR.search(text))


def without_half_pairs(text: bytes) -> bytes:
    """Put a character in the place of each half of a surrogate pair; the length stays."""
    return _HALVES.sub(rb"\\ufffd", text)

"""JSON bytes into Python objects, exactly.

An integer is an ``int``, or a ``Decimal`` with exponent 0 where it has more digits than
Python converts. Every other number is a ``Decimal`` whose exponent is not 0, so that ``1.0``
and ``1e0`` are never taken for integers (JSON Schema draft 4). Knows nothing of the API.
"""

from __future__ import annotations

import decimal
import json
from decimal import Decimal
from typing import Any, Final, NoReturn

import msgspec

MAX_INT_DIGITS: Final = 4300
"""Digits that ``int()`` converts by default; a longer integer stays a ``Decimal``."""

TOO_DEEP: Final = "nested too deeply"


class MalformedError(ValueError):
    """The bytes are no JSON, or JSON that can't be held exactly."""


def fraction(text: str) -> Decimal:
    """Return a number that was written with a point or an exponent."""
    number = Decimal(text)
    if "e" in text or "E" in text:
        sign, digits, exponent = number.as_tuple()
        if exponent == 0:
            return Decimal((sign, (*digits, 0), -1))
    return number


def integer(text: str) -> int | Decimal:
    """Return a number that was written with nothing but digits."""
    return int(text) if len(text) <= MAX_INT_DIGITS else Decimal(text)


def _no_constant(text: str) -> NoReturn:
    raise MalformedError(f"{text} is not permitted in JSON")


_DECODER: Final = msgspec.json.Decoder(float_hook=fraction)


def _decode_slowly(text: bytes | str) -> Any:
    """Decode what the fast decoder can't hold: integers of thousands of digits."""
    text = text.decode() if isinstance(text, bytes) else text
    value = json.loads(text, parse_float=fraction, parse_int=integer, parse_constant=_no_constant)
    # A lone surrogate is no character: it can't be written as UTF-8 by anybody downstream.
    json.dumps(value, ensure_ascii=False, default=str).encode()
    return value


def decode(body: bytes | str) -> Any:
    """Return the value that ``body`` spells.

    Raises:
        MalformedError: with the reason.
    """
    try:
        try:
            return _DECODER.decode(body)
        except msgspec.ValidationError:
            return _decode_slowly(body)
    except decimal.InvalidOperation:
        raise MalformedError("a number's exponent is out of range") from None
    except RecursionError:
        raise MalformedError(TOO_DEEP) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedError(str(error)) from None


def is_integer(value: Any) -> bool:
    """Tell whether JSON wrote ``value`` as an integer, so without a point or an exponent."""
    if isinstance(value, Decimal):
        return value.as_tuple().exponent == 0
    return isinstance(value, int) and not isinstance(value, bool)


def type_name(value: Any) -> str:
    """Return the service's word for the type of ``value``."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, str):
        return "String"
    if isinstance(value, dict):
        return "JSONObject"
    if isinstance(value, list):
        return "JSONArray"
    return "Integer" if is_integer(value) else "Number"

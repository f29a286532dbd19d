"""Decodes JSON to the last digit.

An integer is an ``int``, or a ``Decimal`` with exponent 0 where it has more digits than
Python converts. Every other number is a ``Decimal`` whose exponent is not 0, so that ``1.0``
and ``1e0`` are not integers (JSON Schema draft 4).
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
    """The bytes are not JSON, or JSON that can't be decoded exactly."""


def parse_number(text: str) -> Decimal:
    """Return a number that is written with a point or an exponent."""
    number = Decimal(text)
    if "e" in text or "E" in text:
        sign, digits, exponent = number.as_tuple()
        if exponent == 0:
            return Decimal((sign, (*digits, 0), -1))
    return number


def parse_integer(text: str) -> int | Decimal:
    """Return a number that is written with digits only."""
    return int(text) if len(text) <= MAX_INT_DIGITS else Decimal(text)


def _refuse_constant(text: str) -> NoReturn:
    raise MalformedError(f"{text} is not permitted in JSON")


_DECODER: Final = msgspec.json.Decoder(float_hook=parse_number)


def _decode_with_json(text: bytes | str) -> Any:
    """Decode what ``msgspec`` can't: integers of thousands of digits."""
    text = text.decode() if isinstance(text, bytes) else text
    value = json.loads(
        text, parse_float=parse_number, parse_int=parse_integer, parse_constant=_refuse_constant
    )
    # Raises for a lone surrogate, which can't be written as UTF-8.
    json.dumps(value, ensure_ascii=False, default=str).encode()
    return value


def decode(body: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises:
        MalformedError: ``body`` is not JSON; says why.
    """
    try:
        try:
            return _DECODER.decode(body)
        except msgspec.ValidationError:
            return _decode_with_json(body)
    except decimal.InvalidOperation:
        raise MalformedError("a number's exponent is out of range") from None
    except RecursionError:
        raise MalformedError(TOO_DEEP) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedError(str(error)) from None


def is_integer(value: Any) -> bool:
    """Return whether ``value`` was written without a point and an exponent."""
    if isinstance(value, Decimal):
        return value.as_tuple().exponent == 0
    return isinstance(value, int) and not isinstance(value, bool)


def type_name(value: Any) -> str:
    """Return the service's name for the type of ``value``."""
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

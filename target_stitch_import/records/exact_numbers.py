"""Fast tests of numbers with bounds, and of decimals as database taps declare them.

``multipleOf: 0.01`` with bounds of ``1e12`` permits at most two digits after the point and twelve
before it, which the JSON text of a number shows in a twentieth of the time that exact arithmetic takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from target_stitch_import.schemas.keywords import ANNOTATIONS, declared_types

NumberTest = Callable[[bytes | msgspec.Raw], object]

_BOUNDS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_MAX_DIGITS: Final = 300
"""The most digits of a number, or of its part before the point, if no bound is set."""


def number_test(schema: Mapping[str, Any]) -> NumberTest | None:
    """Return a test of the JSON text of a number, or of null; None if the schema has no such test.

    It is true only if the value fits, or is missing (an empty text). What does not pass may still fit.
    """
    types = {*declared_types(schema)}
    if "number" not in types or types - {"number", "null"}:
        return None
    rules = schema.keys() - {"type"} - ANNOTATIONS
    if not rules or rules - _BOUNDS - {"multipleOf"}:
        return None
    create_test = _digits_test if "multipleOf" in schema else _bounds_test
    return create_test(schema, may_be_null="null" in types)


def _bounds_test(schema: Mapping[str, Any], *, may_be_null: bool) -> NumberTest:
    minimum, maximum = schema.get("minimum"), schema.get("maximum")
    excludes_minimum = schema.get("exclusiveMinimum", False)
    excludes_maximum = schema.get("exclusiveMaximum", False)
    empty = {b"", b"null"} if may_be_null else {b""}

    def fits(raw: bytes | msgspec.Raw) -> bool:
        text = bytes(raw)
        if text in empty:
            return True
        if len(text) > _MAX_DIGITS:
            return False
        try:
            number = Decimal(text.decode())
        except (ArithmeticError, UnicodeDecodeError):  # not a number, or an extreme exponent
            return False
        if minimum is not None and (number < minimum or (excludes_minimum and number == minimum)):
            return False
        return maximum is None or number < maximum or (number == maximum and not excludes_maximum)

    return fits


def _digits_test(schema: Mapping[str, Any], *, may_be_null: bool) -> NumberTest | None:
    _, (first, *rest), exponent = Decimal(schema["multipleOf"]).normalize().as_tuple()
    if first != 1 or rest or not isinstance(exponent, int) or not -_MAX_DIGITS <= exponent <= 0:
        return None
    positive = _whole_digits(schema.get("maximum"))
    negative = _whole_digits(-schema["minimum"] if "minimum" in schema else None)
    whole_digits = min(positive, negative)
    if whole_digits < 1:
        return None
    fraction = rf"(?:\.[0-9]{{1,{-exponent}}})?" if exponent else ""
    null = "null|" if may_be_null else ""
    return re.compile(rf"(?:{null}-?[0-9]{{1,{whole_digits}}}{fraction})?".encode()).fullmatch


def _whole_digits(bound: Any) -> int:
    """Return the most digits before the point with which a number is always below a bound."""
    if bound is None:
        return _MAX_DIGITS
    return min(Decimal(bound).adjusted(), _MAX_DIGITS) if bound >= 1 else 0

"""Numbers with bounds, and decimals as database taps declare them, judged by their JSON text.

``{"type": ["null", "number"], "multipleOf": 0.01, "minimum": -1e12, "maximum": 1e12}`` asks for at
most two digits behind the point and twelve before it, or for a verdict in exact arithmetic, which
takes twenty times as long. Sound, not complete: what passes fits the schema. Knows draft 4 and
numbers; nothing of records.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.keywords import SAYS_NOTHING, kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    import msgspec

    _Test: TypeAlias = Callable[[bytes | msgspec.Raw], object]

__all__ = ["number_test"]

_BOUNDS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_MANY: Final = 300  # digits of a number, or of its part before the point, where no bound is set


def number_test(schema: Mapping[str, Any]) -> _Test | None:
    """Return a test of a number's JSON text, which is false where others have to judge.

    It may raise ``ValueError`` there, too. An empty text, for a field that is missing, passes. None
    if there is no such test.
    """
    kinds = {*kinds_of(schema)}
    if "number" not in kinds or kinds - {"number", "null"}:
        return None
    said = schema.keys() - {"type"} - SAYS_NOTHING
    if not said or said - _BOUNDS - {"multipleOf"}:
        return None
    may_be_null = "null" in kinds
    if "multipleOf" in schema:
        return _digits_test(schema, may_be_null=may_be_null)
    return _bounds_test(schema, may_be_null=may_be_null)


def _bounds_test(schema: Mapping[str, Any], *, may_be_null: bool) -> _Test:
    least, most = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum", False)
    below = schema.get("exclusiveMaximum", False)
    empty = {b"", b"null"} if may_be_null else {b""}

    def fits(raw: bytes | msgspec.Raw) -> bool:
        text = bytes(raw)
        if text in empty:
            return True
        if len(text) > _MANY:
            return False
        try:
            number = Decimal(text.decode())
        except ArithmeticError:  # no number, or one beyond all measure
            return False
        if least is not None and (number < least or (above and number == least)):
            return False
        return most is None or number < most or (number == most and not below)

    return fits


def _digits_test(schema: Mapping[str, Any], *, may_be_null: bool) -> _Test | None:
    _, (first, *others), exponent = Decimal(schema["multipleOf"]).normalize().as_tuple()
    if first != 1 or others or not isinstance(exponent, int) or not -_MANY <= exponent <= 0:
        return None
    above = _whole_digits(schema.get("maximum"))
    below = _whole_digits(-schema["minimum"] if "minimum" in schema else None)
    before = min(above, below)
    if before < 1:
        return None
    fraction = rf"(?:\.[0-9]{{1,{-exponent}}})?" if exponent else ""
    null = "null|" if may_be_null else ""
    return re.compile(rf"(?:{null}-?[0-9]{{1,{before}}}{fraction})?".encode()).fullmatch


def _whole_digits(bound: Any) -> int:
    """Return how many digits before the point keep a number below a bound, so that it can't reach it."""
    if bound is None:
        return _MANY
    return min(Decimal(bound).adjusted(), _MANY) if bound >= 1 else 0

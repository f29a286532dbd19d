"""Decimals as database taps declare them, judged by their digits.

``{"type": ["null", "number"], "multipleOf": 0.01, "minimum": -1e12, "maximum": 1e12}`` asks for at
most two digits behind the point and twelve before it, or for a verdict in exact arithmetic, which
takes twenty times as long. Sound, not complete: what fits the pattern fits the schema. Knows draft 4
and numbers; nothing of records.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec

__all__ = ["SAYS_NOTHING", "digits_of"]

SAYS_NOTHING: Final = frozenset({"default", "description", "format", "title"})
"""Keywords that no value breaks."""

_SAID: Final = frozenset({"type", "multipleOf", "minimum", "maximum"})
_MANY: Final = 300  # digits before the point, where no bound is set


def digits_of(
    schema: Mapping[str, Any],
) -> Callable[[bytes | msgspec.Raw], re.Match[bytes] | None] | None:
    """Return a test of a number's JSON text, which finds nothing where others have to judge.

    An empty text, for a field that is missing, passes. None if there is no such test.
    """
    kinds = schema.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if "multipleOf" not in schema or "number" not in kinds or kinds - {"number", "null"}:
        return None
    if schema.keys() - _SAID - SAYS_NOTHING:
        return None
    _, (first, *others), exponent = Decimal(schema["multipleOf"]).normalize().as_tuple()
    if first != 1 or others or not isinstance(exponent, int) or not -_MANY <= exponent <= 0:
        return None
    above = _whole_digits(schema.get("maximum"))
    below = _whole_digits(-schema["minimum"] if "minimum" in schema else None)
    before = min(above, below)
    if before < 1:
        return None
    fraction = rf"(?:\.[0-9]{{1,{-exponent}}})?" if exponent else ""
    null = "null|" if "null" in kinds else ""
    return re.compile(rf"(?:{null}-?[0-9]{{1,{before}}}{fraction})?".encode()).fullmatch


def _whole_digits(bound: Any) -> int:
    """Return how many digits a number may have before the point to stay within a bound."""
    if bound is None:
        return _MANY
    return min(Decimal(bound).adjusted(), _MANY) if bound >= 1 else 0

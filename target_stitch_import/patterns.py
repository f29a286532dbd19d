"""Judges values in time, whatever the tap and its schema are.

Some patterns take years for a short text: ``re`` can't be stopped, so ``regex`` searches. And where
``jsonschema`` compares each item of an array with all others, here it is a text in a set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any, Final

import msgspec
from jsonschema import Draft4Validator, ValidationError

_MAX_SECONDS: Final = 1.0
_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[0-9-][0-9.eE+-]*')  # a string or a number of JSON
_encode: Final = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


class PatternTooSlowError(ValueError):
    """A pattern takes too long for a value."""


def is_valid_pattern(text: Any) -> bool:
    """Return True for a regular expression that Python can read.

    ``regex`` knows more than ``re``: what that can't read may mean something else to others.
    """
    import regex  # noqa: PLC0415 - slow to import

    try:
        re.compile(text)
        regex.compile(text)
    except (re.error, regex.error, TypeError, RecursionError, OverflowError):
        return False
    return True


def pattern_test(pattern: str) -> Callable[[object], bool]:
    """Return a test whether a value is no string, or one in which a pattern is found.

    The test raises ``PatternTooSlowError`` if that takes more than a second.
    """
    import regex  # noqa: PLC0415 - slow to import

    search = regex.compile(pattern).search

    def fits(value: object) -> bool:
        if type(value) is not str:
            return True
        try:
            return search(value, timeout=_MAX_SECONDS) is not None
        except TimeoutError:
            raise PatternTooSlowError(
                f"pattern {pattern!r:.200} can't be judged within a second in a text of "
                f"{len(value):,} characters"
            ) from None

    return fits


def _check_pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not pattern_test(pattern)(instance):
        yield ValidationError("the pattern is not found")


def _check_pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, part in patterns.items():
        for name in filter(pattern_test(pattern), instance):
            yield from validator.descend(instance[name], part, path=name, schema_path=pattern)


def _check_additional_properties(
    validator: Any, additional: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    patterns = schema.get("patternProperties")
    if patterns and validator.is_type(instance, "object"):
        tests = [pattern_test(pattern) for pattern in patterns]
        instance = {
            name: value for name, value in instance.items() if not any(fits(name) for fits in tests)
        }
        schema = {word: part for word, part in schema.items() if word != "patternProperties"}
    for error in Draft4Validator.VALIDATORS["additionalProperties"](
        validator, additional, instance, schema
    ):
        if additional is False:
            error.instance = instance  # without what the patterns permit
        yield error


def distinct(values: list[Any]) -> list[Any]:
    """Return the values without those that JSON Schema calls equal, which draft 4 does not permit."""
    texts = [_TOKEN.sub(_canonical_token, _encode(value).decode()) for value in values]
    return list(dict(zip(reversed(texts), reversed(values), strict=True)).values())[::-1]


def _check_unique_items(
    validator: Any, unique: bool, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if unique and validator.is_type(instance, "array") and len(distinct(instance)) < len(instance):
        yield ValidationError("items are equal")


def _canonical_token(match: re.Match[str]) -> str:
    """Return a number in the form that all equal ones have; a string as it is."""
    if match[0].startswith('"'):
        return match[0]
    number = Decimal(match[0])
    return str(number.normalize(_EXACT)) if number else "0"


QUICK_KEYWORDS: Final[dict[str, Callable[..., Any]]] = {
    "additionalProperties": _check_additional_properties,
    "pattern": _check_pattern,
    "patternProperties": _check_pattern_properties,
    "uniqueItems": _check_unique_items,
}
"""The keywords of draft 4 that ``jsonschema`` itself may take too long for."""

"""Tests values by regular expressions that others wrote, each within a second.

Some patterns take years for a short text: ``re`` can't be stopped, so ``regex`` searches.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import regex
from jsonschema import Draft4Validator, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MAX_SECONDS: Final = 1.0


class PatternTooSlowError(ValueError):
    """A pattern takes too long for a value."""


def is_found(pattern: str, value: object) -> bool:
    """Return True if a value is no string, or one in which a pattern is found.

    Raises:
        PatternTooSlowError: That takes more than a second.
    """
    if type(value) is not str:
        return True
    try:
        return regex.search(pattern, value, timeout=_MAX_SECONDS) is not None
    except TimeoutError:
        raise PatternTooSlowError(
            f"pattern {pattern!r:.200} can't be judged within a second in a text of "
            f"{len(value):,} characters"
        ) from None


def _check_pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not is_found(pattern, instance):
        yield ValidationError("the pattern is not found")


def _check_pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, part in patterns.items():
        for name in filter(partial(is_found, pattern), instance):
            yield from validator.descend(instance[name], part, path=name, schema_path=pattern)


def _check_additional_properties(
    validator: Any, additional: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    patterns = schema.get("patternProperties")
    if patterns and validator.is_type(instance, "object"):
        instance = {
            name: value
            for name, value in instance.items()
            if not any(is_found(pattern, name) for pattern in patterns)
        }
        schema = {word: part for word, part in schema.items() if word != "patternProperties"}
    for error in Draft4Validator.VALIDATORS["additionalProperties"](
        validator, additional, instance, schema
    ):
        if additional is False:
            error.instance = instance  # without what the patterns permit
        yield error


PATTERN_KEYWORDS: Final[dict[str, Callable[..., Any]]] = {
    "additionalProperties": _check_additional_properties,
    "pattern": _check_pattern,
    "patternProperties": _check_pattern_properties,
}
"""The keywords of draft 4 that search for patterns, for a validator of ``jsonschema``."""

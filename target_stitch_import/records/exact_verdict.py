"""The exact validation of a record: slow, and final.

``jsonschema`` on exactly decoded numbers, with an exact ``multipleOf``. Messages quote no value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from jsonschema import Draft4Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from target_stitch_import.json_codec import encode_exactly, json_type
from target_stitch_import.patterns import QUICK_KEYWORDS, PatternTooSlowError

_SAFE_MESSAGES: Final = frozenset({"required", "additionalProperties", "dependencies"})
"""Keywords whose message names properties, and quotes no value of the record."""

_WRONG_TYPE: Final = (
    "the tap's schema is wrong there: override it in the catalog or by a stream map"
)
_JUDGED: Final = "schema_checks: types sends such values"


def exact_verdict(schema: Mapping[str, Any]) -> Callable[[Any], str | None]:
    """Return a function that returns which rule an exactly decoded record breaks; None if none."""
    keywords = {"multipleOf": _check_multiple, **QUICK_KEYWORDS}
    validator: Validator = extend(Draft4Validator, keywords)(schema)  # type: ignore[no-untyped-call]

    def find_violation(record: Any) -> str | None:
        try:
            error = best_match(validator.iter_errors(record))
        except PatternTooSlowError as slow:
            return f"{slow} ({_JUDGED})"
        except RecursionError:
            return "it is nested too deeply to be judged"
        return None if error is None else _describe(error)

    return find_violation


def _describe(error: ValidationError) -> str:
    """Return a message in the form of the service's own answer, and what to do."""
    place = "/".join(["#", *map(str, error.absolute_path)])
    if error.validator == "type":
        expected = error.validator_value
        names = ", ".join(expected) if isinstance(expected, list) else expected
        found = json_type(error.instance)
        return f"{place}: expected: {names}, found: {found} ({_WRONG_TYPE})"
    if error.validator in _SAFE_MESSAGES:
        return f"{place}: {error.message} ({_JUDGED})"
    rule = encode_exactly(error.validator_value).decode()
    advice = _WRONG_TYPE if error.validator in ("anyOf", "oneOf") else _JUDGED
    return f"{place}: breaks {error.validator} {rule:.200} ({advice})"


def _is_multiple(value: Decimal, base: Decimal) -> bool:
    """Divide exactly, for any digits and exponents, and without building huge numbers."""
    _, digits, exponent = value.as_tuple()
    _, base_digits, base_exponent = base.as_tuple()
    number, divisor = int(Decimal((0, digits, 0))), int(Decimal((0, base_digits, 0)))
    shift = int(exponent) - int(base_exponent)
    if number == 0:
        return True
    if shift < -len(digits):
        return False  # the number has too few trailing zeros
    if shift < 0:
        divisor *= int(10**-shift)
    remainder: int = number * pow(10, max(shift, 0), divisor) % divisor
    return remainder == 0


def _check_multiple(
    _validator: Any, divisor: int | Decimal, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if type(instance) in (int, Decimal) and not _is_multiple(Decimal(instance), Decimal(divisor)):
        yield ValidationError("not a multiple")

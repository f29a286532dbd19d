"""JSON Schema draft 4 as the service reads it, on exactly decoded values.

``jsonschema`` with two things mended: which values are integers, and ``multipleOf`` with
numbers that no float holds. Knows nothing of batches and tables.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

import jsonschema
from jsonschema import Draft4Validator, ValidationError
from referencing import Registry

from target_stitch_import.emulator.storage import exact_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.protocols import Validator


def _is_number(_checker: Any, value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _is_integer(_checker: Any, value: Any) -> bool:
    return exact_json.is_integer(value)


def _scaled(number: Decimal | int) -> tuple[int, int]:
    """Return the integers m and e of a number written m times ten to the power e."""
    _, digits, exponent = Decimal(number).as_tuple()
    return int(Decimal((0, digits, 0))), int(exponent)


def is_multiple(value: Decimal | int, of: Decimal | int) -> bool:
    """Tell whether ``value`` is a multiple, by integers only, whatever the exponents."""
    mantissa, exponent = _scaled(value)
    divisor, divisor_exponent = _scaled(of)
    shift = exponent - divisor_exponent
    if mantissa == 0:
        return True
    if shift >= 0:
        return mantissa * pow(10, shift, divisor) % divisor == 0
    # Divisible by ten to the power of more digits than it has: impossible, so never computed.
    if -shift > mantissa.bit_length():
        return False
    return bool(mantissa % (divisor * 10**-shift) == 0)


def _multiple_of(
    _validator: Any, of: Any, value: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if _is_number(None, value) and not is_multiple(value, of):
        yield ValidationError(f"{value} is not a multiple of {of}")


_extend: Final = cast("Callable[..., type[Validator]]", jsonschema.validators.extend)
_ExactDraft4: Final = _extend(
    Draft4Validator,
    validators={"multipleOf": _multiple_of},
    type_checker=Draft4Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def exact_validator(schema: Mapping[str, Any]) -> Validator:
    """Return the validator whose verdict counts; it never fetches a ``$ref`` from anywhere."""
    return _ExactDraft4(schema, registry=Registry())


def meta_validator() -> Validator:
    """Return the validator of schemas themselves; a reference must be a string."""
    meta = Draft4Validator.META_SCHEMA
    properties = {**meta["properties"], "$ref": {"type": "string"}}
    return exact_validator({**meta, "properties": properties})

"""A validator of JSON Schema draft 4 for exactly decoded values.

It is ``jsonschema``'s with two changes: which values are integers, and ``multipleOf`` with
numbers that no float can represent.
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


def is_multiple(value: Decimal | int, divisor: Decimal | int) -> bool:
    """Return whether ``value`` is a multiple, computed with integers only."""
    mantissa, exponent = _scaled(value)
    divisor_mantissa, divisor_exponent = _scaled(divisor)
    shift = exponent - divisor_exponent
    if mantissa == 0:
        return True
    if shift >= 0:
        return mantissa * pow(10, shift, divisor_mantissa) % divisor_mantissa == 0
    # Divisible by ten to the power of more digits than it has: impossible, so never computed.
    if -shift > mantissa.bit_length():
        return False
    return bool(mantissa % (divisor_mantissa * 10**-shift) == 0)


def _check_multiple(
    _validator: Any, divisor: Any, value: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if _is_number(None, value) and not is_multiple(value, divisor):
        yield ValidationError(f"{value} is not a multiple of {divisor}")


_extend: Final = cast("Callable[..., type[Validator]]", jsonschema.validators.extend)
_ExactDraft4: Final = _extend(
    Draft4Validator,
    validators={"multipleOf": _check_multiple},
    type_checker=Draft4Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def exact_validator(schema: Mapping[str, Any]) -> Validator:
    """Return the validator of a schema; it never fetches a ``$ref``."""
    return _ExactDraft4(schema, registry=Registry())


def meta_validator() -> Validator:
    """Return the validator of schemas themselves; a reference must be a string."""
    meta = Draft4Validator.META_SCHEMA
    properties = {**meta["properties"], "$ref": {"type": "string"}}
    return exact_validator({**meta, "properties": properties})

"""A validator of JSON Schema draft 4 for exactly decoded values.

It is ``jsonschema``'s but for a few keywords: which values are integers, ``multipleOf`` with
numbers that no float can represent, the formats of the service, and errors that say what
``violations`` needs.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

import jsonschema
from jsonschema import Draft4Validator, ValidationError
from referencing import Registry

from target_stitch_import.emulator.rules.formats import FORMATS
from target_stitch_import.emulator.storage import exact_json
from target_stitch_import.patterns import QUICK_KEYWORDS

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


def _check_format(
    _validator: Any, name: Any, value: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(value, str) and name in FORMATS and not FORMATS[name](value):
        yield ValidationError(f"{value} is not a valid {name}")


def _check_required(
    validator: Any, names: Any, value: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if validator.is_type(value, "object"):
        for name in names:
            if name not in value:
                yield ValidationError(f"required key [{name}] not found")


def _check_one_of(
    validator: Any, branches: Any, value: Any, _schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    found = [
        list(validator.descend(value, branch, schema_path=index))
        for index, branch in enumerate(branches)
    ]
    matched = found.count([])
    if matched != 1:
        context = [error for errors in found for error in errors]
        yield ValidationError(f"{matched} subschemas matched instead of one", context=context)


_extend: Final = cast("Callable[..., type[Validator]]", jsonschema.validators.extend)
_ExactDraft4: Final = _extend(
    Draft4Validator,
    validators={
        "format": _check_format,
        "multipleOf": _check_multiple,
        "oneOf": _check_one_of,
        **QUICK_KEYWORDS,
        "required": _check_required,
    },
    type_checker=Draft4Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def exact_validator(schema: Mapping[str, Any]) -> Validator:
    """Return the validator of a schema; it never fetches a ``$ref``."""
    return _ExactDraft4(schema, registry=Registry())


def meta_validator() -> Validator:
    """Return the validator of schemas themselves.

    A reference must be a string, and an ``id`` or ``$schema`` may be any.
    """
    meta = Draft4Validator.META_SCHEMA
    text = {"type": "string"}
    properties = {**meta["properties"], "$ref": text, "id": text, "$schema": text}
    return exact_validator({**meta, "properties": properties})

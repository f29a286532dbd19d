"""Checks records that are in a batch already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_stitch_import.records.validator import RecordValidator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def find_invalid(
    schema: Mapping[str, Any], key_properties: Sequence[str], records: Mapping[int, bytes]
) -> dict[int, str]:
    """Return what is wrong with each record that is invalid by a draft 4 ``schema``, by its index."""
    validator = RecordValidator(schema, key_properties, validate=True)
    invalid = {}
    for index, record in records.items():
        _, error = validator.check([record])
        if error is not None:
            invalid[index] = str(error)
    return invalid

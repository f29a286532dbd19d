"""The rules of the records of a batch: keys, sizes, reserved names and the schema.

Fast accept, exact reject: first all records are checked together. If any is doubtful, they
are checked one by one. Import API reference, section The batch body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.data_points import MAX_DEPTH, measure
from target_stitch_import.emulator.rules.responses import Answers, RefusedError
from target_stitch_import.emulator.rules.violations import json_pointer
from target_stitch_import.emulator.storage.exact_json import TOO_DEEP
from target_stitch_import.emulator.storage.loads import ActivateVersion, Upsert
from target_stitch_import.limits import MAX_DATA_POINTS, MAX_KEY_LENGTH, is_reserved

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_stitch_import.emulator.rules.schemas import Schema


def check_records(
    messages: Iterable[Upsert | ActivateVersion],
    keys: Sequence[str],
    schema: Schema,
    *,
    answers: Answers = "placed",
) -> None:
    """Check the records of a batch.

    Args:
        messages: the messages of the batch.
        keys: the names of its key columns.
        schema: its schema.
        answers: whether a refusal has the index of its record in the batch.

    Raises:
        RefusedError: a record breaks a rule; it is the first one that does.
    """
    records = {
        index: message.data for index, message in enumerate(messages) if isinstance(message, Upsert)
    }
    if not _all_valid(list(records.values()), keys, schema):
        for index, record in records.items():
            _check_record(index if answers == "placed" else None, record, keys, schema)


def _all_valid(records: list[dict[str, Any]], keys: Sequence[str], schema: Schema) -> bool:
    for name in keys:
        values = [record.get(name) for record in records]
        types = set(map(type, values))
        if type(None) in types:
            return False
        if str in types and not all(_is_short_key(value) for value in values):
            return False
    return (
        schema.fast is not None
        and all(_is_within_limits(record) for record in records)
        and all(map(schema.fast.is_valid, records))
        and not any(map(is_reserved, set().union(*records)))
    )


def _is_within_limits(record: dict[str, Any]) -> bool:
    data_points, depth = measure(record)
    return data_points <= MAX_DATA_POINTS and depth <= MAX_DEPTH


def _is_short_key(value: Any) -> bool:
    return not isinstance(value, str) or len(value) <= MAX_KEY_LENGTH


def _check_record(
    place: int | None, record: dict[str, Any], keys: Sequence[str], schema: Schema
) -> None:
    data_points, depth = measure(record)
    if depth > MAX_DEPTH:
        raise RefusedError(responses.malformed(TOO_DEEP))
    if data_points > MAX_DATA_POINTS:
        reason = f"#: expected: at most {MAX_DATA_POINTS} data points, found: {data_points}"
        raise RefusedError(responses.invalid_record(place, reason))
    for name in keys:
        if record.get(name) is None:
            raise RefusedError(responses.missing_key(name))
    schema.check(place, record)
    for name in keys:
        if not _is_short_key(record[name]):
            reason = f"expected maxLength: {MAX_KEY_LENGTH}, actual: {len(record[name])}"
            line = f"{json_pointer([name])}: {reason}"
            raise RefusedError(responses.invalid_record(place, line))
    for name in record:
        if is_reserved(name):
            reason = f"#: extraneous key [{name}] is not permitted"
            raise RefusedError(responses.invalid_record(place, reason))

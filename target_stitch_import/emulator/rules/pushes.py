"""The rules of ``POST /v2/import/push`` and ``/validate``: a body becomes loads, or is refused.

Import API reference, section The push and validate body.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from target_stitch_import.emulator.rules import responses, transit
from target_stitch_import.emulator.rules.data_points import MAX_DEPTH, measure
from target_stitch_import.emulator.rules.envelopes import MAX_KEYS
from target_stitch_import.emulator.rules.responses import RefusedError, unprocessable
from target_stitch_import.emulator.storage import columns, exact_json
from target_stitch_import.emulator.storage.exact_json import TOO_DEEP, is_integer
from target_stitch_import.emulator.storage.loads import Load, Upsert
from target_stitch_import.limits import (
    MAX_BATCH_ROWS,
    MAX_DATA_POINTS,
    MAX_PUSH_KEY_LENGTH,
    MAX_SEQUENCE,
    RESERVED_TABLE,
    is_reserved,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_FIELDS: Final = ("client_id", "table_name", "sequence", "action", "key_names", "data")


class _RawRecord(msgspec.Struct):
    data: dict[str, msgspec.Raw] = {}


_RAW_DECODER: Final = msgspec.json.Decoder(list[_RawRecord])


def parse_push(body: bytes, client_id: int | None, values: Any = None) -> list[Load]:
    """Return the loads that a push body asks for, one for each table.

    Args:
        body: the JSON text.
        client_id: the client ID that the token is associated with; None accepts any.
        values: what the text says, where Transit says more of it.

    Raises:
        RefusedError: the body breaks a rule; nothing of it may be stored.
    """
    try:
        records = exact_json.decode(body)
    except exact_json.MalformedError as error:
        raise RefusedError(responses.malformed(str(error))) from None
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise RefusedError(responses.NOT_AN_ARRAY)
    if not records:
        _refuse("records", "can't be blank")
    if len(records) > MAX_BATCH_ROWS:
        raise RefusedError(responses.too_many_records(MAX_BATCH_ROWS))
    _check_client(records, client_id)
    for record in records:
        _check_record(record)
    return _group_by_table(records, body, values or records)


def parse_transit_push(body: bytes, client_id: int | None) -> list[Load]:
    """Return the loads of a Transit body, by the rules of ``parse_push``.

    Raises:
        RefusedError: the body is not Transit, or breaks a rule.
    """
    try:
        values, text = transit.read_transit(body)
    except exact_json.MalformedError as error:
        raise RefusedError(responses.malformed(str(error))) from None
    return parse_push(text, client_id, values)


def _check_client(records: Sequence[dict[str, Any]], client_id: int | None) -> None:
    found = [record.get("client_id") for record in records]
    if None in found:
        raise RefusedError(responses.NOT_AUTHENTICATED)
    for each in found:
        if not is_integer(each):
            _refuse("client_id", "should be an integer", "should be a number")
    allowed = found[0] if client_id is None else client_id
    if found[0] != allowed:
        raise RefusedError(responses.WRONG_CLIENT)
    if any(each != allowed for each in found):
        reason = (
            "The batch contains data points for multiple clients. "
            f"Only client_id {allowed} is allowed"
        )
        raise RefusedError(unprocessable(reason))


def _check_record(record: dict[str, Any]) -> None:
    reasons = {name: ["can't be blank"] for name in _FIELDS if _is_blank(name, record.get(name))}
    reasons |= {name: ["unknown key"] for name in record if name not in _FIELDS}
    if reasons:
        raise RefusedError(unprocessable(reasons))
    if not isinstance(record["table_name"], str):
        _refuse("table_name", "should be a string")
    if record["table_name"] == RESERVED_TABLE:
        _refuse("table_name", f"{RESERVED_TABLE} is a reserved name")
    if record["action"] != "upsert":
        _refuse("action", "should be upsert")
    _check_sequence(record["sequence"])
    keys = record["key_names"]
    if not isinstance(keys, list) or not all(isinstance(each, str) for each in keys):
        _refuse("key_names", "should be an array of strings")
    if len(keys) > MAX_KEYS:
        _refuse("key_names", f"cannot be more than {MAX_KEYS}")
    _check_data(record["data"], keys)


def _is_blank(name: str, value: Any) -> bool:
    return value is None or (name != "data" and value in ("", []))


def _check_sequence(sequence: Any) -> None:
    if not is_integer(sequence):
        _refuse("sequence", "should be an integer", "should be a number")
    if sequence > MAX_SEQUENCE:
        _refuse("sequence", f"can not be above {MAX_SEQUENCE}")
    if sequence < -MAX_SEQUENCE:
        _refuse("sequence", f"can not be below {-MAX_SEQUENCE}")


def _check_data(data: Any, keys: Sequence[str]) -> None:
    if not isinstance(data, dict):
        _refuse("data", "data must be an object")
    for name in keys:
        if name not in data:
            _refuse("data", "data must include keys")
        value = data[name]
        if value is None:
            _refuse("data", "keys cannot not be null in data")
        if isinstance(value, str) and len(value) > MAX_PUSH_KEY_LENGTH:
            _refuse("data", f"String keys cannot be longer than {MAX_PUSH_KEY_LENGTH} characters")
    for name in data:
        if is_reserved(name):
            _refuse("data", f"{name} is a reserved name")
    data_points, depth = measure(data)
    if depth > MAX_DEPTH:
        raise RefusedError(responses.malformed(TOO_DEEP))
    if data_points > MAX_DATA_POINTS:
        _refuse("data", f"data cannot have more than {MAX_DATA_POINTS} data points")


def _group_by_table(
    records: Sequence[dict[str, Any]], body: bytes, values: Sequence[dict[str, Any]]
) -> list[Load]:
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for index, record in enumerate(records):
        group = record["table_name"], tuple(dict.fromkeys(record["key_names"]))
        groups.setdefault(group, []).append(index)
    raw_fields = functools.cache(functools.partial(_raw_fields, body))
    loads = []
    for (table, keys), indexes in groups.items():
        data = [records[index]["data"] for index in indexes]
        loads.append(
            Load(
                table=table,
                column_types=_column_types(data),
                keys=keys,
                version=None,
                messages=[
                    Upsert(records[index]["sequence"], values[index]["data"]) for index in indexes
                ],
                raw_fields=functools.partial(_select, raw_fields, indexes),
            )
        )
    return loads


def _raw_fields(body: bytes) -> list[Mapping[str, msgspec.Raw]]:
    """Return the JSON text of each field of each record's ``data``."""
    return [record.data for record in _RAW_DECODER.decode(body)]


def _select(
    raw_fields: Callable[[], list[Mapping[str, msgspec.Raw]]], indexes: Sequence[int]
) -> list[Mapping[str, msgspec.Raw]]:
    return [raw_fields()[index] for index in indexes]


def _column_types(records: Sequence[dict[str, Any]]) -> dict[str, columns.ColumnType | None]:
    values: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.items():
            values.setdefault(name, []).append(value)
    return {name: columns.observed_type(each) for name, each in values.items()}


def _refuse(name: str, *reasons: str) -> NoReturn:
    raise RefusedError(unprocessable({name: list(reasons)}))

"""The rules of ``POST /v2/import/push`` and ``/validate``.

Turns a body into loads, one a table, or raises the refusal that the service would answer.
Quotes the Import API reference, section The push and validate body. Knows nothing of HTTP
and SQL.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from target_stitch_import.emulator.rules import responses, transit
from target_stitch_import.emulator.rules.data_points import MAX_DEPTH, leaves_and_depth
from target_stitch_import.emulator.rules.envelopes import MAX_KEYS
from target_stitch_import.emulator.rules.responses import RefusedError, unprocessable
from target_stitch_import.emulator.storage import columns, exact_json
from target_stitch_import.emulator.storage.exact_json import TOO_DEEP, is_integer
from target_stitch_import.emulator.storage.loads import Load, Upsert
from target_stitch_import.limits import (
    MAX_BATCH_ROWS,
    MAX_DATA_POINTS,
    MAX_KEY_LENGTH,
    MAX_SEQUENCE,
    RESERVED_PREFIX,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ARGUMENTS: Final = ("client_id", "table_name", "sequence", "action", "key_names", "data")


class _RawRecord(msgspec.Struct):
    data: dict[str, msgspec.Raw] = {}


_RAW_DECODER: Final = msgspec.json.Decoder(list[_RawRecord])


def read_push(body: bytes, client_id: int | None) -> list[Load]:
    """Return what a push body asks for.

    Args:
        body: the JSON text.
        client_id: the one that the token is associated with; any does where it is None.

    Raises:
        RefusedError: when it breaks a rule; nothing of it may be stored then.
    """
    try:
        records = exact_json.decode(body)
    except exact_json.MalformedError as error:
        raise RefusedError(responses.malformed(str(error))) from None
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise RefusedError(responses.NO_ARRAY)
    if not records:
        _refuse("records", "can't be blank")
    if len(records) > MAX_BATCH_ROWS:
        raise RefusedError(responses.too_many_records(MAX_BATCH_ROWS))
    _check_client(records, client_id)
    for record in records:
        _check_record(record)
    return _grouped(records, body)


def read_transit_push(body: bytes, client_id: int | None) -> list[Load]:
    """Return what a push body of Transit asks for, by the same rules as one of JSON.

    Raises:
        RefusedError: when it is no Transit, or breaks a rule.
    """
    try:
        text = transit.as_json(body)
    except exact_json.MalformedError as error:
        raise RefusedError(responses.malformed(str(error))) from None
    return read_push(text, client_id)


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
    for name in record:
        if name not in _ARGUMENTS:
            _refuse(name, "unknown key")
    for name in _ARGUMENTS:
        if name != "data" and record.get(name) in (None, "", []):
            _refuse(name, "can't be blank")
    if "data" not in record or record["data"] is None:
        _refuse("data", "can't be blank")
    if not isinstance(record["table_name"], str):
        _refuse("table_name", "should be a string")
    if record["action"] != "upsert":
        _refuse("action", "should be upsert")
    _check_sequence(record["sequence"])
    keys = record["key_names"]
    if not isinstance(keys, list) or not all(isinstance(each, str) for each in keys):
        _refuse("key_names", "should be an array of strings")
    if len(keys) > MAX_KEYS:
        _refuse("key_names", f"cannot be more than {MAX_KEYS}")
    _check_data(record["data"], keys)


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
        if isinstance(value, str) and len(value) > MAX_KEY_LENGTH:
            _refuse("data", f"String keys cannot be longer than {MAX_KEY_LENGTH} characters")
    for name in data:
        if name.startswith(RESERVED_PREFIX):
            _refuse("data", f"{name} is a reserved name")
    leaves, depth = leaves_and_depth(data)
    if depth > MAX_DEPTH:
        raise RefusedError(responses.malformed(TOO_DEEP))
    if leaves > MAX_DATA_POINTS:
        _refuse("data", f"data cannot have more than {MAX_DATA_POINTS} data points")


def _grouped(records: Sequence[dict[str, Any]], body: bytes) -> list[Load]:
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for index, record in enumerate(records):
        group = record["table_name"], tuple(dict.fromkeys(record["key_names"]))
        groups.setdefault(group, []).append(index)
    raw = functools.cache(functools.partial(_raw_fields, body))
    loads = []
    for (table, keys), places in groups.items():
        data = [records[place]["data"] for place in places]
        sequences = [records[place]["sequence"] for place in places]
        loads.append(
            Load(
                table=table,
                kinds=_kinds(data),
                keys=keys,
                version=None,
                steps=[Upsert(*each) for each in zip(sequences, data, strict=True)],
                raw=functools.partial(_chosen, raw, places),
            )
        )
    return loads


def _raw_fields(body: bytes) -> list[Mapping[str, msgspec.Raw]]:
    """Return the JSON text of each field of each record's ``data``."""
    return [record.data for record in _RAW_DECODER.decode(body)]


def _chosen(
    raw: Callable[[], list[Mapping[str, msgspec.Raw]]], places: Sequence[int]
) -> list[Mapping[str, msgspec.Raw]]:
    return [raw()[place] for place in places]


def _kinds(records: Sequence[dict[str, Any]]) -> dict[str, columns.Kind | None]:
    values: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.items():
            values.setdefault(name, []).append(value)
    return {name: columns.value_kind(each) for name, each in values.items()}


def _refuse(name: str, *reasons: str) -> NoReturn:
    raise RefusedError(unprocessable({name: list(reasons)}))

"""The envelope of a batch: all of its fields but the schema and the records.

Fast accept, exact reject: ``msgspec`` decodes a valid body in one call. A body that it does
not accept is decoded again and checked field by field; that verdict and message count.
Import API reference, section The batch body.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import msgspec

from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.responses import RefusedError, failed_validation
from target_stitch_import.emulator.storage import exact_json
from target_stitch_import.emulator.storage.exact_json import type_name
from target_stitch_import.emulator.storage.loads import (
    TIME_PATTERN,
    ActivateVersion,
    Integer64,
    Upsert,
)
from target_stitch_import.limits import MAX_BATCH_ROWS, MAX_SEQUENCE, RESERVED_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_KEYS: Final = 50
"""Key columns of a table. The reference names no limit; SQLite's indexes have one."""

_REQUIRED: Final = ("table_name", "schema", "messages")
_OPTIONAL: Final = ("key_names", "table_version", "bookmark_names")
_MESSAGE_FORMS: Final = {
    "activate_version": ("action", "sequence"),
    "upsert": ("action", "sequence", "data"),
}
"""The required arguments of a message, by its action."""
_TYPES: Final = {
    "table_name": "String",
    "schema": "JSONObject",
    "messages": "JSONArray",
    "key_names": "JSONArray",
    "table_version": "Integer",
    "bookmark_names": "JSONArray",
    "action": "String",
    "sequence": "Integer",
    "data": "JSONObject",
    "time_extracted": "String",
}
_TIME: Final = re.compile(TIME_PATTERN)
_TIME_FORMAT: Final = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSZ"


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a batch."""

    table_name: Annotated[str, msgspec.Meta(min_length=1)]
    schema: dict[str, Any]
    messages: Annotated[
        list[Upsert | ActivateVersion], msgspec.Meta(min_length=1, max_length=MAX_BATCH_ROWS)
    ]
    key_names: Annotated[list[str], msgspec.Meta(max_length=MAX_KEYS)] = []
    table_version: Integer64 | msgspec.UnsetType = msgspec.UNSET
    bookmark_names: list[str] = []

    @property
    def version(self) -> int | None:
        """The table's version, or None."""
        return None if isinstance(self.table_version, msgspec.UnsetType) else self.table_version


_DECODER: Final = msgspec.json.Decoder(Batch, float_hook=exact_json.parse_number)


def parse_envelope(body: bytes) -> Batch:
    """Return the batch that ``body`` encodes.

    Raises:
        RefusedError: the envelope breaks a rule.
    """
    return _parse_fast(body) or _parse_exactly(body)


def _parse_fast(body: bytes) -> Batch | None:
    try:
        batch = _DECODER.decode(body)
        for message in batch.messages:
            if isinstance(message.time_extracted, str):
                _check_date(message.time_extracted)
    except (msgspec.DecodeError, ValueError, RecursionError, decimal.InvalidOperation):
        return None
    if batch.table_name == RESERVED_TABLE:
        return None
    if batch.version is None and any(isinstance(each, ActivateVersion) for each in batch.messages):
        return None
    return batch


def _parse_exactly(body: bytes) -> Batch:
    try:
        batch = exact_json.decode(body)
    except exact_json.MalformedError as error:
        raise RefusedError(responses.malformed(str(error))) from None
    _check_object(batch, "#", _REQUIRED, _OPTIONAL)
    if not batch["table_name"]:
        _refuse("#/table_name", "expected minLength: 1, actual: 0")
    if batch["table_name"] == RESERVED_TABLE:
        _refuse("#/table_name", f"{RESERVED_TABLE} is a reserved name")
    for name in ("key_names", "bookmark_names"):
        for index, each in enumerate(batch.get(name, ())):
            _check_type(each, "String", f"#/{name}/{index}")
    _check_count("#/key_names", batch.get("key_names", ()), 0, MAX_KEYS)
    _check_range("#/table_version", batch.get("table_version", 0))
    _check_count("#/messages", batch["messages"], 1, MAX_BATCH_ROWS)
    for index, message in enumerate(batch["messages"]):
        _check_message(f"#/messages/{index}", message, versioned="table_version" in batch)
    return msgspec.convert(batch, Batch)


def _check_message(pointer: str, message: Any, *, versioned: bool) -> None:
    _check_type(message, "JSONObject", pointer)
    forms = [_form_violations(pointer, message, action) for action in _MESSAGE_FORMS]
    if all(forms):
        lines = [line for form in forms for line in _with_heading(pointer, form)]
        raise RefusedError(responses.failed_message(pointer, lines))
    if message["action"] == "activate_version" and not versioned:
        _refuse("#", "required key [table_version] not found")
    if message["sequence"] > MAX_SEQUENCE:
        raise RefusedError(responses.SEQUENCE_TOO_GREAT)
    _check_range(f"{pointer}/sequence", message["sequence"])


def _form_violations(pointer: str, message: dict[str, Any], action: str) -> list[str]:
    """Return why a message does not have the form of an action."""
    required = _MESSAGE_FORMS[action]
    lines = [
        f"{pointer}: required key [{name}] not found" for name in required if name not in message
    ]
    for name, value in message.items():
        if name not in required and name != "time_extracted":
            lines.append(f"{pointer}: extraneous key [{name}] is not permitted")
        elif type_name(value) != _TYPES[name]:
            lines.append(
                f"{pointer}/{name}: expected type: {_TYPES[name]}, found: {type_name(value)}"
            )
        elif name == "action" and value != action:
            lines.append(f"{pointer}/{name}: {value} is not a valid enum value")
        elif name == "time_extracted" and not _is_time(value):
            reason = f"[{value}] is not a valid date-time. Expected [{_TIME_FORMAT}]"
            lines.append(f"{pointer}/{name}: {reason}")
    return lines


def _with_heading(pointer: str, lines: list[str]) -> list[str]:
    heading = f"{pointer}: {len(lines)} schema violations found"
    return lines if len(lines) == 1 else [heading, *lines]


def _check_count(pointer: str, values: Sequence[Any], minimum: int, maximum: int) -> None:
    if len(values) < minimum:
        _refuse(pointer, f"expected minimum item count: {minimum}, found: {len(values)}")
    if len(values) > maximum:
        _refuse(pointer, f"expected maximum item count: {maximum}, found: {len(values)}")


def _check_range(pointer: str, number: int) -> None:
    """Refuse numbers outside SQLite's 64 bits; the reference names no limit."""
    if number > MAX_SEQUENCE:
        _refuse(pointer, f"{number} is not less or equal to {MAX_SEQUENCE}")
    if number < -MAX_SEQUENCE:
        _refuse(pointer, f"{number} is not greater or equal to {-MAX_SEQUENCE}")


def _is_time(text: str) -> bool:
    try:
        _check_date(text)
    except ValueError:
        return False
    return _TIME.search(text) is not None


def _check_date(time: str) -> None:
    """Raise ``ValueError`` for a well-formed time whose date does not exist."""
    dt.datetime.fromisoformat(time[:-1])


def _check_object(
    value: Any, pointer: str, required: Sequence[str], optional: Sequence[str]
) -> None:
    _check_type(value, "JSONObject", pointer)
    for name in required:
        if name not in value:
            _refuse(pointer, f"required key [{name}] not found")
    for name, each in value.items():
        if name not in required and name not in optional:
            _refuse(pointer, f"extraneous key [{name}] is not permitted")
        _check_type(each, _TYPES[name], f"{pointer}/{name}")


def _check_type(value: Any, expected: str, pointer: str) -> None:
    if type_name(value) != expected:
        _refuse(pointer, f"expected type: {expected}, found: {type_name(value)}")


def _refuse(pointer: str, reason: str) -> NoReturn:
    raise RefusedError(failed_validation(pointer, reason))

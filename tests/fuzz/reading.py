"""A second, plain reading of an input, to hold the target's against."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import msgspec

from target_stitch_import.limits import is_reserved

NOTHING: Final = object()


class Message(msgspec.Struct):
    """A message of a request body."""

    action: str
    sequence: int
    data: msgspec.Raw = msgspec.Raw(b"")


class Body(msgspec.Struct):
    """A request body, as far as this is about it."""

    table_name: str
    messages: list[Message]


def decode_records(body: bytes) -> list[bytes]:
    """Return the bytes of the records in a body."""
    messages = msgspec.json.decode(body, type=Body).messages
    return [bytes(message.data) for message in messages if message.action == "upsert"]


def split_input(data: bytes) -> list[bytes]:
    """Return the lines of an input, without its byte order mark."""
    return data.removeprefix(b"\xef\xbb\xbf").split(b"\n")


def find_part(line: bytes, kind: str, name: str) -> Any:
    """Return one part of a message of a kind, or ``NOTHING`` if the line is no such message."""
    message = decoded(line, errors="replace")  # what nobody looks at may be no UTF-8
    if isinstance(message, dict) and message.get("type") == kind:
        return message.get(name, NOTHING)
    return NOTHING


def decoded(text: bytes, errors: str = "strict") -> Any:
    """Return what a text says, its numbers as they stand; NaN and the like are null."""
    try:
        return json.loads(
            text.decode(errors=errors),
            parse_float=_number,
            parse_int=_number,
            parse_constant=lambda _: None,
        )
    except (ValueError, RecursionError):
        return NOTHING


def without_reserved(record: Any) -> Any:
    """Return a record without the columns that Stitch itself writes."""
    if not isinstance(record, dict):
        return record
    return {name: value for name, value in record.items() if not is_reserved(name)}


def _number(text: str) -> Any:
    """Return a number that equals no boolean, and itself in any notation."""
    try:
        return ("number", Decimal(text).normalize())
    except ArithmeticError:
        return ("number", text)

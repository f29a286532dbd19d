"""A sealed batch, taken apart again: to split it, to leave a record out, to name one.

What is kept of each message is its bytes, so sequences stay what they were. Rare work, so that
batches carry little for it. Knows the forms of a body (Import API reference, sections The batch body
and The push and validate body); nothing of why it was refused.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from target_stitch_import.body_formats import BATCH_TAIL, PUSH_HEAD, PUSH_TAIL
from target_stitch_import.jsontext import decode_exactly, encode_exactly, json_excerpt
from target_stitch_import.messages import RecordMessage, SchemaMessage
from target_stitch_import.places import described, line_number
from target_stitch_import.times import format_timestamp
from target_stitch_import.transit import decode_transit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_stitch_import.batch import Batch

__all__ = ["as_singer", "halves", "name_record", "table_at", "tables_of", "without"]


class _Body(msgspec.Struct):
    """A batch body."""

    table_name: str
    messages: list[msgspec.Raw]
    table_version: int | None = None


class _Message(msgspec.Struct):
    """A message of either body."""

    sequence: int
    data: msgspec.Raw = msgspec.Raw()
    time_extracted: str | None = None
    table_name: str | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode


def halves(batch: Batch) -> list[Batch]:
    """Return the two halves, by bytes, of a batch of several messages."""
    head, messages, tail = _taken_apart(batch)
    ends = list(accumulate(map(len, messages)))
    cut = min(max(1, bisect_left(ends, ends[-1] / 2)), len(messages) - 1)
    return [
        _joined(batch, head, messages[:cut], tail, batch.positions[:cut]),
        _joined(batch, head, messages[cut:], tail, batch.positions[cut:]),
    ]


def without(batch: Batch, index: int) -> list[Batch]:
    """Return what a batch is without one message: a batch, or none if that was all."""
    head, messages, tail = _taken_apart(batch)
    del messages[index]
    lines = [*batch.positions[:index], *batch.positions[index + 1 :]]
    return [_joined(batch, head, messages, tail, lines)] if messages else []


def as_singer(batch: Batch, index: int) -> tuple[SchemaMessage, RecordMessage] | None:
    """Return a record of a batch as the tap wrote it; None if the place holds none.

    One without a time gets that of its sequence, and so the same sequence when it is loaded later.
    """
    if not 0 <= index < batch.rows:
        return None
    message = _message(batch, index)
    if message.data == msgspec.Raw():
        return None
    time = message.time_extracted or format_timestamp(message.sequence)
    if origin := batch.originals.get(batch.positions[index]):
        schema, record = origin
        return schema, msgspec.structs.replace(record, time_extracted=record.time_extracted or time)
    schema = _schema(batch, message)
    return schema, RecordMessage(schema.stream, message.data, _version(batch), time)


def name_record(batch: Batch, index: int, where: str | None = None) -> str:
    """Say which record of the input a message of the body is: by its line and its keys.

    ``where`` names it in a file.
    """
    if not 0 <= index < batch.rows:
        return ""
    place = described(batch.positions[index])
    if where:
        place = f"{where}, of the BATCH message in line {line_number(batch.positions[index]):,}"
    return f" That record is {place} of the input{_key_of(batch, index)}."


def table_at(batch: Batch, index: int) -> str:
    """Return the table of one message of a batch."""
    return _message(batch, index).table_name or batch.table_name


def tables_of(body: bytes) -> dict[str, tuple[int, int]]:
    """Return by table how many records a body has, and in how many bytes."""
    if not _is_push(body):
        batch = _decode_body(body)
        records = sum(_decode_message(each).data != msgspec.Raw() for each in batch.messages)
        return {batch.table_name: (records, len(body))}
    found: dict[str, tuple[int, int]] = {}
    for text in _decode_messages(body):
        name = str(_read_message(bytes(text)).table_name)
        records, size = found.get(name, (0, 0))
        found[name] = records + 1, size + len(bytes(text))
    return found


def _key_of(batch: Batch, index: int) -> str:
    try:
        message = _message(batch, index)
        data = decode_exactly(bytes(message.data))
        keys = {name: data.get(name) for name in _schema(batch, message).key_properties or ()}
        return f" (key {json_excerpt(keys)})" if keys else ""
    except (AttributeError, ValueError, msgspec.MsgspecError):
        return ""  # an activation, or a record that validation was not to look at


def _schema(batch: Batch, message: _Message) -> SchemaMessage:
    return batch.schemas[message.table_name or batch.table_name]


def _version(batch: Batch) -> int | None:
    return None if _is_push(batch.body) else _decode_body(batch.body).table_version


def _message(batch: Batch, index: int) -> _Message:
    return _read_message(_taken_apart(batch)[1][index])


def _read_message(text: bytes) -> _Message:
    if text.startswith(b"["):
        arguments = decode_transit(decode_exactly(text))
        text = encode_exactly(arguments)
    return _decode_message(text)


def _is_push(body: bytes) -> bool:
    return body[: len(PUSH_HEAD)] == PUSH_HEAD


def _taken_apart(batch: Batch) -> tuple[bytes, list[bytes], bytes]:
    """Return the body's start, up to the first message, each message, and its end."""
    if _is_push(batch.body):
        return PUSH_HEAD, [bytes(each) for each in _decode_messages(batch.body)], PUSH_TAIL
    messages = [bytes(message) for message in _decode_body(batch.body).messages]
    size = len(b",".join(messages)) + len(BATCH_TAIL)
    return bytes(batch.body[:-size]), messages, BATCH_TAIL


def _joined(
    batch: Batch, head: bytes, messages: list[bytes], tail: bytes, lines: Sequence[int]
) -> Batch:
    body = b"".join([head, b",".join(messages), tail])
    return replace(batch, body=body, positions=lines, contents=tables_of(body))

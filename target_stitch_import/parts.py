"""A sealed batch, taken apart again: to split it, to leave a record out, to name one.

What is kept of each message is its bytes, so sequences stay what they were. Rare work, so that
batches carry nothing for it. Knows the form of a body (Import API reference, section The batch
body); nothing of why it was refused.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from target_stitch_import.jsontext import decode_exactly, shown
from target_stitch_import.messages import RecordMessage, SchemaMessage
from target_stitch_import.sequence import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_stitch_import.batch import Batch

__all__ = ["as_singer", "halves", "name_record", "without"]


class _Body(msgspec.Struct):
    table_name: str
    schema: msgspec.Raw
    key_names: list[str]
    messages: list[msgspec.Raw]
    bookmark_names: list[str] | None = None
    table_version: int | None = None


class _Message(msgspec.Struct):
    sequence: int
    data: msgspec.Raw = msgspec.Raw()
    time_extracted: str | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_message = msgspec.json.Decoder(_Message).decode


def halves(batch: Batch) -> list[Batch]:
    """Return the two halves, by bytes, of a batch of several messages."""
    head, messages = _taken_apart(batch)
    ends = list(accumulate(map(len, messages)))
    cut = min(max(1, bisect_left(ends, ends[-1] / 2)), len(messages) - 1)
    return [
        _joined(batch, head, messages[:cut], batch.lines[:cut]),
        _joined(batch, head, messages[cut:], batch.lines[cut:]),
    ]


def without(batch: Batch, index: int) -> list[Batch]:
    """Return what a batch is without one message: a batch, or none if that was all."""
    head, messages = _taken_apart(batch)
    del messages[index]
    lines = [*batch.lines[:index], *batch.lines[index + 1 :]]
    return [_joined(batch, head, messages, lines)] if messages else []


def as_singer(batch: Batch, index: int) -> tuple[SchemaMessage, RecordMessage] | None:
    """Return a record of a batch as the tap wrote it; None if the place holds none.

    One without a time gets that of its sequence, and so the same sequence when it is loaded later.
    """
    if not 0 <= index < batch.rows:
        return None
    body = _decode_body(batch.body)
    message = _decode_message(body.messages[index])
    if message.data == msgspec.Raw():
        return None
    time = message.time_extracted or text_of(message.sequence)
    if origin := batch.origins.get(batch.lines[index]):
        schema, record = origin
        return schema, msgspec.structs.replace(record, time_extracted=record.time_extracted or time)
    return (
        SchemaMessage(body.table_name, body.schema, body.key_names, body.bookmark_names),
        RecordMessage(body.table_name, message.data, body.table_version, time),
    )


def name_record(batch: Batch, index: int) -> str:
    """Say which record of the input a message of the body is: by its line and its keys."""
    if not 0 <= index < batch.rows:
        return ""
    return f" That record is line {batch.lines[index]:,} of the input{_key_of(batch, index)}."


def _key_of(batch: Batch, index: int) -> str:
    try:
        body = decode_exactly(batch.body)
        data = body["messages"][index]["data"]
        keys = {name: data.get(name) for name in body["key_names"]}
        return f" (key {shown(keys)})" if keys else ""
    except (AttributeError, LookupError, ValueError):
        return ""  # an activation, or a record that validation was not to look at


def _taken_apart(batch: Batch) -> tuple[bytes, list[bytes]]:
    """Return the body's start, up to the first message, and each message."""
    messages = [bytes(message) for message in _decode_body(batch.body).messages]
    size = len(b",".join(messages)) + len(b"]}")
    return batch.body[:-size], messages


def _joined(batch: Batch, head: bytes, messages: list[bytes], lines: Sequence[int]) -> Batch:
    return replace(batch, body=b"".join([head, b",".join(messages), b"]}"]), lines=lines)

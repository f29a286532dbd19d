"""Splits a sealed batch, removes messages of it, or describes one.

That is rare, so batches keep no second copy of their messages, and the body is read back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import msgspec

from target_stitch_import.batches.batch import Batch
from target_stitch_import.batches.body_formats import BATCH_TAIL, PUSH_HEAD, PUSH_TAIL
from target_stitch_import.batches.transit import decode_transit
from target_stitch_import.datetimes import format_unix_ns
from target_stitch_import.json_codec import decode_exactly, encode_exactly, json_excerpt
from target_stitch_import.singer.messages import RecordMessage, SchemaMessage
from target_stitch_import.singer.positions import described, line_number


class _Body(msgspec.Struct):
    table_name: str
    schema: msgspec.Raw
    messages: list[msgspec.Raw]
    key_names: list[str] = msgspec.field(default_factory=list)
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


def split_in_half(batch: Batch) -> list[Batch]:
    """Return the two halves of a batch of several messages, in order, cut by bytes."""
    ends = list(accumulate(map(len, _split_body(batch.body)[1])))
    return split_at(batch, min(max(1, bisect_right(ends, ends[-1] / 2)), batch.rows - 1))


def split_at(batch: Batch, *cuts: int) -> list[Batch]:
    """Return the parts of a batch between these indices, in order, without empty ones."""
    return [*_select(batch, (range(*ends) for ends in pairwise([0, *cuts, batch.rows])))]


def without_messages(batch: Batch, indices: Collection[int]) -> list[Batch]:
    """Return a batch without some of its messages; an empty list if it has no other."""
    return [*_select(batch, [[at for at in range(batch.rows) if at not in indices]])]


def each_alone(batch: Batch, indices: Iterable[int]) -> Iterator[Batch]:
    """Yield some messages of a batch, each as a batch of its own."""
    return _select(batch, ([index] for index in indices))


def records_of_table(
    batch: Batch, table_name: str
) -> tuple[Mapping[str, Any], Sequence[str], Mapping[int, bytes]]:
    """Return the schema and the keys of a table, and its records by index, as they are posted."""
    messages = [_read_message(text) for text in _split_body(batch.body)[1]]
    records = {
        index: bytes(message.data)
        for index, message in enumerate(messages)
        if message.data != msgspec.Raw() and (message.table_name or table_name) == table_name
    }
    if batch.body.startswith(PUSH_HEAD):
        declared = batch.schemas[table_name]
        return decode_exactly(bytes(declared.schema)), declared.key_properties or [], records
    body = _decode_body(batch.body)
    return decode_exactly(bytes(body.schema)), body.key_names, records


def as_singer(batch: Batch) -> tuple[SchemaMessage, RecordMessage] | None:
    """Return the only record of a batch, and its schema, as Singer messages; None for an activation.

    A record without ``time_extracted`` gets the time of its sequence, so that it keeps that sequence
    when it is loaded later.
    """
    message = _only_message(batch)
    if message.data == msgspec.Raw():
        return None
    time = message.time_extracted or format_unix_ns(message.sequence)
    if origin := batch.originals.get(batch.positions[0]):
        schema, record = origin
        return schema, msgspec.structs.replace(record, time_extracted=record.time_extracted or time)
    schema = batch.schemas[table_of(batch)]
    version = None if batch.body.startswith(PUSH_HEAD) else _decode_body(batch.body).table_version
    return schema, RecordMessage(schema.stream, message.data, version, time)


def describe_record(batch: Batch, where: str | None = None) -> str:
    """Return a sentence with the line and the keys of the only message of a batch.

    ``where`` is its place in a file of a BATCH message.
    """
    place = described(batch.positions[0])
    if where:
        place = f"{where}, of the BATCH message in line {line_number(batch.positions[0]):,}"
    return f" That record is {place} of the input{_describe_key(batch)}."


def table_of(batch: Batch) -> str:
    """Return the name of the table that the only message of a batch goes to."""
    return _only_message(batch).table_name or batch.table_name


def count_by_table(body: bytes) -> dict[str, tuple[int, int]]:
    """Return what ``Batch.contents`` is for a body."""
    if not body.startswith(PUSH_HEAD):
        batch = _decode_body(body)
        records = sum(_decode_message(each).data != msgspec.Raw() for each in batch.messages)
        return {batch.table_name: (records, len(body))}
    counts: dict[str, tuple[int, int]] = {}
    for text in _split_body(body)[1]:
        name = str(_read_message(text).table_name)
        records, size = counts.get(name, (0, 0))
        counts[name] = records + 1, size + len(text)
    return counts


def _describe_key(batch: Batch) -> str:
    try:
        data = decode_exactly(bytes(_only_message(batch).data))
        key_names = batch.schemas[table_of(batch)].key_properties or ()
        keys = {name: data.get(name) for name in key_names}
        return f" (key {json_excerpt(keys)})" if keys else ""
    except (AttributeError, ValueError, msgspec.MsgspecError):
        return ""  # an activation, or a record that was not validated


def _only_message(batch: Batch) -> _Message:
    (text,) = _split_body(batch.body)[1]
    return _read_message(text)


def _read_message(text: bytes) -> _Message:
    if text.startswith(b"["):
        text = encode_exactly(decode_transit(decode_exactly(text)))
    return _decode_message(text)


def _split_body(body: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return the head of a body, its messages, and its tail."""
    if body.startswith(PUSH_HEAD):
        return PUSH_HEAD, [bytes(each) for each in _decode_messages(body)], PUSH_TAIL
    messages = [bytes(message) for message in _decode_body(body).messages]
    size = len(b",".join(messages)) + len(BATCH_TAIL)
    return bytes(body[:-size]), messages, BATCH_TAIL


def _select(batch: Batch, groups: Iterable[Sequence[int]]) -> Iterator[Batch]:
    """Yield a batch of the messages at each group of indices; none for an empty group."""
    head, messages, tail = _split_body(batch.body)
    for group in filter(None, groups):
        chosen = b",".join([messages[index] for index in group])
        body = b"".join([head, chosen, tail])
        positions = [batch.positions[index] for index in group]
        yield replace(batch, body=body, positions=positions, contents=count_by_table(body))

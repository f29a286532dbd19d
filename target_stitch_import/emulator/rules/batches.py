"""The rules of ``POST /v2/import/batch``.

Turns a body into a load, or raises the refusal that the service would answer. Quotes the
Import API reference, section The batch body. Knows nothing of HTTP and SQL.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.data_points import MAX_DEPTH, leaves_and_depth
from target_stitch_import.emulator.rules.envelopes import read_envelope
from target_stitch_import.emulator.rules.records import check_records
from target_stitch_import.emulator.rules.responses import RefusedError, failed_validation
from target_stitch_import.emulator.rules.schemas import Schema
from target_stitch_import.emulator.storage.exact_json import TOO_DEEP, type_name
from target_stitch_import.emulator.storage.loads import Load
from target_stitch_import.limits import RESERVED_PREFIX

SchemaReader = Callable[[dict[str, Any]], Schema]


class _RawMessage(msgspec.Struct):
    data: dict[str, msgspec.Raw] = {}


class _RawBatch(msgspec.Struct):
    messages: list[_RawMessage]


_RAW_DECODER: Final = msgspec.json.Decoder(_RawBatch)


def read_batch(body: bytes, read_schema: SchemaReader) -> Load:
    """Return what a batch body asks for.

    Raises:
        RefusedError: when it breaks a rule; nothing of it may be stored then.
    """
    batch = read_envelope(body)
    keys = tuple(dict.fromkeys(batch.key_names))
    schema = _checked_schema(batch.schema, keys, read_schema)
    check_records(batch.messages, keys, schema)
    return Load(
        table=batch.table_name,
        kinds=schema.kinds,
        keys=keys,
        version=batch.version,
        steps=batch.messages,
        raw=functools.partial(_raw_fields, body),
    )


def _raw_fields(body: bytes) -> list[Mapping[str, msgspec.Raw]]:
    """Return the JSON text of each field of each message's ``data``."""
    return [message.data for message in _RAW_DECODER.decode(body).messages]


def _checked_schema(
    schema: dict[str, Any], keys: Sequence[str], read_schema: SchemaReader
) -> Schema:
    if leaves_and_depth(schema)[1] > MAX_DEPTH:
        raise RefusedError(responses.malformed(TOO_DEEP))
    if "properties" not in schema:
        raise RefusedError(failed_validation("#/schema", "required key [properties] not found"))
    place = "#/schema/properties"
    properties = schema["properties"]
    if not isinstance(properties, dict):
        reason = f"expected type: JSONObject, found: {type_name(properties)}"
        raise RefusedError(failed_validation(place, reason))
    for name in properties:
        if name.startswith(RESERVED_PREFIX):
            raise RefusedError(
                failed_validation(place, f"extraneous key [{name}] is not permitted")
            )
    compiled = read_schema(schema)
    for name in keys:
        if name not in properties:
            raise RefusedError(failed_validation(place, f"required key [{name}] not found"))
    return compiled

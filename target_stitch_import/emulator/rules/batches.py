"""The rules of ``POST /v2/import/batch``: a body becomes a load, or is refused.

Import API reference, section The batch body.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.data_points import MAX_DEPTH, measure
from target_stitch_import.emulator.rules.envelopes import parse_envelope
from target_stitch_import.emulator.rules.records import check_records
from target_stitch_import.emulator.rules.responses import Answers, RefusedError, failed_validation
from target_stitch_import.emulator.storage.exact_json import TOO_DEEP, type_name
from target_stitch_import.emulator.storage.loads import Load
from target_stitch_import.limits import is_reserved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_stitch_import.emulator.rules.schemas import Schema, SchemaCache


class _RawMessage(msgspec.Struct):
    data: dict[str, msgspec.Raw] = {}


class _RawBatch(msgspec.Struct):
    messages: list[_RawMessage]


_RAW_DECODER: Final = msgspec.json.Decoder(_RawBatch)


def parse_batch(body: bytes, schemas: SchemaCache, answers: Answers = "placed") -> Load:
    """Return the load that a batch body asks for.

    Args:
        body: the JSON text.
        schemas: the cache of compiled schemas.
        answers: whether a refusal has the index of its record in the batch.

    Raises:
        RefusedError: the body breaks a rule; nothing of it may be stored.
    """
    batch = parse_envelope(body)
    keys = tuple(dict.fromkeys(batch.key_names))
    schema = _check_schema(batch.schema, keys, schemas)
    check_records(batch.messages, keys, schema, answers=answers)
    return Load(
        table=batch.table_name,
        column_types=schema.column_types,
        keys=keys,
        version=batch.version,
        messages=batch.messages,
        raw_fields=functools.partial(_raw_fields, body),
        schema=batch.schema,
    )


def _raw_fields(body: bytes) -> list[Mapping[str, msgspec.Raw]]:
    """Return the JSON text of each field of each message's ``data``."""
    return [message.data for message in _RAW_DECODER.decode(body).messages]


def _check_schema(schema: dict[str, Any], keys: Sequence[str], schemas: SchemaCache) -> Schema:
    if measure(schema)[1] > MAX_DEPTH:
        raise RefusedError(responses.malformed(TOO_DEEP))
    if "properties" not in schema:
        raise RefusedError(failed_validation("#/schema", "required key [properties] not found"))
    pointer = "#/schema/properties"
    properties = schema["properties"]
    if not isinstance(properties, dict):
        reason = f"expected type: JSONObject, found: {type_name(properties)}"
        raise RefusedError(failed_validation(pointer, reason))
    for name in properties:
        if is_reserved(name):
            raise RefusedError(
                failed_validation(pointer, f"extraneous key [{name}] is not permitted")
            )
    compiled = schemas.compile(schema)
    for name in keys:
        if name not in properties:
            raise RefusedError(failed_validation(pointer, f"required key [{name}] not found"))
    return compiled

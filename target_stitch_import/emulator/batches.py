"""The rules of ``POST /v2/import/batch``.

Turns a body into a load, or raises the refusal that the service would answer. Quotes the
Import API reference, section The batch body. Knows nothing of HTTP and SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from target_stitch_import.emulator import answers, decoding
from target_stitch_import.emulator.answers import RefusedError, failed_validation
from target_stitch_import.emulator.decoding import MAX_DEPTH, TOO_DEEP, type_name
from target_stitch_import.emulator.envelopes import read_envelope
from target_stitch_import.emulator.extent import leaves_and_depth
from target_stitch_import.emulator.loads import Load
from target_stitch_import.emulator.records import check_records
from target_stitch_import.emulator.schemas import Schema
from target_stitch_import.limits import RESERVED_PREFIX

SchemaReader = Callable[[dict[str, Any]], Schema]


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
        raw=lambda: decoding.raw_batch(body),
    )


def _checked_schema(
    schema: dict[str, Any], keys: Sequence[str], read_schema: SchemaReader
) -> Schema:
    if leaves_and_depth(schema)[1] > MAX_DEPTH:
        raise RefusedError(answers.malformed(TOO_DEEP))
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

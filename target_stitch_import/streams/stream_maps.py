"""Streams as SCHEMA messages and stream maps describe them, and the tables that they load."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import partial
from inspect import getclosurevars
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import simplejson
from singer_sdk.mapper import CustomStreamMap, RemoveRecordTransform, SameRecordTransform

from target_stitch_import.errors import InputError, InvalidRecordError, InvalidSchemaError
from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.limits import RESERVED_TABLE, is_reserved
from target_stitch_import.schemas.translate import SchemaTranslationError, to_draft4

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.mapper import PluginMapper, StreamMap

    from target_stitch_import.singer.messages import SchemaMessage
    from target_stitch_import.streams.sink import StitchSink


@dataclass(frozen=True)
class StreamDefinition:
    """What a SCHEMA message says of a stream, or a stream map of what it makes of it."""

    name: str
    schema: dict[str, Any]
    """Plain draft 4."""
    key_properties: Sequence[str]
    bookmark_properties: Sequence[str]


@dataclass(frozen=True)
class Route:
    """A table that a stream loads."""

    transform: Callable[[bytes], bytes | None] | None
    """None where records go through as the bytes that the tap wrote."""
    sink: StitchSink


@dataclass(frozen=True)
class Stream:
    """A stream whose SCHEMA has come."""

    message: SchemaMessage
    routes: Sequence[Route]


def define_stream(message: SchemaMessage) -> StreamDefinition:
    """Return what a SCHEMA message says of a stream.

    Raises:
        InvalidSchemaError: The service would refuse it.
    """
    try:
        schema = decode_exactly(bytes(message.schema))
    except ValueError as error:
        raise InvalidSchemaError(f"the schema of stream {message.stream!r}: {error}") from None
    bookmarks = message.bookmark_properties or []
    bookmarks = [bookmarks] if isinstance(bookmarks, str) else bookmarks
    return _define(message.stream, schema, message.key_properties or [], bookmarks)


def create_routes(
    stream: StreamDefinition,
    mapper: PluginMapper,
    create_sink: Callable[[StreamDefinition], StitchSink],
) -> list[Route]:
    """Return a route for each table that the stream maps make of a stream.

    Raises:
        InputError: A stream map can't be applied to this stream.
        InvalidSchemaError: The service would refuse what the stream maps make of it.
    """
    try:
        mapper.register_raw_stream_schema(stream.name, stream.schema, stream.key_properties)
    except Exception as error:
        raise InputError(f"the stream map can't be applied to {stream.name!r}: {error}") from error
    routes = []
    for stream_map in mapper.stream_maps[stream.name]:
        if isinstance(stream_map, RemoveRecordTransform):
            continue
        definition, transform = stream, None
        if stream_map.flattening_enabled or not isinstance(stream_map, SameRecordTransform):
            schema = stream_map.transformed_schema
            definition = _define(
                stream_map.stream_alias,
                schema,
                stream_map.transformed_key_properties or [],
                [name for name in stream.bookmark_properties if name in schema["properties"]],
            )
            transform = create_transform(stream_map, stream.name)
        if definition.name == RESERVED_TABLE:
            raise InvalidSchemaError(
                f"stream {stream.name!r} would load the table {RESERVED_TABLE!r}, which Stitch itself "
                "writes; give it another name with a stream map (__alias__)"
            )
        routes.append(Route(transform, create_sink(definition)))
    return routes


def _define(
    name: str, schema: Any, key_properties: Sequence[str], bookmark_properties: Sequence[str]
) -> StreamDefinition:
    if not name:
        raise InvalidSchemaError("a stream has no name")
    try:
        schema = to_draft4(schema)
    except SchemaTranslationError as error:
        raise InvalidSchemaError(f"the schema of stream {name!r} can't be used: {error}") from None
    for key in key_properties:
        if is_reserved(key):
            raise InvalidSchemaError(
                f"key property {key!r} of stream {name!r} is a column that Stitch itself writes; "
                "rename it with a stream map in the tap"
            )
        if schema.get("additionalProperties") is False and key not in schema["properties"]:
            raise InvalidSchemaError(
                f"key property {key!r} of stream {name!r} is not among its schema's properties"
            )
    # Taps of document databases name neither columns nor keys.
    unnamed: dict[str, Any] = {key: {} for key in key_properties if key not in schema["properties"]}
    schema = {**schema, "properties": {**schema["properties"], **unnamed}}
    bookmarks = [name for name in bookmark_properties if not is_reserved(name)]
    return StreamDefinition(name, schema, list(dict.fromkeys(key_properties)), bookmarks)


def create_transform(stream_map: StreamMap, stream_name: str) -> Callable[[bytes], bytes | None]:
    """Return what applies a stream map, and flattening where it is switched on, to a record.

    That takes JSON and returns JSON, with exact numbers; None if the map filters the record out. It
    raises ``InvalidRecordError`` if the map can't be applied.

    Raises:
        InputError: Something in the map is not an expression.
    """
    if isinstance(stream_map, CustomStreamMap):
        # The SDK refuses a statement only with the first record, and keeps what it has parsed here.
        parsed = getclosurevars(stream_map._transform_fn).nonlocals  # noqa: SLF001
        for _, text, tree in parsed["stream_map_parsed"]:
            if tree is not None and not isinstance(tree, ast.Expr):
                raise InputError(
                    f"the stream map can't be applied to {stream_name!r}: {text!r} is not an expression"
                )
        # Numbers of a record are decimals, which ``json.dumps`` can't write.
        stream_map.expr_evaluator.functions["json"] = SimpleNamespace(
            dumps=simplejson.dumps, loads=partial(simplejson.loads, use_decimal=True)
        )
    return partial(_transform, stream_map, stream_name)


def _transform(stream_map: StreamMap, stream_name: str, data: bytes) -> bytes | None:
    try:
        record = decode_exactly(data)
    except ValueError as error:
        raise InvalidRecordError(
            f"a record of stream {stream_name!r} can't be read: {error}"
        ) from None
    if not isinstance(record, dict):
        raise InvalidRecordError(f"a record of stream {stream_name!r} is not a JSON object")
    try:
        result = stream_map.transform(record)
    except Exception as error:
        # Most errors quote the record; the message of a MapExpressionError does not.
        reason = f"{error}" if error.__cause__ is not None else type(error).__name__
        raise InvalidRecordError(
            f"the stream map of {stream_name!r} can't be applied to a record: {reason}"
        ) from error
    try:
        return None if result is None else encode_exactly(result)
    except Exception as error:  # noqa: BLE001 - an expression may make anything
        raise InvalidRecordError(
            f"what the stream map makes of a record of {stream_map.stream_alias!r} can't be written: "
            f"{type(error).__name__}"
        ) from None

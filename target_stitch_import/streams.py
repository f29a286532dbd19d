"""From a stream of the tap to the tables it loads: schemas, stream maps, routes.

Knows SCHEMA messages and the SDK's mapper; of records only the way they take, and nothing of
batches or delivery.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform

from target_stitch_import.errors import InputError, InvalidRecordError, InvalidSchemaError
from target_stitch_import.expressions import make_exact
from target_stitch_import.flattening import Flattener
from target_stitch_import.jsontext import decode_exactly, encode_exactly
from target_stitch_import.own_columns import is_reserved
from target_stitch_import.schema import SchemaTranslationError, to_draft4

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.mapper import PluginMapper, StreamMap

    from target_stitch_import.messages import SchemaMessage
    from target_stitch_import.sink import StitchSink

__all__ = ["Declared", "Route", "Stream", "declared", "routes", "transform"]


@dataclass(frozen=True)
class Declared:
    """What a SCHEMA message says of a stream, or a stream map of what it makes of it."""

    name: str
    schema: dict[str, Any]
    """Plain draft 4."""
    key_properties: Sequence[str]
    bookmark_properties: Sequence[str]


@dataclass(frozen=True)
class Route:
    """A way from a stream to a table."""

    stream_map: StreamMap | None
    """None where records go through as the bytes that the tap wrote."""
    sink: StitchSink


@dataclass(frozen=True)
class Stream:
    """A stream whose SCHEMA has come."""

    message: SchemaMessage
    routes: Sequence[Route]


def declared(message: SchemaMessage) -> Declared:
    """Return what a SCHEMA message says.

    Raises:
        InvalidSchemaError: The service would not take it.
    """
    try:
        schema = decode_exactly(bytes(message.schema))
    except ValueError as error:
        raise InvalidSchemaError(f"the schema of stream {message.stream!r}: {error}") from None
    bookmarks = message.bookmark_properties or []
    bookmarks = [bookmarks] if isinstance(bookmarks, str) else bookmarks
    return _declare(message.stream, schema, message.key_properties or [], bookmarks)


def routes(
    stream: Declared, mapper: PluginMapper, sink: Callable[[Declared], StitchSink]
) -> list[Route]:
    """Return the ways that the stream maps open to a stream, each to what ``sink`` gives.

    Raises:
        InputError: A stream map can't be applied to this stream.
    """
    try:
        mapper.register_raw_stream_schema(stream.name, stream.schema, stream.key_properties)
    except Exception as error:
        raise InputError(f"the stream map can't be applied to {stream.name!r}: {error}") from error
    found = []
    for stream_map in mapper.stream_maps[stream.name]:
        if isinstance(stream_map, RemoveRecordTransform):
            continue
        if isinstance(stream_map, SameRecordTransform) and not stream_map.flattening_enabled:
            found.append(Route(None, sink(stream)))
            continue
        make_exact(stream_map)
        schema = stream_map.transformed_schema
        if stream_map.flattening_enabled and stream_map.flattening_options:
            quick = Flattener(stream_map.flattening_options, schema)
            stream_map.flatten_record = quick  # type: ignore[method-assign]
        result = _declare(
            stream_map.stream_alias,
            schema,
            stream_map.transformed_key_properties or [],
            [name for name in stream.bookmark_properties if name in schema["properties"]],
        )
        found.append(Route(stream_map, sink(result)))
    return found


def transform(stream_map: StreamMap, data: bytes, stream: str) -> bytes | None:
    """Return what a stream map makes of a record, with exact numbers; None if it filters it out.

    Raises:
        InvalidRecordError: The record is no object, or the map can't be applied to it.
    """
    try:
        record = decode_exactly(data)
    except ValueError as error:
        raise InvalidRecordError(f"a record of stream {stream!r} can't be read: {error}") from None
    if not isinstance(record, dict):
        raise InvalidRecordError(f"a record of stream {stream!r} is no JSON object")
    try:
        result: dict[str, Any] | None = stream_map.transform(record)
    except Exception as error:
        raise InvalidRecordError(
            f"the stream map of {stream!r} can't be applied to a record: {_told(error)}"
        ) from error
    try:
        return None if result is None else encode_exactly(result)
    except ValueError as error:
        raise InvalidRecordError(
            f"what the stream map makes of a record of {stream!r} can't be written: "
            f"{type(error).__name__}"
        ) from None


def _declare(
    name: str, schema: Any, key_properties: Sequence[str], bookmark_properties: Sequence[str]
) -> Declared:
    if not name:
        raise InvalidSchemaError("a stream has no name")
    try:
        schema = to_draft4(schema)
    except SchemaTranslationError as error:
        raise InvalidSchemaError(f"the schema of stream {name!r} can't be used: {error}") from None
    for key in key_properties:
        if is_reserved(key):
            raise InvalidSchemaError(
                f"key property {key!r} of stream {name!r} has a name that is Stitch's own; "
                "rename it with a stream map in the tap"
            )
        if key not in schema["properties"]:
            raise InvalidSchemaError(
                f"key property {key!r} of stream {name!r} is not among its schema's properties"
            )
    bookmarks = [name for name in bookmark_properties if not is_reserved(name)]
    return Declared(name, schema, list(dict.fromkeys(key_properties)), bookmarks)


def _told(error: Exception) -> str:
    """Name an expression's error without its text, which may quote the record."""
    cause = error.__cause__
    return f"{error}" if cause is not None else type(error).__name__

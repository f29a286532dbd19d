"""Streams as SCHEMA messages and stream maps describe them, and the tables that they load."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.exceptions import StreamMapConfigError
from singer_sdk.mapper import CustomStreamMap, RemoveRecordTransform, SameRecordTransform

from target_stitch_import.errors import InputError, InvalidRecordError, InvalidSchemaError
from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.limits import is_reserved
from target_stitch_import.schemas.translate import SchemaTranslationError, to_draft4
from target_stitch_import.streams.expressions import (
    WHOLE_RECORD,
    compile_expression,
    names_in,
    use_exact_json,
)
from target_stitch_import.streams.flattening import Flattener

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Sequence

    from singer_sdk.mapper import PluginMapper, StreamMap

    from target_stitch_import.singer.messages import SchemaMessage
    from target_stitch_import.streams.expressions import Evaluate
    from target_stitch_import.streams.sink import StitchSink

__all__ = [
    "RecordTransform",
    "Route",
    "Stream",
    "StreamDefinition",
    "create_routes",
    "define_stream",
]

_decode_columns = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_value = msgspec.json.Decoder(float_hook=Decimal).decode


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

    transform: RecordTransform | None
    """None where records go through as the bytes that the tap wrote."""
    sink: StitchSink


@dataclass(frozen=True)
class Stream:
    """A stream whose SCHEMA has come."""

    message: SchemaMessage
    routes: Sequence[Route]


class RecordTransform:
    """Applies a stream map, and flattening where it is switched on, to records of one stream.

    Columns that the map does not look at keep the bytes that the tap wrote.
    """

    def __init__(self, stream_map: StreamMap, stream_name: str) -> None:
        """Apply ``stream_map`` to records of the stream that the tap calls ``stream_name``.

        Raises:
            StreamMapConfigError: One of its expressions is none.
        """
        self._stream_name = stream_name
        self._alias = stream_map.stream_alias
        self._map = _CompiledMap(stream_map) if isinstance(stream_map, CustomStreamMap) else None
        self._decoded_columns = self._map.columns if self._map else None
        """None for all of them."""
        self._flatten: Flattener | None = None
        if stream_map.flattening_enabled and stream_map.flattening_options:
            self._flatten = Flattener(stream_map.flattening_options, stream_map.transformed_schema)
            self._decoded_columns = None

    def __call__(self, data: bytes | msgspec.Raw) -> bytes | None:
        """Return what the map makes of a record, as JSON with exact numbers.

        None if the map filters the record out.

        Raises:
            InvalidRecordError: The record is no object, or the map can't be applied to it.
        """
        record, columns = self._decode_columns(data) or self._decode(data)
        try:
            result = columns if self._map is None else self._map.transform(record, columns)
            if result is not None and self._flatten is not None:
                result = self._flatten(result)
        except Exception as error:
            raise InvalidRecordError(
                f"the stream map of {self._stream_name!r} can't be applied to a record: "
                f"{_describe(error)}"
            ) from error
        if result is None:
            return None
        try:
            return encode_exactly(result)
        except Exception as error:  # noqa: BLE001 - an expression may make anything
            raise InvalidRecordError(
                f"what the stream map makes of a record of {self._alias!r} can't be written: "
                f"{type(error).__name__}"
            ) from None

    def _decode_columns(
        self, data: bytes | msgspec.Raw
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the columns that expressions use, decoded, and all of them, most as bytes.

        None if all are to be decoded, or if one can't be.
        """
        if self._decoded_columns is None:
            return None
        record: dict[str, Any] = {}
        try:
            columns: dict[str, Any] = _decode_columns(data)
            for name in self._decoded_columns:
                if name in columns:
                    record[name] = value = _decode_value(columns[name])
                    if type(value) is dict or type(value) is list:
                        columns[name] = value  # an expression may change it
        except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
            return None  # to be decoded as a whole, where the errors are exact
        return record, columns

    def _decode(self, data: bytes | msgspec.Raw) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            record = decode_exactly(bytes(data))
        except ValueError as error:
            raise InvalidRecordError(
                f"a record of stream {self._stream_name!r} can't be read: {error}"
            ) from None
        if not isinstance(record, dict):
            raise InvalidRecordError(f"a record of stream {self._stream_name!r} is no JSON object")
        return record, record.copy()


class _CompiledMap:
    """A stream map of the SDK, with its expressions compiled."""

    def __init__(self, stream_map: CustomStreamMap) -> None:
        use_exact_json(stream_map)
        self._stream_map = stream_map
        self._filter: Evaluate | None = None
        self._names: set[str] = set()
        # Applied to this record, the map yields its expressions, and not what they make.
        probe = _ProbeRecord()
        # It is the SDK's private API: tests/streams/test_stream_maps.py sees when that changes.
        stream_map._eval = self._compile  # type: ignore[method-assign] # noqa: SLF001
        try:
            made: dict[str, Evaluate] = stream_map._transform_fn(probe) or {}  # noqa: SLF001
        finally:
            del stream_map._eval  # noqa: SLF001 - its own is back
        self._computed = list(made.items())
        self._removed = list(probe.removed)
        self._kept = None if probe.copied else list(stream_map.transformed_key_properties or [])
        """The columns that stay; None if all do that are not removed."""
        self.columns = frozenset(self._names) if self._names.isdisjoint(WHOLE_RECORD) else None
        """Names that the expressions ask for, columns among them; None if for whole records."""

    def transform(self, record: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the map makes of a record; None if it filters it out, or nothing is left.

        ``record`` has what the expressions see. ``columns`` has all columns, and is changed.
        """
        if self._filter is not None and not self._filter(record):
            return None
        if self._kept is None:
            result = columns
            for name in self._removed:
                result.pop(name, None)
        else:
            result = {name: columns[name] for name in self._kept if name in columns}
        for name, evaluate in self._computed:
            result[name] = evaluate(record)
        return result or None

    def _compile(
        self,
        expr: str,
        expr_parsed: ast.Expr,
        record: dict[str, Any],  # noqa: ARG002 - the SDK's signature
        property_name: str | None,
    ) -> Any:
        names = names_in(expr_parsed)
        self._names |= names
        if "self" in names and property_name:
            self._names.add(property_name)
        compiled = compile_expression(self._stream_map, expr, expr_parsed, property_name)
        if property_name is None:
            self._filter = compiled
        return compiled


class _ProbeRecord(dict[str, Any]):
    """An empty record that sees whether a stream map copies it, and what is removed then."""

    def __init__(self) -> None:
        super().__init__()
        self.copied = False
        self.removed: list[str] = []

    def copy(self) -> _ProbeRecord:
        self.copied = True
        return self

    def pop(self, name: str, default: Any = None) -> Any:
        self.removed.append(name)
        return default


def define_stream(message: SchemaMessage) -> StreamDefinition:
    """Return what a SCHEMA message says of a stream.

    Raises:
        InvalidSchemaError: The service would not take it.
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
    """
    try:
        mapper.register_raw_stream_schema(stream.name, stream.schema, stream.key_properties)
    except Exception as error:
        raise InputError(f"the stream map can't be applied to {stream.name!r}: {error}") from error
    routes = []
    for stream_map in mapper.stream_maps[stream.name]:
        if isinstance(stream_map, RemoveRecordTransform):
            continue
        if isinstance(stream_map, SameRecordTransform) and not stream_map.flattening_enabled:
            routes.append(Route(None, create_sink(stream)))
            continue
        schema = stream_map.transformed_schema
        definition = _define(
            stream_map.stream_alias,
            schema,
            stream_map.transformed_key_properties or [],
            [name for name in stream.bookmark_properties if name in schema["properties"]],
        )
        try:
            transform = RecordTransform(stream_map, stream.name)
        except StreamMapConfigError as error:
            raise InputError(
                f"the stream map can't be applied to {stream.name!r}: {error}"
            ) from error
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
                f"key property {key!r} of stream {name!r} has a name that is Stitch's own; "
                "rename it with a stream map in the tap"
            )
        if key not in schema["properties"]:
            raise InvalidSchemaError(
                f"key property {key!r} of stream {name!r} is not among its schema's properties"
            )
    bookmarks = [name for name in bookmark_properties if not is_reserved(name)]
    return StreamDefinition(name, schema, list(dict.fromkeys(key_properties)), bookmarks)


def _describe(error: Exception) -> str:
    """Name an expression's error without its text, which may quote the record."""
    cause = error.__cause__
    return f"{error}" if cause is not None else type(error).__name__

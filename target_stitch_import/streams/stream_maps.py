"""Streams as SCHEMA messages and stream maps describe them, and the tables that they load."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from inspect import getclosurevars
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.mapper import (
    CustomStreamMap,
    PluginMapper,
    RemoveRecordTransform,
    SameRecordTransform,
    StreamMap,
)

from target_stitch_import.errors import InputError, InvalidRecordError, InvalidSchemaError
from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.limits import RESERVED_TABLE, is_reserved
from target_stitch_import.schemas.translate import SchemaTranslationError, to_draft4
from target_stitch_import.singer.messages import SchemaMessage
from target_stitch_import.streams.expressions import (
    WHOLE_RECORD,
    Evaluate,
    compile_expression,
    names_in,
    use_exact_json,
)
from target_stitch_import.streams.flattening import Flattener

if TYPE_CHECKING:
    from target_stitch_import.streams.sink import StitchSink

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

    Columns that the map does not use keep the bytes that the tap wrote.
    """

    def __init__(self, stream_map: StreamMap, stream_name: str) -> None:
        """Apply ``stream_map`` to records of the stream that the tap calls ``stream_name``.

        Raise ``InputError`` if something in the map is not an expression.
        """
        self._stream_name = stream_name
        self._alias = stream_map.stream_alias
        self._filter: Evaluate | None = None
        self._computed: dict[str, Evaluate] = {}
        self._removed: list[str] = []
        self._kept: list[str] | None = None
        """The columns that stay; None if all do that are not removed."""
        self._names: set[str] | None = set()
        """What the expressions use, columns among it; None if whole records."""
        self._flatten: Flattener | None = None
        self._is_custom = isinstance(stream_map, CustomStreamMap)
        if isinstance(stream_map, CustomStreamMap):
            self._compile(stream_map)
        if stream_map.flattening_enabled and stream_map.flattening_options:
            self._flatten = Flattener(stream_map.flattening_options, stream_map.transformed_schema)
            self._names = None

    def _compile(self, stream_map: CustomStreamMap) -> None:
        use_exact_json(stream_map)
        # The SDK keeps what it has parsed in two functions: tests/streams/test_stream_maps.py sees
        # when that changes.
        parsed = {
            **getclosurevars(stream_map._filter_fn).nonlocals,  # noqa: SLF001
            **getclosurevars(stream_map._transform_fn).nonlocals,  # noqa: SLF001
        }
        if not parsed["include_by_default"]:
            self._kept = list(stream_map.transformed_key_properties or [])
        names: set[str] = set()
        if "filter_rule" in parsed:
            tree = self._check_expression(parsed["filter_rule"], parsed["filter_rule_parsed"])
            self._filter = compile_expression(stream_map, parsed["filter_rule"], tree, None)
            names |= names_in(tree)
        for name, expression, tree in parsed["stream_map_parsed"]:
            if tree is None:
                self._removed.append(name)
                continue
            self._check_expression(expression, tree)
            self._computed[name] = compile_expression(stream_map, expression, tree, name)
            names |= names_in(tree)
            if "self" in names:
                names.add(name)
        self._names = names if names.isdisjoint(WHOLE_RECORD) else None

    def _check_expression(self, text: str, tree: ast.AST) -> ast.AST:
        if not isinstance(tree, ast.Expr):  # an assignment, which ``simpleeval`` only warns of
            raise InputError(
                f"the stream map can't be applied to {self._stream_name!r}: "
                f"{text!r} is not an expression"
            )
        return tree

    def __call__(self, data: bytes) -> bytes | None:
        """Return what the map makes of a record, as exact JSON; None if it filters it out.

        Raise ``InvalidRecordError`` if it is not an object, or the map can't be applied to it.
        """
        record, columns = self._decode_used(data) or self._decode(data)
        try:
            result = self._transform(record, columns) if self._is_custom else columns
            if result is not None and self._flatten is not None:
                result = self._flatten(result)
        except Exception as error:
            # Most errors quote the record; the message of a MapExpressionError does not.
            reason = f"{error}" if error.__cause__ is not None else type(error).__name__
            raise InvalidRecordError(
                f"the stream map of {self._stream_name!r} can't be applied to a record: {reason}"
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

    def _decode_used(self, data: bytes) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the columns that expressions use, decoded, and all of them, most as bytes.

        None if all are to be decoded, or if one can't be.
        """
        if self._names is None:
            return None
        record: dict[str, Any] = {}
        try:
            columns: dict[str, Any] = _decode_columns(data)
            for name in self._names:
                if name in columns:
                    record[name] = value = _decode_value(columns[name])
                    if type(value) is dict or type(value) is list:
                        columns[name] = value  # an expression may change it
        except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
            return None  # to be decoded as a whole, where the errors are exact
        return record, columns

    def _decode(self, data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            record = decode_exactly(data)
        except ValueError as error:
            raise InvalidRecordError(
                f"a record of stream {self._stream_name!r} can't be read: {error}"
            ) from None
        if not isinstance(record, dict):
            raise InvalidRecordError(
                f"a record of stream {self._stream_name!r} is not a JSON object"
            )
        return record, record.copy()

    def _transform(self, record: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the map makes of a record; None if it filters it out, or nothing is left.

        ``record`` has what the expressions see. ``columns`` has all columns, and is changed.
        """
        if self._filter is not None and not self._filter(record):
            return None
        if self._kept is not None:
            columns = {name: columns[name] for name in self._kept if name in columns}
        for name in self._removed:
            columns.pop(name, None)
        for name, evaluate in self._computed.items():
            columns[name] = evaluate(record)
        return columns or None


def define_stream(message: SchemaMessage) -> StreamDefinition:
    """Return what a SCHEMA says of a stream; raise ``InvalidSchemaError`` if it can't be posted."""
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

    Raise ``InputError`` if one can't be applied to it, or if the service would refuse what it makes.
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
            transform = RecordTransform(stream_map, stream.name)
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

"""Routes each stream to the sinks of the tables that its records load."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from singer_sdk.sinks import Sink
from singer_sdk.target_base import Target

from target_stitch_import.errors import InvalidSchemaError, RecordBeforeSchemaError
from target_stitch_import.sequences.sequencer import Sequencer
from target_stitch_import.sequences.timestamps import TimestampReader
from target_stitch_import.singer.messages import SchemaMessage
from target_stitch_import.streams.sink import StitchSink
from target_stitch_import.streams.stream_maps import (
    Stream,
    StreamDefinition,
    create_routes,
    define_stream,
)
from target_stitch_import.streams.table import Table

if TYPE_CHECKING:
    from target_stitch_import.delivery.pipeline import Pipeline

RECENT: Final = 4
"""Schemas of a stream whose sinks are kept, as some taps change between a few again and again."""


class Router:
    """The streams whose SCHEMA has come, and the sinks that load their tables."""

    def __init__(self, target: Target, pipeline: Pipeline, sinks: dict[str, Sink]) -> None:
        """Keep in ``sinks`` which one loads a table, by its name."""
        self._target = target
        self._pipeline = pipeline
        self._sinks = sinks
        self._timestamps = TimestampReader()  # streams that take turns come by the same seconds
        self._streams: dict[str, Stream] = {}
        self._recent: dict[str, deque[Stream]] = {}
        self._tables: dict[str, Table] = {}

    def declare(self, message: SchemaMessage) -> None:
        """Let a SCHEMA hold for the records of its stream from here on.

        A table that gets another sink waits until what the one before has loaded is acknowledged.
        Raise ``InputError`` if the service would refuse it, or a stream map can't be applied to it.
        """
        known = self._streams.get(message.stream)
        if known and message == known.message:
            return
        recent = self._recent.setdefault(message.stream, deque(maxlen=RECENT))
        stream = next((each for each in recent if message == each.message), None)
        if stream is None:
            routes = create_routes(define_stream(message), self._target.mapper, self._find_sink)
            stream = Stream(message, routes)
            recent.append(stream)
        for route in stream.routes:
            table_name = route.sink.stream_name
            if route.sink.rows is not None:
                route.sink.rows.claim(message.stream)
            before = self._sinks.get(table_name)
            if before is not route.sink:
                route.sink.replace(before)
                self._sinks[table_name] = route.sink
                self._pipeline.metrics.add_stream(table_name)
        self._streams[message.stream] = stream

    def stream(self, name: str, kind: str) -> Stream:
        """Return a stream, of which a message of a ``kind`` has come.

        Raise ``RecordBeforeSchemaError`` if its SCHEMA has not come.
        """
        stream = self._streams.get(name)
        if stream is None:
            error = RecordBeforeSchemaError(
                f"{kind} of stream {name!r} came before its SCHEMA; the tap must write that first"
            )
            error.stream = name
            raise error
        return stream

    def require_columns(self) -> None:
        """Raise ``InvalidSchemaError`` if a SCHEMA has neither columns nor keys, and no record came."""
        counts = self._pipeline.metrics.streams
        for name, stream in self._streams.items():
            if stream.message.key_properties or b'"properties"' in bytes(stream.message.schema):
                continue
            of_tables = [counts[route.sink.stream_name] for route in stream.routes]
            if not any(each.records or each.quarantined for each in of_tables):
                error = InvalidSchemaError(
                    f"the schema of stream {name!r} has no properties, and no record came: "
                    "perhaps no field is selected in the catalog"
                )
                error.stream = name
                raise error

    def _find_sink(self, stream: StreamDefinition) -> StitchSink:
        """Return the sink of a table; a new one where what a SCHEMA says has changed."""
        config, name = self._target.config, stream.name
        if config["load_method"] == "append-only":
            stream = replace(stream, key_properties=[])
        sink = self._sinks.get(name)
        if isinstance(sink, StitchSink) and sink.matches(stream):
            return sink
        if name not in self._tables:
            sequencer = Sequencer(by_arrival=config["sequence_source"] == "received_at")
            self._tables[name] = Table(name, self._target.logger, sequencer)
        return StitchSink(
            self._target, stream, self._tables[name], self._pipeline, self._timestamps
        )

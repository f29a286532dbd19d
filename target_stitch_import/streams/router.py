"""Routes each stream to the sinks of the tables that its records load."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from target_stitch_import.batches.body_formats import body_format
from target_stitch_import.errors import InvalidSchemaError, RecordBeforeSchemaError
from target_stitch_import.records.editor import EditOptions
from target_stitch_import.schemas.posted import (
    DECIMAL,
    column_types,
    posted_schema,
    without_checks,
)
from target_stitch_import.sequences.sequencer import BookmarkSequencer, Sequencer
from target_stitch_import.sequences.timestamps import TimestampReader
from target_stitch_import.streams.sink import StitchSink
from target_stitch_import.streams.stream_maps import Stream, create_routes, define_stream
from target_stitch_import.streams.table import Table

if TYPE_CHECKING:
    from singer_sdk.sinks import Sink
    from singer_sdk.target_base import Target

    from target_stitch_import.delivery.pipeline import Pipeline
    from target_stitch_import.singer.messages import SchemaMessage
    from target_stitch_import.streams.stream_maps import StreamDefinition

RECENT: Final = 4  # schemas of a stream that are remembered


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

        Raises:
            InputError: The service would refuse it, or a stream map can't be applied to it.
        """
        known = self._streams.get(message.stream)
        if known and message == known.message:
            return
        # Some taps change between a few schemas again and again.
        recent = self._recent.setdefault(message.stream, deque(maxlen=RECENT))
        stream = next((each for each in recent if message == each.message), None)
        if stream is None:
            routes = create_routes(define_stream(message), self._target.mapper, self._create_sink)
            stream = Stream(message, routes)
            recent.append(stream)
        for route in stream.routes:
            table_name = route.sink.stream_name
            if route.sink.rows is not None:
                route.sink.rows.claim(message.stream, table_name)
            before = self._sinks.get(table_name)
            if before is not route.sink:
                if isinstance(before, StitchSink):
                    before.begin_generation()
                self._sinks[table_name] = route.sink
                self._pipeline.metrics.add_stream(table_name)
        self._streams[message.stream] = stream

    def stream(self, name: str, kind: str) -> Stream:
        """Return a stream, of which a message of a ``kind`` has come.

        Raises:
            RecordBeforeSchemaError: Its SCHEMA has not come.
        """
        stream = self._streams.get(name)
        if stream is None:
            raise RecordBeforeSchemaError(
                f"{kind} of stream {name!r} came before its SCHEMA; the tap must write that first"
            )
        return stream

    def require_columns(self) -> None:
        """Return if each stream has something to load, or may have had.

        Raises:
            InvalidSchemaError: A SCHEMA names neither columns nor keys, and no record came.
        """
        counts = self._pipeline.metrics.streams
        for name, stream in self._streams.items():
            if stream.message.key_properties or b'"properties"' in bytes(stream.message.schema):
                continue
            of_tables = [counts[route.sink.stream_name] for route in stream.routes]
            if not any(each.records or each.quarantined for each in of_tables):
                raise InvalidSchemaError(
                    f"the schema of stream {name!r} has no properties, and no record came: "
                    "perhaps no field is selected in the catalog"
                )

    def _create_sink(self, stream: StreamDefinition) -> StitchSink:
        """Return the table's sink; a new one where the schema has changed."""
        config, name = self._target.config, stream.name
        keys = [] if config["load_method"] == "append-only" else stream.key_properties
        bookmarks = stream.bookmark_properties
        sink = self._sinks.get(name)
        if isinstance(sink, StitchSink) and sink.matches(stream.schema, keys, bookmarks):
            return sink
        decimals = config["endpoint"] == "batch" and config["decimals"] == DECIMAL
        posted = posted_schema(stream.schema, keys, decimals=decimals)
        judged = stream.schema
        if config["schema_checks"] == "types":
            posted, judged = without_checks(posted, keys), without_checks(judged, keys)
        table = self._table(name)
        table.describe(self._target.logger, keys, column_types(posted))
        if self._pipeline.preview is not None:
            self._pipeline.preview.declare(name, keys, posted)
        unchanged = self._pipeline.unchanged
        declared = unchanged.declared_schema(posted, keys) if unchanged else posted
        return StitchSink(
            self._target,
            name,
            stream.schema,
            keys,
            bookmark_properties=bookmarks,
            table=table,
            pipeline=self._pipeline,
            body_format=body_format(config, name, declared, keys, bookmarks),
            judged=judged,
            posted=posted,
            edits=EditOptions(
                normalize=config["normalize_datetimes"],
                invalid_as_null=config["on_invalid_datetime"] == "null",
            ),
            timestamps=self._timestamps,
            by_bookmark=self._bookmark_sequencer(stream, table),
        )

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            by_arrival = self._target.config["sequence_source"] == "received_at"
            self._tables[name] = Table(name, Sequencer(by_arrival=by_arrival))
        return self._tables[name]

    def _bookmark_sequencer(
        self, stream: StreamDefinition, table: Table
    ) -> BookmarkSequencer | None:
        """Return what gives records their sequences, where their bookmark property is to do it."""
        if self._target.config["sequence_source"] != "replication_key":
            return None
        if stream.bookmark_properties:
            return BookmarkSequencer(stream.bookmark_properties[0], table.sequencer)
        text = "have no bookmark property; their sequences come from time_extracted."
        table.log_once(self._target.logger, text, logging.INFO)
        return None

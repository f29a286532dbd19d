"""Which way the records of a stream take: from its SCHEMA to the sinks of the tables that it loads.

A SCHEMA that says something new makes routes, and a sink for each. A table that gets another sink
waits until what the one before has loaded is acknowledged. Knows schemas, sinks and tables; nothing
of records, or of lines.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from target_stitch_import.assembly import body_form
from target_stitch_import.bookmark import BookmarkSequences
from target_stitch_import.errors import RecordBeforeSchemaError
from target_stitch_import.sink import StitchSink
from target_stitch_import.streams import Stream, create_routes, define_stream
from target_stitch_import.table import table_of

if TYPE_CHECKING:
    from singer_sdk.sinks import Sink
    from singer_sdk.target_base import Target

    from target_stitch_import.messages import SchemaMessage
    from target_stitch_import.pipeline import Pipeline
    from target_stitch_import.streams import StreamDefinition
    from target_stitch_import.table import Table

__all__ = ["Routing"]

RECENT: Final = 4
"""Schemas of a stream that are remembered."""


class Routing:
    """The streams whose SCHEMA has come, and who loads their tables."""

    def __init__(self, target: Target, pipeline: Pipeline, sinks: dict[str, Sink]) -> None:
        """Keep in ``sinks`` which one loads a table, by its name."""
        self._target = target
        self._pipeline = pipeline
        self._sinks = sinks
        self._streams: dict[str, Stream] = {}
        self._recent: dict[str, deque[Stream]] = {}
        self._tables: dict[str, Table] = {}

    def declare(self, message: SchemaMessage) -> bool:
        """Take what a SCHEMA says from here on; return False if it says nothing new.

        Raises:
            InputError: The service would not take it, or a stream map can't be applied to it.
        """
        known = self._streams.get(message.stream)
        if known and message.says_the_same_as(known.message):
            return False
        # Some taps change between a few schemas again and again.
        recent = self._recent.setdefault(message.stream, deque(maxlen=RECENT))
        stream = next((each for each in recent if message.says_the_same_as(each.message)), None)
        if stream is None:
            found = create_routes(define_stream(message), self._target.mapper, self._sink_of)
            direct = found[0].sink if len(found) == 1 and found[0].transform is None else None
            stream = Stream(message, found, direct)
            recent.append(stream)
        for route in stream.routes:
            self._switch_to(route.sink)
        self._streams[message.stream] = stream
        return True

    def stream(self, name: str, kind: str) -> Stream:
        """Return a stream, of which a message of a ``kind`` has come.

        Raises:
            RecordBeforeSchemaError: It is not declared.
        """
        stream = self._streams.get(name)
        if stream is None:
            raise RecordBeforeSchemaError(
                f"{kind} of stream {name!r} came before its SCHEMA; the tap must write that first"
            )
        return stream

    def _sink_of(self, stream: StreamDefinition) -> StitchSink:
        """Return the table's sink; a new one where the schema has changed."""
        config = self._target.config
        keys = [] if config["load_method"] == "append-only" else stream.key_properties
        sink = self._sinks.get(stream.name)
        if isinstance(sink, StitchSink) and sink.is_for(
            stream.schema, keys, stream.bookmark_properties
        ):
            return sink
        table = self._tables.setdefault(
            stream.name, table_of(stream.name, config["sequence_source"])
        )
        return StitchSink(
            self._target,
            stream.name,
            stream.schema,
            keys,
            bookmark_properties=stream.bookmark_properties,
            table=table,
            filling=self._pipeline.filling(),
            form=body_form(config, stream, keys),
            by_bookmark=self._bookmark_sequences(stream, table),
        )

    def _bookmark_sequences(
        self, stream: StreamDefinition, table: Table
    ) -> BookmarkSequences | None:
        """Return what gives records their sequences, where their bookmark property is to do it."""
        if self._target.config["sequence_source"] != "replication_key":
            return None
        if stream.bookmark_properties:
            return BookmarkSequences(stream.bookmark_properties[0], table.sequencer)
        told = "have no bookmark property; their sequences come from time_extracted."
        table.tell_once(self._target.logger, logging.INFO, told)
        return None

    def _switch_to(self, sink: StitchSink) -> None:
        """Let a sink load its table from here on, behind a barrier where another one did."""
        before = self._sinks.get(sink.stream_name)
        if before is sink:
            return
        if isinstance(before, StitchSink):
            before.process_batch({})  # what it says of its records holds for no others
            self._tables[sink.stream_name].begin_generation(self._pipeline.batches)
        self._sinks[sink.stream_name] = sink
        self._pipeline.progress.declared(sink.stream_name)

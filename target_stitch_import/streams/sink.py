"""One stream into one table: records are judged, get their sequences, and go into batches."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from singer_sdk.metrics import Counter
from singer_sdk.sinks import Sink
from singer_sdk.target_base import Target

from target_stitch_import.batches.batch import PreparedBlock
from target_stitch_import.batches.body_formats import body_format
from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.json_codec import encode_exactly, json_excerpt
from target_stitch_import.limits import MAX_BATCH_BYTES, max_key_length
from target_stitch_import.records.validator import RecordValidator
from target_stitch_import.schemas.posted import DECIMAL, posted_schema, without_checks
from target_stitch_import.sequences.sequencer import BookmarkSequencer
from target_stitch_import.sequences.timestamps import TimestampReader
from target_stitch_import.singer.messages import SchemaMessage
from target_stitch_import.streams.stream_maps import StreamDefinition
from target_stitch_import.streams.table import Table

if TYPE_CHECKING:
    from target_stitch_import.delivery.pipeline import Pipeline
    from target_stitch_import.unchanged.digests import RecordDigests
    from target_stitch_import.unchanged.rows import TableRows


class StitchSink(Sink):
    """Loads the records of one stream, as one schema describes them, into one table."""

    def __init__(
        self,
        target: Target,
        stream: StreamDefinition,
        table: Table,
        pipeline: Pipeline,
        timestamps: TimestampReader,
    ) -> None:
        """Load ``table`` with the records of ``stream``."""
        # The SDK changes the schema that it gets.
        super().__init__(target, stream.name, {"properties": {}}, stream.key_properties)
        self.table = table
        self._stream = stream
        self._pipeline = pipeline
        self._timestamps = timestamps
        config, keys = self.config, stream.key_properties
        decimals = config["endpoint"] == "batch" and config["decimals"] == DECIMAL
        posted = posted_schema(stream.schema, keys, decimals=decimals)
        self.schema = stream.schema
        """What records are judged by. They are edited to fit the posted one."""
        if config["schema_checks"] == "types":
            posted, self.schema = without_checks(posted, keys), without_checks(self.schema, keys)
        self._posted = posted
        if pipeline.preview is not None:
            pipeline.preview.declare(table.name, keys, posted)
        declared = (
            pipeline.unchanged.declared_schema(posted, keys) if pipeline.unchanged else posted
        )
        bookmarks = stream.bookmark_properties
        self._body_format = body_format(config, table.name, declared, keys, bookmarks)
        self._by_bookmark: BookmarkSequencer | None = None
        """Gives records their sequences, where their times do not."""
        if config["sequence_source"] == "replication_key":
            if bookmarks:
                self._by_bookmark = BookmarkSequencer(bookmarks[0], table.sequencer)
            else:
                text = "have no bookmark property; their sequences come from time_extracted."
                table.log_once(text, logging.INFO)

    @property
    def record_counter_metric(self) -> Counter:
        """The SDK's count of the table's records, however many sinks load it."""
        if self.table.counter is None:
            self.table.counter = super().record_counter_metric
        return self.table.counter

    @cached_property
    def _record_validator(self) -> RecordValidator:
        # Made with the first record: some taps declare a stream again and again, or without any.
        return RecordValidator(
            self.schema,
            self.key_properties,
            validate=self.validate_schema,
            max_key_length=max_key_length(self.config["endpoint"]),
            posted=self._posted,
            normalize=self.config["normalize_datetimes"],
            invalid_as_null=self.config["on_invalid_datetime"] == "null",
        )

    def get_validator(self) -> None:
        """Return none: ``RecordValidator`` judges records as bytes."""

    def replace(self, before: Sink | None) -> None:
        """Load the table from here on, instead of the sink ``before``, if there is one."""
        if isinstance(before, StitchSink):
            before.begin_generation()
        self.table.describe(self.key_properties, self._posted["properties"])

    def matches(self, stream: StreamDefinition) -> bool:
        """Return True if a SCHEMA that says this changes nothing."""
        return encode_exactly(self._stream) == encode_exactly(stream)

    @cached_property
    def described(self) -> SchemaMessage:
        """The SCHEMA of its records, by the name of the table, as a quarantine has it."""
        # A push posts no schema: its records are judged by this one, also once they are refused.
        schema = self.schema if self._body_format.is_shared else self._stream.schema
        return SchemaMessage(
            self.table.name,
            Raw(encode_exactly(schema)),
            list(self.key_properties),
            list(self._stream.bookmark_properties),
        )

    @cached_property
    def rows(self) -> TableRows | None:
        """What is remembered of the table's rows; None if nothing is."""
        unchanged = self._pipeline.unchanged
        if unchanged is None or not self.key_properties:
            return None
        return unchanged.of_table(self.table.name, self.key_properties)

    @cached_property
    def _digests(self) -> RecordDigests | None:
        return None if self.rows is None else self.rows.digests(self._posted)

    def prepare(
        self,
        version: int | None,
        records: Sequence[bytes],
        times: Sequence[Any],
        positions: Sequence[int],
    ) -> tuple[PreparedBlock, InvalidRecordError | None]:
        """Return records ready to be loaded, up to the first invalid one, and what is wrong there.

        The ``records`` of one ``version`` come as JSON. ``times`` has the ``time_extracted`` of each as
        the tap wrote it, ``positions`` where in the input it stands.
        """
        checked, error = self._record_validator.check(records)
        encoded, unwritable = self._encode(checked)
        times_ns, written = self._timestamps.read(times[: len(encoded)])
        fitting, too_large = self._cut_at_too_large(version, encoded, written)
        if self._by_bookmark is None:
            sequences, unsortable = self.table.sequencer.assign(times_ns[: len(fitting)]), None
        else:
            sequences, unsortable = self._by_bookmark.assign(checked[: len(fitting)])
        count = len(sequences)
        # Each step goes no further than the one before, so the last error is about the first record.
        error = unsortable or too_large or unwritable or error
        if error is not None:
            error = self._with_name(error, records[count])
        prepared = PreparedBlock(
            version, encoded[:count], sequences, written[:count], positions[:count]
        )
        return prepared, error

    def load(self, block: PreparedBlock) -> None:
        """Put records into the open batch of their table; a full one is delivered."""
        if not block.records:
            return
        builder, table = self._pipeline.builder, self.table
        if self.rows is not None and self._digests is not None:
            read = len(block.records)
            block = self.rows.changed(block, self._digests)
            self._pipeline.metrics.add_unchanged(table.name, read - len(block.records))
        builder.add(block, self.described, self._body_format, table.generation)
        self.record_counter_metric.increment(len(block.records))
        if (editor := self._record_validator.editor) and editor.normalized:
            self._pipeline.metrics.add_normalized(table.name, editor.normalized)
            editor.normalized.clear()
        omitted = self._record_validator.reserved.omitted
        table.warn(omitted, self._by_bookmark)

    def activate_version(self, new_version: int, position: int = 0) -> None:
        """Make a version the only one visible, behind all that came before and before all else.

        The activation rides in the open batch of its version, if that is the last one of its table
        that is not acknowledged; otherwise it is a batch of its own, behind all others. Where the
        rows are remembered, nothing is activated, and the load's deletes are sent instead; raise
        ``InputError`` if they are more than may be.
        """
        if self.rows is not None:
            if text := self.rows.find_problem(new_version):
                self.table.log_once(text)
            self._end_load(self.rows, new_version, position)
            return
        if self._body_format.is_shared:
            text = "have versions, which push does not know: ACTIVATE_VERSION does nothing."
            self.table.log_once(text)
            return
        table, builder = self.table, self._pipeline.builder
        sequence = table.sequencer.next_activation()
        delivery = self._pipeline.delivery
        if delivery.has_unacknowledged(table.name, table.generation):
            self.begin_generation()
        activation = (sequence, position, self.described, self._body_format, new_version)
        if not builder.add_activation(*activation, table.generation):
            self.begin_generation()
            builder.add_activation(*activation, table.generation)
        table.generation += 1

    def end_waiting_load(self) -> None:
        """End a load that the run before has read to its last record, as none has come since."""
        if self.rows is not None and self.rows.waiting is not None:
            self._end_load(self.rows, *self.rows.waiting)

    def _end_load(self, rows: TableRows, version: int, position: int) -> None:
        """Send the deletes of a load, if one ends here, between what came before and comes behind."""
        load = rows.ended_load(version, position)
        if not load:
            return
        self._deliver()  # the service may refuse some of it
        _, greatest, is_whole = rows.store.read_load(rows.number, str(version))
        if is_whole:
            schema, table = rows.deletes_schema(self._posted), self.table
            described = msgspec.structs.replace(self.described, schema=Raw(encode_exactly(schema)))
            form = body_format(self.config, table.name, schema, self.key_properties, [])
            sequence = table.sequencer.next_delete(greatest)
            for block in rows.deletes(load, sequence, position):
                if form.encode is not None:
                    block.records = list(map(form.encode, block.records))
                self._pipeline.builder.add(block, described, form, table.generation)
            self._deliver()
        else:
            text = "were set aside in a load that ended: no row that is gone is deleted."
            self.table.log_once(text)
        rows.end_load(version)

    def _deliver(self) -> None:
        """Return when all that was loaded so far is acknowledged."""
        self.begin_generation()
        self._pipeline.delivery.finish()

    def begin_generation(self) -> None:
        """Let all that comes from here on wait until all before it is acknowledged."""
        self._pipeline.builder.seal_table(self.table.name)
        self.table.generation += 1

    def process_record(self, record: dict[str, Any], context: Mapping[str, Any]) -> None:
        """Not used: records come in blocks, to ``prepare`` and ``load``."""
        raise NotImplementedError

    def process_batch(self, context: dict[str, Any]) -> None:
        """Not used: batches are sealed by the pipeline."""
        raise NotImplementedError

    def _cut_at_too_large(
        self, version: int | None, records: list[bytes], times: list[bytes]
    ) -> tuple[list[bytes], InvalidRecordError | None]:
        """Return records up to one that alone makes a body too large for the service."""
        if max(map(len, records), default=0) < MAX_BATCH_BYTES // 2:
            return records, None
        body_format = self._body_format
        around = len(body_format.head(version)) + len(body_format.tail) - 1
        for at, (record, time) in enumerate(zip(records, times, strict=True)):
            size = around + len(record) + body_format.overhead(timed=bool(time))
            if size > MAX_BATCH_BYTES:
                return records[:at], InvalidRecordError(
                    f"makes a request of {size:,} bytes, "
                    f"and the service takes at most {MAX_BATCH_BYTES:,}"
                )
        return records, None

    def _encode(self, records: list[bytes]) -> tuple[list[bytes], InvalidRecordError | None]:
        encode = self._body_format.encode
        if encode is None:
            return records, None
        encoded: list[bytes] = []
        try:
            encoded.extend(map(encode, records))
        except InvalidRecordError as error:
            return encoded, error
        return encoded, None

    def _with_name(self, error: InvalidRecordError, record: bytes) -> InvalidRecordError:
        keys = self._record_validator.key_values(record)
        named = f" with key {json_excerpt(keys)}" if keys else ""
        return type(error)(f"record of stream {self.stream_name!r}{named}: it {error}")

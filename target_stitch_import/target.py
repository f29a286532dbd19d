"""The front door: which message goes where.

Builds the rooms behind it and hands each only what it needs. Knows the SDK and the order of things;
what is in a record, and how the service is spoken to, are the business of others.
"""

from __future__ import annotations

import sys
from functools import cached_property, partial
from typing import IO, TYPE_CHECKING, Any

from target_stitch_import.assembly import pipeline_of, quarantine_of
from target_stitch_import.batch_files import BatchFiles, Ways
from target_stitch_import.command import CommandTarget
from target_stitch_import.errors import (
    DeliveryError,
    InvalidRecordError,
    RejectedError,
    TargetStitchImportError,
)
from target_stitch_import.parts import as_singer, name_record
from target_stitch_import.pipeline import StateWriter, Terminated
from target_stitch_import.places import line_of
from target_stitch_import.reader import MessageReader
from target_stitch_import.routing import Routing
from target_stitch_import.sink import StitchSink
from target_stitch_import.telling import Telling

if TYPE_CHECKING:
    from types import FrameType

    from target_stitch_import.batch import Batch
    from target_stitch_import.dry_run import DryRun
    from target_stitch_import.messages import (
        ActivateVersionMessage,
        BatchMessage,
        RecordMessage,
        SchemaMessage,
        StateMessage,
    )
    from target_stitch_import.pipeline import Pipeline
    from target_stitch_import.quarantine import Quarantine
    from target_stitch_import.quick import QuickWay
    from target_stitch_import.streams import Stream

__all__ = ["TargetStitchImport"]


class TargetStitchImport(CommandTarget):
    """Singer target that loads any tap into Stitch through its Import API."""

    default_sink_class = StitchSink
    message_reader_class = MessageReader
    message_reader: MessageReader

    def __init__(self, **kwargs: Any) -> None:
        """Take the arguments of ``CommandTarget``."""
        super().__init__(**kwargs)
        self._quarantine: Quarantine | DryRun | None = None
        self._states = StateWriter(self.logger)

    @cached_property
    def _pipeline(self) -> Pipeline:
        pipeline = pipeline_of(
            self.config,
            self._write_state,
            self._set_aside,
            agent=f"{self.name}/{self.plugin_version}",
            dry_run=self.dry_run,
        )
        self.message_reader.background = pipeline
        self.message_reader.quick_way = self._quick_way
        return pipeline

    @cached_property
    def _routing(self) -> Routing:
        return Routing(self, self._pipeline, self._sinks_active)

    @cached_property
    def _batch_files(self) -> BatchFiles:
        return BatchFiles(self._pipeline)

    # Running

    def load(self, file_input: IO[Any] | None = None) -> None:
        """Load the input; if it fails, deliver what came before, and raise.

        Raises:
            InputError: A line of the input can't be used.
            QuarantineError: A record can't be set aside.
            DeliveryError: A batch can't be delivered.
            Terminated: A signal asked to end.
        """
        source = file_input or self.message_reader.default_input
        self._quarantine = self.dry_run or quarantine_of(self.config, source)
        pipeline = self._pipeline  # there from the start, so that a signal finds it
        with Telling(pipeline, self.logger, quiet=self.dry_run is not None):
            self._load(source, pipeline)

    def _load(self, source: IO[Any], pipeline: Pipeline) -> None:
        try:
            self._listen(source)
        except TargetStitchImportError as error:
            if pipeline.signum is None:
                raise
            raise Terminated(pipeline.signum, lost=str(error)) from error
        finally:
            pipeline.close()
            if self._quarantine is not None:
                self._quarantine.close()
        if self._states.lost:
            raise DeliveryError("Everything is delivered, but stdout was closed: a STATE is lost.")
        if pipeline.signum is not None:
            raise Terminated(pipeline.signum)

    def _listen(self, source: IO[Any]) -> None:
        try:
            self.listen(source)
        except Terminated:
            self.process_endofpipe()
        except DeliveryError:
            raise
        except Exception as error:
            self._deliver_what_came_before(error)
            raise

    def _deliver_what_came_before(self, error: Exception) -> None:
        try:
            self.process_endofpipe()
        except DeliveryError as failure:
            raise DeliveryError(f"{error!s:.2000}. And what came before: {failure}") from failure

    def _write_state(self, value: bytes) -> None:
        if self.dry_run is not None:
            return
        if self._quarantine is not None:
            self._quarantine.sync()
        self._states(value)
        if not self._states.lost:
            self._pipeline.progress.state_written()

    # Quarantine

    def _set_aside(self, batch: Batch, index: int, reason: str) -> None:
        """Set a record aside that the service has refused, or raise which one it is."""
        is_known = 0 <= index < batch.rows
        where = self._batch_files.where(batch.lines[index]) if is_known else None
        found = as_singer(batch, index) if self._quarantine is not None else None
        if found is None or self._quarantine is None:
            raise RejectedError(f"{reason}{name_record(batch, index, where)}")
        reason = f"{where}: {reason}" if where else reason
        self._quarantine.add(*found, reason, line_of(batch.lines[index]))

    def _refuse(self, stream: Stream, message: RecordMessage, error: InvalidRecordError) -> None:
        """Set a record aside that the service would refuse, or raise."""
        if self._quarantine is None:
            raise error
        self._quarantine.add(stream.message, message, str(error), self.message_reader.line)
        self._pipeline.progress.set_aside(stream.routes[0].sink.stream_name)

    # Messages

    def _process_schema_message(self, message_dict: Any) -> None:
        message: SchemaMessage = message_dict
        if self._routing.declare(message):
            self.message_reader.forget_lanes()

    def _process_record_message(self, message_dict: Any) -> None:
        message: RecordMessage = message_dict
        stream = self._routing.stream(message.stream, "RECORD")
        try:
            self._take(stream, message, self.message_reader.line)
        except InvalidRecordError as error:
            self._refuse(stream, message, error)

    def _take(self, stream: Stream, message: RecordMessage, place: int) -> None:
        if stream.direct is not None:
            stream.direct.add(message.record, message.time_extracted, message.version, place)
        else:
            self._transform(stream, message, place)

    def _quick_way(self, message: RecordMessage | BatchMessage) -> QuickWay | None:
        direct = self._routing.stream(message.stream, "RECORD").direct
        return None if direct is None else direct.quick_way(message.version)

    def _transform(self, stream: Stream, message: RecordMessage, line: int) -> None:
        origin = (stream.message, message) if self._quarantine else None
        for route in stream.routes:
            if route.transform is None:
                route.sink.add(message.record, message.time_extracted, message.version, line)
                continue
            record = route.transform(message.record)
            if record is not None:  # or the map has filtered it out
                route.sink.add(record, message.time_extracted, message.version, line, origin)

    def _process_state_message(self, message_dict: Any) -> None:
        message: StateMessage = message_dict
        if (state := message.state()) is not None:
            self._pipeline.checkpoint.remember(state)

    def _process_activate_version_message(self, message_dict: Any) -> None:
        message: ActivateVersionMessage = message_dict
        stream = self._routing.stream(message.stream, "ACTIVATE_VERSION")
        if not self.config["process_activate_version_messages"]:
            return
        for route in stream.routes:
            route.sink.activate_version(message.version, self.message_reader.line)

    def _process_batch_message(self, message_dict: Any) -> None:
        message: BatchMessage = message_dict
        stream = self._routing.stream(message.stream, "BATCH")
        take, refuse = partial(self._take, stream), partial(self._refuse, stream)
        ways = Ways(take, refuse, self._quick_way(message))
        self._batch_files.load(message, self.message_reader.line, ways)

    def process_endofpipe(self) -> None:
        """Deliver all that is held, and write the last STATE."""
        self._pipeline.finish()
        self._pipeline.close()
        for sink in self._sinks_active.values():
            sink.clean_up()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if "_pipeline" not in self.__dict__:  # nothing is read yet
            sys.exit(128 + signum)
        self._pipeline.terminate(signum)

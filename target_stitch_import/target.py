"""The target: hands each message to where it is loaded."""

from __future__ import annotations

import signal
import sys
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

from target_stitch_import.batch_files.loader import BatchFiles
from target_stitch_import.batches.splitting import as_singer, describe_record
from target_stitch_import.command import CommandTarget
from target_stitch_import.delivery.pipeline import StateWriter, Terminated, restore_signal_handlers
from target_stitch_import.errors import DeliveryError, RejectedError, TargetStitchImportError
from target_stitch_import.factory import create_pipeline, create_quarantine, create_unchanged
from target_stitch_import.reporting.reporter import Reporter
from target_stitch_import.singer.positions import line_number
from target_stitch_import.singer.reader import MessageReader
from target_stitch_import.streams.router import Router
from target_stitch_import.streams.run_loader import RunLoader
from target_stitch_import.streams.sink import StitchSink

if TYPE_CHECKING:
    from types import FrameType

    from target_stitch_import.batches.batch import Batch
    from target_stitch_import.delivery.dry_run import DryRun
    from target_stitch_import.delivery.pipeline import Pipeline
    from target_stitch_import.delivery.quarantine import Quarantine
    from target_stitch_import.errors import InvalidRecordError
    from target_stitch_import.singer.messages import (
        ActivateVersionMessage,
        BatchMessage,
        RecordMessage,
    )
    from target_stitch_import.singer.runs import Run
    from target_stitch_import.streams.stream_maps import Stream


class TargetStitchImport(CommandTarget):
    """Singer target that loads any tap into Stitch through its Import API."""

    default_sink_class = StitchSink
    message_reader_class = MessageReader
    message_reader: MessageReader

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._quarantine: Quarantine | DryRun | None = None
        self._states = StateWriter(self.logger)
        self.message_reader.on_run = self._process_run

    @cached_property
    def _pipeline(self) -> Pipeline:
        pipeline = create_pipeline(
            self.config,
            self._write_state,
            self._set_aside,
            agent=f"{self.name}/{self.plugin_version}",
            dry_run=self.dry_run,
            unchanged=create_unchanged(self.config, dry_run=self.dry_run is not None),
        )
        self.message_reader.wait = pipeline.wait
        return pipeline

    @cached_property
    def _router(self) -> Router:
        return Router(self, self._pipeline, self._sinks_active)

    @cached_property
    def _run_loader(self) -> RunLoader:
        return RunLoader(
            self._router,
            self._remember_state,
            self._refuse,
            keep_originals=self._quarantine is not None,
        )

    @cached_property
    def _batch_files(self) -> BatchFiles:
        return BatchFiles(self._pipeline.wait)

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
        self._quarantine = self.dry_run or create_quarantine(self.config, source)
        pipeline = self._pipeline  # there from the start, so that a signal finds it
        try:
            with Reporter(pipeline, self.logger, quiet=self.dry_run is not None):
                self._load(source, pipeline)
        finally:  # another program may use this as a library, and go on
            restore_signal_handlers(self._handle_termination, self._handlers_before)
            pipeline.cancel_alarm()

    def _load(self, source: IO[Any], pipeline: Pipeline) -> None:
        try:
            self._listen(source)
        except TargetStitchImportError as error:
            if pipeline.signum is None:
                raise
            raise Terminated(pipeline.signum, lost=str(error)) from error
        finally:
            try:
                pipeline.close()
            finally:
                if pipeline.unchanged is not None:
                    pipeline.unchanged.close()
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
            self._finish()
        except DeliveryError:
            raise
        except Exception as error:
            try:
                self._finish()
            except DeliveryError as failure:
                text = f"{error!s:.2000}. And what came before: {failure}"
                raise DeliveryError(text) from failure
            raise

    def _write_state(self, value: bytes) -> None:
        if self.dry_run is not None:
            return
        if self._quarantine is not None:
            self._quarantine.sync()
        if self._pipeline.unchanged is not None:
            self._pipeline.unchanged.commit()
        self._states(value)
        if not self._states.lost:
            self._pipeline.metrics.state_written()

    # Quarantine

    def _set_aside(self, batch: Batch, index: int, reason: str) -> None:
        """Set a record aside that the service has refused, or raise which one it is."""
        where = self._batch_files.describe(batch.positions[index])
        reason = f"{reason.rstrip('.')}.{describe_record(batch, index, where)}"
        message = as_singer(batch, index) if self._quarantine is not None else None
        if message is None or self._quarantine is None:
            raise RejectedError(reason)
        self._quarantine.add(*message, reason, line_number(batch.positions[index]))
        if self._pipeline.unchanged is not None:
            self._pipeline.unchanged.set_aside(batch, batch.positions[index])

    def _refuse(
        self,
        stream: Stream,
        record: RecordMessage,
        error: InvalidRecordError,
        position: int,
        table_name: str,
    ) -> None:
        """Set a record aside that the service would refuse, or raise."""
        reason = str(error)
        if where := self._batch_files.describe(position):
            reason = f"{where}: {reason}"
        if self._quarantine is None:
            raise type(error)(reason)
        self._quarantine.add(stream.message, record, reason, line_number(position))
        self._pipeline.metrics.set_aside(table_name)
        for route in stream.routes:
            if route.sink.rows is not None:
                route.sink.rows.note_set_aside(record.version)

    # Messages

    def _process_run(self, run: Run) -> None:
        self._run_loader.load(run)

    def _process_schema_message(self, message_dict: Any) -> None:
        self._router.declare(message_dict)

    def _process_activate_version_message(self, message_dict: Any) -> None:
        message: ActivateVersionMessage = message_dict
        stream = self._router.stream(message.stream, "ACTIVATE_VERSION")
        if not self.config["process_activate_version_messages"]:
            return
        for route in stream.routes:
            route.sink.activate_version(message.version, self.message_reader.line)

    def _process_batch_message(self, message_dict: Any) -> None:
        message: BatchMessage = message_dict
        self._router.stream(message.stream, "BATCH")
        for run in self._batch_files.read(message, self.message_reader.line):
            self._run_loader.load(run)

    def process_endofpipe(self) -> None:
        """Deliver all records, and write the last STATE.

        Raises:
            InvalidSchemaError: A stream has had nothing to load, as no field is selected.
        """
        self._end_loads()
        self._finish()
        self._router.require_columns()

    def _remember_state(self, value: bytes) -> None:
        self._end_loads()
        self._pipeline.checkpoint.remember(value)

    def _end_loads(self) -> None:
        """End the loads of which no record has come behind an ACTIVATE_VERSION."""
        if self._pipeline.unchanged is not None:
            for sink in self._sinks_active.values():
                if isinstance(sink, StitchSink):
                    sink.end_waiting_load()

    def _finish(self) -> None:
        self._pipeline.finish()
        self._pipeline.close()
        for sink in self._sinks_active.values():
            sink.clean_up()

    def _setup_signal_handlers(self) -> None:
        self._handlers_before = {
            signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)
        }
        super()._setup_signal_handlers()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if "_pipeline" not in self.__dict__:  # nothing is read yet
            sys.exit(128 + signum)
        self._pipeline.terminate(signum)

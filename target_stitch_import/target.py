"""The target: hands each message to where it is loaded."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from functools import cached_property, partial
from hashlib import sha256
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from target_stitch_import.batch_files.loader import BatchFiles
from target_stitch_import.batches.batch import Batch
from target_stitch_import.batches.body_limit import BodyLimit
from target_stitch_import.batches.splitting import as_singer, describe_record
from target_stitch_import.command import CommandTarget
from target_stitch_import.config.loading import base_url
from target_stitch_import.delivery.pipeline import (
    Pipeline,
    StateWriter,
    Terminated,
    restore_signal_handlers,
)
from target_stitch_import.delivery.quarantine import Quarantine
from target_stitch_import.delivery.refusals import Refusals
from target_stitch_import.delivery.retry import Retry, RetryLog, Startup
from target_stitch_import.delivery.task import DeliveryOptions
from target_stitch_import.delivery.workers import Client
from target_stitch_import.errors import (
    DeliveryError,
    InvalidRecordError,
    RejectedError,
    SetAsideError,
    TargetStitchImportError,
)
from target_stitch_import.json_codec import encode_sorted
from target_stitch_import.limits import max_key_length
from target_stitch_import.records.validator import find_invalid
from target_stitch_import.reporting.reporter import Reporter
from target_stitch_import.singer.messages import (
    ActivateVersionMessage,
    BatchMessage,
    RecordMessage,
)
from target_stitch_import.singer.positions import line_number
from target_stitch_import.singer.reader import MessageReader
from target_stitch_import.singer.runs import Run
from target_stitch_import.streams.router import Router
from target_stitch_import.streams.run_loader import RunLoader
from target_stitch_import.streams.sink import StitchSink
from target_stitch_import.streams.stream_maps import Stream
from target_stitch_import.text import counted

if TYPE_CHECKING:
    from target_stitch_import.unchanged.rows import UnchangedRows


class TargetStitchImport(CommandTarget):
    """Singer target that loads any tap into Stitch through its Import API."""

    default_sink_class = StitchSink
    message_reader_class = MessageReader
    message_reader: MessageReader

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._quarantine: Quarantine | None = None
        self._states = StateWriter(self.logger)
        self.message_reader.on_run = self._process_run

    @cached_property
    def _pipeline(self) -> Pipeline:
        config, dry_run, url = self.config, self.dry_run, base_url(self.config)

        def connect() -> Client:
            return dry_run or self.connect(url)

        # A request is given up after five timeouts, even if bytes of an answer still arrive.
        max_seconds = 5 * float(config["request_timeout_seconds"])
        max_retry = float(config["max_retry_seconds"])
        options = DeliveryOptions(
            partial(Retry, max_retry, max_seconds, log=RetryLog()),
            BodyLimit(config["max_batch_bytes"]),
            Refusals(
                self._set_aside,
                partial(find_invalid, max_key_length=max_key_length(config["endpoint"])),
                validates=config["validate_records"],
            ),
            self.metrics,
            self.preview,
        )
        pipeline = Pipeline(
            connect,
            self._write_state,
            options,
            max_rows=config["batch_size_rows"],
            max_age=float(config["max_batch_age_seconds"]),
            parallel=1 if dry_run else config["max_parallel_requests"],  # keeps the order of bodies
            check_status=config["check_status"] and dry_run is None,
            startup=Startup(float(config["startup_timeout_seconds"]), url),
            unchanged=self._create_unchanged(),
        )
        self.message_reader.wait = pipeline.wait
        return pipeline

    def _create_unchanged(self) -> UnchangedRows | None:
        config = self.config
        path = config.get("skip_unchanged")
        if path is None or config["load_method"] == "append-only":
            return None
        from target_stitch_import.unchanged.rows import UnchangedRows  # noqa: PLC0415 - when used
        from target_stitch_import.unchanged.store import RowStore  # noqa: PLC0415

        maps = {name: config.get(name) for name in ("stream_maps", "stream_map_config")}
        made_for = {
            "API address": base_url(config),
            "endpoint": f"{config['endpoint']} {config['push_format']}",
            "set of stream maps": sha256(encode_sorted(maps)).hexdigest(),
        }
        return UnchangedRows(RowStore(path, made_for, changes=self.dry_run is None), config)

    def _create_quarantine(self, source: IO[Any]) -> Quarantine | None:
        if self.dry_run is not None or self.config["on_invalid_record"] != "quarantine":
            return None
        try:
            input_fd = source.fileno()
        except OSError:  # a file in memory
            input_fd = None
        max_records = self.config.get("max_quarantined")
        path = self.config["quarantine_path"]
        return Quarantine(path, max_records=max_records, input_fd=input_fd)

    @cached_property
    def _router(self) -> Router:
        return Router(self, self._pipeline, self._sinks_active)

    @cached_property
    def _run_loader(self) -> RunLoader:
        keep = self._quarantine is not None
        return RunLoader(self._router, self._remember_state, self._refuse, keep_originals=keep)

    @cached_property
    def _batch_files(self) -> BatchFiles:
        return BatchFiles(self._pipeline.wait)

    # Running

    def load(self, file_input: IO[Any] | None = None) -> None:
        """Load the input; if it fails, deliver what came before, and raise.

        Raises:
            InputError: A line of the input can't be used.
            QuarantineError: A record can't be set aside, or was and ``fail_on_quarantine`` is set.
            DeliveryError: A batch can't be delivered.
            Terminated: A signal asked to end.
        """
        succeeded = False
        try:
            source = file_input or self.message_reader.default_input
            self._quarantine = self._create_quarantine(source)
            pipeline = self._pipeline  # there from the start, so that a signal finds it
            quiet = self.dry_run is not None
            path = self.config.get("quarantine_path")
            with Reporter(pipeline, self.logger, quiet=quiet, quarantine_path=path):
                self._load(source, pipeline)
            set_aside = pipeline.metrics.total.quarantined
            if set_aside and self.config["fail_on_quarantine"] and not quiet:
                raise SetAsideError(
                    f"{counted(set_aside, 'record was', 'records were')} set aside in {path}, all "
                    "others are delivered; the setting fail_on_quarantine makes this a failure"
                )
            succeeded = True
        finally:  # another program may use this as a library, and go on
            restore_signal_handlers(self._handle_termination, self._handlers_before)
            if "_pipeline" in self.__dict__:
                self._pipeline.cancel_alarm()
            self._write_metrics(succeeded=succeeded)

    def _write_metrics(self, *, succeeded: bool) -> None:
        path = self.config.get("metrics_path")
        if path is not None and self.dry_run is None:
            from target_stitch_import.reporting.openmetrics import write_metrics  # noqa: PLC0415 - slow to import

            write_metrics(path, self.metrics, self.logger, succeeded=succeeded)

    def _load(self, source: IO[Any], pipeline: Pipeline) -> None:
        try:
            self._listen(source)
        except TargetStitchImportError as error:
            if pipeline.signum is None:
                raise
            raise Terminated(pipeline.signum, lost=str(error)) from error
        finally:
            with ExitStack() as closing:  # each is closed, whatever goes wrong with another
                store = pipeline.unchanged.store if pipeline.unchanged else None
                for each in (self._quarantine, store, pipeline):
                    if each is not None:
                        closing.callback(each.close)
        if self._states.failure is not None:
            raise DeliveryError(
                "Everything is delivered, but a STATE is lost: it can't be written to stdout "
                f"({self._states.failure})"
            )
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
                both = DeliveryError(f"{error!s:.2000}. And what came before: {failure}")
                both.stream = getattr(error, "stream", None)
                raise both from failure
            raise

    def _write_state(self, value: bytes) -> None:
        if self.dry_run is not None:
            return
        if self._quarantine is not None:
            self._quarantine.sync()
        if self._pipeline.unchanged is not None:
            self._pipeline.unchanged.store.commit()
        self._states(value)
        if self._states.failure is None:
            self._pipeline.metrics.state_written()

    # Quarantine

    def _set_aside(self, record: Batch, reason: str, status: int | None) -> None:
        """Set the record of a batch aside that the service has refused, or raise which one it is."""
        (position,) = record.positions
        where = self._batch_files.describe(position)
        reason = f"{reason.rstrip('.')}.{describe_record(record, where)}"
        if self._quarantine is None or (message := as_singer(record)) is None:
            raise RejectedError(reason)
        self._quarantine.add(*message, reason, line_number(position), status)
        if self._pipeline.unchanged is not None:
            self._pipeline.unchanged.set_aside(record)

    def _refuse(
        self,
        stream: Stream,
        record: RecordMessage,
        error: InvalidRecordError,
        position: int,
        table_name: str,
    ) -> None:
        """Set a record aside that the service would refuse, or raise; raise once the run is to end."""
        if (signum := self._pipeline.signum) is not None:
            text = "Line %d of the input was being judged when the run was asked to end."
            self.logger.warning(text, line_number(position))
            raise Terminated(signum)
        reason = str(error)
        if where := self._batch_files.describe(position):
            reason = f"{where}: {reason}"
        if self.dry_run is not None:
            self.dry_run.note_refused(table_name, reason, line_number(position))
        elif self._quarantine is not None:
            self._quarantine.add(stream.message, record, reason, line_number(position))
        else:
            failure = type(error)(reason)
            failure.stream = record.stream
            raise failure
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

        Raise ``InvalidSchemaError`` if a stream has had nothing to load, as no field is selected.
        """
        self._end_loads()
        self._pipeline.finish()
        self._router.require_columns()
        self._finish()

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
            sink.record_counter_metric.exit()  # logs the last count

    def _setup_signal_handlers(self) -> None:
        self._handlers_before = {
            signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)
        }
        super()._setup_signal_handlers()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if "_pipeline" not in self.__dict__:  # nothing is read yet
            sys.exit(128 + signum)
        self._pipeline.terminate(signum)

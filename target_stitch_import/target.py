"""The front door: settings, command line, which message goes where.

Builds the rooms behind it and hands each only what it needs. Knows the SDK and the order of things;
what is in a record, and how the service is spoken to, are the business of others.
"""

from __future__ import annotations

import copy
import sys
from functools import cached_property, partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TargetCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator
from singer_sdk.target_base import Target

from target_stitch_import import settings
from target_stitch_import.api_url import base_url
from target_stitch_import.client import ImportClient
from target_stitch_import.errors import DeliveryError, InputError, RecordBeforeSchemaError
from target_stitch_import.pipeline import Pipeline, StateWriter, Terminated
from target_stitch_import.reader import MessageReader
from target_stitch_import.sink import StitchSink, Table
from target_stitch_import.streams import Stream, declared, routes, transformed

if TYPE_CHECKING:
    from types import FrameType

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput

    from target_stitch_import.reader import (
        ActivateVersionMessage,
        BatchMessage,
        RecordMessage,
        SchemaMessage,
        StateMessage,
    )
    from target_stitch_import.streams import Declared

__all__ = ["TargetStitchImport"]


class TargetStitchImport(Target):
    """Singer target that loads any tap into Stitch through its Import API."""

    name = "target-stitch-import"
    config_jsonschema: ClassVar[dict[str, Any]] = copy.deepcopy(
        settings.SETTINGS
    )  # the SDK adds to it
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.VALIDATE_RECORDS,
    ]
    default_sink_class = StitchSink
    message_reader_class = MessageReader
    message_reader: MessageReader

    def __init__(self, **kwargs: Any) -> None:
        """Take the SDK's own arguments."""
        super().__init__(**kwargs)
        self._streams: dict[str, Stream] = {}
        self._tables: dict[str, Table] = {}
        self._write_state = StateWriter(self.logger)

    @cached_property
    def _pipeline(self) -> Pipeline:
        config = self.config
        connect = partial(
            ImportClient,
            base_url(config),
            config["token"],
            timeout=float(config["request_timeout_seconds"]),
            max_retry_seconds=float(config["max_retry_seconds"]),
            agent=f"{self.name}/{self.plugin_version}",
        )
        pipeline = Pipeline(
            connect,
            self._write_state,
            max_age=float(config["max_batch_age_seconds"]),
            parallel=config["max_parallel_requests"],
        )
        self.message_reader.background = pipeline
        return pipeline

    # Settings and command line

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the SDK's settings, but for those that make no sense here."""
        super().append_builtin_config(config_jsonschema)
        for name in settings.NOT_OFFERED:
            config_jsonschema["properties"].pop(name, None)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        errors = settings.prepare(self._config, schema, self.logger)
        validator = JSONSchemaValidator(schema)
        errors += [settings.describe(error) for error in validator.iter_errors(self._config)]
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors)
        return errors

    @classmethod
    def cb_config(cls, ctx: Any, param: Any, value: tuple[str, ...]) -> _ConfigInput:
        """Read the config files, and refuse in one line what is none."""
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError) as error:
            reason = str(error) if isinstance(error, OSError) else "it is no JSON object"
            cls.logger.critical("Config %s can't be read: %s", ", ".join(value), reason)
            sys.exit(1)

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Load what comes on the input; exit 0 once all of it is acknowledged."""
        super(Target, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        try:
            target = cls(
                config=config.config if config else None,
                parse_env_config=bool(config and config.parse_env),
            )
            target.load(file_input)
        except ConfigValidationError:
            raise  # the SDK's command tells each of its errors in a line
        except Terminated as ended:
            cls.logger.warning("All that came before the signal is delivered; %s.", ended)
            sys.exit(ended.exit_code)
        except Exception as error:
            cls.logger.critical("%s", str(error) or type(error).__name__)
            cls.logger.debug("Where it happened:", exc_info=True)
            sys.exit(1)

    def load(self, file_input: IO[Any] | None = None) -> None:
        """Load the input; if it fails, deliver what came before, and raise.

        Raises:
            InputError: A line of the input can't be used.
            DeliveryError: A batch can't be delivered.
            Terminated: A signal asked to end.
        """
        pipeline = self._pipeline  # there from the start, so that a signal finds it
        try:
            self.listen(file_input)
        except DeliveryError:
            raise
        except Exception as error:
            self._deliver_what_came_before(error)
            raise
        finally:
            pipeline.close()
        if self._write_state.lost:
            raise DeliveryError("Everything is delivered, but stdout was closed: a STATE is lost.")

    def _deliver_what_came_before(self, error: Exception) -> None:
        try:
            self.process_endofpipe()
        except DeliveryError as failure:
            raise DeliveryError(f"{error} And what came before: {failure}") from failure

    # Messages

    def _process_schema_message(self, message_dict: Any) -> None:
        message: SchemaMessage = message_dict
        known = self._streams.get(message.stream)
        if known and message.says_the_same_as(known.message):
            return
        found = routes(declared(message), self.mapper, self._sink_of)
        direct = found[0].sink if len(found) == 1 and found[0].stream_map is None else None
        self._streams[message.stream] = Stream(message, found, direct)

    def _process_record_message(self, message_dict: Any) -> None:
        message: RecordMessage = message_dict
        stream = self._streams.get(message.stream)
        if stream is None:
            raise self._before_schema("RECORD", message.stream)
        line = self.message_reader.line
        if stream.direct is not None:
            stream.direct.add(message.record, message.time_extracted, message.version, line)
            return
        context = {
            "time_extracted": message.time_extracted,
            "version": message.version,
            "line": line,
        }
        for route in stream.routes:
            if route.stream_map is None:
                route.sink.add(message.record, **context)
            elif record := transformed(route.stream_map, message.record, message.stream):
                route.sink.process_record(record, context)

    def _process_state_message(self, message_dict: Any) -> None:
        message: StateMessage = message_dict
        if (state := message.state()) is not None:
            self._pipeline.checkpoint.remember(state)

    def _process_activate_version_message(self, message_dict: Any) -> None:
        message: ActivateVersionMessage = message_dict
        stream = self._streams.get(message.stream)
        if stream is None:
            raise self._before_schema("ACTIVATE_VERSION", message.stream)
        if not self.config["process_activate_version_messages"]:
            return
        for route in stream.routes:
            route.sink.activate_version(message.version, self.message_reader.line)

    def _process_batch_message(self, message_dict: Any) -> None:
        message: BatchMessage = message_dict
        raise InputError(
            f"stream {message.stream!r} comes as a BATCH message, which this target does not read; "
            "switch batch_config off in the tap"
        )

    def _before_schema(self, kind: str, stream: str) -> RecordBeforeSchemaError:
        return RecordBeforeSchemaError(
            f"a {kind} of stream {stream!r} came before its SCHEMA; the tap must write that first"
        )

    # Sinks

    def _sink_of(self, stream: Declared) -> StitchSink:
        """Return the table's sink; a new one, behind a barrier, where the schema has changed."""
        append_only = self.config["load_method"] == "append-only"
        keys = [] if append_only else stream.key_properties
        sink = self._sinks_active.get(stream.name)
        table = self._tables.setdefault(stream.name, Table(stream.name))
        if isinstance(sink, StitchSink):
            if sink.is_for(stream.schema, keys, stream.bookmark_properties):
                return sink
            sink.process_batch({})
            sink.clean_up()
            table.generation += 1
        sink = StitchSink(
            self,
            stream.name,
            stream.schema,
            keys,
            bookmark_properties=stream.bookmark_properties,
            table=table,
            batches=self._pipeline.batches,
            deliver=self._pipeline.delivery.submit,
        )
        sink.setup()
        self._sinks_active[stream.name] = sink
        return sink

    def process_endofpipe(self) -> None:
        """Deliver all that is held, and write the last STATE."""
        self._pipeline.finish()
        self._pipeline.close()
        for sink in self._sinks_active.values():
            sink.clean_up()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.logger.info("Signal %d: delivering what is held. A second one stops at once.", signum)
        self._pipeline.terminate(signum)

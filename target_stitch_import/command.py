"""The command line: flags, settings, and each failure as one line on stderr and an exit code."""

from __future__ import annotations

import abc
import copy
import json
import logging
import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import IO, Any, ClassVar, Final

import click
from dotenv import find_dotenv, load_dotenv
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TargetCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator, _ConfigInput
from singer_sdk.target_base import Target

from target_stitch_import.api.client import BATCH, PUSH, PUSH_TRANSIT, ImportClient
from target_stitch_import.config import access_check, loading, settings
from target_stitch_import.delivery.dry_run import DryRun, WouldFailError
from target_stitch_import.delivery.pipeline import Terminated
from target_stitch_import.destinations.facts import ANY, DESTINATIONS
from target_stitch_import.preview.reader import Preview
from target_stitch_import.reporting import log_format
from target_stitch_import.reporting.metrics import Metrics

_HELP: Final = """Singer target that loads any tap into Stitch through its Import API.

\b
Example:
  export TARGET_STITCH_IMPORT_TOKEN=...
  tap-anything --config tap.json | target-stitch-import --config=ENV >> states.jsonl

It reads Singer messages on stdin. It writes a STATE to stdout once every record before it is
delivered, and logs to stderr.

\b
Exit codes:
  0         all is delivered, or set aside in the quarantine
  1         a person is needed; the last line on stderr says what for
  3         records were set aside, and fail_on_quarantine is true
  75        the service could not be reached in time; a later run may succeed
  130, 143  ended by SIGINT or SIGTERM

\b
Settings are listed by --about. Documentation:
  https://github.com/target-stitch-import/target-stitch-import/tree/main/docs
"""

_ALL_TABLES: Final = "\0"  # no argument can have it


class CommandTarget(Target, abc.ABC):
    """A target with this project's command line and settings, without the loading."""

    name = "target-stitch-import"
    # A copy, as the SDK adds to it.
    config_jsonschema: ClassVar[dict[str, Any]] = copy.deepcopy(settings.SETTINGS)
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.BATCH,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.VALIDATE_RECORDS,
    ]

    def __init__(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        parse_env_config: bool = False,
        dry_run: DryRun | None = None,
        **kwargs: Any,
    ) -> None:
        """Read the settings; raise ``ConfigValidationError`` if one is missing or wrong.

        ``dry_run`` is used instead of the service; the other arguments are the SDK's.
        """
        self.dry_run = dry_run
        self.metrics = dry_run.metrics if dry_run else Metrics()  # the numbers of the run so far
        self.append_builtin_config(self.config_jsonschema)
        environment = os.environ if parse_env_config else {}
        values, self._environment_errors = loading.read_environment(
            environment, self._env_var_prefix, self.config_jsonschema, self.logger
        )
        super().__init__(config={**(config or {}), **values}, **kwargs)
        self.preview: Preview | None = None
        destination = DESTINATIONS.get(self.config.get("destination"))
        if dry_run is not None or destination is not None:
            self.preview = Preview(destination or ANY, self._warn if dry_run is None else None)

    def _warn(self, stream: str, reason: str) -> None:
        text = "Stream %r: %s. What has it goes to _sdc_rejected, or is left out."
        self.logger.warning(text, stream, reason, extra={"stream_name": stream})

    def connect(self, url: str) -> ImportClient:
        """Return a client for the service at the base URL ``url``."""
        push = PUSH_TRANSIT if self.config["push_format"] == "transit" else PUSH
        return ImportClient(
            url,
            self.config["token"],
            endpoint=BATCH if self.config["endpoint"] == "batch" else push,
            timeout=float(self.config["request_timeout_seconds"]),
            agent=f"{self.name}/{self.plugin_version}",
        )

    @abc.abstractmethod
    def load(self, file_input: IO[Any] | None = None) -> None:
        """Load the input; raise if that fails."""

    def load_dry_run(
        self,
        file_input: IO[Any] | None,
        dry_run: DryRun,
        output: str | None = None,
        *,
        as_json: bool = False,
        strict: bool = False,
    ) -> None:
        """Do what ``load`` does except sending, and raise if a real run would fail.

        It logs a summary, and prints the tables that would be there: to stderr, or as JSON to stdout.
        The request bodies are written to the file ``output``, if one is named. With ``strict``, it
        raises if something would be rejected by the destination, too.
        """
        from target_stitch_import.preview import result  # noqa: PLC0415 - slow to import

        if output is not None:
            dry_run.write_to(output, file_input or self.message_reader.default_input)
        try:
            self.load(file_input)
        finally:
            if self.preview is not None:
                for name, counts in self.metrics.streams.items():
                    if counts.unchanged:
                        self.preview.note_unchanged(name, counts.unchanged)
                if log_format.is_structured() and not as_json:
                    fields = {"event_name": "preview", **result.to_json(self.preview)}
                    self.logger.info("The tables that would be there.", extra=fields)
                else:
                    result.print_preview(self.preview, as_json=as_json)
            for line in dry_run.summary():
                self.logger.info("%s", line)
            dry_run.finish()
        dry_run.check_outcome(self.config)
        if strict and self.preview is not None and result.is_rejected(self.preview):
            raise WouldFailError("The destination would reject something, and --strict is set")

    def test(self, *, as_json: bool = False) -> bool:
        """Check the access to the service and print the result; return True if ``load`` could work."""
        checks = access_check.check_access(self.config, self.connect)
        return access_check.print_checks(checks, sys.stdout, as_json=as_json)

    def forget(self, table: str) -> None:
        """Remove the file of ``skip_unchanged``, or what it has of a ``table``.

        Raise ``UnchangedFileError`` if it can't be used, or has no such table.
        """
        from target_stitch_import.unchanged.store import forget  # noqa: PLC0415 - rarely used

        if (path := self.config.get("skip_unchanged")) is None:
            raise click.UsageError("--forget needs the setting skip_unchanged.")
        if not table:
            raise click.UsageError("--forget has an empty table name.")
        self.logger.info("%s", forget(path, None if table == _ALL_TABLES else table))

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the SDK's settings, except for those that make no sense here."""
        super().append_builtin_config(config_jsonschema)
        for name, minimum in settings.MINIMUMS.items():
            config_jsonschema["properties"][name]["minimum"] = minimum
        for name in settings.OMITTED:
            config_jsonschema["properties"].pop(name, None)
        # The SDK's schema of __else__ has a string among its schemas, which no validator can read.
        other = config_jsonschema["properties"]["stream_maps"]["properties"]["__else__"]
        other["anyOf"] = [part for part in other["anyOf"] if isinstance(part, dict)]

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        schema = self.config_jsonschema
        errors = self._environment_errors + loading.prepare_config(
            self._config, schema, self.logger
        )
        if self.dry_run is not None:
            schema = {**schema, "required": []}  # a dry run needs no token
        describe = partial(loading.describe_error, prefix=self._env_var_prefix)
        errors += map(describe, JSONSchemaValidator(schema).iter_errors(self._config))
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors)
        return errors

    @classmethod
    def cb_config(cls, ctx: Any, param: Any, value: tuple[str, ...]) -> _ConfigInput:
        """Read the config files and, for ``ENV``, a ``.env`` file; set up the log as they say."""
        merged = super().cb_config(ctx, param, ())
        errors = []
        for path in value:
            try:
                read = super().cb_config(ctx, param, (path,))
            except (OSError, ValueError, TypeError, RuntimeError) as error:  # noqa: PERF203 - few
                reason = loading.describe_unreadable(path, error)
                errors.append(f"Config {path} can't be read: {reason}")
            else:
                merged.config |= read.config
                merged.parse_env |= read.parse_env
        # The SDK looks for one above the place where it is installed, and prefers its values to
        # those of the environment.
        path = find_dotenv(usecwd=True) if merged.parse_env else ""
        try:
            if path:
                load_dotenv(path)
        except (OSError, UnicodeDecodeError) as error:
            cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            errors.append(f"Setting .env: {path} can't be read: {cause}")
        variable = f"{cls._env_var_prefix}LOG_FORMAT"
        log_format.set_up(os.environ.get(variable) or merged.config.get("log_format"))
        for text in errors:
            cls.logger.critical("%s", text, extra=_failure_fields(None, text, Metrics()))
        if errors:
            sys.exit(1)
        if path:
            cls.logger.info("Settings that are not in the environment are read from %s.", path)
        return merged

    @classmethod
    def print_about(cls, output_format: str | None = None) -> None:
        """Print what the target is; as text with the description and the default of each setting."""
        if output_format is not None:
            super().print_about(output_format)
            return
        info = cls._get_about_info()
        click.echo(
            f"{info.name} {info.version}, Meltano SDK {info.sdk_version}\n{info.description}\n"
        )
        click.echo(f"Capabilities: {', '.join(map(str, info.capabilities))}\n")
        click.echo("Settings:")
        for name, setting in info.settings["properties"].items():
            kind = next(each for each in setting["type"] if each != "null")
            if "enum" in setting:
                kind = " or ".join(map(str, setting["enum"]))
            required = ", required" if name in info.settings.get("required", ()) else ""
            default = f", default {json.dumps(setting['default'])}" if "default" in setting else ""
            click.echo(f"  {name}: {kind}{required}{default}")
            click.echo(f"    {setting['description']}")
            click.echo(f"    In the environment: {info.env_var_prefix}{name.upper()}")

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command with the flags of this target."""
        command = super().get_singer_command()
        command.help = _HELP
        for param in command.params:
            if isinstance(param, click.Option) and param.name == "about_format":
                param.help = "Specify output style for --about, or json for --test and --dry-run."
        flags = {
            "--test": "Check the status, the credentials, the region and the client ID, and exit; "
            "nothing is read or loaded.",
            "--dry-run": "Read and check everything, and show what would be sent and refused, and the "
            "tables that would be there; nothing is sent, no STATE is written, no token is needed.",
            "--strict": "With --dry-run: exit with 1 if the destination would reject something.",
        }
        text = "With --dry-run: write the request bodies to FILE, one on each line."
        forget_text = (
            "Remove the file of skip_unchanged, or what it has of one table, and exit; its rows are "
            "sent again. For a table that was truncated or reset in the warehouse."
        )
        command.params += [
            *(click.Option([flag], is_flag=True, help=each) for flag, each in flags.items()),
            click.Option(["--output"], metavar="FILE", help=text),
            click.Option(
                ["--forget"],
                is_flag=False,
                flag_value=_ALL_TABLES,
                metavar="[TABLE]",
                help=forget_text,
            ),
        ]
        return command

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        test: bool = False,
        dry_run: bool = False,
        output: str | None = None,
        forget: str | None = None,
        strict: bool = False,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Load the input; exit with 0 once all of it is acknowledged.

        With ``test`` or ``dry_run``, exit with 0 if it could be loaded.
        """
        super(Target, cls).invoke(about=about, about_format=about_format)
        as_json = about_format == "json"
        if (test or dry_run) and not as_json and about_format is not None:
            flag = "--test" if test else "--dry-run"
            raise click.UsageError(f"{flag} prints text or json, not {about_format}.")
        if test + dry_run + (forget is not None) > 1:
            raise click.UsageError("--test, --dry-run and --forget can't be used together.")
        if (output is not None or strict) and not dry_run:
            raise click.UsageError(f"{'--strict' if strict else '--output'} needs --dry-run.")
        cls.print_version(print_fn=lambda text: cls.logger.info("%s", text))
        metrics = Metrics()
        try:
            target = cls(
                dry_run=DryRun() if dry_run else None,
                config=config.config if config else None,
                parse_env_config=bool(config and config.parse_env),
            )
            metrics = target.metrics
            if test:
                sys.exit(0 if target.test(as_json=as_json) else 1)
            if forget is not None:
                target.forget(forget)
            elif target.dry_run is None:
                target.load(file_input)
            else:
                target.load_dry_run(
                    file_input, target.dry_run, output, as_json=as_json, strict=strict
                )
        except Exception as error:  # noqa: BLE001 - each is logged
            sys.exit(_log_failure(cls.logger, error, metrics))


def _log_failure(logger: logging.Logger, error: Exception, metrics: Metrics) -> int:
    """Log why a run failed; return its exit code."""
    reasons = [str(error) or type(error).__name__]
    if isinstance(error, ConfigValidationError):
        reasons = [f"Setting {reason}" for reason in error.errors]
    level = logging.WARNING if isinstance(error, Terminated) else logging.CRITICAL
    for reason in reasons:
        logger.log(level, "%s", reason, extra=_failure_fields(error, reason, metrics))
    logger.debug("Where it happened:", exc_info=error)
    return getattr(error, "exit_code", 1)


def _failure_fields(error: Exception | None, reason: str, metrics: Metrics) -> dict[str, Any]:
    return {
        "event_name": "run_failed",
        "stream_name": getattr(error, "stream", None),
        "status": getattr(error, "status", None),
        "reason": reason,
        "retryable": getattr(error, "retryable", False),
        **metrics.total.fields(),
    }

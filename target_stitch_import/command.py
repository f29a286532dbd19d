"""The command line: flags, settings, and each failure as one line on stderr and an exit code."""

from __future__ import annotations

import abc
import copy
import os
import sys
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

import click
from dotenv import find_dotenv, load_dotenv
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TargetCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator
from singer_sdk.target_base import Target

from target_stitch_import import console
from target_stitch_import.config import access_check, settings
from target_stitch_import.config import loading as configuration
from target_stitch_import.delivery.dry_run import DryRun, WouldFailError
from target_stitch_import.delivery.pipeline import Terminated
from target_stitch_import.destinations.facts import ANY, DESTINATIONS
from target_stitch_import.factory import create_client
from target_stitch_import.preview import result
from target_stitch_import.preview.reader import Preview
from target_stitch_import.reporting import log_format
from target_stitch_import.reporting.metrics import Metrics

if TYPE_CHECKING:
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput


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

    def __init__(self, *, dry_run: DryRun | None = None, **kwargs: Any) -> None:
        """Read the settings. ``dry_run`` is used instead of the service; the rest is the SDK's.

        Raises:
            ConfigValidationError: A setting is missing or wrong.
        """
        self.dry_run = dry_run
        self.metrics = dry_run.metrics if dry_run else Metrics()
        """The numbers of the run so far."""
        self._environment = os.environ if kwargs.get("parse_env_config") else {}
        try:
            super().__init__(**kwargs)
        except ValueError:
            errors = self._find_unreadable()
            raise ConfigValidationError("Config validation failed", errors=errors) from None
        self.preview: Preview | None = None
        destination = DESTINATIONS.get(self.config.get("destination"))
        if dry_run is not None or destination is not None:
            self.preview = Preview(destination or ANY, self._warn if dry_run is None else None)

    def _warn(self, stream: str, reason: str) -> None:
        text = "Stream %r: %s. What has it goes to _sdc_rejected, or is left out."
        self.logger.warning(text, stream, reason)

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
        if output is not None:
            dry_run.write_to(output, file_input or self.message_reader.default_input)
        try:
            self.load(file_input)
        finally:
            if self.preview is not None:
                from target_stitch_import.preview.text import print_preview  # noqa: PLC0415 - slow to import

                for name, counts in self.metrics.streams.items():
                    if counts.unchanged:
                        self.preview.note_unchanged(name, counts.unchanged)
                print_preview(self.preview, as_json=as_json)
            for line in dry_run.summary():
                self.logger.info("%s", line)
            dry_run.finish()
        dry_run.check_outcome(self.config)
        if strict and self.preview is not None and result.is_rejected(self.preview):
            raise WouldFailError("The destination would reject something, and --strict is set")

    def test(self, *, as_json: bool = False) -> bool:
        """Check the access to the service and print the result; return True if ``load`` could work."""
        connect = partial(create_client, self.config, agent=f"{self.name}/{self.plugin_version}")
        checks = access_check.check_access(self.config, connect)
        return access_check.print_checks(checks, sys.stdout, as_json=as_json)

    def forget(self, table: str) -> None:
        """Empty the file of ``skip_unchanged``, or what it has of one table, if one is named.

        Raises:
            UnchangedFileError: The file can't be used, or has no such table.
        """
        from target_stitch_import.unchanged.store import forget  # noqa: PLC0415 - rarely used

        if (path := self.config.get("skip_unchanged")) is None:
            raise click.UsageError("--forget needs the setting skip_unchanged.")
        self.logger.info("%s", forget(path, table or None))

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

    @property
    def _env_var_config(self) -> dict[str, Any]:
        # The SDK looks for a .env file above the place where it is installed, and prefers its values
        # to those of the environment.
        if path := find_dotenv(usecwd=True):
            self.logger.info("Settings that are not in the environment are read from %s.", path)
            try:
                load_dotenv(path)
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                message = f".env: {path} can't be read: {reason}"
                raise ConfigValidationError("Config validation failed", errors=[message]) from None
        self.append_builtin_config(self.config_jsonschema)
        return parse_environment_config(
            self.config_jsonschema, self._env_var_prefix, dotenv_path=os.devnull
        )

    def _find_unreadable(self) -> list[str]:
        return configuration.find_unreadable(
            self._environment, self._env_var_prefix, self.config_jsonschema
        )

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        errors = self._find_unreadable()
        errors += configuration.find_unknown(
            self._environment, self._env_var_prefix, schema, self.logger
        )
        errors += configuration.prepare_config(self._config, schema, self.logger)
        if self.dry_run is not None:
            schema = {**schema, "required": []}  # a dry run needs no token
        validator = JSONSchemaValidator(schema)
        describe = partial(configuration.describe_error, prefix=self._env_var_prefix)
        errors += map(describe, validator.iter_errors(self._config))
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors)
        return errors

    @classmethod
    def cb_config(cls, ctx: Any, param: Any, value: tuple[str, ...]) -> _ConfigInput:
        """Read the config files; end with one line if one can't be read."""
        merged = super().cb_config(ctx, param, ())
        for path in value:
            try:
                read = super().cb_config(ctx, param, (path,))
            except (OSError, ValueError, TypeError, RecursionError) as error:
                reason = configuration.describe_unreadable(path, error)
                cls.logger.critical("Config %s can't be read: %s", path, reason)
                sys.exit(1)
            merged.config |= read.config
            merged.parse_env |= read.parse_env
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
        click.echo(console.describe_settings(info.settings, info.env_var_prefix))

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command with the flags of this target."""
        # From the environment, so that it also holds while the settings are read.
        log_format.set_up(os.environ.get("TARGET_STITCH_IMPORT_LOG_FORMAT"))
        command = super().get_singer_command()
        command.help = console.HELP
        for param in command.params:
            if isinstance(param, click.Option) and param.name == "about_format":
                param.help = "Specify output style for --about, or json for --test and --dry-run."
        command.params += [
            click.Option(
                ["--test"],
                is_flag=True,
                help="Check the status, the credentials, the region and the client ID, and exit; "
                "nothing is read or loaded.",
            ),
            click.Option(
                ["--dry-run"],
                is_flag=True,
                help="Read and check everything, and show what would be sent and refused, and the tables "
                "that would be there; nothing is sent, no STATE is written, no token is needed.",
            ),
            click.Option(
                ["--output"],
                metavar="FILE",
                help="With --dry-run: write the request bodies to FILE, one on each line.",
            ),
            click.Option(
                ["--strict"],
                is_flag=True,
                help="With --dry-run: exit with 1 if the destination would reject something.",
            ),
            click.Option(
                ["--forget"],
                is_flag=False,
                flag_value="",
                metavar="[TABLE]",
                help="Empty the file of skip_unchanged, or what it has of one table, and exit; its rows are "
                "sent again. For a table that was truncated or reset in the warehouse.",
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
        console.shorten_prefix()
        cls.logger.addFilter(console.is_for_people)
        super(Target, cls).invoke(about=about, about_format=about_format)
        as_json = about_format == "json"
        if (test or dry_run) and not as_json and about_format is not None:
            flag = "--test" if test else "--dry-run"
            raise click.UsageError(f"{flag} prints text or json, not {about_format}.")
        _check_flags(test=test, dry_run=dry_run, output=output, forget=forget, strict=strict)
        values: Any = config.config if config else {}
        log_format.set_up(values.get("log_format"))
        cls.print_version(print_fn=lambda text: cls.logger.info("%s", text))
        metrics = Metrics()
        try:
            target = cls(
                dry_run=DryRun() if dry_run else None,
                config=values,
                parse_env_config=bool(config and config.parse_env),
            )
            log_format.set_up(target.config["log_format"])
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
        except ConfigValidationError as error:
            for reason in error.errors:
                fields = _describe_failure(error, f"Setting {reason}", metrics)
                cls.logger.critical("Setting %s", reason, extra=fields)
            sys.exit(1)
        except Terminated as ended:
            cls.logger.warning("%s.", ended, extra=_describe_failure(ended, str(ended), metrics))
            sys.exit(ended.exit_code)
        except Exception as error:
            reason = str(error) or type(error).__name__
            cls.logger.critical("%s", reason, extra=_describe_failure(error, reason, metrics))
            cls.logger.debug("Where it happened:", exc_info=True)
            sys.exit(getattr(error, "exit_code", 1))


def _check_flags(
    *, test: bool, dry_run: bool, output: str | None, forget: str | None, strict: bool
) -> None:
    if test + dry_run + (forget is not None) > 1:
        raise click.UsageError("--test, --dry-run and --forget can't be used together.")
    if (output is not None or strict) and not dry_run:
        raise click.UsageError(f"{'--strict' if strict else '--output'} needs --dry-run.")


def _describe_failure(error: Exception, reason: str, metrics: Metrics) -> dict[str, Any]:
    """Return the fields of the log event of a run that failed."""
    return {
        "event_name": "run_failed",
        "stream_name": getattr(error, "stream", None),
        "status": getattr(error, "status", None),
        "reason": reason,
        "retryable": getattr(error, "retryable", False),
        **metrics.total.fields(),
    }

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

from target_stitch_import.config import access_check, settings
from target_stitch_import.config import loading as configuration
from target_stitch_import.delivery.dry_run import DryRun
from target_stitch_import.delivery.pipeline import Terminated
from target_stitch_import.factory import create_client

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
        self._environment = os.environ if kwargs.get("parse_env_config") else {}
        try:
            super().__init__(**kwargs)
        except ValueError:
            errors = self._find_unreadable()
            raise ConfigValidationError("Config validation failed", errors=errors) from None

    @abc.abstractmethod
    def load(self, file_input: IO[Any] | None = None) -> None:
        """Load the input; raise if that fails."""

    def load_dry_run(
        self, file_input: IO[Any] | None, dry_run: DryRun, output: str | None = None
    ) -> None:
        """Do what ``load`` does except sending, log a summary, and raise if a real run would fail.

        The request bodies are written to the file ``output``, if one is named.
        """
        if output is not None:
            dry_run.write_to(output, file_input or self.message_reader.default_input)
        try:
            self.load(file_input)
        finally:
            for line in dry_run.summary():
                self.logger.info("%s", line)
            dry_run.finish()
        dry_run.check_outcome(self.config)

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
        errors += configuration.prepare_config(self._config, schema, self.logger)
        if self.dry_run is not None:
            schema = {**schema, "required": []}  # a dry run needs no token
        validator = JSONSchemaValidator(schema)
        errors += map(configuration.describe_error, validator.iter_errors(self._config))
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
                reason = str(error) if isinstance(error, OSError) else "it is not a JSON object"
                cls.logger.critical("Config %s can't be read: %s", path, reason)
                sys.exit(1)
            merged.config |= read.config
            merged.parse_env |= read.parse_env
        return merged

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command with ``--test``, ``--dry-run``, ``--output`` and ``--forget``."""
        command = super().get_singer_command()
        for param in command.params:
            if isinstance(param, click.Option) and param.name == "about_format":
                param.help = "Specify output style for --about, or json for --test."
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
                help="Read and check everything, and log what would be sent and what refused; nothing is "
                "sent, no STATE is written, no token is needed.",
            ),
            click.Option(
                ["--output"],
                metavar="FILE",
                help="With --dry-run: write the request bodies to FILE, one on each line.",
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
    def invoke(  # type: ignore[override]  # noqa: C901 - a flag and an error, each with its own end
        cls,
        *,
        test: bool = False,
        dry_run: bool = False,
        output: str | None = None,
        forget: str | None = None,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Load the input; exit with 0 once all of it is acknowledged.

        With ``test`` or ``dry_run``, exit with 0 if it could be loaded.
        """
        super(Target, cls).invoke(about=about, about_format=about_format)
        if test and about_format not in (None, "json"):
            raise click.UsageError(f"--test prints text or json, not {about_format}.")
        if test + dry_run + (forget is not None) > 1:
            raise click.UsageError("--test, --dry-run and --forget can't be used together.")
        if output is not None and not dry_run:
            raise click.UsageError("--output needs --dry-run.")
        cls.print_version(print_fn=cls.logger.info)
        try:
            target = cls(
                dry_run=DryRun() if dry_run else None,
                config=config.config if config else None,
                parse_env_config=bool(config and config.parse_env),
            )
            if test:
                sys.exit(0 if target.test(as_json=about_format == "json") else 1)
            if forget is not None:
                target.forget(forget)
            elif target.dry_run is None:
                target.load(file_input)
            else:
                target.load_dry_run(file_input, target.dry_run, output)
        except ConfigValidationError as error:
            for reason in error.errors:
                cls.logger.critical("Setting %s", reason)
            sys.exit(1)
        except Terminated as ended:
            cls.logger.warning("%s.", ended)
            sys.exit(ended.exit_code)
        except Exception as error:
            cls.logger.critical("%s", str(error) or type(error).__name__)
            cls.logger.debug("Where it happened:", exc_info=True)
            sys.exit(1)

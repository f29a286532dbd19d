"""The command line and its settings, as the SDK knows them.

Turns every failure into one line on stderr and an exit code. Knows the SDK's command and its flags;
nothing of messages, or of what the service says.
"""

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

from target_stitch_import import access_check, configuration, settings
from target_stitch_import.assembly import connection
from target_stitch_import.dry_run import DryRun
from target_stitch_import.pipeline import Terminated

if TYPE_CHECKING:
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput

__all__ = ["CommandTarget"]


class CommandTarget(Target, abc.ABC):
    """A target with this project's command line and settings."""

    name = "target-stitch-import"
    config_jsonschema: ClassVar[dict[str, Any]] = copy.deepcopy(
        settings.SETTINGS
    )  # the SDK adds to it
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
        """Take the SDK's own arguments; with ``dry_run``, send nothing."""
        self.dry_run = dry_run
        self._environment = os.environ if kwargs.get("parse_env_config") else {}
        try:
            super().__init__(**kwargs)
        except ValueError:
            raise ConfigValidationError(
                "Config validation failed", errors=self._unreadable()
            ) from None

    @abc.abstractmethod
    def load(self, file_input: IO[Any] | None = None) -> None:
        """Load the input, or raise."""

    def rehearse(
        self, file_input: IO[Any] | None, dry_run: DryRun, output: str | None = None
    ) -> None:
        """Do all that ``load`` does but send, and say what came of it; raise where it would.

        The bodies go to the file ``output``, if one is named.
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
        """Check the access to the service and tell what is found; True if ``load`` could do it."""
        connect = partial(connection, self.config, agent=f"{self.name}/{self.plugin_version}")
        found = access_check.checks(self.config, connect)
        return access_check.tell(found, sys.stdout, as_json=as_json)

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the SDK's settings, but for those that make no sense here."""
        super().append_builtin_config(config_jsonschema)
        for name, least in settings.LEAST.items():
            config_jsonschema["properties"][name]["minimum"] = least
        for name in settings.NOT_OFFERED:
            config_jsonschema["properties"].pop(name, None)
        # The SDK's schema of __else__ has a string among its schemas, which no validator can read.
        other = config_jsonschema["properties"]["stream_maps"]["properties"]["__else__"]
        other["anyOf"] = [part for part in other["anyOf"] if isinstance(part, dict)]

    @property
    def _env_var_config(self) -> dict[str, Any]:
        # The SDK looks for a .env file above the place where it is installed, and lets it win.
        if path := find_dotenv(usecwd=True):
            self.logger.info("Settings that the environment lacks are read from %s.", path)
            try:
                load_dotenv(path)
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
                told = f".env: {path} can't be read: {reason}"
                raise ConfigValidationError("Config validation failed", errors=[told]) from None
        self.append_builtin_config(self.config_jsonschema)
        return parse_environment_config(
            self.config_jsonschema, self._env_var_prefix, dotenv_path=os.devnull
        )

    def _unreadable(self) -> list[str]:
        return configuration.unreadable(
            self._environment, self._env_var_prefix, self.config_jsonschema
        )

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        errors = self._unreadable()
        errors += configuration.prepare(self._config, schema, self.logger)
        if self.dry_run is not None:
            schema = {**schema, "required": []}  # it needs no token
        validator = JSONSchemaValidator(schema)
        errors += [configuration.describe(error) for error in validator.iter_errors(self._config)]
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors)
        return errors

    @classmethod
    def cb_config(cls, ctx: Any, param: Any, value: tuple[str, ...]) -> _ConfigInput:
        """Read the config files, and refuse in one line what is none."""
        merged = super().cb_config(ctx, param, ())
        for path in value:
            try:
                read = super().cb_config(ctx, param, (path,))
            except (OSError, ValueError, TypeError, RecursionError) as error:
                reason = str(error) if isinstance(error, OSError) else "it is no JSON object"
                cls.logger.critical("Config %s can't be read: %s", path, reason)
                sys.exit(1)
            merged.config |= read.config
            merged.parse_env |= read.parse_env
        return merged

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with more flags."""
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
                help="Read and check everything and say what would be sent and what refused; send "
                "nothing, write no STATE, need no token.",
            ),
            click.Option(
                ["--output"],
                metavar="FILE",
                help="With --dry-run: write the request bodies to FILE, one a line.",
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
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Load what comes on the input; exit 0 once all of it is acknowledged.

        With ``test`` or ``dry_run``, exit 0 if that could be done.
        """
        super(Target, cls).invoke(about=about, about_format=about_format)
        if test and about_format not in (None, "json"):
            raise click.UsageError(f"--test can't be told as {about_format}, only as json.")
        if test and dry_run:
            raise click.UsageError("--test and --dry-run do not go together.")
        if output is not None and not dry_run:
            raise click.UsageError("--output goes with --dry-run.")
        cls.print_version(print_fn=cls.logger.info)
        try:
            target = cls(
                dry_run=DryRun() if dry_run else None,
                config=config.config if config else None,
                parse_env_config=bool(config and config.parse_env),
            )
            if test:
                sys.exit(0 if target.test(as_json=about_format == "json") else 1)
            if target.dry_run is None:
                target.load(file_input)
            else:
                target.rehearse(file_input, target.dry_run, output)
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

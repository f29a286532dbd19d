"""Every capability that ``--about`` names has tests that show it: here is where."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from tests.end_to_end import (
    test_batch_messages,
    test_command,
    test_flattening,
    test_logging,
    test_mapping,
    test_schemas,
    test_versions,
)
from tests.support.running import COMMAND, environment

if TYPE_CHECKING:
    from types import ModuleType

SHOWN_IN: dict[str, ModuleType] = {
    "about": test_command,
    "activate-version": test_versions,
    "batch": test_batch_messages,
    "schema-flattening": test_flattening,
    "stream-maps": test_mapping,
    "structured-logging": test_logging,
    "validate-records": test_schemas,
}


def ask(*arguments: str) -> str:
    run = subprocess.run(
        [COMMAND, *arguments], check=True, capture_output=True, text=True, env=environment()
    )
    assert run.stderr == ""
    return run.stdout


def test_every_capability_that_is_promised_is_shown() -> None:
    # given what the target says that it can do
    promised = json.loads(ask("--about", "--format=json"))["capabilities"]
    # then there is a place where each is shown, and nothing is shown that is not promised
    assert set(promised) == set(SHOWN_IN)
    for module in SHOWN_IN.values():
        assert any(name.startswith("test_") for name in vars(module))


def test_every_form_of_about_names_every_capability() -> None:
    for text in (ask("--about"), ask("--about", "--format=markdown")):
        assert all(name in text for name in SHOWN_IN), text


def test_help_names_every_flag() -> None:
    text = ask("--help")
    flags = ("--version", "--about", "--format", "--config", "--input", "--test", "--dry-run")
    assert all(flag in text for flag in (*flags, "--output", "--help")), text

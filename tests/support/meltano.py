"""What the settings of the target are called in Meltano, and in the definitions of its hub."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.support.running import COMMAND

PROJECT = Path(__file__).parents[2]
KINDS = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "integer",  # a decimal from the environment can't be written by Meltano 4.4
    "object": "object",
    "array": "array",
    "string": "string",
}


def declared_loader() -> dict[str, Any]:
    """The loader of ``meltano.yml``."""
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    (loader,) = project["plugins"]["loaders"]
    return dict(loader)


def hub_definition() -> dict[str, Any]:
    """The loader as the hub has it."""
    path = PROJECT / "docs" / "hub" / "target-stitch-import.yml"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def about_target() -> dict[str, Any]:
    """What the target says of itself."""
    command = [COMMAND, "--about", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return dict(json.loads(done.stdout))


def as_meltano_setting(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What a definition should say of a setting of ``--about``."""
    (kind,) = {KINDS[each] for each in schema["type"] if each != "null"}
    if isinstance(schema.get("default"), float):
        kind = "string"  # which Meltano leaves as it is
    return {
        "name": name,
        "kind": "options" if "enum" in schema else kind,
        "description": schema["description"],
        "sensitive": schema.get("secret", False),
        "options": schema.get("enum", []),
        "value": schema.get("default"),
    }


def as_declared(setting: dict[str, Any]) -> dict[str, Any]:
    """What a definition says of a setting, with what it leaves out, and without its label."""
    optional = {"sensitive": False, "value": None}
    options = [each["value"] for each in setting.get("options", [])]
    declared = {**optional, **setting, "options": options}
    assert declared.pop("label"), setting
    return declared


def check_settings(definition: dict[str, Any]) -> None:
    """Fail if a definition has other settings than the target, or other words for them."""
    settings = about_target()["settings"]
    expected = [as_meltano_setting(*each) for each in settings["properties"].items()]
    assert [as_declared(setting) for setting in definition["settings"]] == expected
    assert definition["settings_group_validation"] == [settings["required"]]


def check_capabilities(definition: dict[str, Any]) -> None:
    """Fail if a definition has other capabilities than those that Meltano has words for."""
    known = set(about_target()["capabilities"]) - {"validate-records"}
    assert set(definition["capabilities"]) == known

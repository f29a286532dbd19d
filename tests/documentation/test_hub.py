"""The definition for Meltano Hub is one, and is that of this target."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema

from tests.support.meltano import PROJECT, check_capabilities, check_settings, hub_definition

SCHEMA = Path(__file__).with_name("hub.schema.json")


def test_the_definition_has_the_hubs_form() -> None:
    # given what is known of the form
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    # when the definition is held against it
    errors = jsonschema.Draft7Validator(schema).iter_errors(hub_definition())
    # then nothing is found
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_its_settings_are_those_of_the_target() -> None:
    check_settings(hub_definition())


def test_its_capabilities_are_those_of_the_target() -> None:
    check_capabilities(hub_definition())


def test_the_repository_is_the_one_that_the_package_names() -> None:
    # given what the package says
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^Repository = "(.*)"$', text, re.MULTILINE)
    # then the definition says the same, and its variant is the owner
    assert found is not None
    definition = hub_definition()
    assert definition["repo"] == found[1]
    assert definition["variant"] == found[1].split("/")[-2]


def test_its_python_versions_are_those_that_the_package_names() -> None:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)
    assert hub_definition()["supported_python_versions"] == versions

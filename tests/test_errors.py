"""The exceptions, by what a user can do about them."""

from __future__ import annotations

import pytest
from singer_sdk import exceptions as sdk

from target_stitch_import import errors
from target_stitch_import.errors import InputError, InvalidRecordError, MissingKeyError


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, each in vars(errors).items()
        if getattr(each, "__module__", "") == errors.__name__
    ],
)
def test_each_error_has_the_base_class_of_this_package(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.TargetStitchImportError)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (errors.RecordBeforeSchemaError, sdk.RecordsWithoutSchemaException),
        (errors.InvalidSchemaError, sdk.InvalidJSONSchema),
        (errors.InvalidRecordError, sdk.InvalidRecord),
        (errors.MissingKeyError, sdk.MissingKeyPropertiesError),
    ],
)
def test_code_that_catches_the_sdks_exceptions_catches_these(
    ours: type[Exception], theirs: type[Exception]
) -> None:
    assert issubclass(ours, theirs)


def test_an_input_error_names_its_line_once_that_is_known() -> None:
    error = InputError("it is no JSON")
    assert str(error) == "it is no JSON"
    error.line = 12
    assert str(error) == "Line 12 of the input: it is no JSON"


def test_an_input_error_without_a_reason_has_its_name() -> None:
    assert str(InputError()) == "InputError"


@pytest.mark.parametrize("kind", [InvalidRecordError, MissingKeyError])
def test_the_error_of_a_record_is_one_line(kind: type[InvalidRecordError]) -> None:
    error = kind("has no key")
    error.line = 3
    assert str(error) == "Line 3 of the input: has no key"


def test_a_transient_error_may_know_how_long_to_wait() -> None:
    assert errors.TransientError("busy").retry_after is None
    assert errors.TransientError("busy", retry_after=5).retry_after == 5


def test_an_access_error_names_the_setting_to_check() -> None:
    assert errors.AccessError("401").setting == "token"
    assert errors.AccessError("401", setting="region").setting == "region"


def test_a_rejected_record_error_has_the_index_of_the_record() -> None:
    assert errors.RejectedRecordError("no", index=7).index == 7

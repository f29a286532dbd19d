"""The exceptions that end a run or an attempt, grouped by what a user can do about them.

An ``InputError`` is about the tap or its data, a ``QuarantineError`` about the quarantine file, a
``DeliveryError`` about the service or the access to it. A message is one line: what happened, to which
stream and line, and what to do. It never contains the token, and of a record only its key values.
"""

from __future__ import annotations

import os
from typing import Any

from singer_sdk.exceptions import (
    InvalidJSONSchema,
    InvalidRecord,
    MissingKeyPropertiesError,
    RecordsWithoutSchemaException,
)
from singer_sdk.singerlib.exceptions import InvalidInputLine


class TargetStitchImportError(Exception):
    """Base class of every error of this package."""

    exit_code = 1
    """The exit code of a run that ends with it: 1 needs a person, 75 may pass by itself."""
    stream: str | None = None  # the stream or table that it is about, where that is known

    @property
    def retryable(self) -> bool:
        """True if the same run may succeed later."""
        return self.exit_code == os.EX_TEMPFAIL


class InputError(TargetStitchImportError, InvalidInputLine):
    """A line of the input is invalid."""

    line: int | None = None  # the line's number, from 1; None until the reader sets it

    def __str__(self) -> str:
        """Return the reason, after the line's number where that is known."""
        reason = Exception.__str__(self) or type(self).__name__
        return reason if self.line is None else f"Line {self.line} of the input: {reason}"


class RecordBeforeSchemaError(InputError, RecordsWithoutSchemaException):
    """A message came before the SCHEMA of its stream."""


class InvalidSchemaError(InputError, InvalidJSONSchema):
    """A SCHEMA message has a schema or keys that the service would refuse."""


class InvalidRecordError(InputError, InvalidRecord):
    """A record that the service would refuse."""

    def __init__(self, reason: str) -> None:
        InputError.__init__(self, reason)


class MissingKeyError(InvalidRecordError, MissingKeyPropertiesError):
    """A record has no value, or an unusable one, in a key property."""


class QuarantineError(TargetStitchImportError):
    """A record can't be written to the quarantine."""


class SetAsideError(QuarantineError):
    """All is delivered but the records in the quarantine, and ``fail_on_quarantine`` is set."""

    exit_code = 3


class UnchangedFileError(TargetStitchImportError):
    """The file of ``skip_unchanged`` can't be used."""


class DeliveryError(TargetStitchImportError):
    """A request failed.

    ``status`` is the HTTP status of the answer. ``is_answer`` is false if nothing came from the Import
    API: no answer, or some other server's page.
    """

    def __init__(self, reason: str, *, status: int | None = None, is_answer: bool = True) -> None:
        super().__init__(reason)
        self.status = status
        self.is_answer = is_answer


class TransientError(DeliveryError):
    """A failure that a retry may get past, ``retry_after`` seconds later if the service says so."""

    exit_code = os.EX_TEMPFAIL

    def __init__(self, reason: str, *, retry_after: float | None = None, **answer: Any) -> None:
        super().__init__(reason, **answer)
        self.retry_after = retry_after


class AccessError(DeliveryError):
    """The service refused access.

    ``setting`` is the one to check: ``token``, ``region``, ``client_id`` or ``api_url``; or
    ``integration`` if the integration is paused or deleted.
    """

    def __init__(self, reason: str, *, setting: str = "token") -> None:
        super().__init__(reason)
        self.setting = setting


class RejectedError(DeliveryError):
    """The service refused the request and would refuse it again."""


class RejectedRecordError(RejectedError):
    """The service refused the request for one of its records.

    That is the one at ``index``, from 0; None if the service does not say which. ``column`` is the
    column that is refused, where it is known.
    """

    def __init__(self, reason: str, *, index: int | None = None, column: str | None = None) -> None:
        super().__init__(reason)
        self.index = index
        self.column = column


class RepeatedRefusalError(RejectedError):
    """The service refused many records of a table, and this target can't tell why."""


class TooLargeError(RejectedError):
    """The request body is larger than the service, or a proxy in between, accepts."""

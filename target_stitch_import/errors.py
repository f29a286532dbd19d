"""The exceptions, by what a user can do about them.

::

    TargetStitchImportError
    ├── InputError               mend the tap, or what it reads
    │   ├── RecordBeforeSchemaError
    │   ├── InvalidSchemaError
    │   └── InvalidRecordError
    │       └── MissingKeyError
    ├── QuarantineError          look at the quarantine file, or at why so many records are in it
    └── DeliveryError            look at the service, or at the access to it
        ├── TransientError       worth another try; fatal once the retries are spent
        ├── AccessError          token, region, pause or client ID
        └── RejectedError        the service refused the request
            ├── RejectedRecordError
            ├── UnplacedRecordError
            └── TooLargeError

A message is one line for the person who reads it at night: what happened, to which stream and
line, and what to do. No message holds record data (key values excepted) or the token.
Knows nothing of the rest of the package.
"""

from __future__ import annotations

from singer_sdk.exceptions import (
    InvalidJSONSchema,
    InvalidRecord,
    MissingKeyPropertiesError,
    RecordsWithoutSchemaException,
)
from singer_sdk.singerlib.exceptions import InvalidInputLine

__all__ = [
    "AccessError",
    "DeliveryError",
    "InputError",
    "InvalidRecordError",
    "InvalidSchemaError",
    "MissingKeyError",
    "QuarantineError",
    "RecordBeforeSchemaError",
    "RejectedError",
    "RejectedRecordError",
    "TargetStitchImportError",
    "TooLargeError",
    "TransientError",
    "UnplacedRecordError",
]


class TargetStitchImportError(Exception):
    """Whatever stops this target."""


class InputError(TargetStitchImportError, InvalidInputLine):
    """A line of the input can't be used.

    Attributes:
        line: Number of the line, from 1; set by the reader when it is not known before.
    """

    line: int | None = None

    def __str__(self) -> str:
        """Return the reason behind the line's number."""
        reason = str(self.args[0]) if self.args else type(self).__name__
        return reason if self.line is None else f"Line {self.line} of the input: {reason}"


class RecordBeforeSchemaError(InputError, RecordsWithoutSchemaException):
    """A message of a stream whose SCHEMA has not come yet."""


class InvalidSchemaError(InputError, InvalidJSONSchema):
    """A SCHEMA message that the service would not take."""


class InvalidRecordError(InputError, InvalidRecord):
    """A record that the service would not take."""

    def __init__(self, reason: str) -> None:
        InputError.__init__(self, reason)


class MissingKeyError(InvalidRecordError, MissingKeyPropertiesError):
    """A record without a usable value in one of its key properties."""


class QuarantineError(TargetStitchImportError):
    """A record can't be set aside."""


class DeliveryError(TargetStitchImportError):
    """A request that did not end well."""


class TransientError(DeliveryError):
    """A failure that another try may mend.

    Attributes:
        retry_after: Seconds that the service asked to wait, or None.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class AccessError(DeliveryError):
    """The service does not let this token in.

    Attributes:
        look_at: The setting to look at (``token``, ``region``, ``client_id``, ``api_url``), or
            ``integration``, which is paused or deleted.
    """

    def __init__(self, reason: str, *, look_at: str = "token") -> None:
        super().__init__(reason)
        self.look_at = look_at


class RejectedError(DeliveryError):
    """The service refused the request, and would refuse it again."""


class RejectedRecordError(RejectedError):
    """The service refused one record of the request, and with it the whole.

    Attributes:
        index: The record's place in ``messages``, from 0.
    """

    def __init__(self, reason: str, *, index: int) -> None:
        super().__init__(reason)
        self.index = index


class UnplacedRecordError(RejectedError):
    """The service refused a record of the request, without a word on which."""


class TooLargeError(RejectedError):
    """The request body is larger than the service, or a proxy before it, takes."""

"""The Singer messages; a record, a schema and the value of a STATE stay raw JSON."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from target_stitch_import.errors import InputError


class RecordMessage(msgspec.Struct, tag_field="type", tag="RECORD", gc=False):
    """A record, as the bytes that the tap wrote."""

    stream: str
    record: msgspec.Raw
    version: int | None = None
    time_extracted: Any = None


class SchemaMessage(msgspec.Struct, tag_field="type", tag="SCHEMA", omit_defaults=True):
    """The schema of a stream's records from here on."""

    stream: str
    schema: msgspec.Raw
    key_properties: list[str] | None = None
    bookmark_properties: list[str] | str | None = None


class StateMessage(msgspec.Struct, tag_field="type", tag="STATE"):
    """The bookmarks that the tap goes on from, once all that came before is loaded."""

    value: msgspec.Raw

    def state(self) -> bytes | None:
        """Return the STATE as the tap's own bytes; None if it is empty or null.

        Raise ``InputError`` if it is not an object, or not UTF-8.
        """
        value = bytes(self.value)
        if value.startswith(b'{"') and value.isascii():  # as nearly all are
            return value
        value = value.strip()
        try:
            value.decode()
        except UnicodeDecodeError:
            raise InputError("the value of a STATE is not UTF-8") from None
        if value == b"null":
            return None
        if not value.startswith(b"{"):
            raise InputError("the value of a STATE is not a JSON object")
        return value if value[1:-1].strip() else None


class ActivateVersionMessage(msgspec.Struct, tag_field="type", tag="ACTIVATE_VERSION"):
    """The version of a stream that is complete, and replaces the others."""

    stream: str
    version: int


class BatchEncoding(msgspec.Struct):
    """How the files of a BATCH message are written."""

    format: str
    compression: str | None = None


class BatchMessage(msgspec.Struct, tag_field="type", tag="BATCH"):
    """A reference to files of records."""

    stream: str
    encoding: BatchEncoding
    manifest: list[str]
    version: int | None = None
    time_extracted: Any = None


Message: TypeAlias = (
    RecordMessage | SchemaMessage | StateMessage | ActivateVersionMessage | BatchMessage
)

"""Loads: what a valid request asks the database to do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from target_stitch_import.limits import MAX_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_stitch_import.emulator.storage.columns import ColumnType

TIME_PATTERN: Final = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z"

Integer64 = Annotated[int, msgspec.Meta(ge=-MAX_SEQUENCE, le=MAX_SEQUENCE)]
Time = Annotated[str, msgspec.Meta(pattern=TIME_PATTERN)]


class Upsert(msgspec.Struct, tag_field="action", tag="upsert", forbid_unknown_fields=True):
    """A message with one record."""

    sequence: Integer64
    data: dict[str, Any]
    time_extracted: Time | msgspec.UnsetType = msgspec.UNSET


class ActivateVersion(
    msgspec.Struct, tag_field="action", tag="activate_version", forbid_unknown_fields=True
):
    """A message that deletes the rows of all table versions but the load's."""

    sequence: Integer64
    time_extracted: Time | msgspec.UnsetType = msgspec.UNSET


@dataclasses.dataclass(frozen=True)
class Load:
    """The messages of one request for one table, in order."""

    table: str
    column_types: Mapping[str, ColumnType | None]
    """The types of the columns, by name; None for a column with nothing but nulls."""
    keys: Sequence[str]
    version: int | None
    messages: Sequence[Upsert | ActivateVersion]
    raw_fields: Callable[[], Sequence[Mapping[str, msgspec.Raw]]]
    """Returns, for each message, the fields of its ``data`` as the JSON text that was posted."""
    schema: Mapping[str, Any] | None = None
    """The posted schema; None for push."""

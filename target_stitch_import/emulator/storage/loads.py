"""What a request that passed every rule asks the tables to do.

The border between the rules and the database: neither knows the other, both know this, which
knows nothing of either.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from target_stitch_import.limits import MAX_SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_stitch_import.emulator.storage.columns import Kind

TIME_PATTERN: Final = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z"

Integer64 = Annotated[int, msgspec.Meta(ge=-MAX_SEQUENCE, le=MAX_SEQUENCE)]
Time = Annotated[str, msgspec.Meta(pattern=TIME_PATTERN)]


class Upsert(msgspec.Struct, tag_field="action", tag="upsert", forbid_unknown_fields=True):
    """One record, as a batch spells it."""

    sequence: Integer64
    data: dict[str, Any]
    time_extracted: Time | msgspec.UnsetType = msgspec.UNSET


class Activate(
    msgspec.Struct, tag_field="action", tag="activate_version", forbid_unknown_fields=True
):
    """From here on the load's table version is the only one visible."""

    sequence: Integer64
    time_extracted: Time | msgspec.UnsetType = msgspec.UNSET


@dataclasses.dataclass(frozen=True)
class Load:
    """What one request does to one table, in order."""

    table: str
    kinds: Mapping[str, Kind | None]
    """What the columns hold; None where that can't be told."""
    keys: Sequence[str]
    version: int | None
    steps: Sequence[Upsert | Activate]
    raw: Callable[[], Sequence[Mapping[str, msgspec.Raw]]]
    """For each step, the JSON text of each field of its ``data`` as it was written."""

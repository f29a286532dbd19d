"""Columns that Stitch itself writes: found in records, and left out.

The values of the others stay as the tap wrote them, byte for byte (Import API reference, section The
batch body).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.limits import is_reserved

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ReservedColumns", "may_have_reserved"]

_NAME: Final = re.compile(rb'"(?:_|\\u005[fF])(?:s|\\u0073)(?:d|\\u0064)(?:c|\\u0063)')

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def may_have_reserved(record: bytes) -> bool:
    """Return False if no column of a record can be one that Stitch itself writes."""
    return (b"_sdc" in record or b"\\u00" in record) and _NAME.search(record) is not None


class ReservedColumns:
    """Leaves them out of the records of one stream."""

    def __init__(self) -> None:
        self.omitted: list[str] = []
        """Those that records have had so far."""

    def note(self, names: Sequence[str]) -> None:
        """Add the names of columns that a record has."""
        self.omitted += [name for name in names if name not in self.omitted]

    def remove(self, record: bytes) -> bytes | None:
        """Return a record without them; None if it has none, or can't be read.

        Raises:
            InvalidRecordError: It can't be told.
        """
        if not may_have_reserved(record):
            return None
        try:
            columns = _decode(record)
        except RecursionError:
            raise InvalidRecordError("is nested too deeply") from None
        except (msgspec.MsgspecError, ValueError):
            return None
        reserved = [*filter(is_reserved, columns)]
        self.note(reserved)
        return _without(columns, reserved)

    def remove_known(self, records: list[bytes]) -> list[bytes]:
        """Return records without those that one before them had, as far as they can be read."""
        if not self.omitted:
            return records
        try:
            return [_without(_decode(record), self.omitted) or record for record in records]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return records


def _without(columns: dict[str, msgspec.Raw], names: Sequence[str]) -> bytes | None:
    """Return the JSON of columns without those of some names; None if it has none of them."""
    found = [name for name in names if columns.pop(name, None) is not None]
    return msgspec.json.encode(columns) if found else None

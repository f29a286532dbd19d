"""Leaves out columns that Stitch itself writes (Import API reference, section The batch body)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from target_stitch_import.limits import is_reserved

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ReservedColumns:
    """Removes reserved columns from the records of one stream; other values keep their bytes."""

    def __init__(self) -> None:
        self.omitted: list[str] = []
        """The reserved columns that records have had so far."""

    def note(self, names: Sequence[str]) -> None:
        """Add the names of columns that a record has."""
        self.omitted += [name for name in names if name not in self.omitted]

    def remove(self, record: bytes) -> bytes | None:
        """Return a record without reserved columns; None if it has none, or can't be read."""
        try:
            columns = _decode(record)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        reserved = [*filter(is_reserved, columns)]
        self.note(reserved)
        return _without(columns, reserved)

    def remove_known(self, records: list[bytes]) -> list[bytes]:
        """Return records without the columns in ``omitted``; as they are if one can't be read."""
        if not self.omitted:
            return records
        try:
            return [_without(_decode(record), self.omitted) or record for record in records]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return records


def _without(columns: dict[str, msgspec.Raw], names: Sequence[str]) -> bytes | None:
    """Return the JSON of columns without those of some names; None if it has none of them."""
    removed = [name for name in names if columns.pop(name, None) is not None]
    return msgspec.json.encode(columns) if removed else None

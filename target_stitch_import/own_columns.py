"""Columns whose names are Stitch's own: found in records, and left out.

The values of the others stay as the tap wrote them, byte for byte. Knows JSON and the reserved prefix
(Import API reference, section The batch body); nothing of schemas, keys or sizes.
"""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Final

import msgspec

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.limits import RESERVED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OwnColumns", "is_own", "may_have_own"]

_NAME: Final = re.compile(rb'"(?:_|\\u005[fF])(?:s|\\u0073)(?:d|\\u0064)(?:c|\\u0063)')

# The C library searches ten times as fast as the interpreter, which would take longer than the rest.
_strstr = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)(
    ("strstr", ctypes.pythonapi)
)

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def is_own(name: str) -> bool:
    """Return True if a column's name is Stitch's own."""
    return name.startswith(RESERVED_PREFIX)


def may_have_own(text: bytes) -> bool:
    """Return False if no name in JSON, of one record or of many, can be Stitch's own.

    It is searched up to a byte of zero, which no JSON has.
    """
    return bool((_strstr(text, b'"_') or _strstr(text, b'"\\u005')) and _NAME.search(text))


class OwnColumns:
    """Leaves them out of the records of one stream."""

    def __init__(self) -> None:
        self.left_out: list[str] = []
        """Those of the first record that had any."""

    def without(self, text: bytes) -> bytes | None:
        """Return a record without them; None if it has none, or can't be read.

        Raises:
            InvalidRecordError: It can't be told.
        """
        if not may_have_own(text):
            return None
        try:
            columns = _decode(text)
        except RecursionError:
            raise InvalidRecordError("is nested too deeply") from None
        except (msgspec.MsgspecError, ValueError):
            return None
        own = [*filter(is_own, columns)]
        self.left_out = self.left_out or own
        return _less(columns, own)

    def without_known(self, data: list[bytes]) -> list[bytes]:
        """Return records without those that one before them had, as far as they can be read."""
        if not self.left_out:
            return data
        try:
            return [_less(_decode(text), self.left_out) or text for text in data]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return data


def _less(columns: dict[str, msgspec.Raw], names: Sequence[str]) -> bytes | None:
    """Return the JSON of columns without those of some names; None if it has none of them."""
    found = [name for name in names if columns.pop(name, None) is not None]
    return msgspec.json.encode(columns) if found else None

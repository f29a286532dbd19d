"""Edits what the service would not take as the tap wrote it: date-times, and decimals if asked.

All else of a record keeps its bytes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.records.datetimes import normalize_datetime

if TYPE_CHECKING:
    from target_stitch_import.schemas.places import Place

    Path = tuple[str | int, ...]

_MAX_DIGITS: Final = 1_000  # of a decimal that is written out
_NUMBER_STARTS: Final = frozenset(b"-0123456789")

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class EditOptions:
    """What is done with date-times that the service would refuse."""

    normalize: bool = True
    """Whether one whose meaning is clear gets the form that the service takes."""
    invalid_as_null: bool = False
    """Whether one that can't be read becomes null, where the schema permits that."""


DEFAULT_EDITS: Final = EditOptions()


@dataclass
class RecordEditor:
    """Edits the records of one stream."""

    place: Place
    """That of a whole record."""
    options: EditOptions
    normalized: Counter[str] = field(default_factory=Counter)
    """The date-times that have got another form, by column."""
    has_decimals: bool = field(init=False)
    """Whether numbers become strings, too."""

    def __post_init__(self) -> None:
        self.has_decimals = self.place.has_decimals()

    def edit(self, record: bytes) -> bytes:
        """Return a record as it may be posted; the same object if nothing is to be edited.

        Raises:
            InvalidRecordError: It has a value that can't be read.
        """
        try:
            edited = self._edit_object(record, self.place, ())
        except RecursionError:
            raise InvalidRecordError("is nested too deeply") from None
        return record if edited is None else edited

    def _edit(self, value: msgspec.Raw, place: Place, path: Path) -> bytes | None:
        """Return a value as it may be posted; None if it stays as it is."""
        text = bytes(value)
        if text.startswith(b'"'):
            return self._edit_datetime(text, place, path) if place.is_datetime else None
        if text.startswith(b"{"):
            return self._edit_object(text, place, path)
        if text.startswith(b"["):
            return self._edit_list(text, place, path)
        if place.is_decimal and text[0] in _NUMBER_STARTS:
            return _as_text(text, path)
        return None

    def _edit_object(self, text: bytes, place: Place, path: Path) -> bytes | None:
        if not place.columns and place.other_column is None:
            return None
        columns = _decode_object(text)
        is_edited = False
        for name in place.columns if place.other_column is None else [*columns]:
            column, value = place.column(name), columns.get(name)
            if column is not None and value is not None:
                edited = self._edit(value, column, (*path, name))
                if edited is not None:
                    columns[name] = msgspec.Raw(edited)
                    is_edited = True
        return _encode(columns) if is_edited else None

    def _edit_list(self, text: bytes, place: Place, path: Path) -> bytes | None:
        if not place.items:
            return None
        items = _decode_list(text)
        is_edited = False
        for index, item in enumerate(items):
            if (item_place := place.item(index)) is not None:
                edited = self._edit(item, item_place, (*path, index))
                if edited is not None:
                    items[index] = msgspec.Raw(edited)
                    is_edited = True
        return _encode(items) if is_edited else None

    def _edit_datetime(self, text: bytes, place: Place, path: Path) -> bytes | None:
        try:
            written = _decode_text(text)
        except (msgspec.MsgspecError, UnicodeError):  # half of a surrogate pair
            written = ""
        read = normalize_datetime(written)
        if read == written:
            return None
        if read is None or not self.options.normalize:
            if self.options.invalid_as_null and place.permits_null:
                return b"null"
            raise InvalidRecordError(
                f"does not fit its schema: {_pointer(path)}: is not a valid date-time "
                "(see the settings normalize_datetimes and on_invalid_datetime)"
            )
        self.normalized[place.name] += 1
        return f'"{read}"'.encode()


def _as_text(number: bytes, path: Path) -> bytes:
    """Return a number as a string of its digits, an exponent written out."""
    if b"e" in number or b"E" in number:
        value = Decimal(number.decode())
        if abs(value.adjusted()) > _MAX_DIGITS:
            raise InvalidRecordError(
                f"does not fit its schema: {_pointer(path)}: is a number of more than "
                f"{_MAX_DIGITS:,} digits, which no decimal has"
            )
        number = f"{value:f}".encode()
    return b'"%b"' % number


def _pointer(path: Path) -> str:
    return "/".join(["#", *map(str, path)])

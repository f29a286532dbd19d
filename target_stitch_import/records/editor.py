"""Edits what the service would not take as the tap wrote it: date-times, and decimals if asked.

All else of a record keeps its bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from operator import ne
from typing import Any, Final

import msgspec

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.records.datetime_check import DatetimeCheck, normalize_text
from target_stitch_import.schemas.places import Place

Path = tuple[str | int, ...]

_MAX_DIGITS: Final = 1_000  # of a decimal that is written out
_NUMBER_STARTS: Final = frozenset(b"-0123456789")

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class RecordEditor:
    """Edits the records of one stream."""

    def __init__(
        self,
        place: Place,
        create_test: Callable[[Mapping[str, Any]], Callable[[bytes], bool]],
        *,
        normalize: bool,
        invalid_as_null: bool,
    ) -> None:
        """Edit the values that ``place`` has within a record.

        ``create_test`` returns a test whether JSON text fits a schema, its date-times included.

        With ``normalize``, a date-time whose meaning is clear gets the form that the service takes.
        With ``invalid_as_null``, one that can't be read becomes null, where the schema permits that.
        """
        self.normalized: Counter[str] = Counter()
        """The date-times that have got another form, by column."""
        self.datetimes = DatetimeCheck(place)
        self.has_decimals = place.has_decimals()
        """Whether numbers become strings, too."""
        self._has_open_datetimes = place.has_open_datetimes()
        self._create_test = create_test
        self._place = place
        self._normalize = normalize
        self._invalid_as_null = invalid_as_null

    def edit(self, record: bytes) -> bytes:
        """Return a record as it may be posted; the same object if nothing is to be edited.

        Raise ``InvalidRecordError`` if it has a value that can't be read.
        """
        try:
            edited = self._edit_parts(record, self._place, ())
        except RecursionError:
            raise InvalidRecordError("is nested too deeply") from None
        return record if edited is None else edited

    def edit_block(self, records: list[bytes], structs: Sequence[object]) -> list[bytes] | None:
        """Return records as ``edit`` would, in a fraction of the time; None if it has to do it.

        It has to where more is to be edited than date-times of columns in the forms of most taps. The
        ``structs`` are what the records are decoded as.
        """
        if self.has_decimals or self._has_open_datetimes:
            return None
        columns = self.datetimes.normalize(structs)
        if columns is None or (columns and not self._normalize):
            return None
        if not columns:
            return records
        names, texts, normalized = zip(*columns, strict=True)
        for name, before, after in columns:
            self.normalized[name] += sum(map(ne, before, after))
        replace = partial(_replace, names)
        return [*map(replace, records, zip(*texts, strict=True), zip(*normalized, strict=True))]

    def _edit(self, value: msgspec.Raw, place: Place, path: Path) -> bytes | None:
        """Return a value as it may be posted; None if it stays as it is."""
        text = bytes(value)
        if text.startswith(b'"'):
            return self._edit_datetime(text, place, path) if place.is_datetime else None
        if text.startswith((b"{", b"[")):
            return self._edit_parts(text, place, path)
        if place.is_decimal and text[0] in _NUMBER_STARTS:
            is_integer = text.removeprefix(b"-").isdigit()
            return None if is_integer and place.permits_integer else _as_text(text, path)
        return None

    def _edit_parts(self, text: bytes, place: Place, path: Path) -> bytes | None:
        """Return an object or a list as it may be posted; None if it stays as it is."""
        values: Any
        parts: list[tuple[Any, Place | None]]
        if text.startswith(b"["):
            values = _decode_list(text) if place.items else []
            parts = [(index, place.item(index)) for index in range(len(values))]
        elif place.other_column is None:
            values = _decode_object(text) if place.columns else {}
            parts = [(name, part) for name, part in place.columns.items() if name in values]
        else:
            values = _decode_object(text)
            parts = [(name, place.column(name)) for name in values]
        is_edited = False
        for key, part in parts:
            edited = None if part is None else self._edit(values[key], part, (*path, key))
            if edited is not None:
                values[key] = msgspec.Raw(edited)
                is_edited = True
        edited = _encode(values) if is_edited else None
        if place.object_schema is None or not self._normalize:
            return edited
        return self._edit_open(edited or text, values, place) or edited

    def _edit_open(self, text: bytes, values: dict[str, msgspec.Raw], place: Place) -> bytes | None:
        """Return an object with the date-times normalized that its other columns make it have.

        None if it fits its schema as it is, or also then does not.
        """
        if place.object_test is None:
            place.object_test = self._create_test(place.object_schema or {})
        fits = place.object_test
        if fits(text):
            return None
        normalized = {
            part.name: (name, new)
            for name, part in place.columns.items()
            if part.may_be_datetime and name in values
            if (new := normalize_text(bytes(values[name]))) not in (None, bytes(values[name]))
        }
        edited = _encode(values | {name: msgspec.Raw(new) for name, new in normalized.values()})
        if not normalized or not fits(edited):
            return None
        self.normalized.update(normalized.keys())
        return edited

    def _edit_datetime(self, text: bytes, place: Place, path: Path) -> bytes | None:
        normalized = normalize_text(text)
        if normalized == text or (place.texts and _decode_text(text) in place.texts):
            return None
        if normalized is None or not self._normalize:
            if self._invalid_as_null and place.permits_null:
                return b"null"
            raise InvalidRecordError(
                f"does not fit its schema: {_pointer(path)}: is not a valid date-time "
                "(see the settings normalize_datetimes and on_invalid_datetime)"
            )
        self.normalized[place.name] += 1
        return normalized


def _replace(
    names: Sequence[str], record: bytes, texts: Sequence[bytes], normalized: Sequence[bytes]
) -> bytes:
    """Return a record in which the date-times of some columns are replaced."""
    replaced = record
    edits = {old: new for old, new in zip(texts, normalized, strict=True) if old != new}
    for old, new in edits.items():
        pieces = replaced.split(old)
        if len(pieces) - 1 != texts.count(old):  # the same text stands elsewhere, too
            values = _decode_object(record)
            columns = zip(names, map(msgspec.Raw, normalized), strict=True)
            return _encode(values | {name: value for name, value in columns if name in values})
        replaced = new.join(pieces)
    return replaced


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

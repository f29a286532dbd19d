"""Judges and normalizes the date-times of many records at once, by their JSON text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Annotated, Any, Final

import msgspec

from target_stitch_import.datetimes import normalize_datetime
from target_stitch_import.schemas.places import Place

_STRUCT: Final = type(msgspec.Struct)  # isinstance is ten times as slow

_first_byte = itemgetter(0)

_ITEMS: Final = 0
"""A step of a path: to all items of a list. Other steps are names of columns."""

_Datetime = Annotated[datetime, msgspec.Meta(tz=True)]
_read_datetimes = msgspec.json.Decoder(list[_Datetime]).decode
_read_datetimes_and_nulls = msgspec.json.Decoder(list[_Datetime | None]).decode
_read_text = msgspec.json.Decoder(str).decode

_ZEROS: Final = bytes(ord("0") if chr(byte).isdigit() else byte for byte in range(256))
_SECOND: Final = b'"0000-00-00T00:00:00'
_FRACTIONS: Final = [b"", *(b"." + b"0" * digits for digits in range(1, 10))]
_FORMS: Final = {_SECOND + fraction + b'Z"' for fraction in _FRACTIONS} | {b"null"}
_FORMS_WITH_OFFSET: Final = {
    _SECOND + fraction + sign + b'00:00"' for fraction in _FRACTIONS for sign in (b"+", b"-")
}
_MAX_OFFSET: Final = b"18:00"


class DatetimeCheck:
    """Normalizes the date-times of records that are decoded as structs, which keep their JSON text."""

    def __init__(self, place: Place) -> None:
        """Read the values that ``place`` has within a record."""
        self._columns = [*_find_columns(place, ())]
        self._attributes: dict[type[msgspec.Struct], dict[str, str]] = {}

    def are_strings(self, records: Sequence[object]) -> bool:
        """Return True if all date-times of the records are strings, or null where that is permitted."""
        for path, permits_null in self._columns:
            starts = {*map(_first_byte, map(bytes, self._values(records, path)))}
            if starts - {*(b'"n' if permits_null else b'"')}:
                return False
        return True

    def normalize(
        self, records: Sequence[object]
    ) -> list[tuple[str, list[bytes], list[bytes]]] | None:
        """Return the columns with date-times that the service takes only in another form.

        Each comes with its name, the texts that the records have, and those that the service takes.
        None if this can't tell: one can't be read, or is within a column and wrong.
        """
        columns = []
        for path, permits_null in self._columns:
            values = self._values(records, path)
            joined = b",".join(values)
            read = _read_datetimes_and_nulls if permits_null else _read_datetimes
            right = next(
                (each for each in _guesses(joined, values) if _are_right(each, read)), None
            )
            if right is None or (right != joined and len(path) > 1):
                return None
            if right != joined:
                columns.append((str(path[0]), [*map(bytes, values)], right.split(b",")))
        return columns

    def _values(self, records: Sequence[Any], path: Sequence[str | int]) -> Sequence[Any]:
        values = records
        for depth, step in enumerate(path):
            if isinstance(step, int):
                values = [*chain.from_iterable(each for each in values if type(each) is list)]
                continue
            if depth:
                values = [each for each in values if type(type(each)) is _STRUCT]
            if not values:
                return values
            values = [*map(self._getter(type(values[0]), step), values)]
        return values

    def _getter(self, struct: type[msgspec.Struct], column: str) -> attrgetter[Any]:
        if struct not in self._attributes:
            names = zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True)
            self._attributes[struct] = dict(names)
        return attrgetter(self._attributes[struct][column])


def _find_columns(
    place: Place, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], bool]]:
    """Yield the path of each date-time, and whether it may be null."""
    if place.is_datetime:
        yield path, place.permits_null
    for name, column in place.columns.items():
        yield from _find_columns(column, (*path, name))
    for item in place.items[:1]:
        if item is not None:
            yield from _find_columns(item, (*path, _ITEMS))


def normalize_text(text: bytes) -> bytes | None:
    """Return the JSON text of a date-time in the form that the service takes; None if it has none.

    One that has that form stays as it is.
    """
    try:
        written = _read_text(text)
    except (msgspec.MsgspecError, UnicodeError):  # half of a surrogate pair
        return None
    normalized = normalize_datetime(written)
    if normalized is None:
        return None
    return text if normalized == written else f'"{normalized}"'.encode()


def _guesses(joined: bytes, values: Sequence[Any]) -> Iterator[bytes]:
    """Yield date-times as they are; in the right form, if that is near; and each normalized."""
    yield joined
    joined = joined.replace(b" ", b"T")
    yield joined
    joined += b","
    yield joined.replace(b'",', b'Z",').replace(b'ZZ"', b'Z"')[:-1]  # no zone
    yield joined.replace(b'+00",', b'+00:00",')[:-1]
    yield b",".join([normalize_text(bytes(value)) or value for value in values])


def _are_right(joined: bytes, read: Any) -> bool:
    """Return True if all are strings of a form that the service takes, and a calendar has them."""
    if not joined:
        return True
    joined = joined.replace(b'+00:00"', b'Z"')
    forms = {*joined.translate(_ZEROS).split(b",")} - _FORMS
    if forms and (forms - _FORMS_WITH_OFFSET or not _has_right_offsets(joined)):
        return False
    try:
        read(b"[%b]" % joined)
    except (msgspec.MsgspecError, ValueError):
        return False
    return True


def _has_right_offsets(joined: bytes) -> bool:
    offsets = {text[-6:-1] for text in joined.split(b",") if text[-7:-6] in (b"+", b"-")}
    return max(offsets) <= _MAX_OFFSET

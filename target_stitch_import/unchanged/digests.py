"""The key and the digest of each record: records with equal digests have the same data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from hashlib import blake2b
from operator import attrgetter, itemgetter
from typing import Any, Final, TypeAlias

import msgspec

from target_stitch_import.batches.transit import decode_transit
from target_stitch_import.datetimes import format_unix_ns, to_unix_ns
from target_stitch_import.json_codec import decode_exactly, encode_exactly, encode_sorted
from target_stitch_import.schemas.keywords import declared_types
from target_stitch_import.schemas.posted import DATE_TIME

DIGEST_SIZE: Final = 16  # bytes
NO_DIGEST: Final = bytes(DIGEST_SIZE)

Key: TypeAlias = "int | str"
"""The only key property if that is a small integer, or all of them as JSON."""

_MAX_INTEGER: Final = 2**63 - 1  # of SQLite
_EXACT: Final = Context(prec=4_000)


class RecordDigests:
    """Reads the keys and the digests of records that come with one schema."""

    def __init__(
        self, schema: Mapping[str, Any], key_names: Sequence[str], ignored: Iterable[str]
    ) -> None:
        """Read records of a posted ``schema``, without the ``ignored`` columns."""
        self._key_names = key_names
        self._ignored = {*ignored} - {*key_names}
        columns = schema["properties"]
        self._times = {name for name in key_names if columns[name].get("format") == DATE_TIME}
        # The same data under another schema, or with other columns left out, is another version.
        made_for = [schema, *key_names, sorted(self._ignored)]
        self._start = blake2b(encode_sorted(made_for), digest_size=DIGEST_SIZE)
        # Sorted, so that the order in a record does not count. No field can have a name that JSON escapes.
        names = [
            name for name in sorted(columns) if encode_exactly(name) == b'"%b"' % name.encode()
        ]
        fields = {name: f"column_{place}" for place, name in enumerate(names)}
        row_type = msgspec.defstruct(
            "Row",
            [(fields[name], self._type(name, columns[name]), msgspec.UNSET) for name in names],
            rename={field: name for name, field in fields.items()},
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(row_type, float_hook=Decimal).decode
        self._key_values = attrgetter(*(fields.get(name, name) for name in key_names))
        self._ignored_fields = [fields[name] for name in self._ignored if name in fields]

    def read(self, records: Sequence[bytes]) -> tuple[list[Key], list[bytes]]:
        """Return the keys and the digests of records; what Stitch takes for one row has one key."""
        keys: list[Key] = []
        digests: list[bytes] = []
        decode, key_values, start = self._decode, self._key_values, self._start
        for record in records:
            row: Any
            key: Any
            try:
                row = decode(record)
                key = key_values(row)
                for field in self._ignored_fields:
                    setattr(row, field, msgspec.UNSET)
            except (msgspec.MsgspecError, ValueError, ArithmeticError):
                # It is Transit, or has a column that is not declared.
                row = decode_record(record)
                key = itemgetter(*self._key_names)(row)
                row = {name: value for name, value in row.items() if name not in self._ignored}
            is_integer = type(key) is int and -_MAX_INTEGER <= key <= _MAX_INTEGER
            keys.append(key if is_integer else self._as_key(key))
            digest = start.copy()
            digest.update(encode_sorted(row))
            digests.append(digest.digest())
        return keys, digests

    def written_key(self, record: bytes) -> str | None:
        """Return the key properties as a record has them, as JSON; None if the key is that already."""
        if not self._times:
            return None
        row = decode_record(record)
        return encode_exactly([row[name] for name in self._key_names]).decode()

    def _type(self, name: str, column: Mapping[str, Any]) -> Any:
        """Return what a column is read as. Numbers stay as they are written: each digit counts."""
        is_number = {*declared_types(column)} in ({"number"}, {"number", "null"})
        return msgspec.Raw if is_number and name not in self._key_names else Any

    def _as_key(self, key: Any) -> Key:
        values = key if len(self._key_names) > 1 else [key]
        values = [self._as_one(*pair) for pair in zip(self._key_names, values, strict=True)]
        if len(values) == 1 and type(values[0]) is int and abs(values[0]) <= _MAX_INTEGER:
            return values[0]
        return encode_exactly(values).decode()

    def _as_one(self, name: str, value: Any) -> Any:
        """Return a value of a key in the one form that equal ones have."""
        if isinstance(value, Decimal):
            value = value.normalize(_EXACT)
            is_whole = value.adjusted() < _EXACT.prec and value == value.to_integral_value()
            return int(value) if is_whole else value
        if name in self._times and isinstance(value, str):
            time_ns = to_unix_ns(value)
            return value if time_ns is None else format_unix_ns(time_ns)
        return value


def decode_record(record: bytes) -> dict[str, Any]:
    """Return the data of a record that is written as JSON or Transit."""
    data: dict[str, Any] = decode_exactly(record)
    return decode_transit(data) if isinstance(data, list) else data

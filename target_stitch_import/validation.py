"""Is this record one that the service will take?

Fast accept, exact reject: a record is accepted by the quickest test that can be trusted, which is
decoding it into a type made from the schema or, where the schema says more, ``jsonschema-rs``. What
neither accepts is judged again by ``jsonschema`` on the exactly decoded record, and that verdict and
its message are the ones that count.

Knows draft 4 and the rules for keys and sizes (Import API reference, section The batch body);
nothing of batches, messages or the network.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
import msgspec

from target_stitch_import.accept import (
    IN_DOUBT,
    Data,
    accept_of,
    good_ones_of,
    is_large,
)
from target_stitch_import.errors import InvalidRecordError, MissingKeyError
from target_stitch_import.jsontext import decode_exactly, encode_exactly
from target_stitch_import.keywords import kinds_of
from target_stitch_import.limits import MAX_DATA_POINTS, MAX_KEY_LENGTH
from target_stitch_import.own_columns import OwnColumns, is_own
from target_stitch_import.schema import subschemas
from target_stitch_import.typed import key_decoder
from target_stitch_import.verdict import exact_verdict, type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["RecordCheck"]

_EXACT_KEYWORDS: Final = frozenset({"enum", "maximum", "minimum", "multipleOf", "uniqueItems"})
"""Where a float would be rounded before it is judged, numbers are decoded as decimals."""

_REGEX_KEYWORDS: Final = frozenset({"pattern", "patternProperties"})
"""The two libraries read some patterns differently, so only the exact one may judge them."""


class RecordCheck:
    """Checks the records of one stream, as the bytes that the tap wrote."""

    def __init__(
        self, schema: Mapping[str, Any], key_properties: Sequence[str], *, validate: bool
    ) -> None:
        """Check against a draft 4 ``schema``; with ``validate`` off, only what the API needs."""
        self.own_columns = OwnColumns()
        self._keys = tuple(key_properties)
        self._known = frozenset(schema["properties"])
        self._schema = schema
        self._validate = validate
        self._accept = accept_of(schema, self._keys)
        accept = self._accept or (self._accept_decoded if validate else None)
        self.good_ones = good_ones_of(schema, self._keys, accept, validate=validate)
        """Says how many records, from the first one on, need no closer look; None if nothing can."""

    def __call__(self, data: Data) -> Data:
        """Return the record's bytes as they may be posted.

        They are the ones given, but for top-level columns whose names are Stitch's own.

        Raises:
            MissingKeyError: A key property is missing, null, or too long a string.
            InvalidRecordError: The service would refuse the record for another reason.
        """
        if self._accept is not None:
            try:
                self._accept(data)
            except IN_DOUBT:
                pass
            else:
                return data
        if rest := self.own_columns.without(bytes(data)):
            return self(rest)
        return self._check_decoded(data) if self._validate else self._check_keys_only(data)

    # Most streams need none of these.

    @cached_property
    def _verdict(self) -> Callable[[Any], str | None]:
        return exact_verdict(self._schema)

    @cached_property
    def _accepts(self) -> Callable[[Any], bool] | None:
        return _fast_validator(self._schema)

    @cached_property
    def _decode(self) -> Callable[[Data], dict[str, Any]]:
        return _decoder(self._schema)

    @cached_property
    def _decode_keys(self) -> Callable[[bytes], object]:
        return key_decoder(self._keys) or self._judge

    def _accept_decoded(self, data: Data) -> None:
        """Return if a record is beyond doubt, though no type can tell; else raise as ``IN_DOUBT``."""
        if not self._is_good(data) or is_large(data):
            raise ValueError("others judge")

    def _check_decoded(self, data: Data) -> Data:
        if not self._is_good(data):
            return self._judge(bytes(data))
        _check_data_points(data)
        return data

    def _is_good(self, data: Data) -> bool:
        """Return True if a record fits its schema, however many values it has; else others judge."""
        try:
            record = self._decode(data)
        except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
            return False
        if not self._known.issuperset(record) and any(map(is_own, record)):
            return False
        if any(_is_no_key(record.get(key)) for key in self._keys):
            return False
        return self._accepts is not None and self._accepts(record)

    def key_values(self, data: Data) -> dict[str, Any]:
        """Return what a record has in its key properties, to name it in a message."""
        try:
            record = _object(bytes(data))
        except InvalidRecordError:
            return {}
        return {key: record[key] for key in self._keys if key in record}

    def _check_keys_only(self, data: Data) -> Data:
        text = bytes(data)
        try:
            if not text.isascii():
                text.decode()
            self._decode_keys(text)
        except IN_DOUBT:
            return self._judge(text)
        _check_data_points(text)
        return data

    def _judge(self, text: bytes) -> Data:
        """Give the exact verdict: slow, and final."""
        record = _object(text)
        if own := [*filter(is_own, record)]:  # in one that only the exact decoding could read
            self.own_columns.left_out = self.own_columns.left_out or own
            return self(encode_exactly({k: v for k, v in record.items() if k not in own}))
        for key in self._keys:
            _check_key(key, record.get(key))
        if self._validate and (broken := self._verdict(record)):
            raise InvalidRecordError(f"does not fit its schema: {broken}")
        _check_data_points(text)
        return text


def _is_no_key(value: Any) -> bool:
    return value is None or (type(value) is str and len(value) > MAX_KEY_LENGTH)


def _check_key(key: str, value: Any) -> None:
    if not _is_no_key(value):
        return
    if value is None:
        raise MissingKeyError(f"lacks key property {key!r}, or has null in it")
    raise MissingKeyError(
        f"has {len(value)} characters in key property {key!r}, "
        f"and the service takes at most {MAX_KEY_LENGTH}"
    )


def _fast_validator(schema: Mapping[str, Any]) -> Callable[[Any], bool] | None:
    """Return the fast accept test, or None where it might accept what draft 4 does not."""
    if any(_REGEX_KEYWORDS & part.keys() or _is_rounded(part) for part in subschemas(schema)):
        return None
    try:
        # The text, not the object: the library then reads the schema's numbers without rounding.
        return jsonschema_rs.Draft4Validator(
            encode_exactly(schema).decode(), validate_formats=False, offline=True
        ).is_valid
    except ValueError:
        return None


def _is_rounded(schema: Mapping[str, Any]) -> bool:
    """Return True if the library may round a number with a fraction to see if it is a multiple."""
    of = schema.get("multipleOf")
    return of is not None and of >= 1 and "number" in kinds_of(schema, "number")


def _decoder(schema: Mapping[str, Any]) -> Callable[[Data], dict[str, Any]]:
    exact = any(_EXACT_KEYWORDS & part.keys() for part in subschemas(schema))
    float_hook = _decimal if exact else None
    return msgspec.json.Decoder(dict[str, Any], float_hook=float_hook).decode


def _decimal(text: str) -> Decimal:
    """Return a number with a fraction; not one with an exponent, which ``jsonschema-rs`` may round."""
    if "e" in text or "E" in text:
        raise ValueError("others judge")
    return Decimal(text)


def _object(text: bytes) -> dict[str, Any]:
    try:
        record = decode_exactly(text)
    except ValueError as error:
        raise InvalidRecordError(f"can't be read: {_reason(error)}") from None
    if not isinstance(record, dict):
        raise InvalidRecordError(f"is no JSON object but {type_of(record)}")
    if b"\\ud" in text or b"\\uD" in text:
        try:
            encode_exactly(record)
        except ValueError:
            raise InvalidRecordError(
                "has half of a surrogate pair, which is no character"
            ) from None
    return record


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeError):
        return "it is not UTF-8"
    return re.sub(r": line \d+ column \d+", "", str(error))


def _check_data_points(data: Data) -> None:
    if not is_large(data):
        return
    points = sum(1 for _ in _leaves(_object(bytes(data))))
    if points > MAX_DATA_POINTS:
        raise InvalidRecordError(
            f"has {points:,} data points, and the service takes at most {MAX_DATA_POINTS:,}"
        )


def _leaves(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
        else:
            yield part

"""Is this record one that the service accepts?

A record is accepted by the quickest test that can be trusted: decoding it into a type made from the
schema or, where the schema says more, ``jsonschema-rs``. Only the exact verdict of ``jsonschema``
refuses one (Import API reference, section The batch body).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

import jsonschema_rs
import msgspec

from target_stitch_import.datetimes import normalize_datetime
from target_stitch_import.errors import InvalidRecordError, MissingKeyError
from target_stitch_import.json_codec import decode_exactly, encode_exactly, json_type
from target_stitch_import.limits import MAX_DATA_POINTS, MAX_KEY_LENGTH, is_reserved
from target_stitch_import.records.editor import RecordEditor
from target_stitch_import.records.exact_verdict import exact_verdict
from target_stitch_import.records.reserved_columns import ReservedColumns
from target_stitch_import.records.struct_decoder import InDoubtError, record_decoder
from target_stitch_import.schemas.keywords import declared_types, subschemas
from target_stitch_import.schemas.places import find_places
from target_stitch_import.schemas.posted import DATE_TIME

QuickTest = Callable[[bytes], object]
"""Returns for a record that is sure to be accepted; raises one of ``_IN_DOUBT`` for any other.

It may return a struct, with the JSON text of the date-times, which the test does not judge.
"""

_IN_DOUBT: Final = (InDoubtError, msgspec.MsgspecError, ValueError, RecursionError)

_EXACT_KEYWORDS: Final = frozenset({"enum", "maximum", "minimum", "multipleOf", "uniqueItems"})
"""Where a float would be rounded before it is judged, numbers are decoded as decimals."""

_REGEX_KEYWORDS: Final = frozenset({"pattern", "patternProperties"})
"""The two libraries read some patterns differently, so only the exact one may judge them."""

_decode_columns = msgspec.json.Decoder(dict[str, Any]).decode


class RecordValidator:
    """Judges the records of one stream, as the bytes that the tap wrote."""

    def __init__(
        self,
        schema: Mapping[str, Any],
        key_properties: Sequence[str],
        *,
        validate: bool,
        max_key_length: int = MAX_KEY_LENGTH,
        posted: Mapping[str, Any] | None = None,
        normalize: bool = True,
        invalid_as_null: bool = False,
    ) -> None:
        """Judge by a draft 4 ``schema``; with ``validate`` off, only by what the service needs.

        A string in a key property has at most ``max_key_length`` characters.
        Values are edited to fit the ``posted`` schema, which is ``schema`` itself if none is given;
        ``normalize`` and ``invalid_as_null`` are those of ``RecordEditor``.
        """
        self.reserved = ReservedColumns()
        place = find_places(schema if posted is None else posted, not_null=key_properties)
        self.editor: RecordEditor | None = None
        """Edits the records; None if the schema has nothing to edit."""
        if place is not None:
            self.editor = RecordEditor(
                place, _strict_test, normalize=normalize, invalid_as_null=invalid_as_null
            )
        self._keys = tuple(key_properties)
        self._known = frozenset(schema["properties"])
        self._schema = schema
        self._validate = validate
        self._max_key_length = max_key_length
        self._quick_test = self._struct_test = self._create_struct_test() or _accept_nothing

    def check(self, records: Iterable[bytes]) -> tuple[list[bytes], InvalidRecordError | None]:
        """Return records up to the first invalid one, and what is wrong with that.

        They are as they may be posted: edited, and without the columns that Stitch itself writes.
        """
        checked = self.reserved.remove_known(list(records))
        decoded: list[object] = []
        error = None
        waiting = iter(checked)
        while not _accepts_all(self._quick_test, waiting, decoded):
            at = len(decoded)
            try:
                checked[at], struct = self._judge(checked[at])
            except InvalidRecordError as invalid:
                error = invalid
                del checked[at:]
                break
            decoded.append(struct)
        if self.editor is None:
            return checked, error
        edited, unreadable = self._edit(self.editor, checked, decoded)
        return edited, unreadable or error

    def _edit(
        self, editor: RecordEditor, checked: list[bytes], decoded: list[object]
    ) -> tuple[list[bytes], InvalidRecordError | None]:
        """Edit records, up to the first one that has a value that can't be read.

        The quick tests, by which they are ``decoded``, have not judged date-times.
        """
        structs = [*filter(None, decoded)]
        if len(structs) == len(decoded):
            edited = editor.edit_block(checked, structs)
            if edited is not None:
                return edited, None
        are_judged = editor.datetimes.are_strings(structs)
        edited = []
        try:
            for record, struct in zip(checked, decoded, strict=True):
                is_judged = are_judged or struct is None
                edited.append(editor.edit(record if is_judged else self._judge_exactly(record)))
        except InvalidRecordError as error:
            return edited, error
        return edited, None

    def key_values(self, record: bytes) -> dict[str, Any]:
        """Return what a record has in its key properties, to name it in a message."""
        try:
            values = _decode_object(record)
        except InvalidRecordError:
            return {}
        return {key: values[key] for key in self._keys if key in values}

    @cached_property
    def _quick_tests(self) -> list[QuickTest]:
        """The quickest comes first. They take long to create: most streams need but that."""
        rest = [self._create_struct_test(with_unnamed=True), self._create_decoded_test()]
        return [self._struct_test, *(test for test in rest if test is not None)]

    def _create_struct_test(self, *, with_unnamed: bool = False) -> QuickTest | None:
        """Return a test by a type that is made from the schema.

        It accepts records with columns that the schema permits and does not name if ``with_unnamed``.
        """
        decode = record_decoder(
            self._schema,
            self._keys,
            max_key_length=self._max_key_length,
            with_unnamed=with_unnamed,
        )
        if decode is None or not (with_unnamed or _may_hold_too_many(self._schema)):
            return decode

        def accept(record: bytes) -> object:
            struct = decode(record)
            unnamed = _decode_columns(record).keys() - self._known if with_unnamed else ()
            if is_large(record) or any(map(is_reserved, unnamed)):
                raise InDoubtError
            return struct

        return accept

    def _create_decoded_test(self) -> QuickTest | None:
        """Return a test of what the schema says, or of the keys alone if that is not validated."""
        schema: Mapping[str, Any] = self._schema if self._validate else {}
        is_valid = _fast_validator(schema)
        if is_valid is None:
            return None
        exact = any(_EXACT_KEYWORDS & part.keys() for part in subschemas(schema))
        float_hook = _decode_decimal if exact else None
        decode = msgspec.json.Decoder(dict[str, Any], float_hook=float_hook).decode
        known, keys, is_unusable_key = self._known, self._keys, self._is_unusable_key

        def accept(record: bytes) -> None:
            try:
                values = decode(record)
            except ArithmeticError:
                raise InDoubtError from None
            if (
                (not known.issuperset(values) and any(map(is_reserved, values)))
                or any(is_unusable_key(values.get(key)) for key in keys)
                or not is_valid(values)
                or is_large(record)
            ):
                raise InDoubtError

        return accept

    def _judge(self, record: bytes) -> tuple[bytes, object]:
        """Return a record that the current quick test does not accept as it may be posted.

        Another quick test that accepts it is the first from here on, and what that returns comes
        with the record; None with one that is judged exactly.
        """
        for test in self._quick_tests:
            try:
                decoded = test(record)
            except _IN_DOUBT:
                continue
            self._quick_test = test
            return record, decoded
        if (rest := self.reserved.remove(record)) is not None:
            return self._judge(rest)
        return self._judge_exactly(record), None

    def _is_unusable_key(self, value: Any) -> bool:
        return value is None or (type(value) is str and len(value) > self._max_key_length)

    @cached_property
    def _exact_verdict(self) -> Callable[[Any], str | None]:
        return exact_verdict(self._schema)

    def _judge_exactly(self, record: bytes) -> bytes:
        values = _decode_object(record)
        if reserved := [*filter(is_reserved, values)]:  # only the exact decoding could read it
            self.reserved.note(reserved)
            kept = {name: value for name, value in values.items() if name not in reserved}
            return self._judge_exactly(encode_exactly(kept))
        for key in self._keys:
            if not self._is_unusable_key(value := values.get(key)):
                continue
            if value is None:
                raise MissingKeyError(f"lacks key property {key!r}, or has null in it")
            raise MissingKeyError(
                f"has {len(value)} characters in key property {key!r}, "
                f"and the service takes at most {self._max_key_length:,}"
            )
        if self._validate and (broken := self._exact_verdict(values)):
            raise InvalidRecordError(f"does not fit its schema: {broken}")
        if is_large(record) and (points := sum(1 for _ in _leaves(values))) > MAX_DATA_POINTS:
            raise InvalidRecordError(
                f"has {points:,} data points, and the service takes at most {MAX_DATA_POINTS:,}"
            )
        return record


def find_invalid(
    schema: Mapping[str, Any],
    key_properties: Sequence[str],
    records: Mapping[int, bytes],
    *,
    max_key_length: int = MAX_KEY_LENGTH,
) -> dict[int, str]:
    """Return what is wrong with each record that is invalid by a draft 4 ``schema``, by its index."""
    validator = RecordValidator(
        schema, key_properties, validate=True, max_key_length=max_key_length
    )
    # One by one: behind an invalid record, all others would be checked again.
    errors = {index: validator.check([record])[1] for index, record in records.items()}
    return {index: str(error) for index, error in errors.items() if error is not None}


def _accepts_all(test: QuickTest, records: Iterator[bytes], decoded: list[object]) -> bool:
    """Return True if a quick test accepts all records; else go no further than the one in doubt.

    What the test returns is added to ``decoded``.
    """
    try:
        decoded.extend(map(test, records))
    except _IN_DOUBT:
        return False
    return True


def _accept_nothing(_record: bytes) -> None:
    raise InDoubtError


def _strict_test(schema: Mapping[str, Any]) -> Callable[[bytes], bool]:
    """Return a test whether JSON text fits a schema, its date-times included; True if none can tell."""
    is_valid = _fast_validator(schema, {DATE_TIME: lambda text: normalize_datetime(text) == text})
    decode = msgspec.json.Decoder(float_hook=_decode_decimal).decode

    def fits(text: bytes) -> bool:
        try:
            return is_valid is None or is_valid(decode(text))
        except (*_IN_DOUBT, ArithmeticError):
            return True

    return fits


def _fast_validator(
    schema: Mapping[str, Any], formats: Mapping[str, Callable[[str], bool]] | None = None
) -> Callable[[Any], bool] | None:
    """Return the fast accept test, or None where it might accept what draft 4 does not.

    Only the ``formats`` that are given are checked.
    """
    if any(_REGEX_KEYWORDS & part.keys() or _is_rounded(part) for part in subschemas(schema)):
        return None
    try:
        # The text, not the object: the library then reads the schema's numbers without rounding.
        return jsonschema_rs.Draft4Validator(
            encode_exactly(schema).decode(),
            formats=dict(formats or {}),
            validate_formats=formats is not None,
            offline=True,
        ).is_valid
    except ValueError:
        return None


def _is_rounded(schema: Mapping[str, Any]) -> bool:
    """Return True if the library may round a number with a fraction to see if it is a multiple."""
    divisor = schema.get("multipleOf")
    return divisor is not None and divisor >= 1 and "number" in declared_types(schema, "number")


def _decode_decimal(text: str) -> Decimal:
    """Return a number with a fraction; not one with an exponent, which ``jsonschema-rs`` may round."""
    if "e" in text or "E" in text:
        raise InDoubtError
    return Decimal(text)


def _decode_object(text: bytes) -> dict[str, Any]:
    try:
        record = decode_exactly(text)
    except UnicodeError:
        raise InvalidRecordError("can't be read: it is not UTF-8") from None
    except ValueError as error:
        reason = re.sub(r": line \d+ column \d+", "", str(error))
        raise InvalidRecordError(f"can't be read: {reason}") from None
    if not isinstance(record, dict):
        raise InvalidRecordError(f"is not a JSON object but {json_type(record)}")
    if b"\\ud" in text or b"\\uD" in text:
        try:
            encode_exactly(record)
        except ValueError:
            raise InvalidRecordError(
                "has half of a surrogate pair, which is not a character"
            ) from None
    return record


def is_large(record: bytes) -> bool:
    """Return False if a record can't have too many data points: n leaves need n - 1 commas."""
    return len(record) >= 2 * MAX_DATA_POINTS and record.count(b",") >= MAX_DATA_POINTS


def _may_hold_too_many(schema: Mapping[str, Any]) -> bool:
    """Return False if a record that decodes as its type can't have too many data points."""
    properties = schema["properties"].values()
    return len(properties) > MAX_DATA_POINTS or any(
        not {"array", "object"}.isdisjoint(declared_types(part, "object")) for part in properties
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

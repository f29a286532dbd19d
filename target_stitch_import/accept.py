"""Fast accept: which records are beyond doubt, one at a time and many.

A record is beyond doubt if it decodes into the type made from its schema, at most with columns more
that are permitted, or passes what judges in place of a type; or, where nothing is to be validated, if
it has its keys and no column of Stitch's own. What is in doubt is for others to judge.
Knows schemas and bytes (Import API reference, section The batch body); nothing of messages.
"""

from __future__ import annotations

from collections import deque
from functools import cache, partial
from operator import length_hint
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from target_stitch_import.keywords import kinds_of
from target_stitch_import.limits import MAX_DATA_POINTS
from target_stitch_import.own_columns import may_have_own
from target_stitch_import.typed import key_decoder, record_decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Accept: TypeAlias = Callable[["Data"], object]
    """Returns for a record beyond doubt; raises one of ``IN_DOUBT`` for any other."""
    GoodOnes: TypeAlias = Callable[[Sequence[bytes]], int]
    """Says how many records, from the first one on, are beyond doubt."""

__all__ = ["IN_DOUBT", "accept_of", "good_ones_of", "is_large"]

Data: TypeAlias = bytes | msgspec.Raw

IN_DOUBT: Final = (msgspec.MsgspecError, ValueError, RecursionError)

_decode = msgspec.json.Decoder().decode

_CAN_HOLD_TOO_MANY: Final = 2 * MAX_DATA_POINTS  # bytes: a value and its comma take two


def accept_of(schema: Mapping[str, Any], keys: Sequence[str]) -> Accept | None:
    """Return the test whether a record is beyond doubt; None if the schema has none."""
    decode = record_decoder(schema, keys)
    if decode is None or not _may_hold_too_many(schema):
        return decode

    def accept(data: Data) -> None:
        decode(data)
        if is_large(data):
            raise ValueError("others judge")

    return accept


def good_ones_of(
    schema: Mapping[str, Any], keys: Sequence[str], accept: Accept | None, *, validate: bool
) -> GoodOnes | None:
    """Return what tells how many records are beyond doubt, by ``accept`` or something quicker.

    None if nothing can tell.
    """
    if not validate and (quicker := key_decoder(keys)) is not None:

        def with_keys(data: Sequence[bytes]) -> int:
            if _is_plain(data):
                return _accepted(quicker, data)
            return _accepted(accept, data) if accept else 0

        return with_keys
    return accept and _validated(schema, keys, accept)


def _validated(schema: Mapping[str, Any], keys: Sequence[str], accept: Accept) -> GoodOnes:
    """Return what counts the records that ``accept`` takes, or that it would but for more columns."""

    @cache  # made when it is needed, for it takes long, and most taps name all that they write
    def passing_over() -> Accept | None:
        decode = record_decoder(schema, keys, others=True)
        return decode and partial(_accept_with_others, decode)

    def good_ones(data: Sequence[bytes]) -> int:
        good = _accepted(accept, data)
        if good < len(data) and (accept_more := passing_over()):
            good += _accepted(accept_more, data[good:])
        return good

    return good_ones


def _accept_with_others(decode: Accept, data: Data) -> None:
    """Return for a record that ``decode`` takes, if it may have what that passes over, too."""
    decode(data)
    _decode(data)  # what no text or number of JSON is
    if may_have_own(bytes(data)) or is_large(data):
        raise ValueError("others judge")


def is_large(data: Data) -> bool:
    """Return False if a record can't have too many data points: n leaves need n - 1 commas."""
    return (
        memoryview(data).nbytes >= _CAN_HOLD_TOO_MANY and bytes(data).count(b",") >= MAX_DATA_POINTS
    )


def _accepted(accept: Accept, data: Sequence[bytes]) -> int:
    waiting = iter(data)
    try:
        deque(map(accept, waiting), maxlen=0)
    except IN_DOUBT:
        return len(data) - length_hint(waiting) - 1
    return len(data)


def _is_plain(data: Sequence[bytes]) -> bool:
    """Return True if records of JSON are text, none too large, without a column of Stitch's own."""
    text = b"".join(data)
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            return False
    if max(map(len, data), default=0) >= _CAN_HOLD_TOO_MANY:
        return False
    return not may_have_own(text)


def _may_hold_too_many(schema: Mapping[str, Any]) -> bool:
    """Return False if a record that decodes as its type can't have too many data points."""
    properties = schema["properties"].values()
    return len(properties) > MAX_DATA_POINTS or any(
        not {"array", "object"}.isdisjoint(kinds_of(part, "object")) for part in properties
    )

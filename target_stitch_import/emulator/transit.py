"""Transit bodies as the JSON that they stand for.

Reads both forms of transit-format 0.8 that are JSON: compact, with maps as arrays and a cache of what
was written before, and verbose. Decimals and integers keep every digit, which no library's reader
does; instants become RFC 3339 texts in UTC. Knows Transit; nothing of what is in a body.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.emulator import decoding
from target_stitch_import.emulator.decoding import MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CONTENT_TYPE: Final = "application/transit+json"

_MAP: Final = "^ "
_DIGITS: Final = 44  # of the numbers that refer to the cache
_FIRST: Final = 48  # the code of digit 0
_SHORT: Final = 4  # characters from which on a text is worth a place in the cache
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, as all times here
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"(?:Z|([+-])([0-9]{2}):?([0-9]{2}))"
)

_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


def to_json(body: bytes) -> bytes:
    """Return the JSON of a Transit body.

    Raises:
        MalformedError: with the reason.
    """
    value = decoding.decode(body)
    try:
        return _encode(_Reader().read(value))
    except (ValueError, InvalidOperation, IndexError, OverflowError) as error:
        raise MalformedError(f"no Transit: {error}") from None


class _Reader:
    """Reads one body; what it has read may be referred to later in it."""

    def __init__(self) -> None:
        self._cache: list[str] = []

    def read(self, value: Any, *, is_key: bool = False) -> Any:
        """Return what a value of JSON stands for."""
        if isinstance(value, str):
            return _scalar(self._resolved(value, is_key=is_key))
        if isinstance(value, dict):
            return self._verbose(value)
        if isinstance(value, list):
            return self._array(value)
        return value

    def _array(self, array: list[Any]) -> Any:
        if not array:
            return []
        if array[0] == _MAP:
            return self._map(iter(array[1:]))
        if len(array) == 2 and isinstance(array[0], str):  # noqa: PLR2004
            first = self._resolved(array[0], is_key=False)
            if first.startswith("~#"):
                return self._tagged(first[2:], array[1])
            return [_scalar(first), self.read(array[1])]
        return [self.read(each) for each in array]

    def _verbose(self, value: dict[str, Any]) -> Any:
        if len(value) == 1:
            ((key, inner),) = value.items()
            resolved = self._resolved(key, is_key=True)
            if resolved.startswith("~#"):
                return self._tagged(resolved[2:], inner)
            return {_name(_scalar(resolved)): self.read(inner)}
        return self._map(iter([part for pair in value.items() for part in pair]))

    def _map(self, parts: Iterator[Any]) -> dict[str, Any]:
        found = {}
        for key in parts:
            name = _name(self.read(key, is_key=True))
            found[name] = self.read(_next(parts))
        return found

    def _tagged(self, tag: str, value: Any) -> Any:
        inner = self.read(value)
        if tag == "'":
            return inner
        if tag in ("list", "set"):
            return _list(inner)
        if tag == "cmap":
            pairs = iter(_list(inner))
            return {_name(key): _next(pairs) for key in pairs}
        return _scalar(f"~{tag}{inner}")

    def _resolved(self, text: str, *, is_key: bool) -> str:
        """Return what a reference refers to, or the text itself; take note of what may be."""
        if text.startswith("^") and text != _MAP:
            return self._cache[_number(text[1:])]
        if len(text) >= _SHORT and (is_key or text[:2] in ("~:", "~$", "~#")):
            if len(self._cache) == _DIGITS * _DIGITS:
                self._cache.clear()
            self._cache.append(text)
        return text


def _number(code: str) -> int:
    digits = [ord(each) - _FIRST for each in code]
    if len(digits) not in (1, 2) or not all(0 <= digit < _DIGITS for digit in digits):
        raise ValueError(f"^{code} is no reference")
    return digits[0] if len(digits) == 1 else digits[0] * _DIGITS + digits[1]


def _scalar(text: str) -> Any:
    """Return what a text stands for."""
    if not text.startswith("~"):
        return text
    tag, rest = text[1:2], text[2:]
    if tag in _PLAIN:
        return rest
    if tag in ("~", "^", "`"):
        return text[1:]
    if tag not in _TAGS:
        raise ValueError(f"nothing is known of the tag {tag!r}")
    return _TAGS[tag](rest)


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"{text} is no number")
    return number


def _instant(text: str) -> str:
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no instant")
    moment = dt.datetime.fromisoformat(match[1])
    if match[3]:
        offset = dt.timedelta(hours=int(match[4]), minutes=int(match[5]))
        moment += -offset if match[3] == "+" else offset
    return _text(moment, match[2] or "")


def _text(moment: dt.datetime, fraction: str) -> str:
    digits = fraction.ljust(6, "0") if fraction else f"{moment.microsecond:06}"
    return f"{moment.replace(microsecond=0).isoformat()}.{digits}Z"


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{key!r} is no name")  # noqa: TRY004 - of the body, not of a program
    return key


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError("a list is expected")  # noqa: TRY004
    return value


def _next(parts: Iterator[Any]) -> Any:
    for part in parts:
        return part
    raise ValueError("a map has a key without a value")


def _known(words: dict[str, Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text not in words:
            raise ValueError(f"{text!r} is no value of this tag")
        return words[text]

    return read


_PLAIN: Final = (":", "$", "u", "r", "b", "c")
"""Tags of what is a text in JSON too."""
_TAGS: Final[dict[str, Callable[[str], Any]]] = {
    "?": _known({"t": True, "f": False}),
    "_": _known({"": None}),
    "d": decoding.fraction,
    "f": _finite,
    "i": int,
    "m": lambda text: _text(_EPOCH + dt.timedelta(milliseconds=int(text)), ""),
    "n": int,
    "t": _instant,
}

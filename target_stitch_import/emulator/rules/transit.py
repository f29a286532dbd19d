"""Transit bodies translated into JSON bodies, to the last digit.

Reads transit-format 0.8 over JSON, in the compact and in the verbose form. An instant becomes
a string of RFC 3339 in UTC, a keyword its name, a decimal or a big integer a number with all
its digits.
"""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.destinations.facts import Instant
from target_stitch_import.emulator.storage import exact_json
from target_stitch_import.emulator.storage.exact_json import TOO_DEEP, MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAP: Final = "^ "
"""The first item of an object in the compact form."""
_CODE: Final = re.compile(r"\^([0-[])([0-[])?")
"""A reference to an earlier string: one or two digits of base 44, of which ``0`` is the first."""
_BASE: Final = 44
_MAX_CACHED: Final = _BASE**2
_MIN_CACHED_LENGTH: Final = 4
_CACHED_TAGS: Final = ("~#", "~:", "~$")

_INTEGER: Final = re.compile(r"-?[0-9]+")
_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def read_transit(body: bytes) -> tuple[Any, bytes]:
    """Return the value of a Transit body, with an ``Instant`` for each, and its JSON text.

    Raises:
        MalformedError: the body is not Transit, or has no equal in JSON; says why.
    """
    try:
        value = _Reader().value(exact_json.decode(body))
        return value, _ENCODER.encode(value)
    except RecursionError:
        raise MalformedError(TOO_DEEP) from None


class _Tag:
    """The tag of a tagged value."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Reader:
    """Reads one body, with its cache of strings."""

    def __init__(self) -> None:
        self._cache: list[str] = []

    def value(self, node: Any) -> Any:
        """Return the value of a node of the JSON text.

        Only one call for each level, so that bodies may be nested as deeply as JSON ones.
        """
        if isinstance(node, str):
            return _require_untagged(self._string(node, is_key=False))
        if not isinstance(node, (dict, list)):
            return node
        is_map = isinstance(node, dict) or node[:1] == [_MAP]
        items: list[Any] = []
        for index, each in enumerate(_items(node, is_map=is_map)):
            is_key = is_map and index % 2 == 0
            if is_key or (index == 0 and isinstance(each, str)):
                items.append(self._string(each, is_key=is_key))
            else:
                items.append(self.value(each))
        if items and isinstance(items[0], _Tag) and (isinstance(node, dict) or not is_map):
            return _tagged(items)
        return _object(items) if is_map else items

    def _string(self, node: Any, *, is_key: bool) -> Any:
        """Return the value of a string, which may be a ``_Tag``."""
        if not isinstance(node, str):
            raise MalformedError("the name of a field is no string")
        if node.startswith("^") and node != _MAP:
            return _scalar(self._cached_string(node))
        if len(node) >= _MIN_CACHED_LENGTH and (is_key or node.startswith(_CACHED_TAGS)):
            if len(self._cache) == _MAX_CACHED:
                self._cache.clear()
            self._cache.append(node)
        return _scalar(node)

    def _cached_string(self, code: str) -> str:
        match = _CODE.fullmatch(code)
        if match is None:
            raise MalformedError("a string begins with ^ and is no cache code")
        index = 0
        for digit in filter(None, match.groups()):
            index = index * _BASE + ord(digit) - ord("0")
        if index >= len(self._cache):
            raise MalformedError("a cache code stands for nothing that came before")
        return self._cache[index]


def _items(node: Any, *, is_map: bool) -> Any:
    """Return names and values of an object alternately, or the items of an array."""
    if isinstance(node, dict):
        return itertools.chain.from_iterable(node.items())
    return node[1:] if is_map else node


def _object(items: list[Any]) -> dict[str, Any]:
    names, values = items[::2], items[1::2]
    if len(names) != len(values):
        raise MalformedError("an object has a name without a value")
    if not all(isinstance(name, str) for name in names):
        raise MalformedError("the name of a field is no string")
    return dict(zip(names, values, strict=True))


def _tagged(items: list[Any]) -> Any:
    tag, *values = items
    if len(values) != 1:
        raise MalformedError(f"the tag {tag.name} has not one value")
    (value,) = values
    if tag.name == "'":
        return value
    if tag.name in ("list", "set") and isinstance(value, list):
        return value
    text = str(value) if type(value) is int else value
    if tag.name not in _SCALARS or not isinstance(text, str):
        raise MalformedError(f"the tag {tag.name} is unknown, or not with such a value")
    return _SCALARS[tag.name](text)


def _require_untagged(value: Any) -> Any:
    if isinstance(value, _Tag):
        raise MalformedError(f"the tag {value.name} has not one value")
    return value


def _scalar(text: str) -> Any:
    if not text.startswith("~"):
        return text
    tag, rest = text[1:2], text[2:]
    if tag == "#":
        return _Tag(rest)
    if tag in ("~", "^", "`"):
        return text[1:]
    if tag not in _SCALARS:
        raise MalformedError(f"the tag {tag} is unknown" if tag else "a string is nothing but ~")
    return _SCALARS[tag](rest)


def _null(text: str) -> None:
    if text:
        raise MalformedError("the tag _ has a value")


def _boolean(text: str) -> bool:
    if text not in ("t", "f"):
        raise MalformedError("the tag ? is without t or f")
    return text == "t"


def _integer(text: str) -> int | Decimal:
    if _INTEGER.fullmatch(text) is None:
        raise MalformedError("the tag i or n is without an integer")
    return exact_json.parse_integer(text)


def _decimal(text: str) -> Decimal:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise MalformedError("the tag d or f is without a number")
    try:
        # With an exponent, for a decimal that is whole is no integer.
        return exact_json.parse_number(text if match[2] else f"{text}e0")
    except decimal.InvalidOperation:
        raise MalformedError("a number's exponent is out of range") from None


def _instant(text: str) -> Instant:
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise MalformedError("the tag t is without a time of RFC 3339 with its zone")
    time, fraction, zone = match.groups()
    try:
        utc = dt.datetime.fromisoformat(time + ("+00:00" if zone == "Z" else zone))
        return Instant(_format_time(utc.astimezone(dt.timezone.utc), fraction or ""))
    except (OverflowError, ValueError):
        raise MalformedError("the tag t is with a time that there is not") from None


def _milliseconds(text: str) -> Instant:
    if _INTEGER.fullmatch(text) is None:
        raise MalformedError("the tag m is without an integer")
    try:
        seconds, milliseconds = divmod(int(text), 1000)
        return Instant(_format_time(_EPOCH + dt.timedelta(seconds=seconds), f"{milliseconds:03}"))
    except (OverflowError, ValueError):
        raise MalformedError("the tag m is with a time out of range") from None


def _format_time(time: dt.datetime, fraction: str) -> str:
    """Return a time in whole seconds with a fraction of at least six digits."""
    return f"{time.replace(tzinfo=None).isoformat()}.{fraction:0<6}Z"


_SCALARS: Final[Mapping[str, Callable[[str], Any]]] = {
    "_": _null,
    "?": _boolean,
    "i": _integer,
    "n": _integer,
    "d": _decimal,
    "f": _decimal,
    "t": _instant,
    "m": _milliseconds,
    # Keywords, symbols, URIs, UUIDs, characters and bytes (of base 64): their text.
    **dict.fromkeys(":$rucb", str),
}

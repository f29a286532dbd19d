"""The facts of each destination, read from ``destinations.json``, which has their source and date.

Import API reference, section What happens after the 201.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any, Final

_DATETIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})((?:\.[0-9]{1,9})?)"
    r"(?:[Zz]|([+-][0-9]{2}):?([0-9]{2}))"
)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_DIGITS: Final = re.compile(r"(?:precision 1\.\.)?([0-9]+)(?: digits)?")


@dataclass(frozen=True)
class ColumnType:
    """A type of a destination's columns."""

    name: str | None
    suffix: str  # of the name of a column that is split by type
    low: Decimal | None = None  # of date-times, in seconds
    high: Decimal | None = None
    digits: int | None = None  # the most that a number has

    @cached_property
    def integers(self) -> range | None:
        """The integers within its range; None if it has none."""
        if self.digits is not None:
            return range(1 - 10**self.digits, 10**self.digits)
        if self.low is None or self.high is None:
            return None
        return range(math.ceil(self.low), math.floor(self.high) + 1)

    def holds(self, value: Decimal) -> bool:
        """Return True if a number, or a date-time in seconds, is within its range."""
        if self.digits is not None:
            _, digits, exponent = value.as_tuple()
            places = int(exponent)
            return max(len(digits) + max(places, 0), -places) <= self.digits
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class Destination:
    """A destination, by the words of the file; without a ``key``, what holds for all of them."""

    key: str | None = None
    label: str = "any destination"
    version: str | None = None  # of Stitch's own loader
    nested: bool = True  # it keeps objects and arrays; others make columns and subtables of them
    names: Sequence[str] = ()  # the rules, in the order in which they are applied
    case: str = "sensitive"
    max_table_name: int | None = None
    max_column_name: int | None = None
    max_columns: int | None = None
    max_record_bytes: int | None = None
    rename_original_in_split: bool = False  # the first part of a split column gets a suffix, too
    types: Mapping[str, Sequence[ColumnType]] = field(default_factory=dict)
    """By kind of value; of several types a column has the first that holds its values."""

    def column_types(self, kind: str) -> Sequence[ColumnType]:
        """Return the types of a kind of values, the narrowest first."""
        return self.types.get(kind) or (ColumnType(None, ""),)


def to_number(kind: str, value: Any) -> Decimal | None:
    """Return what a type's range is compared with; None for a value that has no range."""
    if kind == "date-time":
        return to_seconds(value)
    return to_decimal(value) if kind in ("integer", "decimal") else None


def to_decimal(value: Any) -> Decimal | None:
    """Return a number or its text as a decimal; None if it is none."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def to_seconds(text: str) -> Decimal | None:
    """Return a date-time in seconds since 1970 in UTC; None if it is none."""
    if (match := _DATETIME.fullmatch(text)) is None:
        return None
    time, fraction, hours, minutes = match.groups()
    try:
        since = dt.datetime.fromisoformat(f"{time}+00:00") - _EPOCH
    except ValueError:  # no calendar has it
        return None
    offset = int(hours or 0) * 3_600 + int(f"{(hours or '+')[0]}{minutes or 0}") * 60
    return since // dt.timedelta(seconds=1) - offset + Decimal(fraction or 0)


def _read_type(kind: str, facts: Mapping[str, Any]) -> ColumnType:
    name, suffix, text = facts["type"], facts["suffix"], facts.get("range", "..")
    if (match := _DIGITS.fullmatch(text)) is not None:
        return ColumnType(name, suffix, digits=int(match[1]))
    low, high = (to_number(kind, bound) if bound else None for bound in text.split(".."))
    return ColumnType(name, suffix, low, high)


def _read(key: str, facts: Mapping[str, Any]) -> Destination:
    types = {
        kind: tuple(_read_type(kind, each) for each in (given if type(given) is list else [given]))
        for kind, given in facts["types"].items()
    }
    return Destination(**{"key": key, "label": key, **facts, "types": types})


_FILE: Final = json.loads(Path(__file__).with_name("destinations.json").read_bytes())
DESTINATIONS: Final = {key: _read(key, facts) for key, facts in _FILE["destinations"].items()}
ANY: Final = Destination()

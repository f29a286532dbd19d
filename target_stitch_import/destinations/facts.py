"""The facts of each destination, and the kinds of values that it has types for.

Import API reference, section What happens after the 201. ``destinations.json`` has the facts, with
their source and date.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from target_stitch_import.limits import is_reserved

_DATETIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})((?:\.[0-9]{1,9})?)"
    r"(?:[Zz]|([+-][0-9]{2}):?([0-9]{2}))"
)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_DIGITS: Final = re.compile(r"(?:precision 1\.\.)?([0-9]+)(?: digits)?")

PRIMARY_KEY: Final = "__sdc_primary_key"
"""The column that a table without keys gets."""
ITEM: Final = "value"
"""The column of a subtable's items that are no objects."""
COLLISION: Final = "Field collision on {}"
TABLE_COLLISION: Final = "Table collision on {}"
OUT_OF_RANGE: Final = "data on {} falls outside the range supported for {}"
ONLY_NULL: Final = "a column that is only null is not created"

_RULES: Final[Mapping[str, tuple[str, str]]] = {
    "blanks to _": (" ", "_"),
    "trim blanks": (r"\A +| +\Z", ""),
    "special characters to _": ("[^A-Za-z0-9_]", "_"),
    "special characters removed": ("[^A-Za-z0-9_]", ""),
    "special characters and blanks removed": ("[^A-Za-z0-9_]", ""),
    "a leading digit to _": ("^[0-9]", "_"),
    "_ before a leading digit": ("^(?=[0-9])", "_"),
    "leading characters that are no letter removed": ("^[^A-Za-z]+", ""),
    "trim leading characters that are not a-z A-Z 0-9 _": ("^[^A-Za-z0-9_]+", ""),
    "characters that are not a-z A-Z 0-9 _ @ $ # to _": ("[^A-Za-z0-9_@$#]", "_"),
    "characters that are not a-z A-Z 0-9 _ $ to _": ("[^A-Za-z0-9_$]", "_"),
}
"""By rule, what of a name is replaced, and by what; two more rules change its case."""
_SUFFIX: Final = re.compile(
    r".*__(?:st|it|bi|fl|do|de|bo|ti|nu|va|re|ar|dt|js|inst|lg|db)", re.DOTALL
)


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

    @property
    def is_bounded(self) -> bool:
        """Whether there is a value that is outside of its range."""
        return any(each is not None for each in (self.low, self.high, self.digits))

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

    def family(self, kind: str) -> str:
        """Return what is the same for kinds of values that share a column."""
        return self.column_types(kind)[0].suffix

    def canonical_name(self, *path: str) -> str:
        """Return the name of a table, a column or, with the names above it, of a nested one."""
        name = "__".join(path)
        if not name.startswith(("_sdc", "__sdc")):
            for rule in self.names:
                if rule in ("lower case", "upper case"):
                    name = name.lower() if rule == "lower case" else name.upper()
                else:
                    name = re.sub(*_RULES[rule], name)
        return name

    def compared_name(self, name: str) -> str:
        """Return what is the same for two canonical names that are one."""
        return name.lower() if self.case == "insensitive" else name

    def split_names(self, name: str, types: Sequence[ColumnType]) -> list[str]:
        """Return the names of the columns that one with values of several types is split into."""
        if len(types) < 2:  # noqa: PLR2004
            return [name] * len(types)
        names = [f"{name}__{each.suffix}" for each in types]
        if self.case == "upper":
            names = list(map(str.upper, names))
        return names if self.rename_original_in_split else [name, *names[1:]]

    def source_key(self, key: str) -> str:
        """Return the name of a subtable's column for a key of the top table."""
        return f"_sdc_source_key_{self.canonical_name(key)}"

    def reject_table(self, name: str) -> str | None:
        """Return why all records of a table with a canonical name are rejected, or None."""
        if name and len(name) <= (self.max_table_name or len(name)):
            return None
        return f"Table name {name} is too {'long' if name else 'short'} for {self.label}"

    def count_columns(self, columns: int) -> str | None:
        """Return why all of a table with so many columns is rejected, or None."""
        if columns <= (self.max_columns or columns):
            return None
        return f"too many columns for {self.label}: more than {self.max_columns:,}"

    def reject_record(self, size: int) -> str | None:
        """Return why a record of a size in bytes is rejected, or None."""
        if size <= (self.max_record_bytes or size):
            return None
        return f"record is too large for {self.label}: more than {self.max_record_bytes:,} bytes"

    def reject_column(self, *path: str) -> str | None:
        """Return why the records that have a column are rejected because of its name, or None."""
        name, own = self.canonical_name(*path), "__".join(path)
        if not name:
            return f"Column name {own} is too short for {self.label}"
        if is_reserved(name):
            return COLLISION.format(name)
        for each in (name, own) if self.case == "sensitive" else (name.lower(), own.lower()):
            if _SUFFIX.fullmatch(each) or each.startswith("_rjm"):
                return (
                    f"column names from client should not include reserved datatype suffix on {own}"
                )
        return None

    def omit_column(self, name: str) -> str | None:
        """Return why a column with a canonical name is left out of its records, or None."""
        if len(name) <= (self.max_column_name or len(name)):
            return None
        return f"Column name {name} is too long for {self.label}"


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


QuickCheck: TypeAlias = Literal[True] | Callable[[Any], Any]
"""True for all values, or a function that returns what is true for those that it means."""


class Instant(str):
    """A date-time that is one without a schema, as in Transit."""

    __slots__ = ()


_KINDS: Final = {bool: "boolean", dict: "object", list: "array", Instant: "date-time"}
_FORMATS: Final = {"date-time": "date-time", "singer.decimal": "decimal"}
_ORDINARY: Final = {
    "date-time": re.compile(
        r"(?:19[1-9][0-9]|[2-8][0-9]{3})-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
        r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
        r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
        r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
    ),
    "decimal": re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,6})?"),
}
"""By kind, texts that are surely of it, and within the range of each type of each destination."""


class FieldSchema:
    """What the posted schema of a table says of a field, or of all fields of a record."""

    def __init__(self, *schemas: Any) -> None:
        """Combine all ``schemas`` of a field: none if the types come of the values alone."""
        self._schemas = list(_alternatives(schemas))
        self._properties: dict[str | None, FieldSchema] = {}
        self._has_patterns = any(each.get("patternProperties") for each in self._schemas)
        self.kinds = list(dict.fromkeys(self._declared_kinds()))
        """The kinds of values that the schema declares."""
        number = next((kind for kind in ("number", "integer") if kind in self.kinds), None)
        self._by_type = {
            **_KINDS,
            int: number or "integer",
            Decimal: number or "number",
            str: None if {"date-time", "decimal"} & set(self.kinds) else "string",
        }

    @cached_property
    def names(self) -> dict[str, None]:
        """The declared fields of its objects, in their order."""
        found = [each.get("properties", {}) for each in self._schemas]
        return dict.fromkeys(name for each in found for name in each)

    def field(self, name: str) -> FieldSchema:
        """Return the schema of a field of its objects."""
        is_alike = name not in self.names and not self._has_patterns
        declared = None if is_alike else name
        if (schema := self._properties.get(declared)) is None:
            found = [part for each in self._schemas for part in _field_schemas(each, name)]
            schema = self._properties[declared] = FieldSchema(*found)
        return schema

    @cached_property
    def item(self) -> FieldSchema:
        """The schema of the items of its arrays."""
        items = [each.get(name) for each in self._schemas for name in ("items", "additionalItems")]
        return FieldSchema(
            *(part for each in items for part in (each if type(each) is list else [each]))
        )

    def kind(self, value: Any) -> str:
        """Return the kind of a value that is not null."""
        if (kind := self._by_type[type(value)]) is not None:
            return kind
        if "date-time" in self.kinds and to_seconds(value) is not None:
            return "date-time"
        return "decimal" if "decimal" in self.kinds and to_decimal(value) is not None else "string"

    def quick_check(self, kind: str, held: ColumnType, value: Any) -> QuickCheck | None:
        """Return what is true for no value of the same type of Python but of its kind, and ``held``.

        True if all are; None if nothing quick says so.
        """
        if kind in _ORDINARY and isinstance(value, str):
            return _ORDINARY[kind].fullmatch
        if kind == "integer" and type(value) is int and held.integers is not None:
            return held.integers.__contains__
        if self._by_type[type(value)] is None:
            return None
        return None if held.is_bounded and to_number(kind, value) is not None else True

    def _declared_kinds(self) -> Iterator[str]:
        for schema in self._schemas:
            types = schema.get("type")
            for name in types if isinstance(types, list) else [types]:
                if isinstance(name, str) and name != "null":
                    yield (
                        _FORMATS.get(str(schema.get("format")), name) if name == "string" else name
                    )


def _field_schemas(schema: Mapping[str, Any], name: str) -> list[Any]:
    """Return what a schema of objects says of a field."""
    patterns = schema.get("patternProperties", {}).items()
    found = [part for pattern, part in patterns if re.search(pattern, name)]
    if name in schema.get("properties", {}):
        found.append(schema["properties"][name])
    return found or [schema.get("additionalProperties")]


def narrowest_type(types: Sequence[ColumnType], kind: str, value: Any) -> int | None:
    """Return the place of the first of the ``types`` that holds a value; None if none does."""
    if (number := to_number(kind, value)) is None:
        return 0
    return next((place for place, each in enumerate(types) if each.holds(number)), None)


def _alternatives(schemas: Any) -> Iterator[dict[str, Any]]:
    for schema in schemas:
        if isinstance(schema, dict):
            yield schema
            for keyword in ("allOf", "anyOf", "oneOf"):
                yield from _alternatives(schema.get(keyword) or ())


def stop_table(before: Sequence[str], keys: Sequence[str]) -> str | None:
    """Return why no more of a table is loaded whose keys were others ``before``, or None."""
    if set(before) == set(keys):
        return None
    old, new = (", ".join(each) or "none" for each in (before, keys))
    return f"Primary key changed from {old} to {new}: Stitch stops processing the table"


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

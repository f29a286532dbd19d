"""The names that a destination gives to tables and columns, and those that it rejects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from target_stitch_import.destinations.facts import ColumnType, Destination
from target_stitch_import.limits import is_reserved

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


def canonical_name(destination: Destination, *path: str) -> str:
    """Return the name of a table, a column or, with the names above it, of a nested one."""
    name = "__".join(path)
    if not name.startswith(("_sdc", "__sdc")):
        for rule in destination.names:
            if rule in ("lower case", "upper case"):
                name = name.lower() if rule == "lower case" else name.upper()
            else:
                name = re.sub(*_RULES[rule], name)
    return name


def compared_name(destination: Destination, name: str) -> str:
    """Return what is the same for two canonical names that are one."""
    return name.lower() if destination.case == "insensitive" else name


def split_names(destination: Destination, name: str, types: Sequence[ColumnType]) -> list[str]:
    """Return the names of the columns that one with values of several types is split into."""
    if len(types) < 2:  # noqa: PLR2004
        return [name] * len(types)
    names = [f"{name}__{each.suffix}" for each in types]
    if destination.case == "upper":
        names = list(map(str.upper, names))
    return names if destination.rename_original_in_split else [name, *names[1:]]


def source_key(destination: Destination, key: str) -> str:
    """Return the name of a subtable's column for a key of the top table."""
    return f"_sdc_source_key_{canonical_name(destination, key)}"


def reject_table(destination: Destination, name: str) -> str | None:
    """Return why all records of a table with a canonical name are rejected, or None."""
    if name and len(name) <= (destination.max_table_name or len(name)):
        return None
    return f"Table name {name} is too {'long' if name else 'short'} for {destination.label}"


def count_columns(destination: Destination, columns: int) -> str | None:
    """Return why all of a table with so many columns is rejected, or None."""
    if columns <= (destination.max_columns or columns):
        return None
    return f"too many columns for {destination.label}: more than {destination.max_columns:,}"


def stop_table(before: Sequence[str], keys: Sequence[str]) -> str | None:
    """Return why no more of a table is loaded whose keys were others ``before``, or None."""
    if set(before) == set(keys):
        return None
    old, new = (", ".join(each) or "none" for each in (before, keys))
    return f"Primary key changed from {old} to {new}: Stitch stops processing the table"


def reject_record(destination: Destination, size: int) -> str | None:
    """Return why a record of a size in bytes is rejected, or None."""
    if size <= (destination.max_record_bytes or size):
        return None
    return f"record is too large for {destination.label}: more than {destination.max_record_bytes:,} bytes"


def reject_column(destination: Destination, *path: str) -> str | None:
    """Return why the records that have a column are rejected because of its name, or None."""
    name, own = canonical_name(destination, *path), "__".join(path)
    if not name:
        return f"Column name {own} is too short for {destination.label}"
    if is_reserved(name):
        return COLLISION.format(name)
    for each in (name, own) if destination.case == "sensitive" else (name.lower(), own.lower()):
        if _SUFFIX.fullmatch(each) or each.startswith("_rjm"):
            return f"column names from client should not include reserved datatype suffix on {own}"
    return None


def omit_column(destination: Destination, name: str) -> str | None:
    """Return why a column with a canonical name is left out of its records, or None."""
    if len(name) <= (destination.max_column_name or len(name)):
        return None
    return f"Column name {name} is too long for {destination.label}"

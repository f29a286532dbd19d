"""The tables and subtables of a destination, and what their columns have been so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from target_stitch_import.destinations import facts
from target_stitch_import.emulator.storage.columns import ColumnType, merge_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_stitch_import.destinations.facts import Destination

Path = tuple[str, ...]

_TYPES: Final = {
    "integer": ColumnType.INTEGER,
    "number": ColumnType.NUMBER,
    "boolean": ColumnType.BOOLEAN,
    "decimal": ColumnType.DECIMAL,
    "object": ColumnType.JSON,
    "array": ColumnType.JSON,
}


class Part(msgspec.Struct):
    """What the values of a column have been that have one type's suffix."""

    kinds: list[str]
    narrowest: int
    """Place of the narrowest type that holds all of them."""

    def type_name(self, destination: Destination) -> str | None:
        """Return the name of its type in a destination."""
        return destination.column_types(self.kinds[0])[self.narrowest].name


class Sheet(msgspec.Struct):
    """A table or subtable of the destination."""

    path: Path
    """The posted table, and the arrays that the rows are in."""
    name: str
    depth: int = 0
    columns: dict[Path, dict[str, Part]] = {}
    """By the path of the field, the parts of a column by suffix, the first one first."""
    is_omitted: bool = False
    """Whether it has too many columns, and nothing is loaded into it."""

    def note(self, path: Path, suffix: str, kind: str, narrowest: int) -> None:
        """Note a value."""
        part = self.columns.setdefault(path, {}).setdefault(suffix, Part([], narrowest))
        part.narrowest = max(part.narrowest, narrowest)
        if kind not in part.kinds:
            part.kinds.append(kind)

    def parts(self, destination: Destination) -> Iterator[tuple[str, Part]]:
        """Yield the names of the columns, each with what its values are."""
        by_key = self.column_names(destination)
        for path, parts in self.columns.items():
            for suffix, part in parts.items():
                yield by_key[path, suffix], part

    def column_names(self, destination: Destination) -> dict[tuple[Path, str], str]:
        """Return the name of the column of each field and suffix."""
        found = {}
        for path, parts in self.columns.items():
            name = destination.canonical_name(*path)
            types = [
                destination.column_types(part.kinds[0])[part.narrowest] for part in parts.values()
            ]
            split = destination.split_names(name, types)
            found.update({(path, suffix): each for suffix, each in zip(parts, split, strict=True)})
        return found

    def first_names(self, destination: Destination) -> dict[str, str]:
        """Return the name of the first column of each field of the records."""
        first: dict[str, str] = {}
        for (path, _), name in self.column_names(destination).items():
            if len(path) == 1:
                first.setdefault(path[0], name)
        return first

    def storage_types(self, destination: Destination) -> dict[str, ColumnType]:
        """Return the type in which the emulator stores each column."""
        return {name: _storage_type(part.kinds) for name, part in self.parts(destination)}

    def key_types(self) -> dict[str, ColumnType]:
        """Return the type in which the emulator stores each field of the records."""
        return {
            path[0]: _storage_type([kind for part in parts.values() for kind in part.kinds])
            for path, parts in self.columns.items()
            if len(path) == 1
        }


class Stream(msgspec.Struct):
    """A posted table."""

    rejected: str | None
    keys: list[str]
    sheets: list[Sheet]

    def own_types(self, destination: Destination, sheet: Sheet) -> dict[str, str | None]:
        """Return the types of the columns that Stitch itself adds to a table."""
        text, integer = (destination.column_types(kind)[0].name for kind in ("string", "integer"))
        if not sheet.depth:
            return {} if self.keys else {facts.PRIMARY_KEY: text}
        own: dict[str, str | None] = {}
        for key in self.keys or [facts.PRIMARY_KEY]:
            parts = [*self.sheets[0].columns.get((key,), {}).values()]
            own[destination.source_key(key)] = parts[0].type_name(destination) if parts else text
        return own | {f"_sdc_level_{level}_id": integer for level in range(sheet.depth)}


def _storage_type(kinds: list[str]) -> ColumnType:
    return merge_types(_TYPES.get(kind, ColumnType.STRING) for kind in kinds)

"""The source of the demo: three tables of flight data, as a system would leave them on a disk.

What is committed in ``demo/data`` is never written to; each run gets a copy of its own.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
LAST_DAY = Path("flights", "2013-01-03.jsonl")
LATE_DAY = Path("flights", "2013-01-02.jsonl")
LANDING = ("arr_time", "arr_delay", "air_time")
"""What is known of a flight only when it has landed."""

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the source: which files hold it and what makes a row of it unique."""

    name: str
    files: str
    keys: tuple[str, ...]
    show: tuple[str, ...]
    """The columns that fit on a screen."""


AIRLINES = Table("airlines", "airlines.jsonl", ("carrier",), ("carrier", "name"))
PLANES = Table(
    "planes", "planes.jsonl", ("tailnum",), ("tailnum", "year", "manufacturer", "model", "seats")
)
FLIGHTS = Table(
    "flights",
    "flights/*.jsonl",
    ("time_hour", "carrier", "flight"),
    ("time_hour", "carrier", "flight", "tailnum", "dest", "dep_time", "arr_time"),
)
TABLES = (AIRLINES, PLANES, FLIGHTS)
BOOKINGS = Table("bookings", "bookings.jsonl", ("id",), ())
"""Made up, with an array, and with two columns that Redshift takes for one."""


def write_first_days(source: Path) -> Row:
    """Write the source as it is on the morning of January 2; return the flight in the air.

    The last flight of that morning has not landed yet, so its row is not final, and the file
    of January 3 does not exist.
    """
    shutil.copytree(DATA, source, ignore=shutil.ignore_patterns(LAST_DAY.name, "*.md"))
    flights = _read(source / LATE_DAY)
    late = max(flights, key=lambda row: row["arr_time"] or 0)
    late.update(dict.fromkeys(LANDING))
    _write(source / LATE_DAY, flights)
    return late


def write_next_day(source: Path, late: Row) -> list[Row]:
    """Write the next file: the flights of January 3 and ``late`` once more, landed by now."""
    landed = [row for row in _read(DATA / LATE_DAY) if key(FLIGHTS, row) == key(FLIGHTS, late)]
    new = _read(DATA / LAST_DAY) + landed
    _write(source / LAST_DAY, new)
    return new


def rows(source: Path, table: Table) -> list[Row]:
    """Return the rows of a table of the source, the later file counting for a key in two."""
    found: dict[tuple[Any, ...], Row] = {}
    for path in sorted(source.glob(table.files)):
        found.update({key(table, row): row for row in _read(path)})
    return list(found.values())


def key(table: Table, row: Row) -> tuple[Any, ...]:
    """Return the values of the key properties of a row."""
    return tuple(row[name] for name in table.keys)


def _read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write(path: Path, lines: list[Row]) -> None:
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in lines)
    path.write_text(text, encoding="utf-8")

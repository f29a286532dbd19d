"""What a database has that is loaded like a destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_stitch_import.emulator.storage.destination import describe_tables
from target_stitch_import.emulator.storage.reading import open_snapshot

if TYPE_CHECKING:
    from pathlib import Path


def destination_types(database: str | Path) -> dict[str, dict[str, str | None]]:
    """Return the types of the columns of each table."""
    with open_snapshot(database) as connection:
        return {name: types for name, _, types in describe_tables(connection)}

"""Values and names as the page shows them: exact texts, shortened.

Each number is a text with all its digits: JavaScript would round it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from target_stitch_import.emulator.storage.columns import ColumnType

if TYPE_CHECKING:
    from target_stitch_import.emulator.storage.values import Stored

MAX_CHARS: Final = 200
"""Longest text that the page shows, in characters; a longer one is shortened."""

Cell = list[str | int] | None
"""Type, text and, if the text is shortened, its length in characters; None for null."""

TYPE_NAMES: Final = {
    ColumnType.INTEGER: "integer",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.STRING: "string",
    ColumnType.DECIMAL: "decimal",
    ColumnType.JSON: "object or array",
    ColumnType.ANY: "any",
}
"""The names of the column types on the page."""
_TEXT_TYPES: Final = {ColumnType.JSON: "json", ColumnType.DECIMAL: "number"}
_TYPES_BY_FIRST_BYTE: Final = {
    b"t": "boolean",
    b"f": "boolean",
    b'"': "string",
    b"[": "json",
    b"{": "json",
}


def shorten(text: str) -> str:
    """Return a text of at most ``MAX_CHARS`` characters."""
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 1]}…"


def format_cell(value: Stored, column_type: ColumnType) -> Cell:
    """Return a stored value of a column as the page shows it."""
    if value is None:
        return None
    if isinstance(value, bytes):
        # JSON text: see ``storage.values``.
        text = value.decode()
        type_ = _TYPES_BY_FIRST_BYTE.get(value[:1], "number")
    elif isinstance(value, str):
        text = value
        type_ = _TEXT_TYPES.get(column_type, "string")
    elif column_type is ColumnType.BOOLEAN:
        text = "true" if value else "false"
        type_ = "boolean"
    else:
        text = repr(value)
        type_ = "number"
    return [type_, text] if len(text) <= MAX_CHARS else [type_, shorten(text), len(text)]

"""Stored values as texts that a person reads.

Each number is a text of all its digits: JavaScript would round it. What is long is shortened
here, so that it does not travel. Knows nothing of SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from target_stitch_import.emulator.storage.columns import Kind

if TYPE_CHECKING:
    from target_stitch_import.emulator.storage.values import Stored

SHOWN: Final = 200
"""Characters of a text that the page is sent; what is longer is shortened."""

Cell = list[str | int] | None
"""Its type, its text and, where that is shortened, how long it is; None for null."""

TYPES: Final = {
    Kind.INTEGER: "integer",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "boolean",
    Kind.STRING: "string",
    Kind.JSON: "object or array",
    Kind.ANY: "any",
}
"""What the page calls a kind of column."""
_FIRST: Final = {b"t": "boolean", b"f": "boolean", b'"': "string", b"[": "json", b"{": "json"}


def shortened(text: str) -> str:
    """Return a text of at most ``SHOWN`` characters."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def cell(value: Stored, kind: Kind) -> Cell:
    """Return what is shown of a value of a column of ``kind``."""
    if value is None:
        return None
    if isinstance(value, bytes):
        # A JSON text, as ``values`` has it.
        text = value.decode()
        type_ = _FIRST.get(value[:1], "number")
    elif isinstance(value, str):
        text = value
        type_ = "json" if kind is Kind.JSON else "string"
    elif kind is Kind.BOOLEAN:
        text = "true" if value else "false"
        type_ = "boolean"
    else:
        text = repr(value)
        type_ = "number"
    return [type_, text] if len(text) <= SHOWN else [type_, shortened(text), len(text)]

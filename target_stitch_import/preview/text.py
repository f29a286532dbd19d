"""The tables that are foretold, for people on stderr or as JSON on stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from target_stitch_import.destinations.names import ONLY_NULL
from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.preview.result import to_json
from target_stitch_import.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_stitch_import.preview.tables import Preview

_WIDTH: Final = 200
"""Columns of a line that goes to no terminal."""


def print_preview(preview: Preview, *, as_json: bool) -> None:
    """Print the tables that would be there: as JSON to stdout, or as text to stderr."""
    result = to_json(preview)
    if as_json:
        sys.stdout.buffer.write(encode_exactly(result) + b"\n")
        sys.stdout.flush()
        return
    width = None if sys.stderr.isatty() else _WIDTH
    console = Console(file=sys.stderr, highlight=False, width=width)
    destination = result["destination"] or "any destination (set destination to see its types)"
    console.print(Text(f"\nWhat would be there, in {destination}:"))
    for table in result["tables"]:
        keys = preview.tables[table["stream"]].keys
        billed = counted(table["billed_rows"], "billable row")
        _print_rows(console, table, f"{counted(table['rows'], 'row')}, {billed}", keys)
        if table["rejected_rows"]:
            reason = f": {table['rejected']}" if table["rejected"] else ""
            rejected = counted(table["rejected_rows"], "row")
            console.print(Text(_printable(f"  {rejected} rejected{reason}"), "red"))
        for subtable in table["subtables"]:
            _print_rows(console, subtable, counted(subtable["rows"], "row"))
    console.print()


def _print_rows(
    console: Console, rows: dict[str, Any], counts: str, keys: Sequence[str] = ()
) -> None:
    console.print(Text(f"\n{_printable(rows['name'])}", "bold"), Text(counts, "dim"))
    grid = Table(box=None, show_header=False, padding=(0, 2))
    for column in rows["columns"]:
        source, name, reason = column["source"], column["name"], column["rejected"]
        notes = ["key"] if source in keys else []
        notes += [f"from {source}"] if source not in (name, None) else []
        mark = f"rejected: {reason}" if reason and reason != ONLY_NULL else reason or ""
        cells = (name, column["type"] or "", ", ".join(notes), mark)
        styles = ("", "cyan", "dim", "red")
        grid.add_row(
            *(Text(_printable(text), style) for text, style in zip(cells, styles, strict=True))
        )
    console.print(grid)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\ufffd" for each in text)

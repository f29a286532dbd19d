"""The tables that are foretold, for people on stderr or as JSON on stdout."""

from __future__ import annotations

import sys
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from target_stitch_import.destinations.names import ONLY_NULL
from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.preview.reader import Preview
from target_stitch_import.preview.result import to_json
from target_stitch_import.text import counted, printable

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
        rows, billed = counted(table["rows"], "row"), counted(table["billed_rows"], "billable row")
        unchanged = f", {table['unchanged_rows']:,} unchanged" if "unchanged_rows" in table else ""
        _print_rows(console, table, f"{rows}, {billed}{unchanged}", keys)
        if table["rejected_rows"]:
            text = f"  {counted(table['rejected_rows'], 'row')} rejected"
            reason = f": {table['rejected']}" if table["rejected"] else ""
            console.print(Text(printable(text + reason), "red"))
        for subtable in table["subtables"]:
            _print_rows(console, subtable, counted(subtable["rows"], "row"), [])
    console.print()


def _print_rows(console: Console, rows: dict[str, Any], counts: str, keys: list[str]) -> None:
    console.print(Text(f"\n{printable(rows['name'])}", "bold"), Text(counts, "dim"))
    grid = Table(box=None, show_header=False, padding=(0, 2))
    for column in rows["columns"]:
        source, name, reason = column["source"], column["name"], column["rejected"] or ""
        notes = ["key"] * (source in keys) + [f"from {source}"] * (source not in (name, None))
        mark = f"rejected: {reason}" if reason not in ("", ONLY_NULL) else reason
        cells = (name, ""), (column["type"] or "", "cyan"), (", ".join(notes), "dim"), (mark, "red")
        grid.add_row(*(Text(printable(text), style) for text, style in cells))
    console.print(grid)

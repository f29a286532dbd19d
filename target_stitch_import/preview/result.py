"""The tables that are foretold, for people on stderr or as JSON on stdout."""

from __future__ import annotations

import sys
from typing import Any, Final

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from target_stitch_import.destinations import facts
from target_stitch_import.destinations.facts import Destination
from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.preview.reader import Preview
from target_stitch_import.preview.tables import Path, Rows, Table, leaves
from target_stitch_import.text import counted, printable

_WIDTH: Final = 200  # characters of a line that goes to no terminal


def to_json(preview: Preview) -> dict[str, Any]:
    """Return what ``--dry-run --format json`` writes."""
    tables = [_table(preview.destination, *each) for each in preview.tables.items()]
    return {"destination": preview.destination.key, "tables": tables}


def is_rejected(preview: Preview) -> bool:
    """Return True if something would be rejected."""
    tables = to_json(preview)["tables"]
    parts = [part for table in tables for part in (table, *table["subtables"])]
    reasons = {column["rejected"] for part in parts for column in part["columns"]}
    return bool(reasons - {None, facts.ONLY_NULL}) or any(each["rejected_rows"] for each in tables)


def print_preview(preview: Preview, *, as_json: bool) -> None:
    """Print the tables that would be there: as JSON to stdout, or as text to stderr.

    Raise ``OSError`` if they can't be written.
    """
    result = to_json(preview)
    if as_json:
        if sys.stdout is None:
            raise OSError("the tables can't be written: stdout is closed")
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


def _table(destination: Destination, stream: str, table: Table) -> dict[str, Any]:
    columns = _columns(destination, table.top)
    rejected = table.rejected or _too_many(destination, columns)
    has_keys = table.keys or table.unchanged_rows
    own = [] if has_keys else [_own(destination, None, facts.PRIMARY_KEY, "string")]
    return {
        "stream": stream,
        "name": table.top.name,
        "rows": table.top.rows,
        "billed_rows": table.top.rows + table.sub_rows,
        **({"unchanged_rows": table.unchanged_rows} if table.unchanged_rows else {}),
        "columns": own + columns,
        "subtables": [_subtable(destination, table, each) for each in table.subtables.values()],
        "rejected": rejected or table.stopped or table.too_large,
        "rejected_rows": table.top.rows if rejected else table.rejected_rows,
    }


def _subtable(destination: Destination, table: Table, rows: Rows) -> dict[str, Any]:
    own = []
    for key in table.keys or [facts.PRIMARY_KEY]:
        column = table.top.columns.get((key,))
        kind, at = next(iter(column.kinds.values()), ("string", 0)) if column else ("string", 0)
        own.append(_own(destination, key, destination.source_key(key), kind, at))
    levels = (f"_sdc_level_{level}_id" for level in range(rows.depth))
    own += [_own(destination, None, level, "integer") for level in levels]
    columns = _columns(destination, rows)
    if (too_many := _too_many(destination, columns)) is not None:
        columns = [{**each, "rejected": each["rejected"] or too_many} for each in columns]
    return {"name": rows.name, "rows": rows.rows, "columns": own + columns}


def _too_many(destination: Destination, columns: list[dict[str, Any]]) -> str | None:
    created = {each["name"] for each in columns if not each["rejected"]}
    return destination.count_columns(len(created))


def _own(
    destination: Destination, source: str | None, name: str, kind: str, at: int = 0
) -> dict[str, Any]:
    """Return a column that Stitch itself adds."""
    kind_type = destination.column_types(kind)[at].name
    return {"source": source, "name": name, "type": kind_type, "rejected": None}


def _columns(destination: Destination, rows: Rows) -> list[dict[str, Any]]:
    found: list[tuple[Path, str, str | None, str | None]] = []
    for path, column in rows.columns.items():
        types = [destination.column_types(kind)[at] for kind, at in column.kinds.values()]
        if column.rejected and not types:  # otherwise, it is an array, which is a subtable
            types = list(destination.column_types(column.first_kind)[:1])
        parts = zip(destination.split_names(column.name, types), types, strict=True)
        found += [(path, name, each.name, column.rejected) for name, each in parts]
    known = {path[:end] for path in rows.columns for end in range(1, len(path) + 1)}
    for path, place in {**dict(leaves(destination, rows.place)), **rows.nulls}.items():
        nested = () if destination.nested else ("array", "object")
        kinds = [kind for kind in place.kinds if kind not in nested]
        if path in known or (place.kinds and not kinds):
            continue
        name = destination.canonical_name(*path)
        reason = destination.reject_column(*path) or destination.omit_column(name)
        kind = destination.column_types(kinds[0])[0].name if kinds else None
        found.append((path, name, kind, reason or facts.ONLY_NULL))
    keys = ("source", "name", "type", "rejected")
    return [dict(zip(keys, (".".join(path), *each), strict=True)) for path, *each in found]


def _print_rows(console: Console, rows: dict[str, Any], counts: str, keys: list[str]) -> None:
    console.print(Text(f"\n{printable(rows['name'])}", "bold"), Text(counts, "dim"))
    grid = Grid(box=None, show_header=False, padding=(0, 2))
    for column in rows["columns"]:
        source, name, reason = column["source"], column["name"], column["rejected"] or ""
        notes = ["key"] * (source in keys) + [f"from {source}"] * (source not in (name, None))
        mark = f"rejected: {reason}" if reason not in ("", facts.ONLY_NULL) else reason
        cells = (name, ""), (column["type"] or "", "cyan"), (", ".join(notes), "dim"), (mark, "red")
        grid.add_row(*(Text(printable(text), style) for text, style in cells))
    console.print(grid)

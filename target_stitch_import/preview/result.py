"""The tables that are foretold, as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_stitch_import.destinations import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_stitch_import.destinations.facts import Destination
    from target_stitch_import.destinations.kinds import Place
    from target_stitch_import.preview.tables import Path, Preview, Rows, Table


def to_json(preview: Preview) -> dict[str, Any]:
    """Return what ``--dry-run --format json`` writes."""
    tables = [_table(preview.destination, *each) for each in preview.tables.items()]
    return {"destination": preview.destination.key, "tables": tables}


def is_rejected(preview: Preview) -> bool:
    """Return True if something would be rejected."""
    return any(
        table["rejected"]
        or table["rejected_rows"]
        or any(
            column["rejected"] not in (None, names.ONLY_NULL)
            for rows in (table, *table["subtables"])
            for column in rows["columns"]
        )
        for table in to_json(preview)["tables"]
    )


def _table(destination: Destination, stream: str, table: Table) -> dict[str, Any]:
    columns = [] if table.keys else [_own(destination, names.PRIMARY_KEY, "string")]
    columns += _columns(destination, table.top)
    rejected = table.rejected
    if destination.max_columns is not None and rejected is None:
        created = {each["name"] for each in columns[not table.keys :] if not each["rejected"]}
        if len(created) > destination.max_columns:
            rejected = names.too_many_columns(destination)
    return {
        "stream": stream,
        "name": table.top.name,
        "rows": table.top.rows,
        "billed_rows": table.billed_rows,
        "columns": columns,
        "subtables": [_subtable(destination, table, each) for each in table.subtables.values()],
        "rejected": rejected,
        "rejected_rows": table.top.rows if rejected else table.rejected_rows,
    }


def _subtable(destination: Destination, table: Table, rows: Rows) -> dict[str, Any]:
    columns = []
    for key in table.keys or [names.PRIMARY_KEY]:
        column = table.top.columns.get((key,))
        types = column.types(destination) if column else []
        kind = types[0].name if types else destination.column_types("string")[0].name
        name = names.source_key(destination, key)
        columns.append({"source": key, "name": name, "type": kind, "rejected": None})
    levels = range(rows.depth)
    columns += [_own(destination, f"_sdc_level_{level}_id", "integer") for level in levels]
    columns += _columns(destination, rows)
    return {"name": rows.name, "rows": rows.rows, "columns": columns}


def _own(destination: Destination, name: str, kind: str) -> dict[str, Any]:
    """Return a column that Stitch itself adds."""
    kind_type = destination.column_types(kind)[0].name
    return {"source": None, "name": name, "type": kind_type, "rejected": None}


def _columns(destination: Destination, rows: Rows) -> list[dict[str, Any]]:
    columns = []
    for path, column in rows.columns.items():
        types = column.types(destination)
        if not types:
            if not column.rejected:  # an array, which is a subtable
                continue
            types = list(destination.column_types(column.shown or "string")[:1])
        for name, each in zip(
            names.split_names(destination, column.name, types), types, strict=True
        ):
            columns.append(
                {
                    "source": ".".join(path),
                    "name": name,
                    "type": each.name,
                    "rejected": column.rejected,
                }
            )
    known = {path[:end] for path in rows.columns for end in range(1, len(path) + 1)}
    for path, place in {**dict(_leaves(destination, rows.place)), **rows.nulls}.items():
        kinds = place.kinds
        if not destination.nested:
            kinds = [kind for kind in kinds if kind not in ("array", "object")]
        if path not in known and (kinds or not place.kinds):
            name = names.canonical_name(destination, *path)
            columns.append(
                {
                    "source": ".".join(path),
                    "name": name,
                    "type": destination.column_types(kinds[0])[0].name if kinds else None,
                    "rejected": names.reject_column(destination, *path)
                    or names.omit_column(destination, name)
                    or names.ONLY_NULL,
                }
            )
    return columns


def _leaves(
    destination: Destination, place: Place, path: Path = ()
) -> Iterator[tuple[Path, Place]]:
    """Yield the paths and places of the columns that a schema declares."""
    for name in place.names:
        at, here = place.field(name), (*path, name)
        if not destination.nested and "object" in at.kinds and at.names:
            yield from _leaves(destination, at, here)
        else:
            yield here, at

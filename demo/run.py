"""The demo: a real tap, three tables, the target and an emulator of the Import API, twice.

``make demo`` runs it. It works in a temporary folder, shows each command, and checks the
numbers: when one is wrong, it ends with a line about it and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flight_data
from flight_data import BOOKINGS, FLIGHTS, LANDING, TABLES, Row, Table
from shell import BIN, DemoError, keep_last_line, run_pipe, show, started_emulator

from target_stitch_import.emulator import list_tables, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PROJECT = Path(__file__).resolve().parent.parent
TAP = PROJECT / ".venv-tap-jsonfile" / "bin" / "tap-jsonfile"
EMULATOR = BIN / "stitch-import-emulator"
TARGET = BIN / "target-stitch-import"
TOKEN = "demo-token"  # noqa: S105  # the emulator accepts any
DATABASE = "stitch.db"
LOG_LINES = 20


class Demo:
    """The folder that the demo works in, and what happens there."""

    def __init__(self, tap: Path, work: Path) -> None:
        self.tap = tap
        self.work = work
        self.source = work / "source"
        self.log = work / "demo.log"

    def run(self) -> None:
        """Tell the whole story; raises DemoError where it is not true."""
        print("A tap reads three tables of flights, the target loads them into the Import API.")
        print(f"All of it happens in {self.work}, what tap and target log is in demo.log there.")
        late = flight_data.write_first_days(self.source)

        print("\n1. The service, emulated on this machine")
        emulator = [str(EMULATOR), "--port", "0", "--database", DATABASE]
        emulator += ["--token", TOKEN]
        print(f"   $ {show(emulator)}")
        with started_emulator(emulator, self.work, self.log) as line:
            print(f"   {line}")
            self.write_configs(line)

            print("\n2. First run: a pipe for each table")
            first = self.replicate(with_state=False)
            self.show_first(first)

            print("\n3. The source changes")
            new = flight_data.write_next_day(self.source, late)
            day = f"{len(new) - 1} flights of that day, and {_name(late)} of the day before, now landed"
            print(f"   A file arrives, {flight_data.LAST_DAY}: {day}.")

            print("\n4. Second run: the same pipes, and the STATE of the first")
            second = self.replicate(with_state=True)
            self.show_second(first, second, new, late)

        print(
            "\n5. A table that is not loaded yet: what it becomes in Redshift, before a row is sent"
        )
        self.show_preview()

        print(
            "\nChecked: the tables equal the source after both runs, the second sent only what is new."
        )
        database = self.work / DATABASE
        print(f"The tables stay for a look at them: sqlite3 {database}")
        look = shlex.join([os.path.relpath(EMULATOR), "--database", str(database)])
        print(f"or with a browser at http://127.0.0.1:8787: {look}")

    def write_configs(self, line: str) -> None:
        """Write the config of the target and one of the tap for each table."""
        url = next(word for word in line.replace(",", " ").split() if word.startswith("http"))
        self.write_json("target.json", {"token": TOKEN, "api_url": url})
        self.write_json("redshift.json", {"destination": "redshift"})
        for table in (*TABLES, BOOKINGS):
            maps = {
                # The tap knows no keys, and the column that it adds is of a kind that Stitch keeps
                # for itself: a stream map, which every tap built on the SDK has, settles both.
                "__key_properties__": list(table.keys),
                "_sdc_source_file": None,
            }
            config = {
                "paths": [str(self.source.joinpath(table.files))],
                "stream_name": table.name,
                "stream_maps": {table.name: maps},
            }
            self.write_json(f"{table.name}.json", config)

    def write_json(self, name: str, value: Any) -> None:
        """Write a file of the work folder."""
        (self.work / name).write_text(json.dumps(value, indent=2), encoding="utf-8")

    def replicate(self, *, with_state: bool) -> dict[str, list[Row]]:
        """Run the pipe of each table; return what is in the tables then."""
        for table in TABLES:
            states, state = f"{table.name}.states.jsonl", f"{table.name}.state.json"
            tap = [str(self.tap), "--config", f"{table.name}.json"]
            tap += ["--state", state] if with_state else []
            target = [str(TARGET), "--config", "target.json"]
            print(f"   $ {show(tap)} \\\n       | {show(target)} >> {states}")
            run_pipe(tap, target, self.work / states, self.work, self.log)
            keep_last_line(self.work / states, self.work / state)
        print(
            "   $ for t in airlines planes flights; do tail -1 $t.states.jsonl > $t.state.json; done"
        )
        database = self.work / DATABASE
        loaded: dict[str, list[Row]] = {table.name: [] for table in TABLES}
        for name in loaded.keys() & list_tables(database):
            loaded[name] = read_table(database, name, system_columns=True)
        for table in TABLES:
            _check_equal(table, loaded[table.name], flight_data.rows(self.source, table))
        return loaded

    def show_first(self, loaded: Mapping[str, Sequence[Row]]) -> None:
        """Show a few rows of each table, and the STATE of the one that will change."""
        for table in TABLES:
            rows = loaded[table.name]
            print(f"\n   {table.name}, {len(rows)} rows, as the source has them:")
            _print_rows(rows[:2], [*table.show, "_sdc_sequence"])
        print("\n   STATE of flights (shortened): the files that were read, and their hashes")
        text = (self.work / "flights.state.json").read_text(encoding="utf-8")
        files = json.loads(text)["bookmarks"]["flights"]["file_hashes"]
        short = {Path(name).name: f"{value[:8]}..." for name, value in files.items()}
        print(f"   {json.dumps({'bookmarks': {'flights': {'file_hashes': short}}})}")

    def show_preview(self) -> None:
        """Show what Redshift makes of the bookings; check that their two names are found."""
        tap = [str(self.tap), "--config", f"{BOOKINGS.name}.json"]
        target = [str(TARGET), "--config", "redshift.json", "--dry-run"]
        print(f"   $ {show(tap)} | {show(target)}\n")
        stderr = self.work / "preview.txt"
        run_pipe(tap, target, self.work / "preview.states", self.work, stderr)
        lines = _preview_lines(stderr.read_text(encoding="utf-8"))
        if sum("Field collision on carrier" in line for line in lines) != 2:  # noqa: PLR2004
            raise DemoError("the preview does not have the two columns that become one")
        for line in lines:
            print(f"   {line.rstrip()}".rstrip())

    def show_second(
        self,
        before: Mapping[str, Sequence[Row]],
        after: Mapping[str, Sequence[Row]],
        new: Sequence[Row],
        late: Row,
    ) -> None:
        """Show what the second run replicated, and check that it is what had changed."""
        counts = []
        for table in TABLES:
            newest = max(row["_sdc_sequence"] for row in before[table.name])
            arrived = [row for row in after[table.name] if row["_sdc_sequence"] > newest]
            expected = new if table is FLIGHTS else []
            if _keys(table, arrived) != _keys(table, expected):
                raise DemoError(
                    f"{table.name}: the second run replicated {len(arrived)} rows, "
                    f"not the {len(expected)} that had changed"
                )
            counts.append(
                {
                    "table": table.name,
                    "rows before": len(before[table.name]),
                    "replicated now": len(arrived),
                    "rows after": len(after[table.name]),
                }
            )
        print("\n   Replicated now: only what changed. A row that was there already is replaced.")
        _print_rows(counts, list(counts[0]))
        print(f"\n   {_name(late)} of January 2, before and after:")
        key = flight_data.key(FLIGHTS, late)
        versions = [
            row
            for rows in (before, after)
            for row in rows[FLIGHTS.name]
            if flight_data.key(FLIGHTS, row) == key
        ]
        if [row["arr_time"] is None for row in versions] != [True, False]:
            raise DemoError(f"{_name(late)} did not land between the runs")
        _print_rows(versions, ["time_hour", "tailnum", "dest", *LANDING, "_sdc_sequence"])


def _preview_lines(stderr: str) -> list[str]:
    """Return the preview that a dry run prints, without the log around it."""
    _, _, rest = stderr.partition("\nWhat would be there")
    return f"What would be there{rest}".partition("\n\n20")[0].splitlines()


def _check_equal(table: Table, loaded: Iterable[Row], source: Iterable[Row]) -> None:
    plain = {
        flight_data.key(table, row): {
            name: value for name, value in row.items() if not name.startswith("_sdc_")
        }
        for row in loaded
    }
    expected = {flight_data.key(table, row): row for row in source}
    if plain != expected:
        different = sum(plain.get(key) != expected.get(key) for key in plain | expected)
        raise DemoError(f"{table.name}: {different} rows are not as the source has them")


def _keys(table: Table, rows: Iterable[Row]) -> set[tuple[Any, ...]]:
    return {flight_data.key(table, row) for row in rows}


def _name(flight: Row) -> str:
    return f"{flight['carrier']} {flight['flight']}"


def _print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    cells = [["-" if row[name] is None else str(row[name]) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in (columns, *cells):
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("   " + "  ".join(padded).rstrip())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tap", type=Path, default=TAP, help="the tap-jsonfile to run")
    tap: Path = parser.parse_args(arguments).tap
    for command in (tap, EMULATOR, TARGET):
        if not command.is_file():
            print(f"demo: there is no {command}; `make demo` sets it up", file=sys.stderr)
            return 1
    demo = Demo(tap.absolute(), Path(tempfile.mkdtemp(prefix="stitch-demo-")))
    try:
        demo.run()
    except DemoError as error:
        print(f"\ndemo: {error}\nThe end of {demo.log}:", file=sys.stderr)
        log = demo.log.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(log[-LOG_LINES:]), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What must hold after each run, and at the end."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_stitch_import.emulator import list_tables, read_table
from tests.chaos.processes import TOKEN
from tests.chaos.tap import state_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from tests.chaos.feeding import Action, Fed
    from tests.chaos.plan import Line, Stream

Row = dict[str, Any]
SIGNAL_CODES = {"kill": {-9}, "term": {143, -15}, "calm": {143, -15}, "int": {130, -2}}


class BreachError(Exception):
    """A promise that was not kept."""


def require(holds: bool, what: str) -> None:
    """Raise a breach unless it holds."""
    if not holds:
        raise BreachError(what)


def check_run(
    story: Sequence[Line], run: Fed, action: Action, stderr: str, *, may_fail: bool
) -> list[int]:
    """Check what a run wrote and how it ended; return the places of the STATEs it wrote."""
    require(not run.hangs, "the run hangs")
    require("Traceback" not in stderr, "there is a traceback on stderr")
    require(TOKEN not in stderr, "the token is on stderr")
    code = run.exit_code
    allowed = {0}.union(*(SIGNAL_CODES[name] for name in run.signals))
    allowed |= {1, os.EX_TEMPFAIL} if may_fail or action.kind == "break" else set()
    require(code in allowed, f"exit code {code} after {run.signals or 'no signal'}")
    places = list(_states(story, run))
    last_fed = max((place for place in run.whole if story[place].kind == "state"), default=-1)
    last = max(places, default=-1)
    if code == 0:
        require(not run.feeds, "exit 0 before the input ended")
        require(last == last_fed, f"exit 0 and STATE {last}, but {last_fed} was the last to come")
    elif action.kind in ("calm", "break") and not may_fail:
        require(code in (1, os.EX_TEMPFAIL, 143), f"exit code {code} where the tap is well")
        require(last == last_fed, f"STATE {last} is written, {last_fed} could have been")
    return places


def _states(story: Sequence[Line], run: Fed) -> Iterator[int]:
    """Yield the places of the STATEs on stdout."""
    lines = run.stdout.split(b"\n")[:-1]
    values = {
        state_value(story[place]): place for place in run.whole if story[place].kind == "state"
    }
    before = -1
    for line in map(bytes, lines):
        require(line in values, f"{line!r} on stdout is no STATE that came in this run")
        require(values[line] > before, f"STATE {line!r} goes back")
        before = values[line]
        yield before


def check_quarantine(story: Sequence[Line], quarantine: Path, state: int) -> None:
    """Check that the misfits before a STATE are set aside, and nothing else is."""
    misfits = [(place, line) for place, line in enumerate(story) if line.kind == "misfit"]
    named = {(line.stream and line.stream.name, line.data["c"]): place for place, line in misfits}
    lines = quarantine.read_bytes().split(b"\n")[:-1] if quarantine.exists() else []
    messages = [json.loads(line) for line in lines]
    found = {(each["stream"], each["record"]["c"]) for each in messages if each["type"] == "RECORD"}
    require(found <= named.keys(), f"set aside without a reason: {found - named.keys()}")
    missing = [name for name, place in named.items() if place < state and name not in found]
    require(not missing, f"STATE {state} ran ahead: {missing} are not set aside")


def check_promise(
    story: Sequence[Line],
    database: Path,
    state: int,
    reached: int,
    ignored: frozenset[str] = frozenset(),
) -> None:
    """Check that no record before a STATE is missing.

    Where a stream has begun with its next version, rows of the one before are replaced, and an
    activation may hide them: nothing is said of those. Of a table with keys, a change of the columns
    ``ignored`` alone need not arrive.
    """
    for stream, rows in _tables(story, database).items():
        lines = [(place, line) for place, line in enumerate(story) if line.stream == stream]
        newest = max((line.version or 0 for place, line in lines if place <= reached), default=0)
        promised = [
            line.data
            for place, line in lines
            if place < state and line.kind == "record" and (line.version or 0) == newest
        ]
        there: dict[Any, set[int]] = {}
        for row in rows:
            there.setdefault(_key(stream, row), set()).add(row["c"])
        is_ignored = bool(stream.keys) and "c" in ignored
        for record in promised:
            found = there.get(_key(stream, record), set())
            kept = max(found, default=-1) >= record["c"] if stream.keys else record["c"] in found
            require(
                kept or (is_ignored and bool(found)),
                f"STATE {state} ran ahead: {_named(stream, record)} is missing",
            )


def check_tables(
    story: Sequence[Line],
    database: Path,
    ignored: frozenset[str] = frozenset(),
    *,
    hides_versions: bool = True,
) -> None:
    """Check that the tables are what the whole story says, but for the columns ``ignored``.

    Without ``hides_versions``, rows of a version before stay where a record of the last was set aside.
    """
    for stream, rows in _tables(story, database).items():
        reported = [line for line in story if line.stream == stream and line.kind == "record"]
        records = [line.data for line in reported if line.version == stream.versions[-1]]
        truth = {_key(stream, record): record for record in records}
        seen = set()
        misfits = [line for line in story if line.stream == stream and line.kind == "misfit"]
        may_stay = not hides_versions and any(
            line.version == stream.versions[-1] for line in misfits
        )
        earlier = {_key(stream, line.data) for line in reported} if may_stay and stream.keys else ()
        for row in rows:
            key = _key(stream, row)
            if key in earlier and key not in truth:
                continue
            require(key in truth, f"nobody sent this row: {_named(stream, row)}")
            without = ignored if stream.keys else ()
            is_right = _filled(row, without) == _filled(truth[key], without)
            require(is_right, f"other values: {_named(stream, row)}")
            require(not stream.keys or key not in seen, f"twice: {_named(stream, row)}")
            seen.add(key)
        for key in truth.keys() - seen:
            raise BreachError(f"missing at the end: {_named(stream, truth[key])}")


def _tables(story: Sequence[Line], database: Path) -> dict[Stream, list[Row]]:
    known = list_tables(database)
    streams = dict.fromkeys(line.stream for line in story if line.stream)
    rows = {each: read_table(database, each.name) if each.name in known else [] for each in streams}
    return {
        each: [row for row in rows[each] if row.get("_sdc_deleted_at") is None] for each in streams
    }


def _key(stream: Stream, row: Row) -> tuple[Any, ...]:
    """Return what tells a row apart: its keys, or in a table without keys its number."""
    return tuple(row[name] for name in stream.keys or ("c",))


def _filled(row: Row, without: Collection[str] = ()) -> Row:
    return {
        name: Decimal(value) if isinstance(value, (int, float)) else value
        for name, value in row.items()
        if value is not None and name not in without
    }


def _named(stream: Stream, row: Row) -> str:
    short = {name: value for name, value in row.items() if name != "s"}
    return f"{stream.name!r} {json.dumps(short, default=str)}"

"""A dry run ends with the tables that would be there; a run warns of what is rejected."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import running_emulator
from tests.support.messages import record, schema, tap_output
from tests.support.running import COMMAND, environment, piped

if TYPE_CHECKING:
    from pathlib import Path

PROPERTIES = {
    "Id": {"type": "integer"},
    "lines": {"type": "array", "items": {"properties": {"sku": {"type": "string"}}}},
    "never": {"type": ["null", "number"]},
}
GOOD = record({"Id": 1, "lines": [{"sku": "a"}, {"sku": "b"}]})
COLLIDING = record({"Id": 2, "ID": 3, "lines": [{"sku": "c"}]})
LINES = [schema(properties=PROPERTIES, keys=["Id"]), GOOD, COLLIDING]
REDSHIFT = {"destination": "redshift"}


def test_it_is_text_on_stderr(tmp_path: Path) -> None:
    run = piped(REDSHIFT, tmp_path, tap_output(*LINES), "--dry-run")
    assert (run.exit_code, run.stdout) == (0, b"")
    lines = [" ".join(line.split()) for line in run.stderr.splitlines()]
    start = lines.index("What would be there, in redshift:")
    assert lines[start + 2 : start + 12] == [
        "orders 2 rows, 5 billable rows",
        "id INTEGER key, from Id rejected: Field collision on id",
        "id INTEGER from ID rejected: Field collision on id",
        "never DOUBLE a column that is only null is not created",
        "1 row rejected",
        "",
        "orders__lines 3 rows",
        "_sdc_source_key_id INTEGER from Id",
        "_sdc_level_0_id INTEGER",
        "sku VARCHAR",
    ]


def test_it_is_one_json_object_on_stdout(tmp_path: Path) -> None:
    run = piped(REDSHIFT, tmp_path, tap_output(*LINES), "--dry-run", "--format", "json")
    assert run.exit_code == 0
    (result,) = map(json.loads, run.stdout.splitlines())
    assert result["destination"] == "redshift"
    (table,) = result["tables"]
    assert list(table) == [
        "stream", "name", "rows", "billed_rows", "columns", "subtables",
        "rejected", "rejected_rows",
    ]  # fmt: skip
    assert (table["rows"], table["billed_rows"], table["rejected_rows"]) == (2, 5, 1)
    assert "What would be there" not in run.stderr


def test_in_a_json_log_it_is_an_event(tmp_path: Path) -> None:
    # given a log for machines, in which each line is an object
    run = piped({**REDSHIFT, "log_format": "json"}, tmp_path, tap_output(*LINES), "--dry-run")
    lines = [json.loads(line)["extra"] for line in run.stderr.splitlines()]
    # then one has what would be written to stdout
    (event,) = [each for each in lines if each.get("event_name") == "preview"]
    assert event["destination"] == "redshift"
    assert [each["name"] for each in event["tables"]] == ["orders"]


def test_without_a_stdout_it_says_so(tmp_path: Path) -> None:
    # given a shell that has closed stdout
    (tmp_path / "config.json").write_text("{}")
    flags = ["--config", "config.json", "--dry-run", "--format", "json"]
    run = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" >&-', COMMAND, *flags],
        input=tap_output(*LINES),
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    # then the run fails, and says why
    assert run.returncode == 1
    assert b"the tables can't be written: stdout is closed" in run.stderr


def test_a_pattern_of_names_gives_columns_their_types(tmp_path: Path) -> None:
    # given columns that only a pattern declares
    patterns = {
        "_at$": {"type": "string", "format": "date-time"},
        "_n$": {"type": "number"},
    }
    message = json.loads(schema())
    message["schema"]["patternProperties"] = patterns
    rows = [record({"id": 1, "x_at": "2024-01-01", "y_n": 5}), record({"id": 2, "y_n": 5.5})]
    # when they are foretold
    lines = tap_output(json.dumps(message), *rows)
    run = piped({"destination": "bigquery"}, tmp_path, lines, "--dry-run", "--format", "json")
    # then they are of those types
    (table,) = json.loads(run.stdout)["tables"]
    types = {each["name"]: each["type"] for each in table["columns"]}
    assert (types["x_at"], types["y_n"], "y_n__fl" in types) == ("TIMESTAMP", "FLOAT", False)


def test_without_a_destination_it_shows_what_holds_for_all(tmp_path: Path) -> None:
    lines = [*LINES, record({"Id": 4, "cost__it": 1})]
    run = piped({}, tmp_path, tap_output(*lines), "--dry-run")
    assert "in any destination (set destination to see its types)" in run.stderr
    run = piped({}, tmp_path, tap_output(*lines), "--dry-run", "--format", "json")
    result = json.loads(run.stdout)
    (table,) = result["tables"]
    assert (result["destination"], table["rows"], table["billed_rows"]) == (None, 3, 3)
    rejected = {each["name"] for each in table["columns"] if each["rejected"]}
    assert rejected == {"cost__it", "never"}
    assert {each["type"] for each in table["columns"]} == {None}


@pytest.mark.parametrize(("lines", "exit_code"), [(LINES, 1), (LINES[:2], 0)])
def test_strict_fails_where_something_would_be_rejected(
    lines: list[str], exit_code: int, tmp_path: Path
) -> None:
    # a column that is only null is no reason: nothing that came is lost
    run = piped(REDSHIFT, tmp_path, tap_output(*lines), "--dry-run", "--strict")
    assert run.exit_code == exit_code
    assert ("--strict is set" in run.last_line) == bool(exit_code)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--strict"], "--strict needs --dry-run"),
        (["--dry-run", "--format", "markdown"], "--dry-run prints text or json, not markdown"),
    ],
)
def test_flags_that_make_no_sense_are_refused(
    flags: list[str], message: str, tmp_path: Path
) -> None:
    run = piped({}, tmp_path, b"", *flags)
    assert run.exit_code == 2
    assert message in run.stderr


@pytest.mark.parametrize(
    "settings", [{}, {"endpoint": "push"}, {"endpoint": "push", "push_format": "transit"}]
)
def test_it_reads_every_kind_of_body(settings: dict[str, Any], tmp_path: Path) -> None:
    config = {**REDSHIFT, "client_id": 1, "batch_size_rows": 1, **settings}
    run = piped(config, tmp_path, tap_output(*LINES), "--dry-run", "--format", "json")
    assert run.exit_code == 0
    (table,) = json.loads(run.stdout)["tables"]
    assert (table["rows"], table["billed_rows"], table["rejected_rows"]) == (2, 5, 1)
    created = {each["name"] for each in table["columns"] if not each["rejected"]}
    assert created == set()
    assert [each["name"] for each in table["subtables"]] == ["orders__lines"]


def test_a_run_warns_once_for_each_column_and_counts_billable_rows(tmp_path: Path) -> None:
    # given records with a collision, time and again
    with running_emulator(tmp_path / "stitch.db", destination="redshift") as emulator:
        config = {**REDSHIFT, "token": "t", "api_url": emulator.url, "batch_size_rows": 1}
        run = piped(config, tmp_path, tap_output(*LINES, COLLIDING, COLLIDING))
    # when they are loaded, then each of the two columns is named once
    assert run.exit_code == 0
    warnings = [line for line in run.stderr.splitlines() if "Field collision on id" in line]
    assert len(warnings) == 2
    assert all("WARNING" in line and "'orders'" in line for line in warnings)
    # and the summary has the rows that are billed
    assert "9 billable rows (5 of subtables)." in run.stderr
    assert run.last_line.endswith("9 billable rows.")


def test_a_run_warns_of_what_the_schema_shows_before_a_record_comes(tmp_path: Path) -> None:
    # given a schema with a reserved name, and two that become one, in a subtable
    item = {"type": "object", "properties": {"sku": {"type": "string"}, "SKU": {"type": "string"}}}
    properties = {
        **PROPERTIES,
        "cost__it": {"type": ["null", "integer"]},
        "lines": {"type": "array", "items": item},
    }
    lines = [schema(properties=properties, keys=["Id"])]
    with running_emulator(tmp_path / "stitch.db", destination="redshift") as emulator:
        config = {**REDSHIFT, "token": "t", "api_url": emulator.url}
        # when no record comes, then each column is named once
        before = piped(config, tmp_path, tap_output(*lines)).stderr
        # and records do not repeat it
        values = {"Id": 1, "lines": [{"sku": "a", "SKU": "b"}], "cost__it": 1}
        after = piped(config, tmp_path, tap_output(*lines, record(values), GOOD)).stderr
    for text in (before, after):
        assert text.count("Field collision on sku") == 2
        assert text.count("reserved datatype suffix on cost__it") == 1


def test_a_run_warns_of_too_many_columns_when_the_schema_comes(tmp_path: Path) -> None:
    wide = {f"c{number}": {"type": "integer"} for number in range(1_018)}
    with running_emulator(tmp_path / "stitch.db") as emulator:
        config = {"destination": "mysql", "token": "t", "api_url": emulator.url}
        run = piped(config, tmp_path, tap_output(schema(properties={"Id": {}, **wide})))
    assert run.stderr.count("too many columns for mysql: more than 1,017") == 1


def test_an_instant_of_transit_is_a_date_time(tmp_path: Path) -> None:
    # given a column of date-times
    at = {"type": "string", "format": "date-time"}
    lines = [
        schema(properties={"Id": {"type": "integer"}, "at": at}, keys=["Id"]),
        record({"Id": 1, "at": "2024-01-01T00:00:00Z"}),
    ]
    push = {**REDSHIFT, "client_id": 1, "endpoint": "push"}
    # when it is pushed as Transit, then the value has a type of its own, unlike in JSON
    for push_format, expected in {"transit": "TIMESTAMP", "json": "VARCHAR"}.items():
        config = {**push, "push_format": push_format}
        run = piped(config, tmp_path, tap_output(*lines), "--dry-run", "--format", "json")
        (table,) = json.loads(run.stdout)["tables"]
        assert table["columns"][1]["type"] == expected


def test_a_destination_changes_nothing_of_what_is_sent(tmp_path: Path) -> None:
    bodies = []
    at = {"time_extracted": "2026-01-01T00:00:00.000001Z"}
    data = tap_output(LINES[0], record({"Id": 1, "ID": 2}, **at))
    for name, config in {"with": REDSHIFT, "without": {}}.items():
        out = tmp_path / name
        assert piped(config, tmp_path, data, "--dry-run", "--output", str(out)).exit_code == 0
        bodies.append(out.read_bytes())
    assert bodies[0] == bodies[1] != b""

"""This target beside the vendor's: the same stream, the same config, the same tables."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, read_table, running_emulator
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import COMMAND, Run, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_stitch_import.emulator import Emulator

pytestmark = pytest.mark.external

VENDOR = Path(__file__).parents[2] / ".venv-vendor"
FAILURE = VENDOR / "failure"

CUSTOMERS = {
    "id": {"type": "integer"},
    "name": {"type": ["null", "string"]},
    "balance": {"type": ["null", "number"], "multipleOf": 0.01},
    "ratio": {"type": ["null", "number"]},
    "address": {"type": ["null", "object"], "properties": {"city": {"type": ["null", "string"]}}},
    "tags": {"type": ["null", "array"], "items": {"type": "string"}},
    "seen_at": {"type": ["null", "string"], "format": "date-time"},
}
LAST = {"bookmarks": {"customers": {"seen_at": "2026-01-02T00:00:00Z"}, "visits": {"n": 3}}}


@pytest.fixture(scope="module")
def vendor() -> str:
    """The vendor's command, if this machine can have it."""
    command = VENDOR / "bin" / "target-stitch"
    if command.is_file():
        return str(command)
    if not FAILURE.is_file():
        pytest.fail(f"there is no {VENDOR.name}: `make test` sets it up")
    reason = "\n".join(FAILURE.read_text().splitlines()[-15:])
    if os.environ.get("CI") and shutil.which("cc"):
        pytest.fail(f"the vendor's target can't be installed: {reason}")
    pytest.skip(f"the vendor's target can't be installed: {reason}")


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Emulator]:
    """Run an emulator for the vendor's target."""
    with running_emulator(database=tmp_path / "theirs.db") as running:
        yield running


def run(command: str, emulator: Emulator, folder: Path, data: bytes, **more: Any) -> Run:
    """Run a target with a config as the vendor's has it, which is the same for both."""
    config = {
        "client_id": 1234,
        "token": "t",
        "small_batch_url": f"{emulator.url}/v2/import/batch",
        "big_batch_url": f"{emulator.url}/v2/import/batch",
        "batch_size_preferences": {"full_table_streams": ["plans"]},
        "turbo_boost_factor": 1,
        "disable_collection": True,
        **more,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    ended = subprocess.run(
        [command, "--config", str(path)],
        input=data,
        capture_output=True,
        check=False,
        timeout=300,
        cwd=folder,
        env=environment(NO_PROXY="127.0.0.1"),
    )
    return Run(ended.returncode, ended.stdout, ended.stderr.decode())


def the_stream() -> bytes:
    """Return what a tap writes of three tables: with keys, without, and loaded in full twice."""
    first = {"id": 1, "name": "Ann", "address": {"city": "Oslo"}, "tags": ["a", "é"]}
    return tap_output(
        schema("customers", CUSTOMERS, bookmark_properties=["seen_at"]),
        record(first, "customers"),
        record('{"id": 2, "name": null, "balance": 0.10, "ratio": 1e-7}', "customers"),
        record('{"id": 3, "balance": 12345678901234567890123456.78, "tags": []}', "customers"),
        *(record({"id": 4, "name": f"version {n}"}, "customers") for n in range(250)),
        state({"bookmarks": {"customers": {"seen_at": "2026-01-01T00:00:00Z"}}}),
        schema("visits", {"n": {"type": "integer"}, "at": {"type": ["null", "string"]}}, []),
        *(record({"n": n, "at": None}, "visits", time_extracted=a_time(n)) for n in (1, 2, 3, 3)),
        record('{"id": 2, "name": "Bo", "balance": 20, "address": null}', "customers"),
        schema("plans"),
        *(record({"id": n, "name": "old"}, "plans", version=1) for n in range(5)),
        activate(1, "plans"),
        *(record({"id": n, "name": "new"}, "plans", version=2) for n in range(2, 4)),
        activate(2, "plans"),
        record({"id": 9, "name": "late"}, "plans", version=2),
        state(LAST),
    )


def a_time(second: int) -> str:
    """Return an extraction time."""
    return f"2026-01-01T00:00:{second:02}.5Z"


def rows(emulator: Emulator, table: str, *system: str) -> list[str]:
    """Return the rows of a table, with these of Stitch's own columns, in an order of their own."""
    found = read_table(emulator.database, table, system_columns=True)
    return sorted(
        repr([(name, row[name]) for name in sorted(row) if name in system or name[:4] != "_sdc"])
        for row in found
    )


def sequences(emulator: Emulator, table: str) -> list[int]:
    """Return the sequence of each row."""
    found = read_table(emulator.database, table, system_columns=True)
    return [row["_sdc_sequence"] for row in found]


def test_both_make_the_same_tables_and_the_same_state_of_a_stream(
    vendor: str, emulator: Emulator, theirs: Emulator, tmp_path: Path
) -> None:
    # given a stream with all that taps write, and the vendor's config
    data = the_stream()
    # when the vendor's target loads it, and then this one
    of_vendor = run(vendor, theirs, tmp_path, data)
    of_ours = run(COMMAND, emulator, tmp_path, data)
    # then both end well
    assert (of_vendor.exit_code, of_ours.exit_code) == (0, 0), of_vendor.stderr + of_ours.stderr
    # with the same tables and rows, each of the same version
    assert sorted(list_tables(emulator.database)) == ["customers", "plans", "visits"]
    assert sorted(list_tables(theirs.database)) == ["customers", "plans", "visits"]
    for table, count in {"customers": 4, "plans": 3, "visits": 4}.items():
        found = rows(emulator, table, "_sdc_table_version")
        assert found == rows(theirs, table, "_sdc_table_version")
        assert len(found) == count
    # and the same STATE, in the same form
    assert of_ours.stdout.splitlines()[-1] == of_vendor.stdout.splitlines()[-1]
    assert of_ours.states[-1] == LAST
    # and what became of each setting is in the log
    assert f"Setting api_url is {emulator.url}, from small_batch_url." in of_ours.stderr
    for name in ("big_batch_url", "batch_size_preferences", "turbo_boost_factor"):
        assert f"Setting {name} of the vendor's target is not needed" in of_ours.stderr
    assert "is not known" not in of_ours.stderr
    # and this one's sequences are not below those that the vendor's wrote before
    for table in ("customers", "plans"):
        assert min(sequences(emulator, table)) >= max(sequences(theirs, table))
    assert {len(str(sequence)) for sequence in sequences(emulator, "visits")} == {19}


def test_what_is_read_later_replaces_what_the_vendors_target_wrote(
    vendor: str, theirs: Emulator, tmp_path: Path
) -> None:
    # given a table that the vendor's target has loaded, from a tap that gives times
    before = [record({"id": n, "name": "theirs"}, time_extracted=a_time(0)) for n in range(3)]
    assert run(vendor, theirs, tmp_path, tap_output(schema(), *before)).exit_code == 0
    # when one row comes from an extract that was kept, and one is read anew
    now = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = [
        record({"id": 0, "name": "kept"}, time_extracted=a_time(1)),
        record({"id": 1, "name": "new"}, time_extracted=now),
    ]
    assert run(COMMAND, theirs, tmp_path, tap_output(schema(), *lines)).exit_code == 0
    # then what is read anew replaces its row; what was kept does not, for the vendor's sequences
    # are the times of sending
    names = {row["id"]: row["name"] for row in read_table(theirs.database, "orders")}
    assert names == {0: "theirs", 1: "new", 2: "theirs"}
    # but by arrival it does
    by_arrival = {"sequence_source": "received_at"}
    lines = [record({"id": 2, "name": "kept"}, time_extracted=a_time(1))]
    assert run(COMMAND, theirs, tmp_path, tap_output(schema(), *lines), **by_arrival).exit_code == 0
    names = {row["id"]: row["name"] for row in read_table(theirs.database, "orders")}
    assert names == {0: "theirs", 1: "new", 2: "kept"}

"""Whatever goes wrong, with skip_unchanged the table becomes what the source is."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import backoff
import msgspec
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.api.client import ImportClient
from target_stitch_import.delivery.pipeline import StateWriter
from target_stitch_import.emulator import list_tables, read_table, running_emulator
from target_stitch_import.errors import DeliveryError, TransientError
from target_stitch_import.unchanged.store import RowStore
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator

KEYS = st.integers(0, 5)
VALUES = st.integers(0, 2)
ENDPOINTS: list[dict[str, Any]] = [
    {},
    {"endpoint": "push", "client_id": 1},
    {"endpoint": "push", "client_id": 1, "push_format": "transit"},
]

POST, COMMIT, WRITE = ImportClient.post, RowStore.commit, StateWriter.__call__


@dataclass
class Faults:
    """What goes wrong in one run."""

    posts: dict[int, str]
    """By its number: ``lost``, ``unanswered`` (it arrives) or ``late`` (it arrives after the run)."""
    killed_at: int
    """The commit, post, answer or STATE at which the process is killed; 0: it is not."""
    late: list[bytes] = field(default_factory=list)
    events: int = 0
    posted: int = 0
    killed: bool = False

    def survives(self) -> bool:
        """Let something happen; return False if the process is dead by then."""
        self.events += 1
        self.killed = self.killed or self.events == self.killed_at
        return not self.killed

    def post(self, client: ImportClient, body: bytes) -> None:
        """Post a body, or what becomes of it."""
        if not self.survives():
            raise DeliveryError("killed")
        fault = self.posts.get(self.posted)
        self.posted += 1
        if fault == "late":
            self.late.append(body)
        if fault in ("late", "lost"):
            raise TransientError(fault)
        POST(client, body)
        if not self.survives():
            raise DeliveryError("killed")
        if fault == "unanswered":
            raise TransientError(fault)

    def commit(self, store: RowStore) -> None:
        """Commit, unless the process is dead."""
        if self.survives():
            COMMIT(store)
            self.survives()

    def write(self, writer: StateWriter, value: bytes) -> None:
        """Write a STATE, unless the process is dead."""
        if self.survives():
            WRITE(writer, value)


@dataclass(frozen=True)
class Sync:
    """One run of the tap: a full load of what the source has by then."""

    changes: dict[int, int | None]
    """Rows that are inserted, updated or, with None, deleted before it."""
    passing: list[tuple[int, int]]
    """Versions of rows that it reads before those."""
    has_column: bool
    """Whether the schema has one column more."""
    is_cut: bool
    """Whether the tap dies before its last row."""
    faults: Faults
    settings: dict[str, Any]


faults = st.builds(
    Faults,
    st.dictionaries(st.integers(0, 8), st.sampled_from(["lost", "unanswered", "late"]), max_size=4),
    st.one_of(st.just(0), st.integers(1, 40)),
)
syncs = st.builds(
    Sync,
    st.dictionaries(KEYS, st.one_of(VALUES, VALUES, st.none()), max_size=4),
    st.lists(st.tuples(KEYS, VALUES), max_size=4),
    st.sampled_from([False, False, True]),
    st.sampled_from([False, False, False, True]),
    faults,
    st.fixed_dictionaries(
        {
            "batch_size_rows": st.sampled_from([1, 2, 3, 20]),
            "max_parallel_requests": st.integers(1, 3),
            "max_retry_seconds": st.sampled_from([0, 60, 60]),
        }
    ),
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    with mock.patch.object(backoff, "full_jitter", return_value=0):
        yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def stitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Run one emulator for all examples; each has a table of its own."""
    with running_emulator(tmp_path_factory.mktemp("stitch") / "stitch.db") as running:
        yield running


names = (f"table {number}" for number in itertools.count())


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(syncs, min_size=2, max_size=6), st.sampled_from(ENDPOINTS), st.booleans())
def test_the_table_becomes_what_the_source_is(
    stitch: Emulator,
    tmp_path: Path,
    story: list[Sync],
    endpoint: dict[str, Any],
    detect_deletes: bool,
) -> None:
    # given a source that changes, and runs in which anything may go wrong
    name = next(names)
    config = {
        "token": "t",
        "api_url": stitch.url,
        "skip_unchanged": str(tmp_path / f"{name}.db"),
        "detect_deletes": detect_deletes,
        "max_delete_share": 1,
        "check_status": False,
        **endpoint,
    }
    source: dict[int, int] = {0: 0}
    bookmark: dict[str, int] | None = None
    story = [dataclasses.replace(each, faults=dataclasses.replace(each.faults)) for each in story]
    for version, sync in enumerate(story, 1):
        for key, value in sync.changes.items():
            source.pop(key, None)
            if value is not None:
                source[key] = value
        resumed = bookmark
        lines = written(name, sync, source, resumed or {"version": version, "from": 0})
        sync.faults.late = []
        # when it is loaded
        error, bookmark = run({**config, **sync.settings}, lines, sync.faults, resumed)
        deliver(stitch, sync.faults.late, endpoint)
        # then, after a whole run, each row is as in the source
        if error is None and resumed is None and not sync.is_cut and source:
            check(stitch, name, source, exact=detect_deletes)
    # and so it is after one that nothing disturbs
    source[0] = 1
    last = dataclasses.replace(story[0], passing=[], is_cut=False, faults=Faults({}, 0))
    for again in (1, 2):
        calm = Faults({}, 0)
        lines = written(name, last, source, {"version": 100 + again, "from": 0})
        error, _ = run(config, lines, calm, None)
        assert error is None
        check(stitch, name, source, exact=detect_deletes)
    # and when it comes again, nothing is posted
    assert calm.posted == 0


def written(name: str, sync: Sync, source: dict[int, int], place: dict[str, int]) -> list[str]:
    """Return what the tap writes from a place on."""
    columns = {"id": {"type": "integer"}, "value": {"type": "integer"}}
    if sync.has_column:
        columns["more"] = {"type": "integer"}
    version = place["version"]
    rows = [row for row in sorted(source.items()) if row[0] >= place["from"]]
    lines = [schema(name, columns, ["id"]), activate(version, name)]
    for key, value in [*(row for row in sync.passing if row[0] in source), *rows]:
        lines.append(record({"id": key, "value": value}, name, version=version))
        if (key, value) in rows and len(lines) > len(sync.passing) + 2:
            lines.append(state({"version": version, "from": key + 1}))
    if sync.is_cut:
        return lines[:-1]
    return [*lines, activate(version, name), state({"done": version})]


def run(
    config: dict[str, Any], lines: list[str], faults: Faults, before: dict[str, int] | None
) -> tuple[Exception | None, dict[str, int] | None]:
    """Load lines with faults; return what failed, and where the tap goes on."""
    with (
        mock.patch.object(ImportClient, "post", autospec=True, side_effect=faults.post),
        mock.patch.object(RowStore, "commit", autospec=True, side_effect=faults.commit),
        mock.patch.object(StateWriter, "__call__", autospec=True, side_effect=faults.write),
    ):
        states, error = loaded(config, tap_output(*lines))
    if faults.killed and error is None:
        error = DeliveryError("killed")
    bookmark = msgspec.json.decode(states[-1]) if states else before
    return error, None if bookmark and "done" in bookmark else bookmark


def deliver(stitch: Emulator, bodies: list[bytes], endpoint: dict[str, Any]) -> None:
    """Let bodies arrive whose sender is gone."""
    path = endpoint.get("endpoint", "batch")
    kind = "transit+json" if endpoint.get("push_format") else "json"
    headers = {"Authorization": "Bearer t", "Content-Type": f"application/{kind}"}
    for body in bodies:
        url = f"{stitch.url}/v2/import/{path}"
        assert requests.post(url, body, headers=headers, timeout=60).ok


def check(stitch: Emulator, name: str, source: dict[int, int], *, exact: bool) -> None:
    """Check what the table shows; without ``exact``, rows that are gone may stay."""
    assert name in list_tables(stitch.database)
    rows = {row["id"]: row for row in read_table(stitch.database, name)}
    shown = {key: row["value"] for key, row in rows.items() if row.get("_sdc_deleted_at") is None}
    assert {key: value for key, value in shown.items() if exact or key in source} == source

"""Runs are loaded block by block, cut where a record can't be, and then their STATE is remembered."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest import mock

import msgspec
import pytest

from target_stitch_import.errors import (
    InputError,
    InvalidRecordError,
    QuarantineError,
    RecordBeforeSchemaError,
)
from target_stitch_import.singer.messages import RecordMessage, StateMessage
from target_stitch_import.singer.runs import Run, split_into_runs
from target_stitch_import.streams.run_loader import RunLoader
from target_stitch_import.target import TargetStitchImport

if TYPE_CHECKING:
    from target_stitch_import.batches.batch import Batch
    from target_stitch_import.reporting.metrics import Metrics
    from target_stitch_import.streams.stream_maps import Stream

PROPERTIES = {"id": {"type": "integer"}, "x": {"type": ["null", "string"]}}


class Loading:
    """A loader of runs, with all that became of them: sealed batches, STATEs, refused records."""

    def __init__(
        self, *, quarantine: bool = False, most: int = 99, originals: bool = False, **config: Any
    ) -> None:
        self.batches: list[Batch] = []
        self.states: list[bytes] = []
        self.refused: list[tuple[int, str]] = []
        """Of each record that was refused its position, and the table."""
        self._quarantine, self._most = quarantine, most
        target = TargetStitchImport(
            config={"token": "t", "api_url": "http://127.0.0.1:9", **config}
        )
        self._target = target
        pipeline = target._pipeline
        pipeline.builder.deliver = self.batches.append
        self._pipeline = pipeline
        self.loader = RunLoader(
            target._router, self.states.append, self._refuse, keep_originals=originals
        )

    def declare(self, stream: str, **properties: Any) -> None:
        """Let a SCHEMA come; without properties, that of an ``id`` and a text ``x``."""
        line = {
            "type": "SCHEMA",
            "stream": stream,
            "schema": {"properties": properties or PROPERTIES},
            "key_properties": ["id"],
        }
        self._target._process_schema_message(
            self._target.message_reader.deserialize_json(json.dumps(line).encode())
        )

    def load(self, *messages: RecordMessage | StateMessage) -> None:
        """Load messages that are one run, from line 1 on."""
        (run,) = split_into_runs(messages, 1)
        assert isinstance(run, Run)
        self.loader.load(run)

    @property
    def metrics(self) -> Metrics:
        """The numbers of the run."""
        return self._pipeline.metrics

    @property
    def records(self) -> dict[str, list[int]]:
        """The ids of the records of each table in the order of their sequences, open ones included."""
        self._pipeline.builder.seal_all()
        by_table: dict[str, list[tuple[int, int]]] = {}
        for batch in self.batches:
            body = json.loads(batch.body)
            by_table.setdefault(body["table_name"], []).extend(
                (each["sequence"], each["data"]["id"]) for each in body["messages"]
            )
        assert all(len(dict(each)) == len(each) for each in by_table.values())
        return {name: [number for _, number in sorted(each)] for name, each in by_table.items()}

    def _refuse(
        self,
        stream: Stream,
        record: RecordMessage,
        error: InvalidRecordError,
        position: int,
        table_name: str,
    ) -> None:
        assert record.stream == stream.message.stream
        if not self._quarantine:
            raise error
        if len(self.refused) == self._most:
            raise QuarantineError("too many")
        self.refused.append((position, table_name))


def record(number: int, stream: str = "a", **more: Any) -> RecordMessage:
    """Return a RECORD with an id."""
    return RecordMessage(stream, msgspec.Raw(json.dumps({"id": number, **more}).encode()))


def bad(number: int, stream: str = "a") -> RecordMessage:
    """Return a RECORD that does not fit its schema."""
    return record(number, stream, x=5)


def state(number: int) -> StateMessage:
    """Return a STATE."""
    return StateMessage(msgspec.Raw(b'{"at":%d}' % number))


def test_a_run_is_loaded_and_its_newest_state_is_remembered() -> None:
    # given two streams
    loading = Loading()
    loading.declare("a")
    loading.declare("b")
    # when they take turns, with STATEs between
    loading.load(record(1), state(2), record(3, "b"), record(4), state(5), record(6, "b"))
    # then each table has its records in their order, and the last STATE alone is remembered
    assert loading.records == {"a": [1, 4], "b": [3, 6]}
    assert loading.states == [b'{"at":5}']


def test_a_state_is_remembered_behind_all_records_of_its_run() -> None:
    # given a loader that notes how many batches are open when a STATE is remembered
    loading = Loading(batch_size_rows=1)
    loading.declare("a")
    sent: list[int] = []
    loading.loader.remember_state = lambda _: sent.append(len(loading.batches))
    # when a STATE comes before the last record of a run, then that was loaded before it, too
    loading.load(record(1), state(2), record(3))
    assert sent == [2]


def test_a_run_without_records_has_its_state_remembered() -> None:
    loading = Loading()
    loading.load(state(1), state(2))
    assert (loading.records, loading.states) == ({}, [b'{"at":2}'])


def test_a_run_is_cut_at_a_record_that_can_not_be_used() -> None:
    # given streams that take turns, with an invalid record among them
    loading = Loading()
    loading.declare("a")
    loading.declare("b")
    # when they are loaded
    with pytest.raises(
        InvalidRecordError, match=r"^Line 5 of the input: .* #/x: expected"
    ) as raised:
        loading.load(
            record(1),
            state(2),
            record(3, "b"),
            state(4),
            bad(5),
            state(6),
            record(7, "b"),
            record(8),
        )
    # then what comes before it is loaded, its newest STATE is remembered, and nothing behind is sent
    assert raised.value.line == 5
    assert loading.records == {"a": [1], "b": [3]}
    assert loading.states == [b'{"at":4}']


def test_of_several_records_that_can_not_be_used_the_first_ends_the_run() -> None:
    # given a stream whose first invalid record stands behind that of another one
    loading = Loading()
    loading.declare("a")
    loading.declare("b")
    with pytest.raises(InvalidRecordError, match=r"^Line 3 "):
        loading.load(record(1), record(2, "b"), bad(3, "b"), record(4, "b"), bad(5), bad(6, "b"))
    assert loading.records == {"a": [1], "b": [2]}


def test_records_are_set_aside_in_the_order_of_the_input() -> None:
    # given a quarantine
    loading = Loading(quarantine=True)
    loading.declare("a")
    loading.declare("b")
    # when invalid records of two streams come
    loading.load(
        bad(1, "b"), bad(2), record(3), bad(4, "b"), bad(5), state(6), record(7, "b"), bad(8, "b")
    )
    # then they are set aside in their order, and the others are loaded
    assert loading.refused == [(1, "b"), (2, "a"), (4, "b"), (5, "a"), (8, "b")]
    assert loading.records == {"a": [3], "b": [7]}
    assert loading.states == [b'{"at":6}']


def test_a_quarantine_that_is_full_ends_the_run_at_that_record() -> None:
    # given a quarantine for one record
    loading = Loading(quarantine=True, most=1)
    loading.declare("a")
    loading.declare("b")
    # when a second one is invalid
    with pytest.raises(QuarantineError):
        loading.load(bad(1), record(2, "b"), state(3), record(4), bad(5, "b"), record(6), state(7))
    # then what comes before that is loaded, and its STATE is remembered
    assert loading.records == {"a": [4], "b": [2]}
    assert loading.states == [b'{"at":3}']


def test_a_record_before_its_schema_ends_the_run_there() -> None:
    # given a stream whose SCHEMA has not come
    loading = Loading()
    loading.declare("a")
    # when a record of it stands in a run
    with pytest.raises(RecordBeforeSchemaError, match=r"^Line 3 .* 'new' came before its SCHEMA"):
        loading.load(record(1), state(2), record(3, "new"), record(4), state(5), record(6, "new"))
    # then what comes before it is loaded
    assert loading.records == {"a": [1]}
    assert loading.states == [b'{"at":2}']


def test_a_record_that_is_invalid_ends_the_run_before_one_without_a_schema() -> None:
    loading = Loading()
    loading.declare("a")
    with pytest.raises(InvalidRecordError, match=r"^Line 2 "):
        loading.load(record(1), bad(2), record(3, "new"))
    assert loading.records == {"a": [1]}


ONE_TABLE = {"b": {"__alias__": "a"}}


def test_of_two_streams_that_load_one_table_none_overtakes_the_other() -> None:
    # given two streams that a stream map leads into one table
    loading = Loading(stream_maps=ONE_TABLE)
    loading.declare("a")
    loading.declare("b")
    loading.declare("c")
    # when they take turns, then the sequences have the order of the input
    turns = [record(number, "abcb"[number % 4]) for number in range(1, 40)]
    loading.load(*turns, state(40))
    assert loading.records == {
        "a": [number for number in range(1, 40) if number % 4 != 2],
        "c": [number for number in range(1, 40) if number % 4 == 2],
    }
    assert loading.states[-1:] == [b'{"at":40}']


def test_a_table_of_two_streams_may_take_turns_for_long() -> None:
    # given so many turns that a call for each would be too deep
    loading = Loading(stream_maps=ONE_TABLE)
    loading.declare("a")
    loading.declare("b")
    loading.load(*(record(number, "ab"[number % 2]) for number in range(5_000)))
    assert loading.records == {"a": [*range(5_000)]}


def test_a_failure_in_a_table_of_two_streams_cuts_the_run_there() -> None:
    loading = Loading(stream_maps=ONE_TABLE)
    loading.declare("a")
    loading.declare("b")
    with pytest.raises(InvalidRecordError, match=r"^Line 5 "):
        loading.load(
            record(1), record(2, "b"), state(3), record(4), bad(5, "b"), record(6), state(7)
        )
    assert loading.records == {"a": [1, 2, 4]}
    assert loading.states[-1:] == [b'{"at":3}']


TWO_ROUTES = {
    "a": {},
    "copy": {"__source__": "a", "z": "record['x']"},
}


def both_tables(loading: Loading) -> None:
    """Declare a stream whose records also load a copy."""
    loading.declare("a", id={"type": "integer"}, x={"type": "string"}, y={})


def test_a_record_goes_into_each_table_of_its_stream() -> None:
    loading = Loading(stream_maps=TWO_ROUTES)
    both_tables(loading)
    loading.load(record(1, x="x"), record(2, x="x"))
    assert loading.records == {"a": [1, 2], "copy": [1, 2]}


def test_a_record_that_one_table_refuses_goes_into_none() -> None:
    # given a stream of two routes, the second of which can't be applied to every record
    loading = Loading(quarantine=True, stream_maps=TWO_ROUTES)
    both_tables(loading)
    # when the second table refuses a record, and the first another one
    loading.load(record(1, x="x"), record(2), record(3, x="x"), record(4, x=5), record(5, x="x"))
    # then neither is in any table, and each is set aside once, for the table that refuses it
    assert loading.records == {"a": [1, 3, 5], "copy": [1, 3, 5]}
    assert loading.refused == [(2, "copy"), (4, "a")]


def test_a_record_that_one_table_refuses_cuts_the_run_for_all() -> None:
    loading = Loading(stream_maps=TWO_ROUTES)
    both_tables(loading)
    with pytest.raises(InvalidRecordError, match=r"^Line 3 .*stream map"):
        loading.load(record(1, x="x"), state(2), record(3), record(4, x="x"), state(5))
    assert loading.records == {"a": [1], "copy": [1]}
    assert loading.states == [b'{"at":2}']


def test_records_that_a_stream_map_filters_out_are_in_no_table() -> None:
    # given a stream map with a filter, and a record to which it can't be applied
    odd = {"a": {"__filter__": "record['id'] % 2 == 1"}}
    loading = Loading(quarantine=True, stream_maps=odd)
    loading.declare("a")
    unmappable = RecordMessage("a", msgspec.Raw(b'{"x":"no id"}'))
    # when some are filtered out, and others are invalid
    loading.load(
        record(1), record(2), bad(3), record(4), unmappable, record(6), record(7), bad(8), bad(9)
    )
    # then the others are loaded, and what is invalid keeps its place
    assert loading.records == {"a": [1, 7]}
    assert loading.refused == [(3, "a"), (5, "a"), (9, "a")]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_batch_has_what_the_tap_wrote_where_that_is_wanted(wanted: bool) -> None:
    # given a stream map that makes other records
    loading = Loading(originals=wanted, stream_maps={"a": {"x": "'new'"}})
    loading.declare("a")
    first, second = record(1, x="old"), record(2, x="old")
    # when they are loaded, then their batch has what they were
    loading.load(first, second)
    assert loading.records == {"a": [1, 2]}
    (batch,) = loading.batches
    originals = {at: message for at, (_, message) in batch.originals.items()}
    assert originals == ({1: first, 2: second} if wanted else {})


@pytest.mark.parametrize("wanted", [True, False])
def test_a_batch_has_what_the_tap_wrote_of_a_record_that_is_edited(wanted: bool) -> None:
    # given two records of which the second has a date-time that the service would refuse
    loading = Loading(originals=wanted)
    loading.declare("a", id={"type": "integer"}, x={"type": "string", "format": "date-time"})
    first, second = record(1, x="2024-03-01T00:00:00Z"), record(2, x="2024-03-01")
    # when they are loaded, then their batch has what the tap wrote for that one
    loading.load(first, second)
    assert loading.records == {"a": [1, 2]}
    originals = {at: message for at, (_, message) in loading.batches[0].originals.items()}
    assert originals == ({2: second} if wanted else {})
    # and it is counted
    assert loading.metrics.streams["a"].normalized == {"x": 1}


def test_no_original_is_kept_of_a_record_that_is_the_taps() -> None:
    loading = Loading(originals=True)
    loading.declare("a")
    loading.load(record(1))
    assert loading.records == {"a": [1]}
    assert loading.batches[0].originals == {}


@pytest.mark.parametrize("quarantine", [True, False])
def test_what_is_no_record_is_refused_as_one(quarantine: bool) -> None:
    loading = Loading(quarantine=quarantine)
    loading.declare("a")
    broken = RecordMessage("a", msgspec.Raw(b"[1]"))
    if quarantine:
        loading.load(record(1), broken, record(3))
        assert loading.refused == [(2, "a")]
    else:
        with pytest.raises(InputError, match=r"^Line 2 .* is not a JSON object but array"):
            loading.load(record(1), broken, record(3))
    assert loading.records == {"a": [1, 3] if quarantine else [1]}


def test_a_stream_map_is_applied_once_to_each_record() -> None:
    # given a stream with a map, of which we count how often it is applied
    loading = Loading(quarantine=True, stream_maps={"a": {"y": "id"}})
    loading.declare("a")
    (route,) = loading._target._router.stream("a", "RECORD").routes
    transform, applied = route.transform, []
    assert transform is not None

    def counting(data: bytes) -> bytes | None:
        applied.append(data)
        return transform(data)

    object.__setattr__(route, "transform", counting)
    # when records of a run are invalid, or can't be mapped
    unmapped = RecordMessage("a", msgspec.Raw(b'{"x":"id is missing"}'))
    loading.load(record(1), bad(2), record(3), unmapped, bad(5), record(6))
    # then each is mapped once, and they are refused in the order of the input
    assert len(applied) == 6
    assert loading.refused == [(2, "a"), (4, "a"), (5, "a")]
    assert loading.records == {"a": [1, 3, 6]}


def test_a_record_is_prepared_a_few_times_however_many_are_invalid() -> None:
    # given a table of which we count how many records are prepared
    loading = Loading(quarantine=True, most=2_000)
    loading.declare("a")
    (route,) = loading._target._router.stream("a", "RECORD").routes
    prepare, prepared = route.sink.prepare, Counter[str]()

    def counting(version: int | None, records: list[bytes], *rest: Any) -> Any:
        prepared["records"] += len(records)
        return prepare(version, records, *rest)

    # when a thousand records of a run are invalid, and then a thousand are right
    with mock.patch.object(route.sink, "prepare", counting):
        loading.load(*map(bad, range(1_000)), *map(record, range(1_000, 2_000)))
    # then the work does not grow with their square
    assert len(loading.refused) == 1_000
    assert loading.records == {"a": [*range(1_000, 2_000)]}
    assert prepared["records"] <= 20_000

"""Rows that were not in a full load are marked as deleted, once the load has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from target_stitch_import.emulator import read_table
from target_stitch_import.errors import InputError
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import loaded
from tests.support.service import ACCEPTED

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Request, Service, ServiceResponse

OLD = "2024-01-01T00:00:00Z"
OLD_NS = 1_704_067_200_000_000_000


@pytest.fixture
def deletes(tmp_path: Path) -> dict[str, Any]:
    """Return the settings that find deleted rows, however many."""
    path = str(tmp_path / "rows.db")
    return {"skip_unchanged": path, "detect_deletes": True, "max_delete_share": 1}


def full(version: int, *ids: int, **more: Any) -> list[str]:
    """Return a full load of rows, with its version in front of it and behind it."""
    rows = [record({"id": each, "name": "x"}, version=version, **more) for each in ids]
    return [activate(version), *rows, activate(version), state({"version": version})]


def load(emulator: Emulator, settings: dict[str, Any], *lines: str) -> list[int]:
    """Load lines behind a SCHEMA; return the rows that are not deleted."""
    config = {"token": "t", "api_url": emulator.url, **settings}
    _, error = loaded(config, tap_output(schema(), *lines))
    assert error is None
    return live(emulator)


def live(emulator: Emulator) -> list[int]:
    """Return the rows that are not deleted."""
    rows = read_table(emulator.database, "orders")
    return sorted(row["id"] for row in rows if row.get("_sdc_deleted_at") is None)


def post(service: Service, settings: dict[str, Any], *lines: str) -> list[Any]:
    """Load lines behind a SCHEMA; return the bodies that came of them."""
    before = len(service.requests)
    states, error = loaded(service.config(**settings), tap_output(schema(), *lines))
    assert error is None
    assert states
    return [request.batch for request in service.requests[before:]]


@pytest.mark.parametrize(
    "endpoint",
    [
        {},
        {"endpoint": "push", "client_id": 1},
        {"endpoint": "push", "client_id": 1, "push_format": "transit"},
    ],
)
def test_rows_that_are_gone_are_deleted_and_come_back(
    emulator: Emulator, deletes: dict[str, Any], endpoint: dict[str, Any]
) -> None:
    settings = {**deletes, **endpoint}
    # given a full load
    assert load(emulator, settings, *full(1, 1, 2, 3)) == [1, 2, 3]
    # when rows are gone, and one of them comes back as it was
    assert load(emulator, settings, *full(2, 1)) == [1]
    # then the table has what the source has
    assert load(emulator, settings, *full(3, 1, 3)) == [1, 3]
    assert {row["id"]: row["name"] for row in read_table(emulator.database, "orders")}[3] == "x"


def test_a_delete_is_the_keys_and_a_time_right_above_the_loads_sequences(
    service: Service, deletes: dict[str, Any]
) -> None:
    # given a full load
    post(service, deletes, *full(1, 1, 2, 3, time_extracted=OLD))
    # when a later one has fewer rows, and a record comes behind it
    later = record({"id": 4, "name": "x"}, version=2, time_extracted="2024-01-01T00:00:09Z")
    changed = record({"id": 1, "name": "y"}, version=2, time_extracted="2024-01-01T00:00:01Z")
    bodies = post(service, deletes, changed, activate(2), later, state({"n": 1}))
    # then the deletes are a batch of their own, with a schema of the keys and the time
    body = bodies[1]
    columns = {
        "id": {"type": "integer"},
        "_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"},
    }
    assert body["schema"] == {"type": "object", "properties": columns}
    assert [{*message["data"]} for message in body["messages"]] == [{"id", "_sdc_deleted_at"}] * 2
    assert [message["data"]["id"] for message in body["messages"]] == [2, 3]
    # and their sequence is right above, and raises none behind
    assert {message["sequence"] for message in body["messages"]} == {OLD_NS + 10**9 + 1}
    assert bodies[2]["messages"][0]["sequence"] == OLD_NS + 9 * 10**9
    # and a row that returns says that it is not deleted
    (returned,) = post(service, deletes, *full(3, 1, 2, 4), state({"n": 1}))
    found = {message["data"]["id"]: message["data"] for message in returned["messages"]}
    assert found[2] == {"id": 2, "name": "x", "_sdc_deleted_at": None}


def test_deletes_wait_for_all_rows_and_the_state_for_the_deletes(
    service: Service, deletes: dict[str, Any]
) -> None:
    # given a table, and a service that answers the first row of the next load at last
    post(service, deletes, *full(1, 1, 2, 3))
    tried: list[list[int]] = []

    def answer(request: Request) -> ServiceResponse:
        tried.append([message["data"]["id"] for message in request.batch["messages"]])
        if tried.count([1]) < 2 and tried[-1] == [1]:
            return 503, b"{}", {"Retry-After": "0"}
        if "_sdc_deleted_at" in request.batch["messages"][0]["data"]:
            return 400, json.dumps({"error": "no deletes"}).encode(), {}
        return ACCEPTED

    service.answer = answer
    # when rows change and one is gone, and its delete is refused
    lines = [record({"id": each, "name": "new"}, version=2) for each in (1, 2)]
    data = tap_output(schema(), *lines, activate(2), state({"n": 2}))
    states, error = loaded(service.config(**deletes, batch_size_rows=1), data)
    # then the delete was the last, and the STATE was not written
    assert error is not None
    assert tried[-1] == [3]
    assert tried.count([1]) == 2
    assert states == []
    # and the next run sends it, and no row
    service.answer = lambda _: ACCEPTED
    bodies = post(service, deletes, *lines, activate(2), state({"n": 2}))
    assert [message["data"]["id"] for body in bodies for message in body["messages"]] == [3]


def test_only_the_end_of_a_load_deletes(emulator: Emulator, deletes: dict[str, Any]) -> None:
    # given a full load
    load(emulator, deletes, *full(1, 1, 2, 3))
    # then no version in front of records, nor one without any, nor an old one, deletes a row
    assert load(emulator, deletes, activate(2)) == [1, 2, 3]
    one = record({"id": 1, "name": "x"}, version=2)
    assert load(emulator, deletes, activate(2), one, state({"n": 1})) == [1, 2, 3]
    assert load(emulator, deletes, activate(1)) == [1, 2, 3]
    # and behind its records it does, over two runs, and with skipped rows
    resumed = record({"id": 2, "name": "x"}, version=2)
    assert load(emulator, deletes, resumed, activate(2)) == [1, 2]
    # and what comes in the version that ended last is no load of its own
    assert load(emulator, deletes, record({"id": 4}, version=2), activate(2)) == [1, 2, 4]


def test_an_activation_in_front_of_the_rest_of_a_load_ends_nothing(
    emulator: Emulator, deletes: dict[str, Any]
) -> None:
    # given a full load, and the first row of the next
    load(emulator, deletes, *full(1, 1, 2, 3))
    load(emulator, deletes, activate(2), record({"id": 1}, version=2), state({"id": 1}))
    # when the tap goes on with that, with an activation in front again
    rest = [record({"id": 2}, version=2), state({"id": 2})]
    # then that one deletes nothing, and the one behind what is gone
    assert load(emulator, deletes, activate(2), *rest) == [1, 2, 3]
    assert load(emulator, deletes, activate(2), *rest, activate(2)) == [1, 2]


def test_a_load_that_was_read_to_its_last_record_ends_in_the_next_run(
    emulator: Emulator, deletes: dict[str, Any]
) -> None:
    # given a full load, and the next one without its end
    load(emulator, deletes, *full(1, 1, 2, 3))
    load(emulator, deletes, record({"id": 1}, version=2), state({"id": 1}))
    # when the tap goes on, and has only the end to write
    assert load(emulator, deletes, activate(2), state({"n": 2})) == [1]
    # then it is deleted what is gone, and once
    assert load(emulator, deletes, activate(2), state({"n": 2})) == [1]


def test_a_tap_that_never_ends_a_load_is_warned_of(
    service: Service, deletes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    # given a tap that writes an activation in front of the rows only
    for version in (1, 2):
        assert "no row that is gone is deleted" not in caplog.text
        lines = [activate(version), record({"id": 1}, version=version), state({"n": version})]
        post(service, deletes, *lines)
    # then the second load says that nothing is deleted
    assert caplog.text.count("no row that is gone is deleted, until the tap writes one there") == 1


@pytest.mark.parametrize("validate", [True, False])
def test_a_load_in_which_a_record_was_set_aside_deletes_nothing(
    emulator: Emulator, deletes: dict[str, Any], tmp_path: Path, validate: bool
) -> None:
    # given a full load
    load(emulator, deletes, *full(1, 1, 2))
    # when the next one has a record that is set aside, before it is sent or after
    settings = {
        **deletes,
        "on_invalid_record": "quarantine",
        "quarantine_path": str(tmp_path / "quarantine.jsonl"),
        "validate_records": validate,
    }
    bad = record({"id": 2, "name": 5}, version=2)
    # then nothing is deleted, and by the load behind it again
    assert load(emulator, settings, record({"id": 1}, version=2), bad, activate(2)) == [1, 2]
    assert load(emulator, deletes, *full(3, 1)) == [1]


def test_a_load_of_which_the_service_refuses_a_record_deletes_nothing(
    emulator: Emulator, deletes: dict[str, Any], tmp_path: Path
) -> None:
    # given a full load, and a target that leaves the check of records to the service
    quarantine = {"on_invalid_record": "quarantine", "quarantine_path": str(tmp_path / "aside")}
    settings = {**deletes, **quarantine, "validate_records": False}
    assert load(emulator, settings, *full(1, 1, 2, 3)) == [1, 2, 3]
    # when one record of the next load is refused, and another row is gone
    bad = record({"id": 1, "name": 5}, version=2)
    lines = [bad, record({"id": 2, "name": "x"}, version=2), activate(2), state({"version": 2})]
    # then nobody knows what that record is, so no row is deleted
    assert load(emulator, settings, *lines) == [1, 2, 3]


@pytest.mark.parametrize(
    "time",
    ["2024-03-01T12:00:00Z", "2024-03-01T12:00:00.5+00:00", "2024-03-01 12:00:00", "2024-03-01"],
)
@pytest.mark.parametrize(
    "endpoint",
    [
        {},
        {"endpoint": "push", "client_id": 1},
        {"endpoint": "push", "client_id": 1, "push_format": "transit"},
    ],
)
def test_a_row_whose_key_is_a_date_time_is_deleted_by_the_key_that_was_posted(
    time: str, endpoint: dict[str, Any], emulator: Emulator, deletes: dict[str, Any]
) -> None:
    # given rows with such keys
    key = {"at": {"type": "string", "format": "date-time"}}
    config = {"token": "t", "api_url": emulator.url, **deletes, **endpoint}
    for version, times in enumerate([[time, "2024-03-02T00:00:00Z"], ["2024-03-02T00:00:00Z"]]):
        rows = [record({"at": each}, version=version) for each in times]
        lines = [schema(properties=key, keys=["at"]), *rows, activate(version)]
        # when the first is not in the second load
        _, error = loaded(config, tap_output(*lines))
        assert error is None
    # then it is marked, and no other row is there
    gone, other = read_table(emulator.database, "orders")
    assert gone["_sdc_deleted_at"] is not None
    assert other.get("_sdc_deleted_at") is None


def test_too_many_deletes_are_a_mistake(emulator: Emulator, deletes: dict[str, Any]) -> None:
    # given a full load, and the default share
    del deletes["max_delete_share"]
    load(emulator, deletes, *full(1, 1, 2, 3))
    # when a load has a third of the rows
    config = {"token": "t", "api_url": emulator.url, **deletes}
    states, error = loaded(config, tap_output(schema(), *full(2, 1)))
    # then the run ends, and says what to do, and nothing is deleted
    assert isinstance(error, InputError)
    assert "2 of 3 rows of table 'orders' were not in the load that ended" in str(error)
    assert "run once with max_delete_share 1" in str(error)
    assert states == []
    assert live(emulator) == [1, 2, 3]
    # and with that it goes on
    assert load(emulator, {**deletes, "max_delete_share": 1}, *full(2, 1)) == [1]


def test_two_streams_of_one_table_are_refused(service: Service, deletes: dict[str, Any]) -> None:
    # given a stream map that has two streams load one table
    maps = {"returns": {"__alias__": "orders"}}
    data = tap_output(schema(), schema("returns"), record({"id": 1}))
    # then that is refused before anything is sent
    _, error = loaded(service.config(**deletes, stream_maps=maps), data)
    assert "load table 'orders' both" in str(error)
    assert service.requests == []
    # and without deletes it is not
    settings = {"skip_unchanged": deletes["skip_unchanged"], "stream_maps": maps}
    _, error = loaded(service.config(**settings), data)
    assert error is None


@pytest.mark.parametrize(
    ("change", "needed"),
    [
        ({"sequence_source": "replication_key"}, "skip_unchanged"),
        ({"skip_unchanged": None}, "skip_unchanged"),
        ({"process_activate_version_messages": False}, "process_activate_version_messages"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    service: Service, deletes: dict[str, Any], change: dict[str, Any], needed: str
) -> None:
    with pytest.raises(ConfigValidationError) as raised:
        loaded(service.config(**{**deletes, **change}), b"")
    assert raised.value.errors[0].startswith(f"detect_deletes: needs {needed}")


def test_a_row_with_its_own_deleted_at_keeps_it(service: Service, deletes: dict[str, Any]) -> None:
    # given a row that was deleted
    post(service, deletes, *full(1, 1, 2))
    post(service, deletes, *full(2, 1))
    # when the tap says so, too
    own = {"id": 2, "_sdc_deleted_at": OLD}
    (body,) = post(service, deletes, record(own, version=2), state({"n": 1}))
    # then its record is sent as it is
    assert [message["data"] for message in body["messages"]] == [own]


def test_a_delete_has_the_type_that_the_tap_declares(
    service: Service, deletes: dict[str, Any]
) -> None:
    # given a tap that has the column as a plain string
    own = {"type": ["null", "string"]}
    columns = {"id": {"type": "integer"}, "_sdc_deleted_at": own}
    for version, ids in enumerate([(1, 2), (1,)]):
        rows = [record({"id": each}, version=version) for each in ids]
        lines = [schema(properties=columns), *rows, activate(version)]
        # when one row is not in the second load
        assert loaded(service.config(**deletes), tap_output(*lines))[1] is None
    # then its delete is posted with that type, as another one would split the column
    first, delete = [request.batch["schema"]["properties"] for request in service.requests]
    assert first["_sdc_deleted_at"] == delete["_sdc_deleted_at"] == own


@pytest.mark.parametrize(
    ("own", "value"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "2024-01-01 10:00:00"),
        ({"type": "string"}, "2024-01-01 10:00:00"),
        ({}, "2024-01-01 10:00:00"),
        ({"type": "integer"}, 1704067200),
    ],
    ids=str,
)
def test_the_column_of_the_tap_keeps_its_type(
    own: dict[str, Any], value: Any, emulator: Emulator, deletes: dict[str, Any]
) -> None:
    # given a tap with a column of that name, which is no date-time
    columns = {"id": {"type": "integer"}, "_sdc_deleted_at": own}
    rows = [record({"id": 1, "_sdc_deleted_at": value}, version=1)]
    # when its rows are loaded
    config = {"token": "t", "api_url": emulator.url, **deletes}
    _, error = loaded(config, tap_output(schema(properties=columns), *rows, activate(1)))
    # then they arrive as they are
    assert error is None
    (row,) = read_table(emulator.database, "orders")
    assert row["_sdc_deleted_at"] == value

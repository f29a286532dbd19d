"""Versions of a table, and load methods: what is posted, in which order, and what is left of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, read_table
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import loaded
from tests.support.service import ACCEPTED

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Request, Service, ServiceResponse

MANY = 40  # records: most of them are taken many at a time
REFUSED: tuple[int, bytes, dict[str, str]] = (
    400,
    b'{"error": "Record is missing key property id"}',
    {},
)
BUSY = (503, b'{"message": "busy"}', {"Retry-After": "0"})


def load(emulator: Emulator, *lines: str, **settings: Any) -> None:
    """Load lines behind a SCHEMA."""
    config = {"token": "t", "api_url": emulator.url, **settings}
    _, error = loaded(config, tap_output(schema(), *lines))
    assert error is None


def ids(emulator: Emulator) -> list[int]:
    """Return the ``id`` of every row."""
    return sorted(row["id"] for row in read_table(emulator.database, "orders"))


def what(request: Request) -> list[Any]:
    """Return the ids of a request's records, or ``activation``."""
    return [
        message.get("data", {}).get("id", "activation") for message in request.batch["messages"]
    ]


def test_every_batch_of_a_version_says_so_and_none_has_two(service: Service) -> None:
    # given records of no version, of one, of another, and of these in turns
    versions = [None] * MANY + [1] * MANY + [2] * MANY + [1, 2, None, 1, None, 2] * 3
    lines = [
        record({"id": place}) if version is None else record({"id": place}, version=version)
        for place, version in enumerate(versions)
    ]
    # when they are loaded, in batches of several sizes
    _, error = loaded(service.config(batch_size_rows=15), tap_output(schema(), *lines))
    # then each record came in a batch of its version, one without a version in one without
    assert error is None
    found = {
        place: request.batch.get("table_version")
        for request in service.requests
        for place in what(request)
    }
    assert found == dict(enumerate(versions))
    null = [request for request in service.requests if b'"table_version":null' in request.body]
    assert not null


def test_a_batch_that_is_split_keeps_its_version(service: Service) -> None:
    # given a service that takes two records at a time
    def answer(request: Request) -> ServiceResponse:
        return ACCEPTED if len(request.batch["messages"]) <= 2 else (413, b"{}", {})

    service.answer = answer
    # when more of one version are loaded
    lines = [record({"id": place}, version=7) for place in range(8)]
    _, error = loaded(service.config(), tap_output(schema(), *lines, activate(7)))
    # then each part is of that version
    assert error is None
    assert {request.batch["table_version"] for request in service.requests} == {7}
    # and the activation is the last message of the last
    assert what(service.requests[-1])[-1] == "activation"


def test_versions_in_turns_are_one_table_until_one_is_activated(emulator: Emulator) -> None:
    # given two versions of a table in turns, in parallel
    lines = [record({"id": place}, version=1 + place % 2) for place in range(MANY)]
    # when they are loaded, then all of their rows are there
    load(emulator, *lines)
    assert ids(emulator) == list(range(MANY))
    # and of a row that both have, the later one in the stream
    load(emulator, *[record({"id": 0, "name": str(n)}, version=1 + n % 2) for n in range(MANY)])
    names = {row["id"]: row["name"] for row in read_table(emulator.database, "orders")}
    assert names[0] == str(MANY - 1)
    # and when one is activated, then its rows alone; row 0 came last with version 2
    load(emulator, activate(1))
    assert ids(emulator) == list(range(2, MANY, 2))


def test_records_without_a_version_are_hidden_by_an_activation_and_stay_behind_one(
    emulator: Emulator,
) -> None:
    # given records without a version between ones with it, and some behind the activation
    lines = [
        record({"id": 1}, version=5),
        record({"id": 2}),
        record({"id": 3}, version=5),
        activate(5),
        record({"id": 4}),
    ]
    # when they are loaded
    load(emulator, *lines)
    # then those before it are gone, and what came behind it is there
    assert ids(emulator) == [1, 3, 4]
    # until the next activation
    load(emulator, activate(5))
    assert ids(emulator) == [1, 3]


def test_the_activation_of_a_version_without_records_empties_the_table(
    emulator: Emulator,
) -> None:
    # given a table with rows
    load(emulator, record({"id": 1}, version=1), record({"id": 2}), activate(1))
    assert ids(emulator) == [1]
    # when a version is activated of which no record came, as a tap says of a source that is empty
    load(emulator, activate(2))
    # then the table has no row, and is there
    assert (list_tables(emulator.database), ids(emulator)) == (["orders"], [])


def test_an_activation_before_the_first_record_hides_nothing_of_its_version(
    emulator: Emulator,
) -> None:
    # given a tap that activates a version first, so that its rows are seen as they come, and again
    lines = [activate(3), record({"id": 1}, version=3), record({"id": 2}, version=3), activate(3)]
    # when it is loaded
    load(emulator, *lines, batch_size_rows=1)
    # then its rows are there
    assert ids(emulator) == [1, 2]


def test_a_small_table_with_an_activation_in_front_and_behind_takes_two_requests(
    service: Service,
) -> None:
    # given a hundred small tables, as SQL taps write them in full
    lines = []
    for table in (f"t{number}" for number in range(100)):
        lines += [schema(table), activate(9, table)]
        lines += [record({"id": row}, table, version=9) for row in range(3)]
        lines += [activate(9, table)]

    # when they are loaded, and the service takes its time
    def answer(_: Request) -> ServiceResponse:
        threading.Event().wait(0.01)
        return ACCEPTED

    service.answer = answer
    states, error = loaded(service.config(), tap_output(*lines, state({"done": True})))
    # then each takes one request for the first activation, and one for its rows with the second
    assert (states, error) == ([b'{"done": true}'], None)
    assert len(service.requests) == 200
    for table in (f"t{number}" for number in range(100)):
        of_table = [each for each in service.requests if each.batch["table_name"] == table]
        assert [what(each) for each in of_table] == [["activation"], [0, 1, 2, "activation"]]


def test_an_activation_waits_for_the_batches_of_its_table_that_are_on_their_way(
    service: Service,
) -> None:
    # given a table of three batches, the last of which is still open
    lines = [record({"id": place}, version=1) for place in range(5)]
    # when its version is activated while the first is not acknowledged
    acknowledged: list[Any] = []

    def answer(request: Request) -> ServiceResponse:
        if "activation" in what(request):
            assert sorted(acknowledged) == list(range(5))
        threading.Event().wait(0.05)
        acknowledged.extend(what(request))
        return ACCEPTED

    service.answer = answer
    config = service.config(batch_size_rows=2, max_parallel_requests=4)
    _, error = loaded(config, tap_output(schema(), *lines, activate(1)))
    # then the activation comes alone, behind all of them
    assert error is None
    assert what(service.requests[-1]) == ["activation"]


def test_an_activation_in_front_raises_the_sequence_of_no_row(service: Service) -> None:
    # given a tap that activates a version, and then writes rows that it extracted a year ago
    times = [f"2025-01-01T00:00:00.{place:06}Z" for place in range(3)]
    rows = [
        record({"id": place}, version=1, time_extracted=time) for place, time in enumerate(times)
    ]
    # when it is loaded
    _, error = loaded(service.config(), tap_output(schema(), activate(1), *rows, activate(1)))
    # then each row has the sequence of its own time
    assert error is None
    messages = service.requests[-1].batch["messages"]
    assert [each["sequence"] for each in messages[:3]] == [
        1735689600000000000 + place * 1000 for place in range(3)
    ]
    # and the activation behind them has a greater one
    assert messages[3]["sequence"] > messages[2]["sequence"]


def test_activations_that_are_ignored_leave_the_versions_in_the_batches(service: Service) -> None:
    # given activations switched off
    config = service.config(process_activate_version_messages=False)
    lines = [record({"id": 1}, version=1), activate(1), record({"id": 2}, version=1)]
    # when versions are loaded
    states, error = loaded(config, tap_output(schema(), *lines, state({"at": 2})))
    # then they are posted, in one batch, for no activation is behind a barrier
    assert (states, error) == ([b'{"at": 2}'], None)
    assert [what(request) for request in service.requests] == [[1, 2]]
    assert service.requests[0].batch["table_version"] == 1


def test_an_activation_is_never_sent_while_a_batch_of_its_table_is_not_taken(
    service: Service,
) -> None:
    # given a service that is busy at first for each batch, and answers some of them late
    seen: dict[str, int] = {}
    acknowledged: list[Any] = []
    before: list[list[Any]] = []

    def answer(request: Request) -> ServiceResponse:
        came = what(request)
        seen[str(came)] = seen.get(str(came), 0) + 1
        if came == ["activation"]:
            before.append(sorted(acknowledged))
        if seen[str(came)] <= 2:
            return BUSY
        if came != ["activation"] and came[0] % 4 == 0:
            threading.Event().wait(0.05)
        acknowledged.extend(came)
        return ACCEPTED

    service.answer = answer
    # when a version is loaded in parallel, and activated
    lines = [record({"id": place}, version=1) for place in range(12)]
    config = service.config(batch_size_rows=2, max_parallel_requests=6)
    _, error = loaded(config, tap_output(schema(), *lines, activate(1)))
    # then the activation came three times, each time when all of its records were acknowledged
    assert error is None
    assert before == [list(range(12))] * 3


@pytest.mark.parametrize("rows", [1, 100])
def test_when_a_batch_fails_its_activation_is_never_sent(service: Service, rows: int) -> None:
    # given a service that refuses the batch with a certain record
    accepted: list[Request] = []

    def answer(request: Request) -> ServiceResponse:
        if 3 in what(request):
            return REFUSED
        if "activation" in what(request):
            accepted.append(request)
        return ACCEPTED

    service.answer = answer
    # when that version is activated
    lines = [record({"id": place}, version=1) for place in range(6)]
    config = service.config(batch_size_rows=rows, max_parallel_requests=4)
    states, error = loaded(config, tap_output(schema(), *lines, activate(1), state({"at": 6})))
    # then the version before it stays visible, and the STATE behind it is not written
    assert error is not None
    assert accepted == []
    assert states == []


def test_a_state_waits_for_the_activation_before_it(service: Service) -> None:
    # given a service that takes records, and no activation
    def answer(request: Request) -> ServiceResponse:
        return REFUSED if "activation" in what(request) else ACCEPTED

    service.answer = answer
    # when a STATE comes before an activation that is a batch of its own, and one behind it
    lines = [record({"id": 1}, version=1), state({"at": 1}), activate(1), state({"at": 2})]
    states, error = loaded(service.config(batch_size_rows=1), tap_output(schema(), *lines))
    # then only the first is written
    assert error is not None
    assert states == [b'{"at": 1}']


def test_a_record_that_is_set_aside_does_not_hold_the_activation_up(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given a table with a row, and a next version in which that row does not fit its schema
    path = tmp_path / "quarantine.singer"
    aside = {"on_invalid_record": "quarantine", "quarantine_path": str(path)}
    load(emulator, record({"id": 1}, version=1), activate(1))
    lines = [record({"id": 1, "name": 5}, version=2), record({"id": 2}, version=2), activate(2)]
    # when it is loaded with a quarantine
    load(emulator, *lines, **aside)
    # then the old row is gone with its version
    assert ids(emulator) == [2]
    # and the new one comes when it is mended and loaded, into its version
    mended = path.read_text().replace('"name": 5', '"name": "five"')
    load(emulator, mended, activate(2))
    assert ids(emulator) == [1, 2]


def test_other_tables_do_not_wait_for_an_activation(service: Service) -> None:
    # given a service that answers an activation only when another table's records have come
    other = threading.Event()

    def answer(request: Request) -> ServiceResponse:
        if request.batch["table_name"] == "other":
            other.set()
        elif "activation" in what(request):
            assert other.wait(60)
        return ACCEPTED

    service.answer = answer
    # when both are loaded, then both come to their end
    lines = [
        schema(),
        schema("other"),
        record({"id": 1}, version=1),
        activate(1),
        record({"id": 2}, "other"),
    ]
    _, error = loaded(service.config(), tap_output(*lines))
    assert error is None
    assert other.is_set()


def test_append_only_makes_a_row_of_every_record(emulator: Emulator) -> None:
    # given versions of one row, and a record that lacks the key
    lines = [record({"id": 1, "name": str(n)}) for n in range(MANY)]
    # when they are loaded with append-only
    load(emulator, *lines, record({"name": "no key"}), load_method="append-only")
    # then each is a row of its own
    rows = read_table(emulator.database, "orders")
    assert len(rows) == MANY + 1
    assert {row["name"] for row in rows} == {*map(str, range(MANY)), "no key"}


def test_append_only_does_not_change_what_an_activation_does(emulator: Emulator) -> None:
    # given two versions of a table that is loaded with append-only
    lines = [record({"id": 1}, version=1), activate(1), record({"id": 1}, version=2)]
    load(emulator, *lines, load_method="append-only")
    assert ids(emulator) == [1, 1]
    # when the second is activated, then only its row is left
    load(emulator, activate(2), load_method="append-only")
    assert ids(emulator) == [1]


def test_upsert_replaces_the_row_of_another_version_too(emulator: Emulator) -> None:
    # given a row of version 1
    load(emulator, record({"id": 1, "name": "one"}, version=1))
    # when it comes again with version 2, which is never activated
    load(emulator, record({"id": 1, "name": "two"}, version=2))
    # then it is the same row
    assert read_table(emulator.database, "orders") == [{"id": 1, "name": "two"}]

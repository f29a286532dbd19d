"""Request bodies: what is in them, how large they are, and what they wait for."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.messages import activate, record, schema, tap_output
from tests.support.running import loaded
from tests.support.service import ACCEPTED, Request, running_service

if TYPE_CHECKING:
    from tests.support.service import Service, ServiceResponse


def test_a_body_has_what_the_api_asks_for_and_what_the_tap_gives(service: Service) -> None:
    # given a stream with a key, a bookmark, a version and extraction times
    lines = [
        schema(bookmark_properties=["id"]),
        record({"id": 1}, version=3, time_extracted="2026-01-01T02:00:00.5+02:00"),
        record({"id": 2}, version=3, time_extracted="yesterday"),
    ]
    # when it is loaded
    loaded(service.config(), tap_output(*lines))
    # then the body is one table's, and the unreadable time is left out
    request = service.requests[0]
    batch = request.batch
    first, second = batch.pop("messages")
    assert batch == {
        "table_name": "orders",
        "schema": {"properties": {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}}},
        "key_names": ["id"],
        "bookmark_names": ["id"],
        "table_version": 3,
    }
    assert first == {
        "action": "upsert",
        "sequence": 1767225600500000000,
        "time_extracted": "2026-01-01T00:00:00.500000Z",
        "data": {"id": 1},
    }
    assert second.keys() == {"action", "sequence", "data"}
    # and it goes where the reference says, as what it says
    assert request.path == "/v2/import/batch"
    assert request.headers["Authorization"] == "Bearer secret-token"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("limit", [1_000, 1_001, 1_002, 1_003, 1_500])
def test_bodies_are_as_full_as_they_can_be_and_stay_below_the_limit(
    service: Service, limit: int
) -> None:
    # given records of many sizes
    records = [record({"id": place, "name": "x" * (place % 37)}) for place in range(200)]
    # when they are loaded with a limit of so many bytes, one request at a time
    config = service.config(max_batch_bytes=limit, max_parallel_requests=1)
    loaded(config, tap_output(schema(), *records))
    # then no body reaches it, and none had room for the next one's first message
    sizes = [len(request.body) for request in service.requests]
    assert max(sizes) < limit
    for request, following in zip(service.requests, service.requests[1:], strict=False):
        message = following.body.split(b'"messages":[')[1].split(b"},{")[0]
        assert len(request.body) + len(message) + 2 >= limit
    assert service.ids == list(range(200))


def test_a_larger_record_travels_alone(service: Service) -> None:
    # given a record that is larger than a batch may be, between two small ones
    records = [record({"id": 1}), record({"id": 2, "name": "x" * 2_000}), record({"id": 3})]
    # when they are loaded
    config = service.config(max_batch_bytes=1_000, max_parallel_requests=1)
    _, error = loaded(config, tap_output(schema(), *records))
    # then it has a request of its own
    assert error is None
    ids = [[m["data"]["id"] for m in request.batch["messages"]] for request in service.requests]
    assert ids == [[1], [2], [3]]


def test_a_batch_has_at_most_so_many_rows(service: Service) -> None:
    # given 25 records and a limit of 10 rows
    records = [record({"id": place}) for place in range(25)]
    # when they are loaded
    config = service.config(batch_size_rows=10, max_parallel_requests=1)
    loaded(config, tap_output(schema(), *records))
    # then three requests have 10, 10 and 5
    assert [len(request.batch["messages"]) for request in service.requests] == [10, 10, 5]


def test_append_only_sends_no_keys(service: Service) -> None:
    # given a stream with a key, and the load method append-only
    # when it is loaded
    config = service.config(load_method="append-only")
    _, error = loaded(config, tap_output(schema(), record({"id": 1})))
    # then the table has no keys
    assert error is None
    assert service.requests[0].batch["key_names"] == []


def test_a_repeated_schema_changes_nothing(service: Service) -> None:
    # given a tap that repeats its SCHEMA before every record, once with other spacing
    again = json.dumps(json.loads(schema()), indent=None, separators=(",", ":"))
    lines = [schema(), record({"id": 1}), schema(), record({"id": 2}), again, record({"id": 3})]
    # when it is loaded
    loaded(service.config(), tap_output(*lines))
    # then all is one batch
    assert [len(request.batch["messages"]) for request in service.requests] == [3]


WIDER = {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}, "new": {}}


@pytest.mark.parametrize(
    "barrier",
    [
        [schema(properties=WIDER), record({"id": 2, "new": 1})],
        [schema(keys=[]), record({"id": 2})],
        [activate(1)],
    ],
    ids=["another schema", "other keys", "an activation"],
)
def test_what_changes_a_table_waits_until_all_before_it_is_acknowledged(
    barrier: list[str],
) -> None:
    # given a service that answers the first batch late, and other tables meanwhile
    others_arrived = threading.Event()
    finished: list[str] = []

    def answer(request: Request) -> ServiceResponse:
        batch: Any = request.batch
        if batch["table_name"] == "other":
            others_arrived.set()
        elif not finished:
            assert others_arrived.wait(60)
        finished.append(batch["table_name"])
        return ACCEPTED

    lines = [schema(), record({"id": 1}), *barrier, schema("other"), record({"id": 9}, "other")]
    with running_service(answer) as service:
        # when a stream changes behind that batch
        _, error = loaded(service.config(), tap_output(*lines))
        # then its next batch came only after the answer, while the other table's did not wait
        assert error is None
        assert finished == ["other", "orders", "orders"]
        arrived = [request.batch for request in service.requests]
    orders = [batch for batch in arrived if batch["table_name"] == "orders"]
    assert orders[0]["messages"][0]["data"] == {"id": 1}
    assert arrived[-1] == orders[1]

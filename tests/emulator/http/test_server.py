"""No request of any kind stops the emulator, and many at once do no harm."""

from __future__ import annotations

import json
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from target_stitch_import.emulator import read_table, running_emulator
from target_stitch_import.emulator.http import server
from tests.emulator.client import ACCEPTED, Api, batch, upsert

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

ID = {"id": {"type": "integer"}}
FUZZ = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
TYPES = st.sampled_from(["null", "integer", "number", "boolean", "string", "object", "array", "x"])
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.builds(lambda each: {"type": each}, TYPES),
        st.builds(lambda each: {"type": each}, st.lists(TYPES, max_size=3)),
        st.builds(lambda each: {"enum": each}, st.lists(JSON, max_size=2)),
        st.builds(lambda k, v: {k: v}, st.sampled_from(["minimum", "multipleOf", "$ref"]), JSON),
        st.builds(lambda each: {"$ref": each}, st.sampled_from(["#", "#/x", "#/properties"])),
        JSON,
    ),
    lambda inner: st.one_of(
        st.builds(lambda each: {"properties": each}, st.dictionaries(st.text(), inner, max_size=2)),
        st.builds(lambda k, v: {k: v}, st.sampled_from(["items", "not"]), inner),
        st.builds(
            lambda k, v: {k: v},
            st.sampled_from(["anyOf", "allOf", "oneOf", "items"]),
            st.lists(inner, max_size=2),
        ),
    ),
    max_leaves=4,
)


def mutated(body: Any, data: st.DataObject) -> Any:
    """Return a body in which one value, somewhere, is something else or gone."""
    if isinstance(body, dict) and body and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(body)))
        if data.draw(st.integers(0, 4)) == 0:
            return {key: value for key, value in body.items() if key != name}
        return {**body, name: mutated(body[name], data)}
    if isinstance(body, list) and body and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(body) - 1))
        return [*body[:place], mutated(body[place], data), *body[place + 1 :]]
    return data.draw(JSON)


@FUZZ
@given(data=st.data(), endpoint=st.sampled_from(["batch", "push", "validate"]))
def test_any_request_is_answered(api: Api, data: st.DataObject, endpoint: str) -> None:
    # given a good body, spoilt somewhere
    body: Any = batch("fuzz", {"id": data.draw(SCHEMAS)}, [upsert(1, id=data.draw(JSON))])
    if endpoint != "batch":
        record = {"client_id": 1, "table_name": "fuzz", "key_names": ["id"]}
        body = [{**record, **upsert(1, id=data.draw(JSON))}]

    # when it is posted
    status = api.post(endpoint, mutated(body, data)).status_code

    # then there is an answer, and never that of a broken server
    assert status in (200, 201, 400, 401, 422)


@FUZZ
@given(schema=SCHEMAS, elsewhere=SCHEMAS, record=JSON)
def test_any_schema_is_answered(api: Api, schema: Any, elsewhere: Any, record: Any) -> None:
    # when any schema comes with any record, and a place that references may lead to
    body = batch("fuzz", {"a": schema}, [upsert(1, a=record)])
    body["schema"]["x"] = elsewhere

    # then there is an answer
    assert api.post("batch", body).status_code in (201, 400)


@FUZZ
@given(body=st.binary(max_size=100), endpoint=st.sampled_from(["batch", "push", "validate"]))
def test_any_bytes_are_answered(api: Api, body: bytes, endpoint: str) -> None:
    # when anything at all is posted
    # then it is refused
    assert api.post(endpoint, body).status_code in (400, 422)


@pytest.mark.parametrize(
    "data",
    [
        b"POST /v2/import/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v2/nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v2/import/batch HTTP/1.1\r\nHost",
        b"no HTTP at all\r\n\r\n",
        b"",
    ],
)
@pytest.mark.parametrize("reset", [True, False])
def test_a_client_that_goes_away(api: Api, data: bytes, reset: bool) -> None:
    # given a client that goes away in the middle of a request
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), 10) as connection:
        connection.sendall(data)
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    # when another one comes
    # then it is answered
    assert api.batch(batch("after", ID, [upsert(1, id=1)])) == ACCEPTED


def test_many_clients_at_once(tmp_path: Path) -> None:
    # given clients that write to tables of their own and to one that they share
    clients, requests_each = 8, 12
    with running_emulator(tmp_path / "stitch.db") as emulator:

        def post(client: int) -> None:
            with requests.Session() as session:
                session.trust_env = False
                api = Api(emulator.url, emulator.database, session)
                for n in range(requests_each):
                    own = [upsert(n, id=each, **{f"c{client}": n}) for each in range(20)]
                    properties = {**ID, f"c{client}": {"type": "integer"}}
                    for table, keys in ((f"own {client}", ["id"]), ("shared", []), ("one", ["id"])):
                        shared = [upsert(n * clients + client, id=0)] if table == "one" else own
                        assert (
                            api.batch(batch(table, properties, shared, key_names=keys)) == ACCEPTED
                        )

        # when they do so at the same time
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(post, range(clients)))

    # then every table is as if they had come one after the other
    for client in range(clients):
        rows = read_table(emulator.database, f"own {client}")
        assert rows == [{"id": n, f"c{client}": requests_each - 1} for n in range(20)]
    assert len(read_table(emulator.database, "shared")) == clients * requests_each * 20
    (row,) = read_table(emulator.database, "one", system_columns=True)
    assert row["_sdc_sequence"] == requests_each * clients - 1


def test_a_slow_client_holds_nobody_up(api: Api) -> None:
    # given a client in the middle of a request
    body = json.dumps(batch("slow", ID, [upsert(1, id=1)])).encode()
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), 10) as connection:
        head = (
            f"POST /v2/import/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        )
        head += "Content-Type: application/json\r\nAuthorization: Bearer x\r\n\r\n"
        connection.sendall(head.encode() + body[:10])

        # when another one comes
        assert api.batch(batch("quick", ID, [upsert(1, id=1)])) == ACCEPTED

        # then it is answered before the first, which is answered when it is complete
        connection.sendall(body[10:])
        assert connection.recv(100).startswith(b"HTTP/1.1 201 ")


def test_what_is_being_answered_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a batch that takes a while, on a machine that may be busy
    monkeypatch.setattr(server, "GRACE_SECONDS", 30)
    body = batch("t", ID, [upsert(1, id=n) for n in range(20_000)])
    answers: list[int] = []
    with requests.Session() as session:
        session.trust_env = False
        with running_emulator(tmp_path / "stitch.db") as emulator:
            api = Api(emulator.url, emulator.database, session)
            client = threading.Thread(target=lambda: answers.append(api.batch(body)[0]))
            client.start()
            client.join(0.1)

        # when the emulator is told to stop
        client.join(30)

    # then what it has begun is answered and stored, or it is not answered and the client sees
    stored = read_table(emulator.database, "t")
    assert answers == [201]
    assert len(stored) == 20_000


def test_middleware_stands_before_the_api(tmp_path: Path, session: requests.Session) -> None:
    # given a middleware that answers in the API's place
    class Teapot:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("short and stout", 418)(scope, receive, send)

    # when a batch comes
    database = tmp_path / "stitch.db"
    with running_emulator(database, middleware=[Middleware(Teapot)]) as emulator:
        response = Api(emulator.url, database, session).post("batch", {})

    # then the middleware's answer is the one
    assert (response.status_code, response.text) == (418, "short and stout")

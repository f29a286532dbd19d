"""Who gets in, and what every endpoint says before it looks at a body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import running_emulator
from tests.emulator.client import ACCEPTED, Api, batch, read_response, upsert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import requests

NOT_AUTHORIZED = (401, {"message": "Not Authorized"})
BODY = batch("t", {"id": {"type": "integer"}}, [upsert(1, id=1)])
RECORD = {
    "client_id": 4231,
    "table_name": "t",
    "sequence": 1,
    "action": "upsert",
    "key_names": ["id"],
    "data": {"id": 1},
}


@pytest.fixture
def guarded(tmp_path: Path, session: requests.Session) -> Iterator[Api]:
    """An emulator that knows its one account."""
    with running_emulator(
        tmp_path / "stitch.db", token="eu:secret", client_id=4231, region="eu"
    ) as emulator:
        yield Api(emulator.url, emulator.database, session)


def test_status_needs_no_token(guarded: Api) -> None:
    # when the status is asked for without a token
    response = guarded.session.get(f"{guarded.url}/v2/import/status", timeout=10)

    # then it says that the API is up
    assert response.status_code == 200
    assert response.json() == {
        "name": "pipeline.gate",
        "version": "emulator",
        "revision": "emulator",
        "status": "OK",
        "reason": None,
    }


@pytest.mark.parametrize("endpoint", ["batch", "push", "validate"])
@pytest.mark.parametrize("token", [None, "", "wrong", "eu:secret2", "secret"])
def test_only_the_right_token_gives_access(guarded: Api, endpoint: str, token: str | None) -> None:
    # when anything is posted with another token, or none
    response = guarded.post(endpoint, BODY, token=token)

    # then it is refused
    assert read_response(response) == NOT_AUTHORIZED


def test_another_scheme_gives_no_access(guarded: Api) -> None:
    # when the right token comes under another scheme
    response = guarded.session.post(
        f"{guarded.url}/v2/import/batch",
        json=BODY,
        headers={"Authorization": "Basic eu:secret"},
        timeout=10,
    )

    # then it is refused
    assert read_response(response) == NOT_AUTHORIZED


def test_the_right_token_gives_access(guarded: Api) -> None:
    # when a batch, a push body and one to validate come with the right token and client ID
    answers = [
        read_response(guarded.post(endpoint, body, token="eu:secret"))
        for endpoint, body in (("batch", BODY), ("push", [RECORD]), ("validate", [RECORD]))
    ]

    # then each is taken
    assert answers == [ACCEPTED, ACCEPTED, (200, {"status": "OK", "message": "Batch is valid!"})]


def test_any_token_gives_access_by_default(api: Api) -> None:
    # when a batch comes with some token to an emulator that was given none
    # then it is taken, but not without any
    assert read_response(api.post("batch", BODY, token="whatever")) == ACCEPTED
    assert read_response(api.post("batch", BODY, token="eudora:x")) == ACCEPTED
    assert read_response(api.post("batch", BODY, token=None)) == NOT_AUTHORIZED


@pytest.mark.parametrize("endpoint", ["batch", "push", "validate"])
def test_a_token_of_the_other_region_is_told_so(guarded: Api, endpoint: str) -> None:
    # when the token is of an account in North America
    response = guarded.post(endpoint, BODY, token="us:secret")

    # then the European API says so
    assert read_response(response) == (401, {"message": "Invalid region."})


def test_a_paused_integration_takes_nothing(tmp_path: Path, session: requests.Session) -> None:
    # given an integration that is paused
    with running_emulator(tmp_path / "stitch.db", active=False) as emulator:
        # when a batch comes
        response = Api(emulator.url, emulator.database, session).post("batch", BODY)

    # then it is refused with the reason
    content = {"error": "Forbidden", "errors": {"error": "Connection is not active."}}
    assert read_response(response) == (401, content)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v2", (404, "Not found.")),
        ("POST", "/", (404, "Not found.")),
        ("POST", "/_emulator/state", (404, "Not found.")),
        ("GET", "/_emulator/", (404, "Not found.")),
        ("POST", "/v2/import/batches", (404, "Not found.")),
        ("POST", "/v2/import/batch/", (404, "Not found.")),
        ("POST", "/v1/import/batch", (404, "Not found.")),
        ("GET", "/v2/import/batch", (405, "Method not allowed.")),
        ("PUT", "/v2/import/push", (405, "Method not allowed.")),
        ("DELETE", "/v2/import/validate", (405, "Method not allowed.")),
        ("POST", "/v2/import/status", (405, "Method not allowed.")),
    ],
)
def test_wrong_urls_and_methods(api: Api, method: str, path: str, expected: Any) -> None:
    # when a request goes to the wrong place, with a body that is still on its way
    response = api.session.request(
        method,
        api.url + path,
        data=b" " * 3_000_000,
        headers={"Authorization": "Bearer any"},
        timeout=10,
        allow_redirects=False,
    )

    # then it is told so, once its body has been read
    assert read_response(response) == expected


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/transit+json"])
def test_batch_takes_json_only(api: Api, content_type: str | None) -> None:
    # when a batch comes under another content type
    response = api.post("batch", BODY, content_type=content_type)

    # then it is refused in plain text
    assert read_response(response) == (415, "Content-Type must be application/json")


def test_a_charset_does_no_harm(api: Api) -> None:
    # when the content type has a parameter
    response = api.post("batch", BODY, content_type="Application/JSON; charset=utf-8")

    # then the batch is taken
    assert read_response(response) == ACCEPTED


@pytest.mark.parametrize("endpoint", ["push", "validate"])
def test_push_names_the_content_types_it_takes(api: Api, endpoint: str) -> None:
    # when records come under a content type that is not supported
    response = api.post(endpoint, [RECORD], content_type="application/xml")

    # then the answer says which are
    message = (
        "Unsupported content-type application/xml. "
        "Please send application/json or application/transit+json"
    )
    assert read_response(response) == (415, {"status": "ERROR", "message": message})


@pytest.mark.parametrize("endpoint", ["batch", "push", "validate"])
def test_a_body_over_twenty_million_bytes_is_too_large(api: Api, endpoint: str) -> None:
    # when one byte too many is posted
    response = api.post(endpoint, b" " * 20_000_001)

    # then the answer has the number of bytes
    message = "Request rejected: request size (20000001s bytes) exceeds the maximum"
    assert read_response(response) == (413, {"status": "ERROR", "message": message})


def test_a_body_of_twenty_million_bytes_is_taken(api: Api, table: str) -> None:
    # given a batch of exactly the greatest size
    body = batch(table, {"text": {"type": "string"}}, [upsert(1, text="")])
    missing = 20_000_000 - len(str(body).replace("'", '"'))
    body["messages"][0]["data"]["text"] = "x" * missing

    # when it is posted
    response = api.post("batch", str(body).replace("'", '"'))

    # then it is taken
    assert len(response.request.body or b"") == 20_000_000
    assert read_response(response) == ACCEPTED
    assert api.rows(table) == [{"text": "x" * missing}]


def test_a_body_in_chunks_is_measured_too(api: Api) -> None:
    # when a body whose length nobody announced is too large
    response = api.session.post(
        f"{api.url}/v2/import/batch",
        data=(b" " * 1_000_000 for _ in range(21)),
        headers={"Authorization": "Bearer any", "Content-Type": "application/json"},
        timeout=30,
    )

    # then it is refused with what it was
    assert response.status_code == 413
    assert "(21000000s bytes)" in response.json()["message"]

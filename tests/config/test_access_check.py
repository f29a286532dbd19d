"""What ``--test`` makes of each answer, and how it tells it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.api.client import ImportClient
from target_stitch_import.config.access_check import Check, can_load, check_access, print_checks
from target_stitch_import.limits import MAX_SEQUENCE, REGIONS
from tests.recordings.answers import ANSWERS
from tests.support.service import HANG_UP, UP, running_service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.service import Request, ServiceResponse

TOKEN = "s3cret-token"
US, EU = REGIONS["us"], REGIONS["eu"]
ELSEWHERE = "https://stitch.example.com"

DOWN: ServiceResponse = (503, b'{"status": "ERROR", "reason": "Down for maintenance."}', {})
VALID: ServiceResponse = (200, b'{"status": "OK", "message": "Batch is valid!"}', {})

OK, FAILED, NOT_CHECKED = "ok", "failed", "not checked"


def recorded(name: str) -> ServiceResponse:
    """Return a documented answer."""
    return ANSWERS[name].status, ANSWERS[name].body.encode(), dict(ANSWERS[name].headers)


class Services:
    """A service at each of these URLs, with its answers; every request is kept."""

    def __init__(self, **answers: list[ServiceResponse]) -> None:
        urls = {**REGIONS, "elsewhere": ELSEWHERE}
        self._answers = {urls[name]: iter(each) for name, each in answers.items()}
        self._requests: dict[str, list[Request]] = {url: [] for url in self._answers}
        self.closed = 0

    def connect(self, url: str) -> ImportClient:
        """Open a connection to one of them."""
        services, stack = self, contextlib.ExitStack()

        class Client(ImportClient):
            def close(self) -> None:
                services.closed += 1
                super().close()
                stack.close()

        def answer(request: Request) -> ServiceResponse:
            self._requests[url].append(request)
            return next(self._answers[url])

        service = stack.enter_context(running_service(answer))
        service.status = answer
        return Client(service.url, TOKEN, timeout=7.5, agent="target/1")

    @property
    def addresses(self) -> list[str]:
        """The address of each request, service by service."""
        return [url + sent.path for url, requests in self._requests.items() for sent in requests]

    def sent_to(self, url: str) -> list[Request]:
        """Return the requests that one of them got."""
        return self._requests[url]


def asked(services: Services, **settings: Any) -> dict[str, Check]:
    """Return what is found of a config, by name."""
    found = list(check_access({"token": TOKEN, "region": "us", **settings}, services.connect))
    assert [check.name for check in found] == ["status", "credentials", "region", "client_id"]
    assert all(TOKEN not in check.message and "\n" not in check.message for check in found)
    return {check.name: check for check in found}


def results(found: dict[str, Check]) -> tuple[str, ...]:
    return tuple(check.result for check in found.values())


def sent_record(request: Request) -> dict[str, Any]:
    """Return the one record that a request carries."""
    (record,) = request.batch
    return dict(record)


def test_two_requests_are_made_and_nothing_is_loaded() -> None:
    # given a service that finds all in order
    services = Services(us=[UP, VALID])
    # when the access is checked
    found = asked(services, client_id=4231)
    # then the status was asked for without the token, and one record was sent to be checked
    status, validate = services.sent_to(US)
    assert services.addresses == [
        f"{US}/v2/import/status",
        f"{US}/v2/import/validate",
    ]
    assert "Authorization" not in status.headers
    assert validate.headers["Authorization"] == f"Bearer {TOKEN}"
    record = sent_record(validate)
    assert 10**18 < record.pop("sequence") <= MAX_SEQUENCE
    assert record == {
        "client_id": 4231,
        "table_name": "target_stitch_import_test",
        "action": "upsert",
        "key_names": ["id"],
        "data": {"id": 1},
    }
    # and all is well
    assert results(found) == (OK, OK, OK, OK)
    assert can_load(found.values())
    assert services.closed == 1


ANSWERED: list[tuple[ServiceResponse, tuple[str, ...], str, str]] = [
    (
        recorded("not_authorized"),
        (FAILED, NOT_CHECKED, NOT_CHECKED),
        "credentials",
        "401 Not Authorized. Check the setting token: it is missing, mistyped or revoked.",
    ),
    (
        recorded("connection_not_active"),
        (FAILED, OK, NOT_CHECKED),
        "credentials",
        "The integration is paused or deleted in Stitch. Resume it there",
    ),
    (
        recorded("push_wrong_client_id"),
        (OK, OK, FAILED),
        "client_id",
        "The client ID does not belong to this token. Correct client_id. It is the number between",
    ),
    (
        recorded("push_no_client_id"),  # although there is one: who knows why
        (OK, OK, FAILED),
        "client_id",
        "401 Not Authenticated. Check the setting client_id, and the token.",
    ),
    *[
        (answer, (NOT_CHECKED, NOT_CHECKED, NOT_CHECKED), "credentials", expected_text)
        for answer, expected_text in [
            (HANG_UP, "The service did not check them. RemoteDisconnected: the connection"),
            (recorded("too_many_requests"), "429"),
            (recorded("internal_error"), "500 "),
            (recorded("bad_gateway"), "502 Bad Gateway"),
            (recorded("success_that_is_a_login_page"), "200 without a JSON object"),
            (recorded("wrong_url"), "404"),
            (recorded("redirected"), "is not followed. Check the setting api_url."),
            (recorded("push_blank_field"), "can't be blank"),
        ]
    ],
]


@pytest.mark.parametrize(("answer", "expected", "name", "message"), ANSWERED)
def test_each_answer_says_what_is_wrong(
    answer: ServiceResponse, expected: tuple[str, ...], name: str, message: str
) -> None:
    # given a service that is up, and has this against the record
    services = Services(us=[UP, answer])
    # when the access is checked
    found = asked(services, client_id=4231)
    # then that is reported where it belongs, what depends on it is left open, and nothing tried again
    assert results(found) == (OK, *expected)
    assert message in found[name].message
    assert not can_load(found.values())
    assert len(services.addresses) == 2


@pytest.mark.parametrize("answer", [VALID, recorded("push_no_client_id")])
def test_a_missing_client_id_is_no_matter_for_a_batch(answer: ServiceResponse) -> None:
    # given a config without a client ID, whose token the service takes
    services = Services(us=[UP, answer])
    # when the access is checked
    found = asked(services)
    # then the record had none, and the target could load
    assert "client_id" not in sent_record(services.sent_to(US)[1])
    assert results(found) == (OK, OK, OK, NOT_CHECKED)
    assert can_load(found.values())
    # and it is message where to find it
    assert found["client_id"].message == (
        "The setting client_id is not set; endpoint batch does not need it. "
        "It is the number between client and pipeline in the address of the Stitch app."
    )


def test_a_page_of_a_proxy_is_no_word_on_the_client_id() -> None:
    # given a proxy that does not let the record pass, and says why in words of its own
    page = b"<html><h1>Not Authenticated</h1>Your client does not have permission.</html>"
    services = Services(us=[UP, (403, page, {})])
    # when the access is checked
    found = asked(services, client_id=4231)
    # then that is not taken for an answer to a good token
    assert found["credentials"].result == FAILED
    assert not can_load(found.values())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (DOWN, f"{US} reports that it is not up: 503 Down for maintenance. Try again later."),
        (HANG_UP, f"{US} does not report that it is up: RemoteDisconnected: the connection ended"),
        (recorded("wrong_url"), "404"),
    ],
)
def test_a_service_that_is_not_up_is_told(answer: ServiceResponse, message: str) -> None:
    # given a service that is not up, but still checks a record, as it never answers 503 to that
    services = Services(us=[answer, VALID])
    # when the access is checked
    found = asked(services, client_id=4231)
    # then the target could not load, and the rest is known all the same
    assert results(found) == (FAILED, OK, OK, OK)
    assert found["status"].message.startswith(message) or message in found["status"].message
    assert not can_load(found.values())


@pytest.mark.parametrize(
    ("settings", "here", "there", "message"),
    [
        ({"region": "us"}, "us", "eu", f"Set region to eu. {EU} is up."),
        ({"region": "eu"}, "eu", "us", f"Set region to us. {US} is up."),
        ({"api_url": US}, "us", "eu", f"Set api_url to {EU}. {EU} is up."),
        ({"api_url": f"{EU}/"}, "eu", "us", f"Set api_url to {US}. {US} is up."),
    ],
)
def test_a_wrong_region_is_reported_with_the_setting_to_change(
    settings: dict[str, Any], here: str, there: str, message: str
) -> None:
    # given an account of the other region
    services = Services(**{here: [UP, recorded("invalid_region")], there: [UP]})
    # when the access is checked
    found = asked(services, client_id=4231, **settings)
    # then it says which setting to change, and to what
    assert results(found) == (OK, NOT_CHECKED, FAILED, NOT_CHECKED)
    assert found["region"].message == f"The account is in the other region. {message}"
    # and the other region was asked for its status, without the token
    (request,) = services.sent_to(REGIONS[there])
    assert request.path == "/v2/import/status"
    assert "Authorization" not in request.headers
    assert services.closed == 2


def test_another_region_that_does_not_answer_is_reported_too() -> None:
    # given an account of the other region, which can't be reached
    services = Services(us=[UP, recorded("invalid_region")], eu=[HANG_UP])
    # when the access is checked
    message = asked(services)["region"].message
    # then both are said
    assert f"Set region to eu. {EU} does not report that it is up: RemoteDisconnected" in message


def test_a_wrong_region_of_an_address_of_ones_own_names_both() -> None:
    # given an address of which nobody knows the region
    services = Services(elsewhere=[UP, recorded("invalid_region")])
    # when the access is checked
    message = asked(services, api_url=ELSEWHERE)["region"].message
    # then both regions are named, and neither is asked
    assert message == (f"The account is not at {ELSEWHERE}. Set api_url to {US} (us) or {EU} (eu).")


def test_an_answer_that_quotes_the_token_is_reported_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given a service that quotes the token in both answers
    quote = f'{{"message": "Bearer {TOKEN}"}}'.encode()
    services = Services(us=[(503, quote, {}), (401, quote, {})])
    # when the access is checked / then no message has it (see ``asked``), and no log
    with caplog.at_level(logging.DEBUG):
        found = asked(services)
    assert "Bearer ***" in found["credentials"].message
    assert TOKEN not in caplog.text


class Terminal(io.StringIO):
    """A terminal of some encoding."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class OldTerminal(Terminal):
    """One that can't show a tick."""

    encoding = "latin-1"


FOUND = [
    Check("status", OK, "It is up."),
    Check("credentials", FAILED, "401 Not Authorized \u2014 no."),
    Check("region", NOT_CHECKED, "Later."),
    Check("client_id", NOT_CHECKED, "Later."),
]
PLAIN = (
    "Status: ok. It is up.\nCredentials: failed. 401 Not Authorized {} no.\n"
    "Region: not checked. Later.\nClient ID: not checked. Later.\n"
)
TICKED = (
    "✓ Status: It is up.\n✗ Credentials: 401 Not Authorized \u2014 no.\n"
    "\u2013 Region: Later.\n\u2013 Client ID: Later.\n"
)


@pytest.mark.parametrize(
    ("out", "text"),
    [
        (io.StringIO(), PLAIN.format("\u2014")),
        (OldTerminal(), PLAIN.format("?")),
        (Terminal(), TICKED),
    ],
    ids=["a file", "an old terminal", "a terminal"],
)
def test_ticks_are_for_terminals_that_have_them(out: io.StringIO, text: str) -> None:
    assert not print_checks(FOUND, out)
    assert out.getvalue() == text


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_one_json_object_is_for_machines(out: io.StringIO) -> None:
    # when the same is printed as JSON, wherever to
    assert not print_checks(FOUND, out, as_json=True)
    # then it is one line
    (line,) = out.getvalue().splitlines()
    result = json.loads(line)
    assert result["ok"] is False
    assert result["checks"][0] == {"name": "status", "result": "ok", "message": "It is up."}
    assert [check["name"] for check in result["checks"]] == [check.name for check in FOUND]


def test_each_line_is_reported_once_it_is_known() -> None:
    # given a second check that looks at what is printed before it is made
    out = io.StringIO()
    seen_before = []

    def found() -> Iterable[Check]:
        yield FOUND[0]
        seen_before.append(out.getvalue())
        yield FOUND[1]

    # when they are printed
    print_checks(found(), out)
    # then nobody waits for the slow one to read the quick one
    assert seen_before == ["Status: ok. It is up.\n"]


def test_nobody_need_listen() -> None:
    # given a process without a standard output / then the verdict is there all the same
    assert print_checks([Check("credentials", OK, "Good.")], None)

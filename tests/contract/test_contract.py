"""``make contract``: against the emulator, against a service, and against one that is not true."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from target_stitch_import.emulator import list_tables, running_emulator
from target_stitch_import.emulator.rules import formats, records
from tests.contract import service as service_module
from tests.contract.__main__ import main
from tests.contract.bodies import PREFIX
from tests.contract.cases import CASES
from tests.contract.service import Service

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN = "a-token-of-somebody"
CLIENT_ID = 987654


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where the report is written."""
    return tmp_path / "contract.json"


def access(url: str, **more: str) -> dict[str, str]:
    """Return the environment of somebody who tests a service."""
    ids = {"CONTRACT_CLIENT_ID": str(CLIENT_ID)}
    return {"CONTRACT_API_URL": url, "CONTRACT_TOKEN": TOKEN, "YES": "1", **ids, **more}


def verdicts(output: Path) -> dict[str, str]:
    """Return the verdict of each rule of a report."""
    report = json.loads(output.read_text(encoding="utf-8"))
    return {each["rule"]: each["verdict"] for each in report["results"]}


def test_the_emulator_is_as_documented(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # when the contract is tested without a service
    code = main(["--output", str(output)], {})

    # then the emulator keeps each rule that an answer can show
    assert code == 0
    expected = {
        each.rule: "can't be told" if each.request is None else "as documented" for each in CASES
    }
    assert verdicts(output) == expected

    # and the table has each rule's section
    printed = capsys.readouterr().out
    assert all(each.section in printed for each in CASES)
    assert "0 differs" in printed


def accept_a_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = formats._DATE_TIME.pattern.replace("T(?:", "[T ](?:", 1)
    monkeypatch.setattr(formats, "_DATE_TIME", re.compile(pattern))


def refuse_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_reserved(name: str) -> bool:
        return name.startswith("_sdc")

    monkeypatch.setattr(records, "is_reserved", is_reserved)


def accept_a_longer_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_KEY_LENGTH", 256)


@pytest.mark.parametrize(
    ("mutate", "rule"),
    [
        (accept_a_blank, "A date-time with a blank for the T is refused"),
        (refuse_deletes, "_sdc_deleted_at, a column of taps, is taken"),
        (accept_a_longer_key, "A text key of 256 characters is refused"),
    ],
)
def test_an_emulator_that_is_not_true_is_found(
    output: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    mutate: Any,
    rule: str,
) -> None:
    # given an emulator that breaks a rule
    mutate(monkeypatch)

    # when the contract is tested
    code = main(["--output", str(output)], {})

    # then the rule is named
    assert code == 1
    assert verdicts(output)[rule] == "differs"
    assert f"differs: {rule}" in capsys.readouterr().out


def test_a_service_is_tested_in_tables_of_its_own(tmp_path: Path, output: Path) -> None:
    # given a service, at a URL
    database = tmp_path / "stitch.db"
    with running_emulator(database, token=TOKEN, client_id=CLIENT_ID) as emulator:
        # when its contract is tested
        code = main(["--output", str(output)], access(emulator.url))

    # then what could do harm is not sent, and all else is as documented
    assert code == 0
    told = {
        each.rule: "can't be told" if each.request is None or each.not_sent else "as documented"
        for each in CASES
    }
    assert verdicts(output) == told

    # and no other table was written
    assert len(list_tables(database)) > 10
    assert [each for each in list_tables(database) if not each.startswith(PREFIX)] == []


def test_push_is_not_tested_without_a_client_id(tmp_path: Path, output: Path) -> None:
    # given a service, and no client ID
    database = tmp_path / "stitch.db"
    with running_emulator(database, token=TOKEN, client_id=CLIENT_ID) as emulator:
        # when its contract is tested
        code = main(["--output", str(output)], access(emulator.url, CONTRACT_CLIENT_ID=""))

    # then the rules of push can't be told, and those of batch are
    assert code == 0
    found = verdicts(output)
    assert found["Records of several tables are taken in push"] == "can't be told"
    assert found["A batch is taken"] == "as documented"


def test_nothing_is_sent_without_a_yes(
    output: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a client that must not send
    def send(*_: Any) -> None:
        pytest.fail("a request was sent")

    monkeypatch.setattr(Service, "send", send)

    # when nobody says yes
    code = main(["--output", str(output)], access("https://api.example.com", YES=""))

    # then it is said what would be done, and nothing is
    assert code == 2
    printed = capsys.readouterr()
    assert f"names begin with {PREFIX}" in printed.out
    assert "at most" in printed.out
    assert "set YES=1" in printed.err
    assert not output.exists()


class Echo:
    """Answers with all that came: the header with the token, and the body with the client ID."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        header = request.headers.get("authorization", "")
        content = header.encode() + b" " + (await request.body())[:500]
        await Response(content, 418)(scope, receive, send)


def test_no_secret_is_printed_or_written(
    tmp_path: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # given a service that says what came
    middleware = [Middleware(Echo)]
    with running_emulator(tmp_path / "stitch.db", middleware=middleware) as emulator:
        # when its contract is tested
        code = main(["--output", str(output)], access(emulator.url))

    # then the answers are shown, without the token and the client ID
    assert code == 1
    printed = capsys.readouterr()
    for text in (printed.out, printed.err, output.read_text(encoding="utf-8")):
        assert TOKEN not in text
        assert str(CLIENT_ID) not in text
    assert "Bearer <token>" in printed.out
    assert '\\"client_id\\": <client ID>' in output.read_text(encoding="utf-8")


def test_a_rule_without_an_answer_is_no_difference(
    tmp_path: Path,
    output: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a service that is down for two attempts of one request
    monkeypatch.setattr(service_module, "WAIT_SECONDS", 0)
    database = tmp_path / "stitch.db"
    with running_emulator(
        database, token=TOKEN, client_id=CLIENT_ID, faults="ok*10,503*2,ok,503"
    ) as emulator:
        # when its contract is tested
        code = main(["--output", str(output)], access(emulator.url))

    # then the rule can't be told, and the exit code says that not all is known
    assert code == 2
    assert "0 differs" in (printed := capsys.readouterr().out)
    assert printed.count("no answer: ") == 1


@pytest.mark.parametrize(
    ("faults", "token", "message"),
    [
        ("503*2", TOKEN, "can't be tested now: 503"),
        (None, "another", "answers 401"),
    ],
)
def test_a_service_that_can_tell_nothing_is_not_tested(
    tmp_path: Path,
    output: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    faults: str | None,
    token: str,
    message: str,
) -> None:
    # given a service that is down, or another account's
    monkeypatch.setattr(service_module, "WAIT_SECONDS", 0)
    with running_emulator(tmp_path / "stitch.db", token=token, faults=faults) as emulator:
        # when its contract is tested
        code = main(["--output", str(output)], access(emulator.url))

    # then it is said at once, and nothing is loaded
    assert code == 2
    assert message in capsys.readouterr().err
    assert list_tables(tmp_path / "stitch.db") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CONTRACT_API_URL": ""}, "CONTRACT_API_URL is not"),
        ({"CONTRACT_TOKEN": ""}, "CONTRACT_TOKEN is not"),
        ({"CONTRACT_TOKEN": "two words"}, "characters that no token has"),
        ({"CONTRACT_CLIENT_ID": "x"}, "CONTRACT_CLIENT_ID is no number"),
        ({"CONTRACT_API_URL": "api.example.com"}, "one such as https://"),
        ({"CONTRACT_API_URL": "http://api.example.com"}, "over https alone"),
        ({"CONTRACT_API_URL": "https://a:b@api.example.com"}, "without a user"),
    ],
)
def test_settings_that_can_not_be(
    capsys: pytest.CaptureFixture[str], changes: dict[str, str], message: str
) -> None:
    # when the environment is half of what is needed, or wrong
    code = main([], {**access("https://api.example.com"), **changes})

    # then the error says which variable it is
    assert code == 2
    assert message in capsys.readouterr().err


def test_a_report_that_can_not_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # when the results can't be written as JSON
    code = main(["--output", str(tmp_path)], {})

    # then they are printed all the same, and the error says why
    assert code == 2
    printed = capsys.readouterr()
    assert "0 differs" in printed.out
    assert "can't be written" in printed.err


def test_the_rules_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    # when the page's table is asked for
    code = main(["--rules"], {})

    # then it is Markdown
    assert code == 0
    assert "| A batch is taken | documentation | `accepted` |" in capsys.readouterr().out

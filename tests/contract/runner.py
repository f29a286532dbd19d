"""Runs the cases against a service, and judges each answer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Literal

from tests.contract.bodies import NoClientIdError
from tests.contract.service import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.contract.case import Case, Expected
    from tests.contract.service import Answer, Service

Verdict = Literal["as documented", "differs", "can't be told"]

_EMPTY_IS_ACCEPTED: Final = (201, "push")
"""The status and the endpoint of an acknowledgement without a body."""
_MAX_CHARS: Final = 2_000
"""How much of an answer is kept."""


@dataclasses.dataclass(frozen=True)
class Result:
    """A case, with what came of it."""

    case: Case
    came: str
    verdict: Verdict
    unanswered: bool = False
    """True if the rule can't be told because the service gave no answer to the request."""


def run(cases: Sequence[Case], service: Service) -> Iterator[Result]:
    """Yield the result of each case, in order."""
    for case in cases:
        yield _run_one(case, service)


def _run_one(case: Case, service: Service) -> Result:
    if case.request is None or isinstance(case.expected, str):
        return Result(case, "no answer shows it", "can't be told")
    if case.not_sent and not service.is_emulator:
        return Result(case, f"not sent: {case.not_sent}", "can't be told")
    try:
        answer = service.send(case.request)
    except NoClientIdError:
        return Result(case, "not sent: CONTRACT_CLIENT_ID is not set", "can't be told")
    except NoAnswerError as error:
        return Result(case, str(error), "can't be told", unanswered=True)
    fits = is_expected(case.expected, answer, case.request.endpoint)
    came = service.redact(f"{answer.status}: {answer.text}")[:_MAX_CHARS]
    return Result(case, came, "as documented" if fits else "differs")


def is_expected(expected: Expected, answer: Answer, endpoint: str) -> bool:
    """Return whether an answer is the expected one."""
    if answer.status not in expected.statuses:
        return False
    if expected.acknowledges and not _acknowledges(answer, endpoint):
        return False
    return all(
        any(alternative in answer.text for alternative in text.split(" | "))
        for text in expected.text
    )


def _acknowledges(answer: Answer, endpoint: str) -> bool:
    if not answer.text:
        return (answer.status, endpoint) == _EMPTY_IS_ACCEPTED
    content = answer.content
    return isinstance(content, dict) and content.get("status") in ("OK", "Accepted")

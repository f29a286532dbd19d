"""A service that has never answered is given up early; one that has is waited for."""

from __future__ import annotations

import threading

import pytest

from target_stitch_import.delivery.retry import Startup
from target_stitch_import.errors import DeliveryError, TransientError
from tests.support.fake_service import TEST_TIMEOUT, DeliveryRun, sealed_batch

URL = "https://nowhere.example"


def no_answer(kind: type[DeliveryError] = TransientError) -> DeliveryError:
    """Return the error of a request that met no service."""
    error = kind("ConnectionRefusedError: refused")
    error.is_answer = False
    return error


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every next try begin soon."""
    monkeypatch.setattr("backoff.full_jitter", lambda _: 0.01)


def test_a_service_that_never_answers_ends_the_run_when_the_startup_is_over() -> None:
    # given a service that is not there, and a retry budget that lasts longer
    run = DeliveryRun(check_status=True, startup=Startup(0.3, URL))

    def status() -> None:
        raise no_answer(DeliveryError)

    def refuse(ids: list[int]) -> None:
        raise no_answer()

    run.service.status, run.service.answer_at_once = status, refuse
    # when a batch is delivered
    with pytest.raises(DeliveryError) as raised:
        run.deliver(sealed_batch(1))
    run.scheduler.close()
    # then the error names the address, how long it was tried, and what to check
    text = str(raised.value)
    assert f"{URL} has given no answer of the Import API for 0.3 s" in text
    assert "ConnectionRefusedError: refused. Is the setting api_url right" in text
    assert "is it running?" in text
    assert isinstance(raised.value.__cause__, TransientError)
    assert run.service.status_checks == 1


@pytest.mark.parametrize("check_status", [True, False])
def test_an_attempt_that_hangs_is_given_up_too(check_status: bool) -> None:
    # given an address at which nothing comes back
    over = threading.Event()
    run = DeliveryRun(check_status=check_status, startup=Startup(0.2, URL))

    def hang(*_: object) -> None:
        over.wait(TEST_TIMEOUT)

    run.service.status = run.service.answer_at_once = hang
    # when a batch is delivered
    with pytest.raises(DeliveryError, match=r"no answer of the Import API for 0\.2 s"):
        run.deliver(sealed_batch(1))
    # then closing does not wait for it either
    run.scheduler.close()
    over.set()


@pytest.mark.parametrize("answer", [None, TransientError("503 busy")])
def test_once_it_has_answered_the_retry_budget_counts(answer: Exception | None) -> None:
    # given a service that answers its first request, and is then away for longer than the startup
    startup = Startup(1, URL)
    run = DeliveryRun(startup=startup, parallel=1)
    answers = iter([answer, *[no_answer()] * 150])

    def post(ids: list[int]) -> None:
        if error := next(answers, None):
            raise error

    run.service.answer_at_once = post
    # when batches are delivered
    run.deliver(sealed_batch(1), sealed_batch(2))
    # then it is waited for
    assert sorted(run.acknowledged) == [1, 2]


def test_a_retry_budget_that_ends_before_it_has_the_same_advice() -> None:
    run = DeliveryRun(budget=0, startup=Startup(60, URL))

    def refuse(ids: list[int]) -> None:
        raise no_answer()

    run.service.answer_at_once = refuse
    with pytest.raises(DeliveryError, match=r"given up after 1 attempt .*Is the setting api_url"):
        run.deliver(sealed_batch(1))
    run.scheduler.close()

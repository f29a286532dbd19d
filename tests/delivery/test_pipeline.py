"""While the tap is quiet, batches grow old, answers come in, and STATEs are written."""

from __future__ import annotations

import os
import select
import sys
import threading
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from target_stitch_import.api.client import ImportClient
from target_stitch_import.errors import DeliveryError, RejectedError
from target_stitch_import.target import TargetStitchImport
from tests.support.messages import record, schema, state, tap_output

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30  # after which a test that hangs fails


class QuietTap:
    """A tap that has written its messages, and keeps its output open; and a target that reads it."""

    def __init__(self, **config: object) -> None:
        self.posted, self.may_answer = threading.Event(), threading.Event()
        self.error: DeliveryError | None = None
        self.bodies: list[bytes] = []
        source, self._tap = os.pipe()
        self.stdout, output = os.pipe()
        self._source, self._output = os.fdopen(source, "rb"), os.fdopen(output, "wb")
        self._thread = threading.Thread(target=self._load, args=(config,))

    def write(self, *lines: str) -> None:
        """Write messages."""
        os.write(self._tap, tap_output(*lines))

    def start(self) -> None:
        """Begin to load; only within a test, for pytest puts its own stdout in place before."""
        self._thread.start()

    def end(self) -> None:
        """Close the tap's output, and wait until all is loaded."""
        os.close(self._tap)
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """Close the pipes."""
        self._source.close()
        self._output.close()
        os.close(self.stdout)

    def _load(self, config: dict[str, object]) -> None:
        def post(_client: ImportClient, body: bytes) -> None:
            self.bodies.append(body)
            self.posted.set()
            assert self.may_answer.wait(SECONDS)
            if self.error is not None:
                raise self.error

        always = {"token": "t", "api_url": "http://127.0.0.1:9", "check_status": False}
        with (
            mock.patch.object(ImportClient, "post", post),
            mock.patch.object(sys, "stdout", mock.Mock(buffer=self._output)),
        ):
            try:
                TargetStitchImport(config={**always, **config}).load(self._source)
            except DeliveryError as failure:
                self.failure = failure


@pytest.fixture
def tap() -> Iterator[QuietTap]:
    """Have a tap, and a target whose batches are sealed after a tenth of a second."""
    quiet = QuietTap(max_batch_age_seconds=0.1)
    quiet.write(schema(), record({"id": 1}), state({"at": 1}))
    yield quiet
    quiet.close()


def test_a_batch_is_sent_at_its_age_and_its_state_written_when_the_answer_comes(
    tap: QuietTap,
) -> None:
    # given a tap that has written a record and a STATE, and then nothing
    # when the batch is old enough, then it is sent
    tap.start()
    assert tap.posted.wait(SECONDS)
    # and no STATE is written before the service has answered
    assert select.select([tap.stdout], [], [], 0)[0] == []
    # but then it is, though the tap is quiet still
    tap.may_answer.set()
    assert select.select([tap.stdout], [], [], SECONDS)[0]
    assert os.read(tap.stdout, 100) == b'{"at": 1}\n'
    tap.end()


def test_a_tap_that_goes_on_is_read_while_an_answer_is_awaited(tap: QuietTap) -> None:
    # given a batch whose answer does not come
    tap.start()
    assert tap.posted.wait(SECONDS)
    tap.posted.clear()
    # when the tap writes on, then that is sent, too
    tap.write(record({"id": 2}))
    assert tap.posted.wait(SECONDS)
    assert [b'"id": 2' in body for body in tap.bodies] == [False, True]
    tap.may_answer.set()
    tap.end()


def test_a_refusal_ends_the_run_though_the_tap_is_quiet(tap: QuietTap) -> None:
    # given a batch that the service refuses
    tap.start()
    assert tap.posted.wait(SECONDS)
    tap.error = RejectedError("no")
    # when the answer comes, then the target ends, without another message of the tap
    tap.may_answer.set()
    tap._thread.join(SECONDS)
    assert not tap._thread.is_alive()
    assert "no" in str(tap.failure)
    tap.end()

"""No STATE ever runs ahead of what is acknowledged."""

from __future__ import annotations

import io
import json
import sys
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.errors import DeliveryError
from target_stitch_import.target import TargetStitchImport
from tests.support.messages import record, schema, state, tap_output
from tests.support.service import ACCEPTED, Request, ServiceResponse, running_service

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSIENT: ServiceResponse = (503, b"", {"Retry-After": "0"})
REFUSED: ServiceResponse = (400, b'{"error": "no"}', {})


class WatchedOutput(io.BytesIO):
    """A stdout that looks at each STATE at the moment when it is written."""

    def __init__(self, look: Callable[[int], None]) -> None:
        super().__init__()
        self._look = look
        self.written: list[int] = []

    def write(self, line: Any) -> int:
        place = json.loads(bytes(line))["before"]
        self._look(place)
        self.written.append(place)
        return super().write(line)


@settings(max_examples=80, deadline=None)
@given(
    streams=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    states=st.sets(st.integers(0, 40)),
    behaviours=st.lists(
        st.sampled_from(["take", "take", "late", "later", "transient"]), max_size=60
    ),
    refuse=st.none() | st.integers(0, 39),
    rows=st.integers(1, 4),
    parallel=st.integers(1, 5),
)
def test_a_state_covers_only_acknowledged_records(
    streams: list[int],
    states: set[int],
    behaviours: list[str],
    refuse: int | None,
    rows: int,
    parallel: int,
) -> None:
    # given a service that answers early, late, not at the first try, or refuses one record
    acknowledged: set[int] = set()
    lock = threading.Lock()
    schedule = iter(behaviours)

    def answer(request: Request) -> ServiceResponse:
        ids = [message["data"]["id"] for message in request.batch["messages"]]
        with lock:
            behaviour = next(schedule, "take")
        if refuse in ids:
            return REFUSED
        if behaviour == "transient":
            return TRANSIENT
        threading.Event().wait({"late": 0.003, "later": 0.01}.get(behaviour, 0))
        with lock:
            acknowledged.update(ids)
        return ACCEPTED

    def look(place: int) -> None:
        # then a STATE that is written has every record before it acknowledged
        assert acknowledged >= set(range(place)), place

    lines = [schema(f"s{number}") for number in range(5)]
    for place, number in enumerate(streams):
        if place in states:
            lines.append(state({"before": place}))
        lines.append(record({"id": place}, f"s{number}"))
    lines.append(state({"before": len(streams)}))
    output = WatchedOutput(look)
    with (
        running_service(answer) as service,
        mock.patch.object(sys, "stdout", mock.Mock(buffer=output)),
        mock.patch("backoff.full_jitter", return_value=0.0),
    ):
        config = service.config(batch_size_rows=rows, max_parallel_requests=parallel)
        target = TargetStitchImport(config=config)
        # when records of five streams with STATEs between them are loaded
        try:
            target.load(io.BytesIO(tap_output(*lines)))
            failed = False
        except DeliveryError:
            failed = True
    # and STATEs never go back, and the last one is written when all went well
    assert failed == (refuse is not None and refuse < len(streams))
    assert output.written == sorted(set(output.written))
    assert failed or output.written[-1] == len(streams)

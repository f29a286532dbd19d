"""A dry run counts what would be posted and what would be refused, in two threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from target_stitch_import.delivery.dry_run import DryRun
from target_stitch_import.singer.messages import RecordMessage, SchemaMessage
from tests.support.fake_service import TEST_TIMEOUT, sealed_batch

if TYPE_CHECKING:
    from collections.abc import Callable


class InterruptedName(str):  # noqa: SLOT000 - it has state
    """A name that lets another thread run while it is put into a dictionary."""

    other: Callable[[], None] | None = None
    looked_up = False

    def __hash__(self) -> int:
        if self.looked_up:
            self.let_other_run()
        self.looked_up = True
        return super().__hash__()

    __eq__ = str.__eq__

    def let_other_run(self) -> None:
        """Let the other thread run, if it has not."""
        other, self.other = self.other, None
        if other is not None:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(TEST_TIMEOUT)


def test_two_threads_count_the_same_name_at_once() -> None:
    # given a worker that posts the first body of a table
    dry_run = DryRun()
    body = bytes(sealed_batch(1, "orders", rows=3).body)
    name = InterruptedName("orders")
    name.other = lambda: dry_run.post(body)
    # when it does so while the first record is counted that would be refused
    schema = SchemaMessage(name, msgspec.Raw(b"{}"), ["id"])
    dry_run.add(schema, RecordMessage("orders", msgspec.Raw(b'{"id":"x"}')), "no integer", 7)
    name.let_other_run()
    # then both are in the summary
    table, refused, run = dry_run.summary()
    assert table == f"orders: 3 records, {len(body)} bytes, 1 request"
    assert refused == "orders: 1 record would be refused, the first in line 7: no integer"
    assert run.startswith(f"Dry run: 3 records in 1 request, {len(body)} bytes; ")

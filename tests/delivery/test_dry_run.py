"""A dry run counts what would be posted and what would be refused."""

from __future__ import annotations

from target_stitch_import.delivery.dry_run import DryRun
from tests.support.fake_service import DeliveryRun, sealed_batch


def test_what_is_posted_and_what_is_refused_is_counted_by_one_thread() -> None:
    # given a dry run whose worker thread writes bodies while the reading thread counts
    dry_run = DryRun()
    run = DeliveryRun(connect=lambda: dry_run, metrics=dry_run.metrics)
    batch = sealed_batch(1, "orders", rows=3)
    # when a batch is delivered, and a record of the same name and another are refused
    run.scheduler.submit(batch)
    dry_run.metrics.set_aside("orders")
    dry_run.note_refused("orders", "not an integer", 7)
    run.scheduler.finish()
    run.scheduler.close()
    # then both are in the summary
    size = len(batch.body)
    assert dry_run.summary() == [
        f"orders: 3 records, {size} bytes, 1 request",
        "orders: 1 record would be refused, the first in line 7: not an integer",
        f"Dry run: 3 records in 1 request, {size} bytes; nothing was sent, and no STATE written",
    ]

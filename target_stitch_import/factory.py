"""Creates the client, the pipeline and the quarantine from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

from target_stitch_import.api.client import BATCH, PUSH, PUSH_TRANSIT, ImportClient
from target_stitch_import.batches.batch import Batch
from target_stitch_import.batches.body_limit import BodyLimit
from target_stitch_import.config.urls import base_url
from target_stitch_import.delivery.dry_run import DryRun
from target_stitch_import.delivery.pipeline import Pipeline
from target_stitch_import.delivery.quarantine import Quarantine
from target_stitch_import.delivery.refusals import Refusals
from target_stitch_import.delivery.retry import Retry, RetryLog, Startup
from target_stitch_import.delivery.task import DeliveryOptions
from target_stitch_import.delivery.workers import Client
from target_stitch_import.json_codec import encode_sorted
from target_stitch_import.preview.reader import Preview
from target_stitch_import.records.validator import find_invalid
from target_stitch_import.reporting.metrics import Metrics

if TYPE_CHECKING:
    from target_stitch_import.unchanged.rows import UnchangedRows


def create_client(config: Mapping[str, Any], url: str, *, agent: str) -> ImportClient:
    """Return a client for the service at the base URL ``url``; ``agent`` is the user agent."""
    push = PUSH_TRANSIT if config["push_format"] == "transit" else PUSH
    endpoint = BATCH if config["endpoint"] == "batch" else push
    timeout = float(config["request_timeout_seconds"])
    return ImportClient(url, config["token"], endpoint=endpoint, timeout=timeout, agent=agent)


def create_pipeline(
    config: Mapping[str, Any],
    write_state: Callable[[bytes], None],
    set_aside: Callable[[Batch, str, int | None], None],
    *,
    agent: str,
    metrics: Metrics,
    dry_run: DryRun | None = None,
    preview: Preview | None = None,
) -> Pipeline:
    """Return a pipeline to the service, or to ``dry_run`` if one is given.

    ``write_state`` gets the bytes of each STATE that may be written. ``set_aside`` gets a batch of
    a record alone that is refused, the reason and, if the service has refused it, the HTTP status; it
    puts the record into the quarantine, or raises. ``agent`` is the user agent, ``metrics`` counts.
    ``preview`` reads what is acknowledged. Raise ``UnchangedFileError`` if the file of
    ``skip_unchanged`` can't be used.
    """
    # A request is given up after five timeouts, even if bytes of an answer still arrive.
    max_seconds = 5 * float(config["request_timeout_seconds"])
    connect: Callable[[], Client] = partial(create_client, config, base_url(config), agent=agent)
    create_retry = partial(Retry, float(config["max_retry_seconds"]), max_seconds, log=RetryLog())
    refusals = Refusals(set_aside, find_invalid, validates=config["validate_records"])
    limit = BodyLimit(config["max_batch_bytes"])
    return Pipeline(
        connect if dry_run is None else lambda: dry_run,
        write_state,
        DeliveryOptions(create_retry, limit, refusals, metrics, preview),
        max_rows=config["batch_size_rows"],
        max_age=float(config["max_batch_age_seconds"]),
        parallel=1 if dry_run else config["max_parallel_requests"],  # keeps the order of bodies
        check_status=config["check_status"] and dry_run is None,
        startup=Startup(float(config["startup_timeout_seconds"]), base_url(config)),
        unchanged=_create_unchanged(config, changes=dry_run is None),
    )


def _create_unchanged(config: Mapping[str, Any], *, changes: bool) -> UnchangedRows | None:
    """Return what is remembered of rows, and whether it ``changes``; None if that is not asked for."""
    path = config.get("skip_unchanged")
    if path is None or config["load_method"] == "append-only":
        return None
    from target_stitch_import.unchanged.rows import UnchangedRows  # noqa: PLC0415 - when it is used
    from target_stitch_import.unchanged.store import RowStore  # noqa: PLC0415

    maps = {name: config.get(name) for name in ("stream_maps", "stream_map_config")}
    made_for = {
        "API address": base_url(config),
        "endpoint": config["endpoint"],
        "set of stream maps": sha256(encode_sorted(maps)).hexdigest(),
    }
    return UnchangedRows(RowStore(path, made_for, changes=changes), config)


def create_quarantine(config: Mapping[str, Any], source: IO[Any]) -> Quarantine | None:
    """Return the quarantine of a run that reads from ``source``; None if it is not asked for.

    Raises:
        QuarantineError: The quarantine file can't be written.
    """
    if config["on_invalid_record"] != "quarantine":
        return None
    try:
        input_fd = source.fileno()
    except OSError:  # a file in memory
        input_fd = None
    return Quarantine(
        config["quarantine_path"], max_records=config.get("max_quarantined"), input_fd=input_fd
    )

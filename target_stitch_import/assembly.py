"""From settings to the rooms that are built with them.

The one place that knows which setting goes where; it knows nothing of messages.
"""

from __future__ import annotations

from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from target_stitch_import.api_url import base_url
from target_stitch_import.client import BATCH, PUSH, PUSH_TRANSIT, Endpoint, ImportClient
from target_stitch_import.errors import InvalidSchemaError
from target_stitch_import.forms import BodyForm, batch_body, push_body
from target_stitch_import.pipeline import Pipeline
from target_stitch_import.quarantine import Quarantine
from target_stitch_import.retries import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_stitch_import.batch import Batch
    from target_stitch_import.dry_run import DryRun
    from target_stitch_import.posting import Client
    from target_stitch_import.streams import StreamDefinition

__all__ = ["body_form", "connection", "pipeline_of", "quarantine_of"]

MAX_TIMEOUTS: Final = 5
"""A request is given up after so many timeouts, whatever signs of life there are: some drip."""


def connection(config: Mapping[str, Any], url: str, *, agent: str) -> ImportClient:
    """Return a connection to the service at a base URL, as the settings want it."""
    return ImportClient(
        url,
        config["token"],
        endpoint=endpoint_of(config),
        timeout=float(config["request_timeout_seconds"]),
        agent=agent,
    )


def pipeline_of(
    config: Mapping[str, Any],
    write_state: Callable[[bytes], None],
    set_aside: Callable[[Batch, int, str], None],
    *,
    agent: str,
    dry_run: DryRun | None = None,
) -> Pipeline:
    """Return the pipeline to the service that the settings name, or to a dry run.

    ``set_aside`` takes a record that the service refuses, or raises which one it is.
    """
    longest = MAX_TIMEOUTS * float(config["request_timeout_seconds"])
    connect: Callable[[], Client] = partial(connection, config, base_url(config), agent=agent)
    return Pipeline(
        connect if dry_run is None else lambda: dry_run,
        write_state,
        attempts=partial(Attempts, float(config["max_retry_seconds"]), longest),
        max_rows=config["batch_size_rows"],
        max_bytes=config["max_batch_bytes"],
        max_age=float(config["max_batch_age_seconds"]),
        parallel=1 if dry_run else config["max_parallel_requests"],  # bodies in their order
        set_aside=set_aside,
        check_status=config["check_status"] and dry_run is None,
        shared=config["endpoint"] == "push",
    )


def endpoint_of(config: Mapping[str, Any]) -> Endpoint:
    """Return where bodies are posted to."""
    if config["endpoint"] == "batch":
        return BATCH
    return PUSH_TRANSIT if config["push_format"] == "transit" else PUSH


def body_form(config: Mapping[str, Any], stream: StreamDefinition, keys: Sequence[str]) -> BodyForm:
    """Return how the records of a table are written into a body.

    Raises:
        InvalidSchemaError: It has no ``keys``, and the endpoint takes no record without.
    """
    if config["endpoint"] == "batch":
        return batch_body(stream.name, stream.schema, keys, stream.bookmark_properties)
    if not keys:
        raise InvalidSchemaError(
            f"stream {stream.name!r} has no key properties, and push takes no record without: "
            "set endpoint to 'batch', which appends such records"
        )
    return push_body(
        config["client_id"],
        stream.name,
        stream.schema,
        keys,
        transit=config["push_format"] == "transit",
    )


def quarantine_of(config: Mapping[str, Any], source: IO[Any]) -> Quarantine | None:
    """Return the quarantine for a run that reads from ``source``, if the settings ask for one.

    Raises:
        QuarantineError: The file could not be written.
    """
    if not _has_quarantine(config):
        return None
    try:
        reading = source.fileno()
    except OSError:  # no file of the system's, but one in memory
        reading = None
    most = config.get("max_quarantined")
    return Quarantine(config["quarantine_path"], most=most, reading=reading)


def _has_quarantine(config: Mapping[str, Any]) -> bool:
    return bool(config["on_invalid_record"] == "quarantine")

"""The numbers of the last run as a file in the format OpenMetrics.

The textfile collector of Prometheus' node exporter reads it, and so do agents like it.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from target_stitch_import.reporting.metrics import Metrics

_PREFIX: Final = "target_stitch_import"
_OF_STREAMS: Final = {
    "records": "Records that the service acknowledged.",
    "bytes": "Bytes that the service acknowledged.",
    "requests": "Posts, whatever the answer was.",
    "retries": "Posts of a body that was posted before.",
    "quarantined": "Records that were set aside.",
}


def write_metrics(path: str, metrics: Metrics, logger: logging.Logger, *, succeeded: bool) -> None:
    """Write the numbers of a run that is over; log a warning if that fails.

    The file is replaced as a whole. It keeps the time of the last success through runs that fail.
    """
    try:
        text = _generate(Path(path), metrics, succeeded=succeeded)
        file = Path(path).resolve()  # a link stays
        if file.exists() and not file.is_file():  # a device, say
            file.write_bytes(text)
            return
        written = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            written.write_bytes(text)
            written.replace(file)
        finally:
            written.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # the path may be none
        reason = "The metrics file %s can't be written: %s. Check the setting metrics_path."
        logger.warning(reason, path, getattr(error, "strerror", None) or error)


def _generate(file: Path, metrics: Metrics, *, succeeded: bool) -> bytes:
    registry = CollectorRegistry()
    now = time.time()
    seconds = metrics.clock() - metrics.began
    last_success = now if succeeded else _last_success(file)
    for name, help_text, value in (
        ("last_run_success", "1 if the last run succeeded, else 0.", float(succeeded)),
        ("last_run_timestamp_seconds", "When the last run ended.", now),
        ("last_success_timestamp_seconds", "When the last run that succeeded ended.", last_success),
        ("last_run_duration_seconds", "How long the last run took.", seconds),
    ):
        gauge = Gauge(f"{_PREFIX}_{name}", help_text, ["pipeline"], registry=registry)
        gauge.labels(file.stem).set(value)
    for name, help_text in _OF_STREAMS.items():
        labels = ["pipeline", "stream"]
        gauge = Gauge(f"{_PREFIX}_last_run_{name}", help_text, labels, registry=registry)
        for stream, counts in metrics.streams.items():
            gauge.labels(file.stem, stream).set(counts.fields()[name])
    return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]


def _last_success(file: Path) -> float:
    """Return the time that the file of the run before has; 0 if there is none."""
    try:
        text = file.read_text(encoding="utf-8")
        for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
            if family.name == f"{_PREFIX}_last_success_timestamp_seconds":
                return float(family.samples[0].value)
    except (OSError, ValueError, IndexError):
        pass
    return 0.0

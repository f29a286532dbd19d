"""What a line of the log looks like: text for people, or JSON for machines."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import uuid
from typing import Any, Final

from singer_sdk.logging import ConsoleFormatter, StructuredFormatter

FOR_MACHINES: Final = frozenset({"batch_delivered"})  # events that a log for people does without


def set_up(log_format: object) -> None:
    """Have the log written in a format, ``json`` or text, with an ID that is new for each run.

    Text on a terminal begins with time and level alone. Another format that a handler already has,
    by a file of the user, stays.
    """
    run_id = uuid.uuid4().hex
    for handler in logging.getLogger().handlers:
        stream = getattr(handler, "stream", None)
        is_terminal = stream is not None and stream is sys.stderr and stream.isatty()
        if log_format == "json":
            handler.setFormatter(StructuredFormatter(defaults={"app_name": "target-stitch-import"}))
        elif is_terminal and isinstance(handler.formatter, ConsoleFormatter):
            short = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
            handler.setFormatter(short)
            handler.addFilter(lambda record: record.name != "singer_sdk.metrics")
        is_text = not isinstance(handler.formatter, StructuredFormatter)

        def is_shown(record: logging.LogRecord, *, is_text: bool = is_text) -> bool:
            record.run_id = run_id
            is_for_machines = getattr(record, "event_name", None) in FOR_MACHINES
            is_of_sdk = record.module == "plugin_base" and record.levelno <= logging.INFO
            return not (is_of_sdk or (is_text and is_for_machines))

        handler.addFilter(is_shown)


def is_structured() -> bool:
    """Return True if the log is JSON."""
    handlers = logging.getLogger().handlers
    return any(isinstance(handler.formatter, StructuredFormatter) for handler in handlers)


def log_at_once(text: str, **fields: object) -> None:
    """Log a line with the fields of its event from a signal handler: without a lock, or a wait."""
    logger = logging.getLogger("target-stitch-import")
    record = logger.makeRecord(logger.name, logging.CRITICAL, "", 0, text, (), None, extra=fields)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.filter(record):
            write_at_once(handler.stream, f"{handler.format(record)}\n")


def write_at_once(stream: Any, text: str) -> None:
    """Write to a stream past its buffer; nothing if it takes nothing, as a terminal that is stopped."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = stream.fileno()
        if select.select([], [descriptor], [], 0)[1]:
            os.write(descriptor, text.encode())

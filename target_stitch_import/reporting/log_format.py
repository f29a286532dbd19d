"""What a line of the log looks like: text for people, or JSON for machines."""

from __future__ import annotations

import logging
import uuid
from typing import Final

from singer_sdk.logging import StructuredFormatter

FOR_MACHINES: Final = frozenset({"batch_delivered"})
"""Events that a log for people does without."""


class _RunFilter(logging.Filter):
    """Gives each line the ID of the run, and keeps events for machines out of text."""

    def __init__(self, handler: logging.Handler, run_id: str) -> None:
        super().__init__()
        self._handler = handler
        self._run_id = run_id

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if a line is to be written."""
        record.run_id = self._run_id
        is_json = isinstance(self._handler.formatter, StructuredFormatter)
        return is_json or getattr(record, "event_name", None) not in FOR_MACHINES


def set_up(log_format: object) -> None:
    """Have the log written in a format: ``json`` has one object a line, any other changes nothing."""
    run_id = uuid.uuid4().hex
    for handler in logging.getLogger().handlers:
        if log_format == "json":
            handler.setFormatter(StructuredFormatter(defaults={"app_name": "target-stitch-import"}))
        if not any(isinstance(each, _RunFilter) for each in handler.filters):
            handler.addFilter(_RunFilter(handler, run_id))


def is_structured() -> bool:
    """Return True if the log is JSON."""
    handlers = logging.getLogger().handlers
    return any(isinstance(handler.formatter, StructuredFormatter) for handler in handlers)

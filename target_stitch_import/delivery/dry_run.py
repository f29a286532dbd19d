"""A run that sends nothing: counts what would be posted, and what would be refused.

It stands in for the client and for the quarantine, so that all before them runs as in a real run.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any

from target_stitch_import.errors import TargetStitchImportError
from target_stitch_import.reporting.metrics import Metrics, StreamCounts
from target_stitch_import.singer.messages import RecordMessage, SchemaMessage
from target_stitch_import.text import counted


class OutputError(TargetStitchImportError):
    """The file for the bodies can't be written."""


class WouldFailError(TargetStitchImportError):
    """A real run would fail."""


class DryRun:
    """Writes what a real run would post to a file, if there is one, and sums it up."""

    def __init__(self) -> None:
        self.metrics = Metrics()  # the numbers of the run, which its pipeline counts
        self._output: IO[bytes] | None = None
        self._refused: Counter[str] = Counter()
        self._first_refused: dict[str, str] = {}

    def write_to(self, path: str, source: IO[Any]) -> None:
        """Write each body as a line of the file at ``path``, which must not be that of the ``source``.

        Raise ``OutputError`` if it can't be written; so do ``post`` and ``finish``.
        """
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
            self._output = os.fdopen(file, "wb")
            if stat.S_ISREG(os.fstat(file).st_mode):
                with contextlib.suppress(OSError):  # the source is in memory
                    if os.path.sameopenfile(file, source.fileno()):
                        raise OutputError(
                            "--output names the input of this run, which would be lost"
                        )
                os.ftruncate(file, 0)
        except OSError as error:
            raise OutputError(f"--output can't be written: {error}") from error

    def finish(self) -> None:
        """Close the file of the bodies."""
        try:
            if self._output is not None:
                self._output.close()
        except OSError as error:
            raise OutputError(f"the bodies can't be written: {error}") from error

    # Instead of the client

    def check_status(self) -> None:
        """Do nothing: there is no service."""

    def post(self, body: bytes) -> None:
        """Write a body to the file."""
        try:
            if self._output is not None:
                self._output.writelines([body, b"\n"])
        except OSError as error:
            raise OutputError(f"the bodies can't be written: {error}") from error

    # Instead of the quarantine

    def add(
        self,
        schema: SchemaMessage,
        record: RecordMessage,  # noqa: ARG002
        reason: str,
        line: int,
        status: int | None = None,  # noqa: ARG002
    ) -> None:
        """Count a record that would be refused."""
        self._refused[schema.stream] += 1
        self._first_refused.setdefault(schema.stream, f"line {line:,}: {reason}")

    def close(self) -> None:
        """Do nothing: ``finish`` closes the file."""

    # The result

    def summary(self) -> list[str]:
        """Return lines for people: for each table its bodies and what would be refused, and the sum."""
        lines = []
        streams = self.metrics.streams.items()
        posted = {name: each for name, each in streams if each.requests or each.unchanged}
        for name in dict.fromkeys([*posted, *self._refused]):
            counts = posted.get(name, StreamCounts())
            lines.append(
                f"{name}: {counted(counts.records, 'record')}, {counted(counts.size, 'byte')}, "
                f"{counted(counts.requests, 'request')}"
            )
            if counts.unchanged:
                lines[-1] += f"; {counts.unchanged:,} unchanged"
            if refused := self._refused[name]:
                records = counted(refused, "record")
                first = self._first_refused[name]
                lines.append(f"{name}: {records} would be refused, the first in {first}")
        total = self.metrics.total
        lines.append(
            f"Dry run: {counted(total.records, 'record')} in {counted(total.requests, 'request')}, "
            f"{counted(total.size, 'byte')}; nothing was sent, and no STATE written"
        )
        return lines

    def check_outcome(self, config: Mapping[str, Any]) -> None:
        """Raise ``WouldFailError`` if a real run would end at a record that would be refused."""
        refused = self._refused.total()
        if refused and config["on_invalid_record"] == "fail":
            raise WouldFailError(
                f"A real run would end at the first of {refused:,} records that would be refused. "
                "Mend the tap, or set on_invalid_record to 'quarantine'"
            )
        max_records = config.get("max_quarantined")
        if max_records is not None and refused > max_records:
            raise WouldFailError(
                f"A real run would end: {refused:,} records would be set aside, and "
                f"max_quarantined permits {max_records:,}"
            )

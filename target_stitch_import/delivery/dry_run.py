"""A run that sends nothing: counts what would be posted, and what would be refused.

It stands in for the client, so that all before that runs as in a real run.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from typing import IO, Any

from target_stitch_import.errors import TargetStitchImportError
from target_stitch_import.reporting.metrics import Metrics
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
        self._first_refused: dict[str, str] = {}  # by table: line and reason

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

    def close(self) -> None:
        """Do nothing: ``finish`` closes the file."""

    # The result

    def note_refused(self, table_name: str, reason: str, line: int) -> None:
        """Note why a record would be refused; the metrics count it."""
        self._first_refused.setdefault(table_name, f"line {line:,}: {reason}")

    def summary(self) -> list[str]:
        """Return lines for people: for each table its bodies and what would be refused, and the sum."""
        lines = []
        for name, counts in self.metrics.streams.items():
            if not (counts.requests or counts.unchanged or counts.quarantined):
                continue
            lines.append(
                f"{name}: {counted(counts.records, 'record')}, {counted(counts.size, 'byte')}, "
                f"{counted(counts.requests, 'request')}"
            )
            if counts.unchanged:
                lines[-1] += f"; {counts.unchanged:,} unchanged"
            if counts.quarantined:
                records = counted(counts.quarantined, "record")
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
        refused = self.metrics.total.quarantined
        if refused and config["on_invalid_record"] == "fail":
            raise WouldFailError(
                f"A real run would end: {counted(refused, 'record')} would be refused, and "
                "on_invalid_record is 'fail'. Mend the tap, or set it to 'quarantine'"
            )
        max_records = config.get("max_quarantined")
        if max_records is not None and refused > max_records:
            raise WouldFailError(
                f"A real run would end: {counted(refused, 'record')} would be set aside, and "
                f"max_quarantined permits {max_records:,}"
            )

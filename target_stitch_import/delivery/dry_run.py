"""A run that sends nothing: counts what would be posted, and what would be refused.

It stands in for the client and for the quarantine, so that all before them runs as in a real run.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from target_stitch_import.batches.splitting import count_by_table
from target_stitch_import.errors import TargetStitchImportError
from target_stitch_import.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_stitch_import.singer.messages import RecordMessage, SchemaMessage

__all__ = ["DryRun", "OutputError"]


class OutputError(TargetStitchImportError):
    """The file for the bodies can't be written."""


class WouldFailError(TargetStitchImportError):
    """A real run would fail."""


@dataclass
class _Posted:
    """What would be posted of a table."""

    records: int = 0
    requests: int = 0
    size: int = 0


@dataclass
class _Refused:
    """What would be refused of a stream."""

    first: str
    records: int = 0


class DryRun:
    """Counts what a real run would post, and writes it to a file if there is one."""

    def __init__(self) -> None:
        self._output: IO[bytes] | None = None
        self._posted: dict[str, _Posted] = {}
        """By table; only the worker thread writes it."""
        self._refused: dict[str, _Refused] = {}
        """By stream; only the thread that reads the input writes it."""
        self._requests = 0
        self._size = 0

    def write_to(self, path: str, source: IO[Any]) -> None:
        """Write each body as a line of the file at ``path``, which is not that of the ``source``.

        Raises:
            OutputError: It can't be written.
        """
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
            self._output = os.fdopen(file, "wb")
            is_regular = stat.S_ISREG(os.fstat(file).st_mode)
            if is_regular and _is_same(file, source):
                raise OutputError("--output names the input of this run, which would be lost")
            if is_regular:
                os.ftruncate(file, 0)
        except OSError as error:
            raise OutputError(f"--output can't be written: {error}") from error

    def finish(self) -> None:
        """Close the file of the bodies.

        Raises:
            OutputError: They can't be written.
        """
        try:
            if self._output is not None:
                self._output.close()
        except OSError as error:
            raise OutputError(f"the bodies can't be written: {error}") from error

    # Instead of the client

    def check_status(self) -> None:
        """Do nothing: there is no service."""

    def post(self, body: bytes) -> None:
        """Count a body, and write it to the file.

        Raises:
            OutputError: It can't be written.
        """
        self._requests += 1
        self._size += len(body)
        for table, (records, size) in count_by_table(body).items():
            posted = self._posted.setdefault(table, _Posted())
            posted.records += records
            posted.requests += 1
            posted.size += size
        try:
            if self._output is not None:
                self._output.write(b"".join([body, b"\n"]))
        except OSError as error:
            raise OutputError(f"the bodies can't be written: {error}") from error

    # Instead of the quarantine

    def add(self, schema: SchemaMessage, record: RecordMessage, reason: str, line: int) -> None:  # noqa: ARG002
        """Count a record that would be refused."""
        refused = self._refused.setdefault(
            schema.stream, _Refused(first=f"line {line:,}: {reason}")
        )
        refused.records += 1

    def sync(self) -> None:
        """Do nothing: no record is written."""

    def close(self) -> None:
        """Do nothing: ``finish`` closes the file."""

    # The result

    def summary(self) -> list[str]:
        """Return lines for people: for each table its bodies and what would be refused, and the sum."""
        lines = []
        for name in dict.fromkeys([*self._posted, *self._refused]):
            posted = self._posted.get(name, _Posted())
            lines.append(
                f"{name}: {counted(posted.records, 'record')}, {counted(posted.size, 'byte')}, "
                f"{counted(posted.requests, 'request')}"
            )
            if refused := self._refused.get(name):
                lines.append(
                    f"{name}: {counted(refused.records, 'record')} would be refused, "
                    f"the first in {refused.first}"
                )
        records = sum(posted.records for posted in self._posted.values())
        lines.append(
            f"Dry run: {counted(records, 'record')} in {counted(self._requests, 'request')}, "
            f"{counted(self._size, 'byte')}; "
            "nothing was sent, and no STATE written"
        )
        return lines

    def check_outcome(self, config: Mapping[str, Any]) -> None:
        """Return if a real run would succeed, as far as that is known without the service.

        Raises:
            WouldFailError: It would end at a record that would be refused.
        """
        refused = sum(each.records for each in self._refused.values())
        if not refused:
            return
        if config["on_invalid_record"] == "fail":
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


def _is_same(file: int, source: IO[Any]) -> bool:
    try:
        return os.path.sameopenfile(file, source.fileno())
    except OSError:  # a file in memory
        return False

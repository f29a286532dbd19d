"""A run that sends nothing: what would be posted, and what would be refused.

Takes the place of the connection and of the quarantine, so that all before them is as in a real run.
Knows the forms of a body (Import API reference, sections The batch body and The push and validate
body) as far as to count what is in them; nothing of how they came to be.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from target_stitch_import.errors import TargetStitchImportError
from target_stitch_import.parts import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_stitch_import.messages import RecordMessage, SchemaMessage

__all__ = ["DryRun", "OutputError", "opened_output"]


class OutputError(TargetStitchImportError):
    """The file for the bodies can't be written."""


class WouldFailError(TargetStitchImportError):
    """A real run would not come to its end."""


@dataclass
class _Tally:
    """What a table, or a stream, comes to."""

    records: int = 0
    requests: int = 0
    size: int = 0
    refused: int = 0
    first_refusal: str = ""


class DryRun:
    """Counts what a real run would post, and writes it to a file if there is one."""

    def __init__(self, output: IO[bytes] | None = None) -> None:
        """Write each body as a line of ``output``."""
        self._output = output
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
        self._requests = 0
        self._size = 0

    # In the place of a connection

    def check_status(self) -> None:
        """Need no service."""

    def post(self, body: bytes) -> None:
        """Count a body, and write it.

        Raises:
            OutputError: It can't be written.
        """
        self._requests += 1
        self._size += len(body)
        for table, (records, size) in tables_of(body).items():
            tally = self._tallies[table]
            tally.records += records
            tally.requests += 1
            tally.size += size
        try:
            if self._output is not None:
                self._output.write(body + b"\n")
        except OSError as error:
            raise OutputError(f"the bodies can't be written: {error}") from error

    # In the place of the quarantine

    def add(self, schema: SchemaMessage, record: RecordMessage, reason: str, line: int) -> None:  # noqa: ARG002
        """Count a record that would be refused."""
        tally = self._tallies[schema.stream]
        tally.refused += 1
        tally.first_refusal = tally.first_refusal or f"line {line:,}: {reason}"

    def sync(self) -> None:
        """Have nothing to write."""

    def close(self) -> None:
        """Close the file."""
        if self._output is not None:
            self._output.close()

    # What is told

    def summary(self) -> list[str]:
        """Return lines for people: one a table, one for what would be refused of it, and the sum."""
        lines = []
        for table, tally in self._tallies.items():
            lines.append(
                f"{table}: {tally.records:,} records, {tally.size:,} bytes, "
                f"{tally.requests:,} requests"
            )
            if tally.refused:
                lines.append(
                    f"{table}: {tally.refused:,} records would be refused, "
                    f"the first in {tally.first_refusal}"
                )
        records = sum(tally.records for tally in self._tallies.values())
        lines.append(
            f"Dry run: {records:,} records in {self._requests:,} requests, {self._size:,} bytes; "
            "nothing was sent, and no STATE written"
        )
        return lines

    def judge(self, config: Mapping[str, Any]) -> None:
        """Return if a real run would come to its end, as far as can be told without the service.

        Raises:
            WouldFailError: It would end at a record.
        """
        refused = sum(tally.refused for tally in self._tallies.values())
        if not refused:
            return
        if config["on_invalid_record"] == "fail":
            raise WouldFailError(
                f"A real run would end at the first of {refused:,} records that would be refused. "
                "Mend the tap, or set on_invalid_record to 'quarantine'"
            )
        most = config.get("max_quarantined")
        if most is not None and refused > most:
            raise WouldFailError(
                f"A real run would end: {refused:,} records would be set aside, and "
                f"max_quarantined permits {most:,}"
            )


def opened_output(path: str | None) -> IO[bytes] | None:
    """Return the file for the bodies, if one is named.

    Raises:
        OutputError: It can't be written.
    """
    if path is None:
        return None
    try:
        return open(path, "wb")  # noqa: PTH123 - closed with the run
    except OSError as error:
        raise OutputError(f"--output can't be written: {error}") from error

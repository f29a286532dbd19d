"""Keeps records that can't be delivered in a file: a Singer stream that can be loaded again.

``sync`` is called before a STATE is written, so no STATE passes a record that is not on disk.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path
from time import time_ns
from typing import Final

import msgspec

from target_stitch_import.datetimes import format_unix_ns
from target_stitch_import.errors import QuarantineError
from target_stitch_import.singer.messages import RecordMessage, SchemaMessage
from target_stitch_import.text import counted

logger = logging.getLogger("target-stitch-import")

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND
_LINE_START: Final = b'{"type":"'  # of each line that this target writes


class _Quarantined(msgspec.Struct, tag_field="type", tag="RECORD", omit_defaults=True):
    stream: str
    record: msgspec.Raw
    error: str
    line: int
    time_extracted: object = None
    version: int | None = None


class Quarantine:
    """A file that refused records are added to, each with the reason and its line in the input."""

    def __init__(
        self, path: str, *, max_records: int | None = None, input_fd: int | None = None
    ) -> None:
        """Add to the file at ``path``, and fail above ``max_records`` records.

        ``input_fd`` is the file descriptor of the input, which must not be that same file. Raise
        ``QuarantineError`` if the file could not be written; so do ``add`` and ``sync``.
        """
        self.path = Path(path).absolute()
        self.counts: Counter[str] = Counter()  # records that were set aside, by stream
        self._max_records = max_records
        self._input_fd = input_fd
        self._schemas: dict[str, SchemaMessage] = {}
        self._file: int | None = None
        self._must_sync = False
        self._failure: QuarantineError | None = None
        self._check()

    def add(
        self,
        schema: SchemaMessage,
        record: RecordMessage,
        reason: str,
        line: int,
        status: int | None = None,
    ) -> None:
        """Set a record aside; ``schema`` declares its stream, ``line`` is its line in the input.

        ``status`` is the HTTP status of the service's refusal, if it was that.

        A record without ``time_extracted`` gets the time of now. So it replaces no newer row when it
        is loaded later. Raise ``QuarantineError`` also for one too many.
        """
        if self._max_records is not None and self.counts.total() >= self._max_records:
            raise QuarantineError(
                f"Line {line} of the input: {reason.rstrip('.')}. And {self._max_records:,} records "
                "are set aside already, as many as max_quarantined permits"
            )
        time = record.time_extracted
        time = format_unix_ns(time_ns()) if time is None else time
        quarantined = _Quarantined(record.stream, record.record, reason, line, time, record.version)
        is_new = self._schemas.get(schema.stream) != schema
        messages = [schema, quarantined] if is_new else [quarantined]
        self._write(b"".join(msgspec.json.encode(message) + b"\n" for message in messages))
        self._schemas[schema.stream] = schema
        self.counts[record.stream] += 1
        if self.counts[record.stream] == 1:
            fields = {
                "event_name": "set_aside",
                "stream_name": record.stream,
                "status": status,
                "reason": reason,
                "retryable": False,
                "line": line,
                "quarantine_path": str(self.path),
            }
            logger.warning("Set aside in %s: %s", self.path, reason, extra=fields)

    def sync(self) -> None:
        """Return once every record that was set aside is on disk."""
        if self._file is not None and self._must_sync and self._failure is None:
            try:
                os.fsync(self._file)
            except OSError as error:
                # Kept: the system may report success when it is asked again.
                self._failure = self._error(error)
            self._must_sync = False
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Close the file, and log how many records of which stream were set aside."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self.counts:
            by_stream = [f"{count:,} of {stream!r}" for stream, count in self.counts.items()]
            sum_of_all = counted(self.counts.total(), "record was", "records were")
            text = (
                "%s set aside (%s) in %s. Once the cause is mended, load them with that file as the "
                "input."
            )
            logger.warning(text, sum_of_all, ", ".join(by_stream), self.path)

    def _check(self) -> None:
        """Raise at the start of a run what would fail at the first record, where that is known."""
        try:
            if not self.path.parent.is_dir():
                raise self._error(f"the folder {self.path.parent} does not exist")
            is_new = not self.path.exists()
            if not is_new and not self.path.is_file():
                raise self._error("it is not a regular file")
            os.close(os.open(self.path, _FLAGS, 0o666))
            if is_new:
                self.path.unlink()  # created only to see that it can be
        except (OSError, ValueError) as error:
            raise self._error(error) from error

    def _error(self, reason: object) -> QuarantineError:
        return QuarantineError(
            f"the quarantine file {self.path} can't be written: {reason}. "
            "Check the setting quarantine_path"
        )

    def _write(self, lines: bytes) -> None:
        self._must_sync = True
        try:
            if self._file is None:
                self._file = self._open()
            rest = memoryview(lines)
            try:
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                written = len(lines) - len(rest)
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
                raise
        except OSError as error:
            raise self._error(error) from error

    def _open(self) -> int:
        is_new = not self.path.exists()
        file = os.open(self.path, _FLAGS, 0o666)
        if self._input_fd is not None and os.path.sameopenfile(self._input_fd, file):
            os.close(file)
            raise self._error("it is the input of this run, and would never end")
        if is_new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            os.fsync(folder)  # or the file's name might not survive a power cut
            os.close(folder)
        _end_last_line(file)
        return file


def _end_last_line(file: int) -> None:
    """Cut off the part of a line that a crash left; no STATE passes it, so its record comes again."""
    size = start = os.fstat(file).st_size
    tail = b""
    while start > 0 and b"\n" not in tail:
        start = max(0, start - (1 << 16))
        tail = os.pread(file, size - start, start)
    tail = tail[tail.rfind(b"\n") + 1 :]
    if not tail:
        return
    try:
        msgspec.json.decode(tail)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if tail.startswith(_LINE_START) or _LINE_START.startswith(tail):
            os.ftruncate(file, size - len(tail))
            return
    os.write(file, b"\n")

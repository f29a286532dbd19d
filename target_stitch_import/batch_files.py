"""A BATCH message -> the records of its files, each on the way of one in a line of its own.

Many go at once where nothing is in doubt, the others one by one, with the checks of a RECORD line.
Knows the SDK's BATCH messages; nothing of how a file is read, or of what becomes of a record.
"""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from target_stitch_import.ahead import read_ahead
from target_stitch_import.errors import InputError, InvalidRecordError
from target_stitch_import.file_rows import COMPRESSIONS, ReadingError, rows_of
from target_stitch_import.jsontext import has_half_a_pair, without_half_pairs, without_non_finite
from target_stitch_import.messages import RecordMessage
from target_stitch_import.places import Files, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from target_stitch_import.background import Background
    from target_stitch_import.file_rows import Rows
    from target_stitch_import.messages import BatchMessage
    from target_stitch_import.quick import QuickWay

__all__ = ["BatchFiles", "Ways"]

logger = logging.getLogger("target-stitch-import")

_SHOWN: Final = 300  # characters

_decode = msgspec.json.Decoder(msgspec.Raw).decode


class Ways(NamedTuple):
    """Where the records of a stream go."""

    take: Callable[[RecordMessage, int], None]
    """Takes one, with its place in the input; raises ``InvalidRecordError`` for a bad one."""
    refuse: Callable[[RecordMessage, InvalidRecordError], None]
    """Sets a bad one aside, or raises."""
    quick: QuickWay | None
    """Takes many, where the stream has such a way."""


class BatchFiles:
    """Reads the files of BATCH messages, while the background has its turns."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._mended: set[str] = set()
        self._files = Files()

    def load(self, message: BatchMessage, line: int, ways: Ways) -> None:
        """Hand over the records of a message that is the input's ``line``.

        Raises:
            InputError: A file can't be read, or something in it; what came before is handed over.
        """
        file_format, compression = _encoding(message)
        records = _Records(message, line, ways, self._warn, self._files)
        for address in message.manifest:
            rows = partial(rows_of, address, file_format, compression)
            with contextlib.closing(read_ahead(rows, self._background)) as found:
                records.take_file(f"file {_printable(address)}", found)

    def where(self, place: int) -> str | None:
        """Name the file that a record is from, and its line or row; None if that is not known."""
        return self._files.where(place)

    def _warn(self, stream: str, where: str) -> None:
        if stream not in self._mended:
            self._mended.add(stream)
            logger.warning(
                "Stream %r has NaN or Infinity, first in %s, which JSON lacks; null takes its "
                "place.",
                stream,
                where,
            )


class _Records:
    """The records of one BATCH message."""

    def __init__(
        self,
        message: BatchMessage,
        line: int,
        ways: Ways,
        warn: Callable[[str, str], None],
        files: Files,
    ) -> None:
        self._message = message
        self._line = line
        self._ways = ways
        self._warn = warn
        self._files = files
        self._unit = "row" if message.encoding.format.lower() == "parquet" else "line"
        self._before = 0
        """So many lines, or rows, were in the files before this one."""

    def take_file(self, name: str, found: Iterable[Rows]) -> None:
        """Hand over the records of a file.

        Raises:
            InputError: It can't be read, or something in it.
        """
        self._files.begin(self._line, self._before, f"{name}, {self._unit}")
        last = 0
        try:
            for numbers, records in found:
                self._take(name, numbers, records)
                last = numbers[-1] if numbers else last
        except ReadingError as error:
            behind = f", behind {self._unit} {last:,}" if last else ""
            raise _failure(self._message, f"{name}{behind} can't be read: {error}") from error
        self._before += last

    def _take(self, name: str, numbers: Sequence[int], records: list[bytes]) -> None:
        places = [place_of(self._line, self._before + number) for number in numbers]
        quick = self._ways.quick if self._message.time_extracted is None else None
        known = quick and quick.look_at(records, None)
        by_one = quick.add_all(known, places) if quick and known else [(0, len(records))]
        for begin, end in by_one:
            for at in range(begin, end):
                self._take_one(f"{name}, {self._unit} {numbers[at]:,}", records[at], places[at])

    def _take_one(self, where: str, data: bytes, place: int) -> None:
        record = RecordMessage(
            self._message.stream,
            self._read(data, where),
            self._message.version,
            self._message.time_extracted,
        )
        try:
            self._ways.take(record, place)
        except InvalidRecordError as error:
            self._ways.refuse(record, type(error)(f"{where}: {error.args[0]}"))

    def _read(self, data: bytes, where: str) -> msgspec.Raw:
        """Return a record as the bytes that the tap wrote, if these are JSON.

        What has half of a surrogate pair is returned too, so that it can be refused as a record.
        """
        try:
            return _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if b"NaN" in data or b"Infinity" in data:
                mended = without_non_finite(data)
                if mended != data:
                    record = self._read(mended, where)
                    self._warn(self._message.stream, f"line {self._line} ({where})")
                    return record
            if has_half_a_pair(data, error) and _is_json(without_half_pairs(data)):
                return msgspec.Raw(data)
            reason = f"no JSON: {error!s:.{_SHOWN}}"
            if isinstance(error, RecursionError):
                reason = "nested too deeply"
            told = f"{where}: it is {reason}. The tap must write one record in each line"
            raise _failure(self._message, told) from None


def _encoding(message: BatchMessage) -> tuple[str, str]:
    """Return the format and the compression of a message's files.

    Raises:
        InputError: They are none that is read.
    """
    file_format = message.encoding.format.lower()
    compression = (message.encoding.compression or "none").lower()
    known = COMPRESSIONS.get(file_format)
    if known is None:
        raise _unknown(message, "format", file_format, COMPRESSIONS)
    if compression not in known:
        raise _unknown(message, f"compression of {file_format}", compression, known)
    return file_format, compression


def _unknown(message: BatchMessage, what: str, value: str, known: Iterable[str]) -> InputError:
    return _failure(
        message,
        f"its files have the {what} {_printable(value)}, and this target reads "
        f"{', '.join(sorted(known))}; set encoding in the tap's batch_config",
    )


def _failure(message: BatchMessage, reason: str) -> InputError:
    return InputError(f"the BATCH message of stream {message.stream!r}: {reason}")


def _is_json(text: bytes) -> bool:
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _decode(text)
        return True
    return False


def _printable(text: Any) -> str:
    return f"{text!r:.{_SHOWN}}"

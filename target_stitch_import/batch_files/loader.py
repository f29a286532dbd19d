"""Loads BATCH messages: the records of their files become blocks."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec

from target_stitch_import import json_codec
from target_stitch_import.batch_files.prefetch import read_ahead
from target_stitch_import.batch_files.rows import COMPRESSIONS, FileReadError, read_rows
from target_stitch_import.errors import InputError
from target_stitch_import.singer.lines import DECODE_ERRORS, decode_lines
from target_stitch_import.singer.messages import BatchMessage
from target_stitch_import.singer.positions import Files, line_number, make_position
from target_stitch_import.singer.runs import Block, Run

logger = logging.getLogger("target-stitch-import")

_decode = msgspec.json.Decoder(msgspec.Raw).decode


class BatchFiles:
    """Reads the files of BATCH messages."""

    def __init__(self, wait: Callable[[int], None]) -> None:
        """Call ``wait`` with a descriptor before each read; it returns when that is readable."""
        self._wait = wait
        self._repaired: set[str] = set()
        self._files = Files()

    def read(self, message: BatchMessage, line: int) -> Iterator[Run]:
        """Yield the records of a message that is the input's ``line``, in runs of one block each.

        Raise ``InputError`` at what can't be read.
        """
        file_format, compression = _encoding(message)
        unit = "row" if file_format == "parquet" else "line"
        before = 0  # lines, or rows, in the files before this one
        for address in message.manifest:
            name = f"file {address!r:.300}"
            self._files.begin(line, before, f"{name}, {unit}")
            last = 0
            rows = partial(read_rows, address, file_format, compression)
            try:
                with contextlib.closing(read_ahead(rows, self._wait)) as parts:
                    for numbers, texts in parts:
                        positions = [make_position(line, before + number) for number in numbers]
                        yield from self._runs(message, texts, positions)
                        last = numbers[-1] if numbers else last
            except FileReadError as error:
                behind = f", behind {unit} {last:,}" if last else ""
                raise _failure(message, f"{name}{behind} can't be read: {error}") from error
            before += last

    def describe(self, position: int) -> str | None:
        """Return the file of a record, and its line or row there; None if that is not known."""
        return self._files.where(position)

    def _runs(
        self, message: BatchMessage, texts: Sequence[bytes], positions: Sequence[int]
    ) -> Iterator[Run]:
        """Yield a run with the records, up to the first that is not JSON, and raise there."""

        def decode_exactly(index: int, error: Exception) -> msgspec.Raw:
            return self._decode_exactly(message, texts[index], positions[index], error)

        records, failure = decode_lines(texts, _decode, decode_exactly)
        if records:
            times = [message.time_extracted] * len(records)
            block = Block(message.stream, message.version, records, times, [*positions])
            yield Run({message.stream: block})
        if failure is not None:
            raise failure

    def _decode_exactly(
        self, message: BatchMessage, text: bytes, position: int, error: Exception
    ) -> msgspec.Raw:
        """Return a record if it is JSON, or only lacks that by NaN, Infinity or a lone surrogate."""
        where = self.describe(position)
        repaired = json_codec.replace_non_finite(text)
        if repaired != text:
            self._warn_of_repair(message.stream, line_number(position), where)
            try:
                return _decode(repaired)
            except DECODE_ERRORS as other:
                error = other
        if json_codec.has_lone_surrogate(repaired, error):
            with contextlib.suppress(*DECODE_ERRORS):
                _decode(json_codec.replace_lone_surrogates(repaired))
                return msgspec.Raw(repaired)  # it is refused as a record, not as a file
        is_deep = isinstance(error, RecursionError)
        reason = "nested too deeply" if is_deep else f"not JSON: {error!s:.300}"
        raise _failure(
            message, f"{where}: it is {reason}. The tap must write one record in each line"
        ) from None

    def _warn_of_repair(self, stream: str, line: int, where: str | None) -> None:
        if stream not in self._repaired:
            self._repaired.add(stream)
            text = (
                "Stream %r has NaN or Infinity, first in line %d (%s), which JSON lacks; "
                "null takes its place."
            )
            logger.warning(text, stream, line, where, extra={"stream_name": stream})


def _encoding(message: BatchMessage) -> tuple[str, str]:
    """Return the format and the compression of a message's files; raise if they can't be read."""
    file_format = message.encoding.format.lower()
    compression = (message.encoding.compression or "none").lower()
    what, value, known = "format", file_format, [*COMPRESSIONS]
    if file_format in COMPRESSIONS:
        what, value = f"compression of {file_format}", compression
        known = [*COMPRESSIONS[file_format]]
    if value not in known:
        raise _failure(
            message,
            f"its files have the {what} {value!r:.300}, and this target reads "
            f"{', '.join(sorted(known))}; set encoding in the tap's batch_config",
        )
    return file_format, compression


def _failure(message: BatchMessage, reason: str) -> InputError:
    return InputError(f"the BATCH message of stream {message.stream!r}: {reason}")

"""Reads stdin: bytes become lines, lines become messages, and RECORDs and STATEs become runs."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import select
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Final

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerReader

from target_stitch_import.errors import InputError
from target_stitch_import.json_codec import (
    has_lone_surrogate,
    replace_lone_surrogates,
    replace_non_finite,
)
from target_stitch_import.singer.lines import (
    BYTE_ORDER_MARK,
    DECODE_ERRORS,
    LineTooLongError,
    decode_lines,
    split_lines,
)
from target_stitch_import.singer.messages import Message, RecordMessage
from target_stitch_import.singer.runs import Run, split_into_runs
from target_stitch_import.text import printable

logger = logging.getLogger("target-stitch-import")

CHUNK_BYTES: Final = 1 << 18  # bytes that are read at once
MAX_CHUNK_BYTES: Final = 1 << 23
"""Bytes that are read at once at most, where many streams take turns."""

_BLOCK_RECORDS: Final = 32
"""Where streams take turns, a chunk should have this many records of each: small blocks cost more."""

_SHORT_BYTES: Final = 1 << 16
_MOMENT: Final = 0.002  # seconds
"""A tap that flushes each line would wake this process for each: after a read of fewer than
``_SHORT_BYTES``, it waits so long before it reads on."""

_MAX_REASON: Final = 300  # characters

_CSV: Final = re.compile(rb'(?:"[^"]*"|[\w.-]+)(?:[,;\t](?:"[^"]*"|[\w.-]*))+')
"""The names of columns, or values without spaces."""

_decode = msgspec.json.Decoder(Message).decode


class MessageReader(GenericSingerReader[Any]):
    """Reads Singer messages; a record stays the bytes that the tap wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.line = 0  # number of the newest line, from 1
        self.on_run: Callable[[Run], None] = lambda _: None  # called with each run
        self.wait: Callable[[int | None], None] = lambda _: None
        """Called before each read; returns when the input's descriptor, if it has one, is readable."""
        self._chunk_bytes = CHUNK_BYTES
        self._repaired: set[str | None] = set()

    @property
    def default_input(self) -> IO[Any]:
        """Standard input, as bytes; an ``InputError`` if there is none."""
        if sys.stdin is None:
            raise InputError("there is no standard input; name a file with --input")
        return sys.stdin.buffer

    def process_lines(
        self, file_input: IO[Any] | None, callbacks: dict[str, Callable[[Any], None]]
    ) -> Counter[str]:
        """Call ``on_run`` for each run, and the callback of its type for any other message.

        Return how many messages of each type came. Raise ``InputError`` at a line that can't be used,
        behind all that comes before it.
        """
        counts: Counter[str] = Counter()
        try:
            for lines in split_lines(self._chunks(file_input or self.default_input)):
                streams = self._process_chunk(lines, callbacks, counts)
                self._chunk_bytes = _wanted_bytes(lines, streams)
        except LineTooLongError as error:
            self.line += 1
            raise self._bad_line(str(error)) from None
        except MemoryError:
            raise self._bad_line("or a line close behind needs more memory than there is") from None
        if not counts:
            logger.warning("Nothing came from the tap, not one message. Look at its stderr.")
        return counts

    def _process_chunk(
        self,
        lines: Sequence[bytes],
        callbacks: dict[str, Callable[[Any], None]],
        counts: Counter[str],
    ) -> int:
        """Process some lines; return how many streams take turns in them, at most."""
        streams = 0
        for item in self._parse(lines):
            if isinstance(item, Run):
                self.on_run(item)
                streams = max(streams, len(item.blocks))
                counts["RECORD"] += sum(len(block.records) for block in item.blocks.values())
                counts["STATE"] += len(item.states)
                continue
            message_type = str(item.__struct_config__.tag)
            try:
                callbacks[message_type](item)
            except InputError as error:
                error.line = error.line or self.line
                error.stream = error.stream or getattr(item, "stream", None)
                raise
            counts[message_type] += 1
        return streams

    def deserialize_json(self, line: bytes) -> Any:
        """Decode one line; None for a blank one. Raise ``InputError`` if it is no Singer message."""
        try:
            return _decode(line)
        except DECODE_ERRORS as error:
            return self._decode_exactly(line, error)

    def _chunks(self, source: IO[Any]) -> Iterator[bytes]:
        try:
            descriptor = source.fileno()
        except OSError:  # no file of the system's, but one in memory
            while chunk := source.read(CHUNK_BYTES):
                yield chunk.encode() if isinstance(chunk, str) else chunk
                self.wait(None)
            return
        _widen(descriptor)
        if os.isatty(descriptor):
            logger.warning(
                "Waiting for a tap on stdin, as in: tap-anything | target-stitch-import. "
                "Here stdin is this terminal; Ctrl-C ends the wait."
            )
        while True:
            self.wait(descriptor)
            if not (chunk := _read(descriptor, self._chunk_bytes)):
                return
            yield chunk
            if len(chunk) < _SHORT_BYTES:
                time.sleep(_MOMENT)

    def _parse(self, lines: Sequence[bytes]) -> Iterator[Run | Message]:
        """Yield what is in the lines of a chunk."""
        first = self.line + 1

        def decode_exactly(index: int, error: Exception) -> Message | None:
            self.line = first + index
            return self._decode_exactly(lines[index], error)

        messages, failure = decode_lines(lines, _decode, decode_exactly)
        for item in split_into_runs(messages, first):
            if isinstance(item, Run):
                yield item
            else:
                self.line, message = item
                yield message
        self.line = first + len(messages) - 1
        if failure is not None:
            raise failure

    def _decode_exactly(self, line: bytes, error: Exception) -> Message | None:
        if self.line <= 1 and line.startswith(BYTE_ORDER_MARK):
            message: Message | None = self.deserialize_json(line.removeprefix(BYTE_ORDER_MARK))
            return message
        is_last = not line.endswith(b"\n")
        line = line.rstrip(b"\n")
        if not line.strip():
            return None
        if (repaired := replace_non_finite(line)) != line:
            message = self.deserialize_json(repaired if is_last else repaired + b"\n")
            self._warn_of_repair(getattr(message, "stream", None))
            return message
        if self.line <= 1 and _CSV.fullmatch(line.strip()):
            reason = "looks like CSV; this target reads Singer messages, as a tap writes them"
        elif isinstance(error, msgspec.ValidationError):
            reason = f"is not a Singer message: {error}"
        elif isinstance(error, RecursionError):
            reason = "is nested too deeply"
        elif has_lone_surrogate(line, error):
            return self._record_with_half_a_pair(line)
        elif is_last and "truncated" in str(error):
            reason = "breaks off: the tap ended in the middle of this line. Look at its stderr"
        else:
            reason = f"is not JSON: {error}"
        raise self._bad_line(reason) from None

    def _record_with_half_a_pair(self, line: bytes) -> RecordMessage:
        """Return a record that no service accepts, so that it can be refused as a record."""
        whole = replace_lone_surrogates(line)  # as long as before: the record has its place
        with contextlib.suppress(*DECODE_ERRORS):
            message = _decode(whole)
            if isinstance(message, RecordMessage) and whole.count(bytes(message.record)) == 1:
                start = whole.index(bytes(message.record))
                data = line[start : start + len(bytes(message.record))]
                return msgspec.structs.replace(message, record=msgspec.Raw(data))
        raise self._bad_line("has half of a surrogate pair, which is not a character")

    def _warn_of_repair(self, stream: str | None) -> None:
        if stream not in self._repaired:
            self._repaired.add(stream)
            logger.warning(
                "%s has NaN or Infinity, first in line %d, which JSON lacks; null takes its place.",
                "A STATE" if stream is None else f"Stream {stream!r}",
                self.line,
                extra={"stream_name": stream},
            )

    def _bad_line(self, reason: str) -> InputError:
        # What the decoder says may quote the line, with whatever is in it.
        error = InputError(f"it {printable(reason):.{_MAX_REASON}}")
        error.line = self.line
        return error


def _wanted_bytes(lines: Sequence[bytes], streams: int) -> int:
    """Return how many bytes to read at once behind lines in which so many streams take turns."""
    if streams <= 1:
        return CHUNK_BYTES
    wanted = streams * _BLOCK_RECORDS * sum(map(len, lines)) // len(lines)
    return min(max(wanted, CHUNK_BYTES), MAX_CHUNK_BYTES)


def _read(descriptor: int, wanted: int) -> bytes:
    """Return what there is to read, at most ``wanted`` bytes; nothing at the end.

    Where much is there, what comes within a moment is read, too: a pipe may hold less than is wanted.
    """
    until = time.monotonic() + _MOMENT
    pieces = [os.read(descriptor, wanted)]
    size = len(pieces[0])
    while pieces[-1] and _SHORT_BYTES <= size < wanted:
        seconds_left = max(0.0, until - time.monotonic())
        if not select.select([descriptor], [], [], seconds_left)[0]:
            break
        pieces.append(os.read(descriptor, wanted - size))
        size += len(pieces[-1])
    return b"".join(pieces)


def _widen(descriptor: int) -> None:
    """Let a pipe hold a chunk, where the system can; by itself it holds 64 KiB."""
    with contextlib.suppress(OSError, AttributeError):
        if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < CHUNK_BYTES:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, CHUNK_BYTES)

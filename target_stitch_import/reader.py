"""Stdin bytes -> lines -> messages; a record stays raw JSON.

Knows the Singer messages and how to wait for a tap that is quiet; nothing of what becomes of a
message, or of the service.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import select
import sys
import time
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerReader

from target_stitch_import.background import wait_for
from target_stitch_import.blocks import Blocks
from target_stitch_import.errors import InputError
from target_stitch_import.jsontext import (
    has_half_a_pair,
    without_half_pairs,
    without_non_finite,
)
from target_stitch_import.lines import BYTE_ORDER_MARK, LineTooLongError, lines_of
from target_stitch_import.messages import MESSAGES, Message, RecordMessage, StateMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_stitch_import.background import Background
    from target_stitch_import.quick import QuickWay

__all__ = ["MessageReader"]

logger = logging.getLogger("target-stitch-import")

CHUNK_BYTES: Final = 1 << 18
"""Read at once where there is so much."""
MAX_CHUNK_BYTES: Final = 1 << 23
"""Read at once at most, where so many streams take turns."""

_LINES_OF_EACH: Final = 32
"""What streams that take turns have in a chunk goes together: so many lines make that worth it."""

_MOMENT: Final = 0.005  # seconds
_SHOWN: Final = 300  # characters of a reason

_decode = msgspec.json.Decoder(Message).decode


class MessageReader(GenericSingerReader[Any]):
    """Reads lines as bytes, and lets the background have its turn between two reads."""

    def __init__(self) -> None:
        super().__init__()
        self.line = 0
        """Number of the line at hand, from 1."""
        self.background: Background | None = None
        self.quick_way: Callable[[RecordMessage], QuickWay | None] | None = None
        """Gives a quick way for records like one that has come, if there is one."""
        self._blocks: Blocks | None = None
        self._at_once = CHUNK_BYTES
        self._mended: set[str | None] = set()

    @property
    def default_input(self) -> IO[Any]:
        """Standard input, as bytes."""
        if sys.stdin is None:
            raise InputError("there is no standard input; name a file with --input")
        return sys.stdin.buffer

    def deserialize_json(self, line: bytes) -> Any:
        """Decode one line into a message; None for a blank one.

        Raises:
            InputError: The line is no Singer message.
        """
        try:
            return _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._look_again(line, error)

    def process_lines(
        self, file_input: IO[Any] | None, callbacks: dict[str, Callable[[Any], None]]
    ) -> Counter[str]:
        """Hand each message to the callback of its type; return how many came of each."""
        handlers = {struct: callbacks[str(struct.__struct_config__.tag)] for struct in MESSAGES}
        counts: Counter[str] = Counter()

        def take(line: bytes, number: int) -> None:
            self.line = number
            if (message := self.deserialize_json(line.rstrip(b"\n"))) is None:
                return
            kind = type(message)
            try:
                handlers[kind](message)
            except InputError as error:
                error.line = error.line or number
                raise
            counts[str(kind.__struct_config__.tag)] += 1
            if kind is RecordMessage and self.quick_way is not None:
                blocks.learn(line, message, self.quick_way)

        blocks = self._blocks = Blocks(take, handlers[StateMessage])
        for lines in self._lines(file_input or self.default_input):
            end = self.line + len(lines)
            blocks.take(lines, self.line + 1)
            self.line = end
            self._at_once = _wanted(lines, blocks.in_turn) if blocks.in_turn else CHUNK_BYTES
        return counts + blocks.taken

    def forget_lanes(self) -> None:
        """Take no line of any form for known any longer."""
        if self._blocks is not None:
            self._blocks.forget()

    def _lines(self, source: IO[Any]) -> Iterator[list[bytes]]:
        """Yield the lines that each chunk completes, with their ends."""
        try:
            yield from lines_of(self._chunks(source))
        except LineTooLongError as error:
            self.line += 1
            raise self._bad_line(str(error)) from None

    def _chunks(self, source: IO[Any]) -> Iterator[bytes]:
        """Yield what there is to read, with a turn of the background before each wait."""
        try:
            descriptor = source.fileno()
        except OSError:  # no file of the system's, but one in memory
            while chunk := source.read(CHUNK_BYTES):
                yield chunk.encode() if isinstance(chunk, str) else chunk
                if self.background is not None:
                    self.background.tick()
            return
        _widen(descriptor)
        while True:
            if self.background is not None:
                wait_for(descriptor, self.background)
            if not (chunk := _read(descriptor, self._at_once)):
                return
            yield chunk

    def _look_again(self, line: bytes, error: Exception) -> Any:
        if self.line <= 1 and line.startswith(BYTE_ORDER_MARK):
            return self.deserialize_json(line[len(BYTE_ORDER_MARK) :])
        if not line.strip():
            return None
        if b"NaN" in line or b"Infinity" in line:
            mended = without_non_finite(line)
            if mended != line:
                message = self.deserialize_json(mended)
                self._warn_of_mending(getattr(message, "stream", None))
                return message
        if isinstance(error, msgspec.ValidationError):
            raise self._bad_line(f"is no Singer message: {error}") from None
        if isinstance(error, RecursionError):
            raise self._bad_line("is nested too deeply") from None
        if has_half_a_pair(line, error):
            return self._record_with_half_a_pair(line)
        raise self._bad_line(f"is no JSON: {error}") from None

    def _record_with_half_a_pair(self, line: bytes) -> RecordMessage:
        """Return a record that no service takes, so that it can be refused as a record."""
        whole = without_half_pairs(line)  # as long as before: the record has its place
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            message = _decode(whole)
            if isinstance(message, RecordMessage) and whole.count(bytes(message.record)) == 1:
                start = whole.index(bytes(message.record))
                data = line[start : start + len(bytes(message.record))]
                return msgspec.structs.replace(message, record=msgspec.Raw(data))
        raise self._bad_line("has half of a surrogate pair, which is no character")

    def _warn_of_mending(self, stream: str | None) -> None:
        if stream not in self._mended:
            self._mended.add(stream)
            logger.warning(
                "%s has NaN or Infinity, first in line %d, which JSON lacks; null takes its place.",
                "A STATE" if stream is None else f"Stream {stream!r}",
                self.line,
            )

    def _bad_line(self, reason: str) -> InputError:
        # What the decoder says may quote the line, with whatever is in it.
        printable = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in reason)
        error = InputError(f"it {printable:.{_SHOWN}}")
        error.line = self.line
        return error


def _wanted(lines: Sequence[bytes], in_turn: int) -> int:
    """Return how many bytes to read at once behind ``lines``, in which streams take turns."""
    wanted = in_turn * _LINES_OF_EACH * sum(map(len, lines)) // len(lines)
    return min(max(wanted, CHUNK_BYTES), MAX_CHUNK_BYTES)


def _read(descriptor: int, most: int) -> bytes:
    """Read what there is; where more than a chunk is wanted, what comes in a moment, too.

    The moment is short: a tap that is slower than this target writes on into the pipe meanwhile.
    """
    pieces = [os.read(descriptor, most)]
    size = len(pieces[0])
    until = time.monotonic() + _MOMENT
    while most > CHUNK_BYTES and pieces[-1] and size < most:
        if not select.select([descriptor], [], [], max(0, until - time.monotonic()))[0]:
            break
        pieces.append(os.read(descriptor, most - size))
        size += len(pieces[-1])
    return b"".join(pieces)


def _widen(descriptor: int) -> None:
    """Let a pipe hold as much as is read at once, where the system can; by itself it holds 64 KiB."""
    with contextlib.suppress(OSError, AttributeError):
        if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < CHUNK_BYTES:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, CHUNK_BYTES)

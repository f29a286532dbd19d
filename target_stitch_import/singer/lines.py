"""Splits chunks of bytes into lines, and decodes these."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from target_stitch_import.errors import InputError

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # some writers begin a text of UTF-8 with it

MAX_LINE_BYTES: Final = 128_000_000
"""A longer line is refused, so that an input without line ends does not fill the memory."""

DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

T = TypeVar("T")


class LineTooLongError(ValueError):
    """A line is longer than ``MAX_LINE_BYTES``."""


def split_lines(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines that each chunk completes, with their ends; raise ``LineTooLongError``."""
    pieces: list[bytes] = []
    waiting = 0  # bytes
    for chunk in chunks:
        lines = io.BytesIO(chunk).readlines()  # three times as fast as to split
        if len(lines) == 1 and not chunk.endswith(b"\n"):
            pieces.append(chunk)
            waiting += len(chunk)
            if waiting > MAX_LINE_BYTES:
                raise LineTooLongError(f"is longer than {MAX_LINE_BYTES:,} bytes")
            continue
        lines[0] = b"".join([*pieces, lines[0]])
        pieces = [] if chunk.endswith(b"\n") else [lines.pop()]
        waiting = sum(map(len, pieces))
        yield lines
    if pieces:
        yield [b"".join(pieces)]


def decode_lines(
    lines: Sequence[bytes],
    decode: Callable[[bytes], T],
    decode_exactly: Callable[[int, Exception], T],
) -> tuple[list[T], InputError | None]:
    """Return what is in each line, up to the first invalid one, and its error.

    A line that ``decode`` fails with one of ``DECODE_ERRORS`` goes to ``decode_exactly``: its index
    and that error. It returns what is in the line, or raises an ``InputError``.
    """
    decoded: list[T] = []
    waiting = iter(lines)
    while True:
        try:
            decoded.extend(map(decode, waiting))
        except DECODE_ERRORS as error:  # noqa: PERF203 - once for each such line
            try:
                decoded.append(decode_exactly(len(decoded), error))
            except InputError as failure:
                return decoded, failure
        else:
            return decoded, None

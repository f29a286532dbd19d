"""An address in the manifest of a BATCH message -> an open file.

Knows paths, ``file://`` and ``s3://``, and the library that reads from S3, which the extra ``s3``
brings; nothing of what is in a file.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    import io

__all__ = ["MissingExtraError", "UnknownStorageError", "open_file"]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class MissingExtraError(ImportError):
    """A library is missing that an extra brings."""

    def __init__(self, needed_for: str, extra: str) -> None:
        super().__init__(
            f"{needed_for} needs more to be installed: pip install 'target-stitch-import[{extra}]'"
        )


class UnknownStorageError(ValueError):
    """An address is of a kind that can't be read."""


def open_file(address: str) -> io.BufferedIOBase:
    """Open a file for reading bytes; it can be sought in, unless it is a pipe.

    Raises:
        UnknownStorageError: The address names no file that this target can read.
        MissingExtraError: The library for it is not installed.
        Exception: Of the system, or of that library: it can't be opened.
    """
    if (match := _SCHEME.match(address)) is None:
        return _open_path(address)
    scheme, rest = match[1].lower(), address[match.end() :]
    if scheme == "file":
        return _open_path(_local_path(rest))
    if scheme == "s3":
        return _open_s3(rest)
    raise UnknownStorageError(
        f"{scheme}:// is no storage that this target reads: let the tap write to a local folder or "
        "to s3://"
    )


def _open_path(path: str) -> io.BufferedIOBase:
    return open(path, "rb")  # noqa: PTH123 - the path as it stands; the caller closes it


def _local_path(rest: str) -> str:
    """Return the path of a file URL without its scheme; ``file://folder/x`` is relative."""
    path = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
    decoded = unquote(path)
    # Some writers leave a % in a name as it is.
    return path if path != decoded and os.path.lexists(path) else decoded


def _open_s3(rest: str) -> io.BufferedIOBase:
    bucket, _, key = rest.partition("/")
    if not bucket or not key:
        raise UnknownStorageError("an address of S3 is s3://BUCKET/KEY")
    try:
        from smart_open import s3  # noqa: PLC0415 - only where it is used
    except ImportError:
        raise MissingExtraError("a BATCH message with files in S3", "s3") from None
    return s3.open(bucket, key, "rb", defer_seek=True)

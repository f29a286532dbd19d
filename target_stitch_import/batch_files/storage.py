"""Opens a file of a BATCH message: a path, a ``file://`` URL or, with the extra ``s3``, an ``s3://`` one."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    import io


def missing_extra(needed_for: str, extra: str) -> ImportError:
    """Return the error for a library of an extra that is not installed."""
    return ImportError(
        f"{needed_for} needs the extra {extra}: pip install 'target-stitch-import[{extra}]'"
    )


def open_file(address: str) -> io.BufferedIOBase:
    """Open a file for reading; it supports ``seek`` unless it is a pipe. The caller closes it.

    Raise an error that says why it can't be opened.
    """
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", address)
    scheme, rest = (match[1].lower(), address[match.end() :]) if match else ("", address)
    if scheme == "s3":
        return _open_s3(rest)
    if scheme not in ("", "file"):
        raise ValueError(
            f"this target can't read from {scheme}://: let the tap write to a local folder or to "
            "s3://"
        )
    return open(_local_path(rest) if scheme else rest, "rb")  # noqa: PTH123 - as it is written


def _local_path(rest: str) -> str:
    """Return the path of a file URL whose scheme is removed; ``file://folder/x`` is relative."""
    path = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
    decoded = unquote(path)
    # Some taps do not encode a % in a name.
    return path if path != decoded and os.path.lexists(path) else decoded


def _open_s3(rest: str) -> io.BufferedIOBase:
    bucket, _, key = rest.partition("/")
    if not bucket or not key:
        raise ValueError("an address in S3 has to be s3://BUCKET/KEY")
    try:
        from smart_open import s3  # noqa: PLC0415 - imported only if needed
    except ImportError:
        raise missing_extra("a BATCH message with files in S3", "s3") from None
    return s3.open(bucket, key, "rb", defer_seek=True)

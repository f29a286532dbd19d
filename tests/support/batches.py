"""BATCH messages and their files, as taps write them."""

from __future__ import annotations

import contextlib
import gzip
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def batch(*manifest: str | Path, stream: str = "orders", **more: Any) -> str:
    """Return a BATCH line; ``format`` and ``compression`` in ``more`` are the encoding's."""
    encoding = {"format": more.pop("format", "jsonl")}
    with contextlib.suppress(KeyError):
        encoding["compression"] = more.pop("compression")
    return json.dumps(
        {
            "type": "BATCH",
            "stream": stream,
            "encoding": encoding,
            "manifest": [str(each) for each in manifest],
            **more,
        }
    )


def jsonl(path: Path, *records: dict[str, Any] | str) -> Path:
    """Write records to a file, one a line; it is gzip if its name says so."""
    texts = [text if isinstance(text, str) else json.dumps(text) for text in records]
    data = "".join(f"{text}\n" for text in texts).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path

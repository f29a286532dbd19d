"""The target, in this process, in front of a service that takes everything and keeps it."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

from target_stitch_import.api.client import ImportClient
from target_stitch_import.errors import TargetStitchImportError
from target_stitch_import.singer.reader import CHUNK_BYTES
from target_stitch_import.target import TargetStitchImport

if TYPE_CHECKING:
    from collections.abc import Sequence


class Chunks(io.BytesIO):
    """An input that comes in chunks."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        super().__init__()
        self._waiting = iter([*filter(None, chunks)])

    def read(self, _size: int | None = -1) -> bytes:
        """Return the next chunk, whatever size is asked for; nothing at the end."""
        return next(self._waiting, b"")


@dataclass
class Loaded:
    """What came of an input."""

    bodies: list[bytes] = field(default_factory=list)
    states: list[bytes] = field(default_factory=list)
    error: TargetStitchImportError | None = None


def load(data: bytes, size: int = CHUNK_BYTES, **settings: Any) -> Loaded:
    """Load an input, in chunks of a size; an error that is not the target's own is not caught."""
    return load_chunks([data[at : at + size] for at in range(0, len(data), size)], **settings)


def load_chunks(chunks: Sequence[bytes], **settings: Any) -> Loaded:
    """Load an input in chunks; an error that is not the target's own is not caught."""
    result = Loaded()

    def post(client: ImportClient, body: bytes) -> None:
        result.bodies.append(body)

    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    config = {
        "token": "a-token",
        "api_url": "http://127.0.0.1:9",
        "check_status": False,
        **settings,
    }
    with (
        mock.patch.object(sys, "stdout", stdout),
        mock.patch.object(ImportClient, "post", post),
    ):
        target = TargetStitchImport(config=config)
        try:
            target.load(Chunks(chunks))
        except TargetStitchImportError as error:
            result.error = error
    result.states = stdout.buffer.getvalue().split(b"\n")[:-1]
    return result

"""The target, in this process, in front of a service that takes everything and keeps it."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from target_stitch_import.api.client import ImportClient
from target_stitch_import.errors import TargetStitchImportError
from target_stitch_import.singer.reader import CHUNK_BYTES
from target_stitch_import.target import TargetStitchImport


class Pieces(io.BytesIO):
    """An input that comes a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        """Return fewer bytes than asked for."""
        return super().read(self._size)


@dataclass
class Loaded:
    """What came of an input."""

    bodies: list[bytes] = field(default_factory=list)
    states: list[bytes] = field(default_factory=list)
    error: TargetStitchImportError | None = None


def load(data: bytes, size: int = CHUNK_BYTES, **settings: Any) -> Loaded:
    """Load an input; an error that is not the target's own is not caught."""
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
            target.load(Pieces(data, size))
        except TargetStitchImportError as error:
            result.error = error
    result.states = stdout.buffer.getvalue().split(b"\n")[:-1]
    return result

"""What the tests of every kind share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_stitch_import.emulator import running_emulator
from tests.support.service import running_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """Run an emulator with an empty database."""
    with running_emulator(database=tmp_path / "stitch.db") as running:
        yield running


@pytest.fixture
def service() -> Iterator[Service]:
    """Run a service that keeps what it is sent, and accepts it."""
    with running_service() as running:
        yield running

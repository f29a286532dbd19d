"""The SDK's standard target tests, against the emulator over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import get_target_test_class

from target_stitch_import.target import TargetStitchImport

if TYPE_CHECKING:
    from target_stitch_import.emulator import Emulator

StandardTargetTests = get_target_test_class(TargetStitchImport, config={"token": "any"})


class TestStandardTarget(StandardTargetTests):  # type: ignore[misc, valid-type]
    """Every test of the SDK's suite for targets."""

    @pytest.fixture(autouse=True)
    def _service(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TARGET_STITCH_IMPORT_API_URL", emulator.url)

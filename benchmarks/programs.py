"""The programs that are compared: how each is called, and with which config."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments import OURS, SDK, VENDOR, Environment

if TYPE_CHECKING:
    from shapes import Shape

HERE = Path(__file__).resolve().parent
BATCH = "/v2/import/batch"


@dataclass(frozen=True, eq=False)
class Program:
    """A program under test."""

    name: str
    about: str
    kind: str
    """ours, vendor, sdk or pump."""
    settings: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    tuned: bool = False
    """Whether the vendor's batches are cut to each shape, so that none is serialised twice."""
    part: int = 1
    """A program that is so slow reads that part of the records, and is compared per record."""

    @property
    def environment(self) -> Environment:
        """Return where it is installed."""
        return {"vendor": VENDOR, "sdk": SDK}.get(self.kind, OURS)

    def can(self, shape: Shape) -> bool:
        """Return whether it can do what the shape asks for; the pump does nothing at all."""
        return self.kind != "vendor" or not shape.config

    def command(self, url: str, shape: Shape, work: Path) -> list[str]:
        """Return how to call it; its config is written into ``work``."""
        if self.kind == "pump":
            return [sys.executable, str(HERE / "pump.py"), url, *self.arguments]
        config = work / f"{self.name}.config.json"
        config.write_text(json.dumps(self._config(url, shape)), encoding="utf-8")
        started = {
            "ours": [str(OURS.bin / "target-stitch-import")],
            "vendor": [str(VENDOR.bin / "target-stitch")],
            "sdk": [str(SDK.bin / "python"), str(HERE / "default_sdk_target.py")],
        }[self.kind]
        rows = ["--max-batch-records", str(shape.vendor_rows)] if self.tuned else []
        return [*started, "--config", str(config), *self.arguments, *rows]

    def _config(self, url: str, shape: Shape) -> dict[str, Any]:
        if self.kind == "vendor":
            return {
                "token": "bench",
                "client_id": 1,
                "small_batch_url": url + BATCH,
                "big_batch_url": url + BATCH,
                "batch_size_preferences": {},
                "disable_collection": True,
                **self.settings,
            }
        return {"token": "bench", "api_url": url, **shape.config, **self.settings}


PROGRAMS = (
    Program("ours", "this target at its defaults", "ours", {"validate_records": True}),
    Program("ours-novalid", "the same without validation", "ours", {"validate_records": False}),
    Program("vendor", "target-stitch 4.0.3 at its defaults", "vendor", part=10),
    Program(
        "vendor-fast",
        "turbo_boost_factor 4, quiet, batches cut so that none is serialised twice",
        "vendor",
        {"turbo_boost_factor": 4},
        ("--quiet",),
        tuned=True,
        part=10,
    ),
    Program("sdk", "a default SDK BatchSink", "sdk", {"validate_records": True}, part=50),
    Program(
        "sdk-novalid", "the same without validation", "sdk", {"validate_records": False}, part=50
    ),
    Program("pump", "posts what it reads, one request at a time", "pump", arguments=("1",)),
    Program("pump-4", "the same, four at a time", "pump", arguments=("4",)),
)
DEFAULT = "ours,ours-novalid,vendor,vendor-fast,sdk,sdk-novalid,pump,pump-4"
FEW = "ours,vendor"

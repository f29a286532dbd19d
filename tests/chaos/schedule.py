"""One schedule: run after run from the last STATE on, until one has delivered everything."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.chaos.checks import check_promise, check_quarantine, check_run, check_tables, require
from tests.chaos.feeding import Action, fed
from tests.chaos.plan import EASY_FAULTS, planned
from tests.chaos.processes import TOKEN, start_emulator, start_target, stop_emulator
from tests.chaos.tap import lines_from

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.chaos.feeding import Fed
    from tests.chaos.plan import Plan
    from tests.chaos.processes import Service

KINDS = {"none": 2, "kill": 5, "term": 3, "int": 1, "close": 2, "break": 2}
CALM_KINDS = {"calm": 3, "break": 2}
ENOUGH = 60.0
"""A retry budget that no fault outlasts."""


def played(seed: int, number: int, folder: Path, *, unchanged: bool = False) -> Counter[str]:
    """Play a schedule in an empty folder; return its figures. With ``unchanged``, rows are skipped.

    Raises:
        BreachError: A promise was not kept.
    """
    plan = planned(seed, number)
    (folder / "plan.txt").write_text(f"{plan.faults}\n" + "\n".join(map(str, plan.lines)))
    stage = _Stage(plan, folder, unchanged=unchanged)
    try:
        for _ in range(plan.troubled_runs):
            if stage.run(troubled=True):
                break
        else:
            require(stage.run(troubled=False), "a run without trouble did not deliver everything")
        ignored = frozenset(stage.unchanged.get("skip_unchanged_ignore", ()))
        check_tables(plan.lines, stage.database, ignored, hides_versions=not unchanged)
        check_quarantine(plan.lines, stage.quarantine, len(plan.lines))
    finally:
        stage.stop_service()
    stage.figures["faults met"] = (folder / "emulator.stderr").read_text().count(" fault ")
    stage.figures["schedules"] = 1
    stage.figures["records"] = sum(line.kind in ("record", "misfit") for line in plan.lines)
    stage.figures["set aside"] = sum(line.kind == "misfit" for line in plan.lines)
    return stage.figures


class _Stage:
    """What lasts from one run of a schedule to the next."""

    def __init__(self, plan: Plan, folder: Path, *, unchanged: bool) -> None:
        self.database = folder / "stitch.db"
        self.quarantine = folder / "quarantine.jsonl"
        self.figures: Counter[str] = Counter()
        self._plan = plan
        self._folder = folder
        self._runs = 0
        self._state = 0
        """Where the tap goes on: the place of the last STATE."""
        self._reached = -1
        """The furthest line that any run was fed."""
        self._service: Service | None = None
        self._port = 0
        self.unchanged: dict[str, Any] = {}
        """The settings of ``skip_unchanged``, if rows are to be skipped."""
        if unchanged:
            # A misfit that is as one in flight, but for what is ignored, is not set aside again.
            ignored = [] if plan.has_misfits else plan.draw("unchanged").choice([[], ["c"]])
            self.unchanged = {
                "skip_unchanged": str(folder / "rows.db"),
                "skip_unchanged_ignore": ignored,
                "detect_deletes": True,
                "max_delete_share": 1,
            }

    def run(self, *, troubled: bool) -> bool:
        """Run the target once and check what it did; return True if it delivered everything."""
        self._runs += 1
        dice = self._plan.draw(f"run {self._runs}")
        lines = list(lines_from(self._plan.lines, self._state))
        faults = self._plan.faults if troubled else self._plan.faults and EASY_FAULTS
        self._serve(faults, afresh=not troubled or dice.random() < 0.2)
        action = _action(dice, len(lines), calm=not faults) if troubled else Action("none")
        age = 30 if action.kind == "calm" else None
        settings = _settings(dice, troubled=troubled, stalls="stall" in faults, age=age)
        may_fail = bool(faults) and (settings["max_retry_seconds"] < ENOUGH or "limit=" in faults)
        run, stderr = self._fed(lines, action, settings, dice)
        places = check_run(self._plan.lines, run, action, stderr, may_fail=may_fail)
        self._count(run, places)
        self._state = places[-1] if places else self._state
        self._reached = max(self._reached, run.reached)
        ignored = frozenset(self.unchanged.get("skip_unchanged_ignore", ()))
        check_promise(self._plan.lines, self.database, self._state, self._reached, ignored)
        self.figures["unchanged"] += _count_unchanged(stderr)
        check_quarantine(self._plan.lines, self.quarantine, self._state)
        return run.exit_code == 0 and run.at_end

    def stop_service(self) -> None:
        """End the emulator."""
        if self._service is not None:
            stop_emulator(self._service)
            self._service = None

    def _serve(self, faults: str, *, afresh: bool) -> None:
        """Have an emulator: a fresh one where one asks for it, or nothing stale may come late."""
        if self._service is None or afresh or self._plan.replaces_versions:
            self.stop_service()
            seeded = faults and f"seed={self._plan.number + self._runs},{faults}"
            log = self._folder / "emulator.stderr"
            self._service = start_emulator(self.database, seeded, log, self._port)
            if self.unchanged:  # the file belongs to one address
                self._port = int(self._service.url.rpartition(":")[2])
            self.figures["processes"] += 1

    def _fed(
        self,
        lines: list[tuple[int, bytes]],
        action: Action,
        settings: dict[str, Any],
        dice: random.Random,
    ) -> tuple[Fed, str]:
        name = f"run-{self._runs}"
        assert self._service is not None
        settings |= self.unchanged
        if self._plan.has_misfits:
            settings["on_invalid_record"] = "quarantine"
            settings["quarantine_path"] = str(self.quarantine)
        config = self._folder / f"{name}.json"
        config.write_text(json.dumps({"token": TOKEN, "api_url": self._service.url, **settings}))
        log = self._folder / f"{name}.stderr"
        run = fed(start_target(["--config", str(config)], log), lines, action, dice)
        (self._folder / f"{name}.input").write_bytes(run.written)
        (self._folder / f"{name}.stdout").write_bytes(run.stdout)
        reported = {
            **dataclasses.asdict(action),
            "signals": run.signals,
            "exit_code": run.exit_code,
        }
        (self._folder / f"{name}.action").write_text(json.dumps(reported))
        return run, log.read_text()

    def _count(self, run: Fed, places: list[int]) -> None:
        self.figures["processes"] += 1
        self.figures.update(f"SIG{name.upper()}s" for name in run.signals)
        self.figures["STATEs written"] += len(places)


def _count_unchanged(stderr: str) -> int:
    """Return how many records a run has not sent, by its summary."""
    summary = stderr.rpartition("Run ")[2]
    found = re.search(r"([\d,]+) unchanged", summary)
    return int(found[1].replace(",", "")) if found else 0


def _action(dice: random.Random, lines: int, *, calm: bool) -> Action:
    kinds = CALM_KINDS if calm and dice.random() < 0.5 else KINDS
    kind = dice.choices(list(kinds), list(kinds.values()))[0]
    signals = kind in ("kill", "term", "int")
    return Action(
        kind,
        after=dice.randint(0 if signals else 1, lines if signals else max(1, lines - 1)),
        delay=dice.choice([0, 0, 0.01, 0.1]) * dice.random(),
        hold=kind == "calm" or (signals and dice.random() < 0.4),
        again=dice.random() * 0.05 if signals and dice.random() < 0.2 else None,
    )


def _settings(
    dice: random.Random, *, troubled: bool, stalls: bool, age: float | None
) -> dict[str, Any]:
    budget = dice.choice([ENOUGH, ENOUGH, 0, 0, 0.05, 2 * dice.random()]) if troubled else ENOUGH
    return {
        "batch_size_rows": dice.choice([1, 2, 3, 10, 50, 50]),
        "max_batch_bytes": dice.choice([1_000, 5_000, 60_000, 4_000_000]),
        "max_parallel_requests": dice.randint(1, 6),
        "max_batch_age_seconds": age or dice.choice([0.005, 0.05, 0.5, 30, 30]),
        "max_retry_seconds": budget,
        "request_timeout_seconds": 1 if stalls else 30,
        "validate_records": dice.random() < 0.7,
        "check_status": dice.random() < 0.5,
    }

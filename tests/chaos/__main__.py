"""``python -m tests.chaos``: random schedules of faults and kills, as a proof that nothing is lost."""

from __future__ import annotations

import argparse
import gc
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.checks import BreachError
from tests.chaos.schedule import played

EVERY = 5.0
"""Seconds between two lines of progress."""
FIGURES = (
    "schedules",
    "processes",
    "SIGKILLs",
    "SIGTERMs",
    "SIGINTs",
    "faults met",
    "records",
    "set aside",
    "STATEs written",
    "unchanged",
)


def main() -> int:
    """Play the schedules until all are played or a promise is not kept."""
    options = _options()
    gc.freeze()  # what is imported need not be looked through in every child
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    numbers = range(options.schedules) if options.schedule is None else [options.schedule]
    started = reported = time.monotonic()
    figures: Counter[str] = Counter()
    for number in numbers:
        if not _kept(options, number, figures):
            return 1
        if time.monotonic() - reported > EVERY:
            reported = time.monotonic()
            _say(_summary(figures, reported - started))
    _say(f"nothing lost: {_summary(figures, time.monotonic() - started)}")
    return 0


def _kept(options: argparse.Namespace, number: int, figures: Counter[str]) -> bool:
    """Play one schedule; return False, and say where to look, if a promise was not kept."""
    seed = options.seed
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-{number}-"))
    try:
        figures.update(played(seed, number, folder, unchanged=options.unchanged))
    except BreachError as breach:
        _say(f"BREACH in schedule {number}: {breach}")
        _say(f"input, stderr of each run, database: {folder}")
        more = " --unchanged" if options.unchanged else ""
        _say(f"replay: python -m tests.chaos --seed {seed} --schedule {number}{more}")
        return False
    except BaseException:
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)
    return True


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--schedules", type=int, default=25, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all dice (default: %(default)s)")
    parser.add_argument("--schedule", type=int, help="play this one alone")
    help_ = "skip unchanged rows, and detect deletes"
    parser.add_argument("--unchanged", action="store_true", help=help_)
    return parser.parse_args()


def _summary(figures: Counter[str], seconds: float) -> str:
    reported = [f"{name}: {figures[name]:,}" for name in FIGURES]
    return ", ".join([*reported, f"seconds: {seconds:.1f}"])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

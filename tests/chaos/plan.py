"""What a schedule is: streams, the lines of a tap, faults; all of it drawn from two numbers.

The same seed and number always give the same plan.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, Final

BIG: Final = 120_000
HEAD: Final = 1_000
"""More than what a request body has beside one record."""
KEYS: Final = {"k": {"type": "integer"}, "k 2": {"type": "string"}}
EASY_FAULTS: Final = "503=0.02,drop=0.02,reset_after=0.02,retry_after=0"
TIMINGS: Final = "retry_after=0,slow_seconds=0.05,refuse_seconds=0.05"
RATES: Final = {
    "503": 0.15,
    "202": 0.1,
    "drop": 0.1,
    "reset_before": 0.1,
    "reset_after": 0.1,
    "cut": 0.1,
    "refuse": 0.05,
    "html": 0.05,
    "empty": 0.05,
    "error": 0.05,
    "429_seconds": 0.05,
    "slow": 0.3,
}
"""The most of all requests that meet each fault."""


@dataclass(frozen=True)
class Stream:
    """One stream of the tap."""

    name: str
    keys: tuple[str, ...]
    versions: tuple[int | None, ...]
    """Whole syncs one after the other, each with an ACTIVATE_VERSION at its end; or one None."""
    clock: str
    """What ``time_extracted`` is: ``none``, the time of each ``row``, or of the ``sync``."""


@dataclass(frozen=True)
class Line:
    """One line of the tap; its place in the story is its number."""

    kind: str
    """``schema``, ``record``, ``misfit`` (that its schema refuses), ``state`` or ``activate``."""
    stream: Stream | None
    data: dict[str, Any]
    """A schema's properties, a record, or the value of a STATE.

    A record's column ``c`` only ever rises within the stream.
    """
    version: int | None = None


@dataclass(frozen=True)
class Shares:
    """How many of a plan's records are not like the rest."""

    misfit: float
    big: float


@dataclass(frozen=True)
class Plan:
    """Everything that a schedule draws before its first run."""

    seed: int
    number: int
    lines: tuple[Line, ...]
    faults: str
    troubled_runs: int
    """Runs that may be killed; behind them comes one that must end."""

    @property
    def has_misfits(self) -> bool:
        """True if there are records to set aside."""
        return any(line.kind == "misfit" for line in self.lines)

    def draw(self, what: str) -> random.Random:
        """Return the dice for one thing, whatever was drawn before."""
        return random.Random(f"{self.seed}/{self.number}/{what}")

    @property
    def streams(self) -> list[Stream]:
        """The streams, in the order of their first lines."""
        return list(dict.fromkeys(line.stream for line in self.lines if line.stream))

    @property
    def replaces_versions(self) -> bool:
        """True if an activation hides rows, so that nothing stale may arrive behind it."""
        return any(len(stream.versions) > 1 for stream in self.streams)


def planned(seed: int, number: int) -> Plan:
    """Return the schedule of this number."""
    plan = Plan(seed, number, (), "", 0)
    dice = plan.draw("lines")
    shares = Shares(dice.choice([0, 0, 0, 0.01, 0.3]), dice.choice([0, 0, 0.03]))
    reported = [_told(dice, stream, shares) for stream in _streams(dice)]
    lines = _with_states(_interleaved(reported, dice), dice)
    longest = max(len(json.dumps(line.data)) for line in lines)
    dice = plan.draw("faults")
    return Plan(seed, number, tuple(lines), _faults(dice, longest), dice.randint(1, 5))


def _streams(dice: random.Random) -> list[Stream]:
    return [
        Stream(
            name=f"{dice.choice(['orders', 'Kunden Ü', 'a.b-c'])} {place}",
            keys=dice.choice([("k",), ("k", "k 2"), ()]),
            versions=dice.choice([(None,), (None,), (1,), (1, 2)]),
            clock=dice.choice(["none", "row", "sync"]),
        )
        for place in range(dice.randint(1, 4))
    ]


def _told(dice: random.Random, stream: Stream, shares: Shares) -> list[Line]:
    """Return the lines of one stream."""
    properties: dict[str, Any] = {name: KEYS[name] for name in stream.keys}
    properties |= {"c": {"type": "integer"}, "n": {"type": ["null", "integer"]}}
    properties["s"] = {"type": ["null", "string"]}
    lines = [Line("schema", stream, properties)]
    changes = dice.random() < 0.3
    few_keys = dice.randint(1, 12)
    for version in stream.versions:
        count = dice.randint(1, 60)
        change_at = dice.randrange(count) if changes else -1
        for place in range(count):
            if place == change_at:
                properties = _changed(dice, properties)
                lines.append(Line("schema", stream, properties))
            record = _record(dice, stream, properties, few_keys) | {"c": len(lines)}
            record["s"] = _text(dice, big=dice.random() < shares.big)
            if dice.random() < shares.misfit:
                lines.append(Line("misfit", stream, record | {"n": "no number"}, version))
            else:
                lines.append(Line("record", stream, record, version))
        if version is not None:
            lines.append(Line("activate", stream, {}, version))
    return lines


def _changed(dice: random.Random, properties: dict[str, Any]) -> dict[str, Any]:
    changes = [{f"x{len(properties)}": {"type": ["null", "string"]}}]
    changes.append({"n": {"type": ["null", "number"]}})
    return properties | dice.choice(changes)


def _record(
    dice: random.Random, stream: Stream, properties: dict[str, Any], few_keys: int
) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name in stream.keys:
        record[name] = dice.randrange(few_keys) if name == "k" else dice.choice("abé")
    if dice.random() < 0.7:
        whole = "number" not in properties["n"]["type"]
        record["n"] = dice.choice([None, dice.getrandbits(70), 7 if whole else 0.25])
    for name in properties:
        if name.startswith("x"):
            record[name] = dice.choice([None, name])
    return record


def _text(dice: random.Random, *, big: bool) -> str:
    size = dice.randint(1_000, BIG) if big else dice.choice([0, 5, 20])
    return dice.choice(["x", "ü", '"\\\n']) * size


def _interleaved(streams: list[list[Line]], dice: random.Random) -> list[Line]:
    """Return the lines of all streams, those of one stream in their order."""
    turns = [place for place, lines in enumerate(streams) for _ in lines]
    if dice.random() < 0.7:
        dice.shuffle(turns)
    left = [iter(lines) for lines in streams]
    return [next(left[turn]) for turn in turns]


def _with_states(lines: list[Line], dice: random.Random) -> list[Line]:
    """Put a STATE behind every few lines, which says how many lines came before it."""
    every = dice.choice([1.5, 4, 15])
    result: list[Line] = []
    for line in lines:
        result.append(line)
        if dice.random() < 1 / every:
            result.append(Line("state", None, {"at": len(result)}))
    if dice.random() < 0.8:
        result.append(Line("state", None, {"at": len(result)}))
    return result


def _faults(dice: random.Random, longest: int) -> str:
    """Return what the emulator does wrong; nothing in one schedule out of five."""
    if dice.random() < 0.2:
        return ""
    some = [name for name in RATES if dice.random() < 0.5] or ["drop"]
    spec = [f"{name}={dice.uniform(0.01, RATES[name]):.3f}" for name in some]
    if dice.random() < 0.1:
        spec.append("stall=0.01")
    if dice.random() < 0.2:
        spec.append(f"maintenance={dice.randint(1, 3)}")
    if dice.random() < 0.4:
        spec.append(f"limit={longest + HEAD + dice.choice([0, 500, 5_000])}")
    return ",".join([*spec, TIMINGS])

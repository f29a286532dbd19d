"""What may go wrong on purpose, and when: the text of ``--faults``.

Knows the names of faults and the order in which they come, and nothing of HTTP: how each of
them is done is the business of ``misbehaviour``. Must be importable without the extra.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

OK: Final = "ok"
STALL: Final = "stall"
EVERY: Final = (
    "refuse",
    "reset_before",
    "reset_after",
    "cut",
    "drop",
    "408",
    "429",
    "429_seconds",
    "429_date",
    "500",
    "502",
    "503",
    "504",
    "html",
    "empty",
    "error",
    "202",
    "slow",
)
"""What ``all`` stands for: whatever a client that tries again gets over."""

_STATUS: Final = re.compile(r"[45][0-9]{2}")
_WHOLE: Final = re.compile(r"[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?(e-[0-9]{1,2})?")


def _whole(name: str, value: str) -> int:
    if _WHOLE.fullmatch(value) is None:
        raise ValueError(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def _number(name: str, value: str) -> Fraction:
    # Fractions, because ten times 0.1 is 1 and no more.
    if _NUMBER.fullmatch(value) is None:
        raise ValueError(f"{name} must be a number such as 0.25, not {value!r}.")
    return Fraction(value)


def _seconds(name: str, value: str) -> float:
    return float(_number(name, value))


_OPTIONS: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "seed": _whole,
    "maintenance": _whole,
    "limit": _whole,
    "slow_seconds": _seconds,
    "refuse_seconds": _seconds,
    "retry_after": _seconds,
}


@dataclasses.dataclass(frozen=True)
class Faults:
    """Which faults the requests to an emulator meet; ``parse`` makes it from a text."""

    script: tuple[tuple[str, int], ...] = ()
    """The faults of the first POSTs, each with how often in a row."""
    rates: tuple[tuple[str, Fraction], ...] = ()
    """The faults that are drawn, each with how much of all POSTs meets it."""
    seed: int = 0
    maintenance: int = 0
    """So many requests for the status are answered 503."""
    limit: int | None = None
    """The largest body, in bytes, that the proxy in front lets through."""
    slow_seconds: float = 0.5
    refuse_seconds: float = 0.3
    retry_after: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Read faults from a text such as ``503*2,drop`` or ``seed=7,503=0.1,drop=0.05``.

        Raises:
            ValueError: when the text says nothing, or something else; with one sentence.
        """
        script = []
        valued: dict[str, str] = {}
        for entry in text.split(","):
            name, equals, value = (part.strip() for part in entry.partition("="))
            if not equals:
                script.append(_step(name))
            elif name in valued:
                raise ValueError(f"{name} is given twice.")
            else:
                valued[name] = value
        given = [name for name in valued if name in _OPTIONS]
        options = {name: _OPTIONS[name](name, valued.pop(name)) for name in given}
        if script and (valued or "seed" in options):
            raise ValueError(
                f"A script and rates don't mix: {script[0][0]} has no rate, "
                f"but {next(iter(valued), 'seed')} has a value."
            )
        return cls(tuple(script), _rates(valued), **options)

    def draws(self) -> Iterator[str]:
        """Return the fault of each POST, in the order of arrival and without end."""
        for name, times in self.script:
            yield from itertools.repeat(name, times)
        if not self.rates:
            yield from itertools.repeat(OK)
        names = [name for name, _ in self.rates]
        bounds = list(itertools.accumulate(rate for _, rate in self.rates))
        drawing = random.Random(self.seed)  # noqa: S311 - the same again, not a secret
        while True:
            point = drawing.random()
            below = (name for name, bound in zip(names, bounds, strict=True) if point < bound)
            yield next(below, OK)


def _step(entry: str) -> tuple[str, int]:
    """Return a fault of a script and how often it comes in a row."""
    if entry in _OPTIONS or entry == "all":
        raise ValueError(f"{entry} needs a value: {entry}=...")
    name, star, times = (part.strip() for part in entry.partition("*"))
    _check_name(name)
    count = _whole(f"What follows {name}*", times) if star else 1
    if count == 0:
        raise ValueError(f"{entry!r} comes never: the number must be at least 1.")
    return name, count


def _rates(valued: Mapping[str, str]) -> tuple[tuple[str, Fraction], ...]:
    rates = {name: _number(name, value) for name, value in valued.items()}
    shared = rates.pop("all", Fraction(0))
    for name in rates:
        _check_name(name)
    if shared:
        for name in EVERY:
            rates[name] = rates.get(name, Fraction(0)) + shared / len(EVERY)
    total = sum(rates.values())
    if total > 1:
        raise ValueError(f"The rates add up to {float(total):.9g}, which is more than 1.")
    return tuple(rates.items())


def _check_name(name: str) -> None:
    if name in {OK, STALL, *EVERY} or _STATUS.fullmatch(name):
        return
    if not name:
        raise ValueError("A fault has no name: is there a comma too many?")
    names = ", ".join([OK, *EVERY, STALL])
    raise ValueError(f"{name!r} is no fault; faults are {names} and any status from 400 to 599.")

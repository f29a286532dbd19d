"""The text of ``--faults``: which faults there are, and which POST meets which one.

It can be imported without the extra ``emulator``.
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
RECOVERABLE: Final = (
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
"""The faults that ``all`` stands for: those that a client with retries recovers from."""

_STATUS: Final = re.compile(r"[45][0-9]{2}")
_INTEGER: Final = re.compile(r"[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?(e-[0-9]{1,2})?")


def _parse_integer(name: str, value: str) -> int:
    if _INTEGER.fullmatch(value) is None:
        raise ValueError(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def _parse_number(name: str, value: str) -> Fraction:
    # Fractions, because ten times 0.1 must not be more than 1.
    if _NUMBER.fullmatch(value) is None:
        raise ValueError(f"{name} must be a number such as 0.25, not {value!r}.")
    return Fraction(value)


def _parse_seconds(name: str, value: str) -> float:
    return float(_parse_number(name, value))


_OPTION_PARSERS: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "seed": _parse_integer,
    "maintenance": _parse_integer,
    "limit": _parse_integer,
    "slow_seconds": _parse_seconds,
    "refuse_seconds": _parse_seconds,
    "retry_after": _parse_seconds,
}


@dataclasses.dataclass(frozen=True)
class Faults:
    """The faults of an emulator's requests; ``parse`` reads them from a text."""

    script: tuple[tuple[str, int], ...] = ()
    """The faults of the first POSTs, each with its number of times in a row."""
    rates: tuple[tuple[str, Fraction], ...] = ()
    """The faults that are drawn at random, each with its share of all POSTs."""
    seed: int = 0
    maintenance: int = 0
    """The number of requests for the status that are answered 503."""
    limit: int | None = None
    """The largest body, in bytes, that the proxy in front lets through."""
    slow_seconds: float = 0.5
    refuse_seconds: float = 0.3
    retry_after: float = 1.0
    text: str = dataclasses.field(default="", compare=False)
    """What they were read from."""

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Read faults from a text such as ``503*2,drop`` or ``seed=7,503=0.1,drop=0.05``.

        Raises:
            ValueError: the text is wrong; one sentence says why.
        """
        script = []
        values: dict[str, str] = {}
        for entry in text.split(","):
            name, equals, value = (part.strip() for part in entry.partition("="))
            if not equals:
                script.append(_parse_script_entry(name))
            elif name in values:
                raise ValueError(f"{name} is given twice.")
            else:
                values[name] = value
        given = [name for name in values if name in _OPTION_PARSERS]
        options = {name: _OPTION_PARSERS[name](name, values.pop(name)) for name in given}
        if script and (values or "seed" in options):
            raise ValueError(
                f"A script and rates don't mix: {script[0][0]} has no rate, "
                f"but {next(iter(values), 'seed')} has a value."
            )
        return cls(tuple(script), _parse_rates(values), text=text, **options)

    def iterate_posts(self) -> Iterator[str]:
        """Yield the fault of each POST, in the order of arrival, without end."""
        for name, times in self.script:
            yield from itertools.repeat(name, times)
        if not self.rates:
            yield from itertools.repeat(OK)
        names = [name for name, _ in self.rates]
        bounds = list(itertools.accumulate(rate for _, rate in self.rates))
        drawing = random.Random(self.seed)  # noqa: S311 - reproducible, not secret
        while True:
            point = drawing.random()
            below = (name for name, bound in zip(names, bounds, strict=True) if point < bound)
            yield next(below, OK)


def _parse_script_entry(entry: str) -> tuple[str, int]:
    """Return a fault of a script, and its number of times in a row."""
    if entry in _OPTION_PARSERS or entry == "all":
        raise ValueError(f"{entry} needs a value: {entry}=...")
    name, star, times = (part.strip() for part in entry.partition("*"))
    _check_name(name)
    count = _parse_integer(f"What follows {name}*", times) if star else 1
    if count == 0:
        raise ValueError(f"{entry!r} comes never: the number must be at least 1.")
    return name, count


def _parse_rates(values: Mapping[str, str]) -> tuple[tuple[str, Fraction], ...]:
    rates = {name: _parse_number(name, value) for name, value in values.items()}
    shared = rates.pop("all", Fraction(0))
    for name in rates:
        _check_name(name)
    if shared:
        for name in RECOVERABLE:
            rates[name] = rates.get(name, Fraction(0)) + shared / len(RECOVERABLE)
    total = sum(rates.values())
    if total > 1:
        raise ValueError(f"The rates add up to {float(total):.9g}, which is more than 1.")
    return tuple(rates.items())


def _check_name(name: str) -> None:
    if name in {OK, STALL, *RECOVERABLE} or _STATUS.fullmatch(name):
        return
    if not name:
        raise ValueError("A fault has no name: is there a comma too many?")
    names = ", ".join([OK, *RECOVERABLE, STALL])
    raise ValueError(f"{name!r} is no fault; faults are {names} and any status from 400 to 599.")

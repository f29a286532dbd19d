"""Judges values within a second, whatever the tap and its schema are.

Python's ``re`` tries one way after the other, and holds the process meanwhile: some patterns take years
for a short text. Where that may be so, another process searches, and the system ends it in time.
The library ``jsonschema`` compares each item of an array with all others; here each is a text in a set.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import re
import signal
import subprocess
import sys
import threading
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from jsonschema import Draft4Validator, ValidationError

if sys.version_info >= (3, 11):
    from re import _constants as codes
    from re import _parser as parser
else:
    import sre_constants as codes
    import sre_parse as parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    TestFor = Callable[[str], Callable[[object], bool]]  # returns the test for a pattern

MAX_SECONDS: Final = 1.0  # seconds of processor time that a search may take

_MAX_WAYS: Final = math.log(1_000_000)
"""Logarithm of the ways that ``re`` tries in about a tenth of a second."""

_MAX_LENGTH: Final = 1 << 26  # characters; no message of a tap has more

_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_LINE_STARTS: Final = (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING)


_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[0-9-][0-9.eE+-]*')  # a string or a number of JSON
_encode: Final = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


class PatternTooSlowError(ValueError):
    """A pattern takes too long for a text."""

    def __init__(self, pattern: str, text: str) -> None:
        super().__init__(
            f"pattern {pattern!r:.200} can't be judged within a second in a text of "
            f"{len(text):,} characters"
        )


def pattern_test(pattern: str, process: PatternProcess) -> Callable[[object], bool]:
    """Return a test whether a value is no string, or one in which a pattern is found.

    The ``process`` searches where that may take long. The test raises ``PatternTooSlowError`` if it
    takes more than ``MAX_SECONDS``.
    """
    search = re.compile(pattern).search
    longest = _longest_quick_text(pattern)

    def fits(value: object) -> bool:
        if type(value) is not str:
            return True
        if len(value) <= longest:
            return search(value) is not None
        return process.search(pattern, value)

    return fits


def _longest_quick_text(pattern: str) -> int:
    """Return how long a text may be that is sure to be searched quickly; a power of two, or 0."""
    items: Any = parser.parse(pattern)
    is_at_start = len(items) > 0 and items[0][0] is codes.AT and items[0][1] in _LINE_STARTS
    is_at_start = is_at_start and not items.state.flags & re.MULTILINE

    def ways(length: int) -> float:
        return (0.0 if is_at_start else math.log(length)) + _ways(items, length)

    length = _MAX_LENGTH
    while length and ways(length) > _MAX_WAYS:
        length //= 2
    return length


def _ways(items: Iterable[tuple[Any, Any]], length: int) -> float:
    """Return a logarithm: not fewer ways are there to match a part of a pattern from one place on."""
    total = 0.0
    for code, argument in items:
        parts = [*_parts(argument)]
        each = max((_ways(part, length) for part in parts), default=0.0)
        if str(code) in _REPEATS:
            least, most, _ = argument
            times = min(most, max(length, least))
            total += times * each + math.log(2) if each else math.log1p(times - least)
        else:
            total += each + math.log(len(parts) or 1)
    return total


def _parts(argument: Any) -> Iterator[Any]:
    """Yield the parts of a pattern that an item of it has."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, (list, tuple)):
        for each in argument:
            yield from _parts(each)


class PatternProcess:
    """Searches in another process, which is started when it is needed; for all schemas of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._too_slow: tuple[str, str] | None = None
        """The newest pattern and text that took too long: they may be asked for again."""

    def search(self, pattern: str, text: str) -> bool:
        """Return True if a pattern is found in a text.

        Raises:
            PatternTooSlowError: That takes too long.
            ChildProcessError: The other process fails.
        """
        with self._lock:
            if (pattern, text) == self._too_slow:
                raise PatternTooSlowError(pattern, text)
            try:
                answer = self._ask(pattern, text)
            except BaseException:  # else its answer would be taken for the next one
                self.close()
                raise
            if answer:
                return answer == b"1"
            if self.close() != -signal.SIGPROF:
                raise ChildProcessError(f"the process that searches for {pattern!r} has failed")
            self._too_slow = pattern, text
            raise PatternTooSlowError(pattern, text)

    def _ask(self, pattern: str, text: str) -> bytes:
        if self._process is None:
            script = Path(__file__).with_name("pattern_process.py")
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and this package
                [sys.executable, "-I", str(script), str(MAX_SECONDS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for this process alone
            )
            atexit.register(self.close)
        process = self._process
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - for mypy
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps([pattern, text]).encode() + b"\n")
            process.stdin.flush()
        return process.stdout.read(1)

    def close(self) -> int | None:
        """End the process, if there is one, and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        atexit.unregister(self.close)
        process.kill()
        with contextlib.suppress(BrokenPipeError), process:  # closes its pipes
            pass
        return process.returncode


def quick_keywords(process: PatternProcess) -> dict[str, Callable[..., Any]]:
    """Return the keywords of draft 4 that ``jsonschema`` itself may take too long for."""
    test_for = cache(partial(pattern_test, process=process))
    return {
        "additionalProperties": partial(_check_additional_properties, test_for),
        "pattern": partial(_check_pattern, test_for),
        "patternProperties": partial(_check_pattern_properties, test_for),
        "uniqueItems": _check_unique_items,
    }


def _check_pattern(
    test_for: TestFor, _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not test_for(pattern)(instance):
        yield ValidationError("the pattern is not found")


def _check_pattern_properties(
    test_for: TestFor, validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for pattern, part in patterns.items():
            for name in filter(test_for(pattern), instance):
                yield from validator.descend(instance[name], part, path=name, schema_path=pattern)


def _check_additional_properties(
    test_for: TestFor, validator: Any, additional: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    patterns = schema.get("patternProperties")
    if patterns and validator.is_type(instance, "object"):
        instance = {
            name: value
            for name, value in instance.items()
            if not any(test_for(pattern)(name) for pattern in patterns)
        }
        schema = {word: part for word, part in schema.items() if word != "patternProperties"}
    check = Draft4Validator.VALIDATORS["additionalProperties"]
    for error in check(validator, additional, instance, schema):
        if additional is False:
            error.instance = instance  # without what the patterns permit
        yield error


def _check_unique_items(
    validator: Any, unique: bool, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if unique and validator.is_type(instance, "array"):
        texts = [_TOKEN.sub(_canonical_token, _encode(item).decode()) for item in instance]
        if len({*texts}) < len(texts):
            yield ValidationError("items are equal")


def _canonical_token(match: re.Match[str]) -> str:
    """Return a number in the form that all equal ones have; a string as it is."""
    if match[0].startswith('"'):
        return match[0]
    number = Decimal(match[0])
    return str(number.normalize(_EXACT)) if number else "0"

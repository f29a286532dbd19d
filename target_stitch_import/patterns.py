"""Tests values by regular expressions that others wrote, each within a second.

Python's ``re`` tries one way after the other, and holds the process meanwhile: some patterns take years
for a short text. Where that may be so, another process searches, and the system ends it in time.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft4Validator, ValidationError

if sys.version_info >= (3, 11):
    from re import _constants as codes
    from re import _parser as parser
else:
    import sre_constants as codes
    import sre_parse as parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MAX_SECONDS: Final = 1.0
"""Seconds of processor time that a search may take."""

_MAX_WAYS: Final = math.log(1_000_000)
"""Logarithm of the ways that ``re`` tries in about a tenth of a second."""

_MAX_LENGTH: Final = 1 << 26  # characters; no message of a tap has more

_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_LINE_STARTS: Final = (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING)


class PatternTooSlowError(ValueError):
    """A pattern takes too long for a value."""


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
            total += each + (0.0 if _exclude_each_other(parts) else math.log(len(parts)))
    return total


def _parts(argument: Any) -> Iterator[Any]:
    """Yield the parts of a pattern that an item of it has."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, (list, tuple)):
        for each in argument:
            yield from _parts(each)


def _exclude_each_other(parts: list[Any]) -> bool:
    """Return True if no two parts can match at one place, as each begins with another character."""
    starts = [part[0] for part in parts if len(part)]
    literals = [chr(value) for code, value in starts if code is codes.LITERAL]
    # More than one letter outside of ASCII may be the same one, where upper and lower case are.
    letters = {each.lower() for each in literals if each.isascii()}
    return len(parts) <= 1 or len(letters) == len(parts)


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
                raise _too_slow(pattern, text)
            try:
                answer = self._ask(pattern, text)
            except BaseException:  # else its answer would be taken for the next one
                self._end()
                raise
            if answer:
                return answer == b"1"
            if self._end() != -signal.SIGPROF:
                raise ChildProcessError(f"the process that searches for {pattern!r} has failed")
            self._too_slow = pattern, text
            raise _too_slow(pattern, text)

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

    def _end(self) -> int | None:
        """End the process, if there is one, and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        atexit.unregister(self.close)
        process.kill()
        with contextlib.suppress(BrokenPipeError), process:  # closes its pipes
            pass
        return process.returncode

    close = _end


def _too_slow(pattern: str, text: str) -> PatternTooSlowError:
    return PatternTooSlowError(
        f"pattern {pattern!r:.200} can't be judged within a second in a text of "
        f"{len(text):,} characters"
    )


def pattern_keywords(process: PatternProcess) -> dict[str, Callable[..., Any]]:
    """Return the keywords of draft 4 that search for patterns, for a validator of ``jsonschema``."""
    keywords = _Keywords(process)
    return {
        "additionalProperties": keywords.check_additional_properties,
        "pattern": keywords.check_pattern,
        "patternProperties": keywords.check_pattern_properties,
    }


class _Keywords:
    """What one validator keeps of its patterns."""

    def __init__(self, process: PatternProcess) -> None:
        self._process = process
        self._tests: dict[str, Callable[[object], bool]] = {}

    def check_pattern(
        self, _validator: Any, pattern: str, instance: Any, _schema: Any
    ) -> Iterator[ValidationError]:
        if not self._is_found(pattern, instance):
            yield ValidationError("the pattern is not found")

    def check_pattern_properties(
        self, validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any
    ) -> Iterator[ValidationError]:
        if not validator.is_type(instance, "object"):
            return
        for pattern, part in patterns.items():
            for name in [name for name in instance if self._is_found(pattern, name)]:
                yield from validator.descend(instance[name], part, path=name, schema_path=pattern)

    def check_additional_properties(
        self, validator: Any, additional: Any, instance: Any, schema: Mapping[str, Any]
    ) -> Iterator[ValidationError]:
        patterns = schema.get("patternProperties")
        if patterns and validator.is_type(instance, "object"):
            instance = {
                name: value
                for name, value in instance.items()
                if not any(self._is_found(pattern, name) for pattern in patterns)
            }
            schema = {word: part for word, part in schema.items() if word != "patternProperties"}
        check = Draft4Validator.VALIDATORS["additionalProperties"]
        for error in check(validator, additional, instance, schema):
            if additional is False:
                error.instance = instance  # without what the patterns permit
            yield error

    def _is_found(self, pattern: str, value: object) -> bool:
        if (test := self._tests.get(pattern)) is None:
            test = self._tests[pattern] = pattern_test(pattern, self._process)
        return test(value)

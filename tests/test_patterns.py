"""Patterns of a schema: what is found is what ``re`` finds, and none takes long."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.patterns import PatternProcess, PatternTooSlowError, pattern_test
from target_stitch_import.records.exact_verdict import exact_verdict

PROCESS = PatternProcess()
FOREVER = "^(a+)+$", "a" * 60 + "!"

PATTERNS = st.recursive(
    st.sampled_from(["a", "b", "é", r"\d", r"\w", ".", "[^a]", "^", "$", r"\s", "[ab]"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?"])).map(
            lambda part: f"(?:{part[0]}){part[1]}"
        ),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        FOREVER,
        ("^(a|aa)+$", "a" * 80 + "!"),
        ("(.*a){25}", "a" * 24 + "b" * 40),
        ("(x+x+)+y", "x" * 60),
        (r"a*a*a*a*b", "a" * 20_000),
        ("a+b", "a" * 1_000_000),
        (r"^(?:\w+\s?)*$", "word " * 20 + "!"),
        (r"(?=(a+)+$)a", "a" * 60 + "!"),
    ],
)
def test_a_pattern_that_takes_long_is_given_up(pattern: str, text: str) -> None:
    # when a value is tested for which re would take minutes, or years
    # then that ends, and says which pattern it is
    with pytest.raises(PatternTooSlowError, match="can't be judged within a second") as raised:
        pattern_test(pattern, PROCESS)(text)
    assert repr(pattern) in str(raised.value)
    # and the next value has its verdict
    assert pattern_test("^(b+)+$", PROCESS)("b" * 30)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pattern=PATTERNS, text=st.text("abé1 \n\ud800", max_size=24))
def test_what_is_found_is_what_re_finds(pattern: str, text: str) -> None:
    # given any pattern, and a text that is short enough for re to end
    # then this process and the other one find what re finds
    found = re.search(pattern, text) is not None
    assert pattern_test(pattern, PROCESS)(text) is found
    assert PROCESS.search(pattern, text) is found


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        ("^[a-z]+$", 100_000),
        ("^[A-Z]{3}$", 1_000_000),
        ("^https?://.+", 100_000),
        (r"^\d{4}-\d{2}-\d{2}$", 1_000_000),
        (r"^-?\d+(\.\d+)?$", 200),
        (r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", 1_000_000),
        ("^(red|green|blue)$", 1_000_000),
    ],
)
def test_an_ordinary_pattern_needs_no_other_process(pattern: str, length: int) -> None:
    # given a system that starts no process
    with mock.patch.object(PROCESS, "search", side_effect=AssertionError):
        # then ordinary patterns are tested, in values as long as this
        assert pattern_test(pattern, PROCESS)("\0" * length) is False


def test_other_values_than_text_have_every_pattern() -> None:
    assert pattern_test("^a$", PROCESS)(5)
    assert pattern_test("^a$", PROCESS)(None)


@pytest.mark.parametrize(
    "schema", [{"patternProperties": {"^(a+)+$": {}}}, {"not": {"pattern": "^(a+)+$"}}]
)
def test_a_record_that_can_not_be_judged_is_invalid(schema: dict[str, object]) -> None:
    # given a name, or a value, for which a pattern takes years
    record = {FOREVER[1]: 1} if "patternProperties" in schema else FOREVER[1]
    # then the record breaks its schema, even where the pattern is not to be found
    assert "can't be judged within a second" in str(exact_verdict(schema)(record))


def test_properties_without_a_pattern_are_additional_ones() -> None:
    # given a schema that permits properties of a pattern, and no others
    schema = {"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False}
    # then it judges each by what applies to it
    assert exact_verdict(schema)({"x1": 5}) is None
    assert "#/x1: expected: integer" in str(exact_verdict(schema)({"x1": "a"}))
    assert "'y' was unexpected" in str(exact_verdict(schema)({"x1": 5, "y": 1}))
    assert exact_verdict({**schema, "type": ["object", "string"]})("a text") is None


def test_a_search_that_is_interrupted_leaves_no_answer_behind() -> None:
    # given a search in another process, which Ctrl-C interrupts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - so that it ends in the block
            timer.start()
            while True:
                PROCESS.search("(a+)+$", "a" * 22 + "!")
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    # then the next search has its own answer
    assert PROCESS.search("(b+)+$", "b" * 30)


def test_a_process_that_fails_is_no_verdict() -> None:
    # given a Python that can't run
    process = PatternProcess()
    with (
        mock.patch.object(sys, "executable", "/bin/false"),
        pytest.raises(ChildProcessError),
    ):
        # then the search fails, rather than the value
        process.search("a", "a")

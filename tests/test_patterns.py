"""Patterns of a schema: what is found is what ``re`` finds, and none takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.patterns import PatternTooSlowError, pattern_test
from target_stitch_import.records.exact_verdict import exact_verdict

FOREVER = "^(?:(?:a|aa)+)+$", "a" * 100 + "!"

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
    [FOREVER, ("(a{1,100}){1,100}b", "a" * 5_000), ("(?:a|b|ab|aba|bab)+$", "ab" * 5_000 + "!")],
)
def test_a_pattern_that_takes_long_is_given_up(pattern: str, text: str) -> None:
    # when a value is tested for which a search takes minutes, or years
    # then that ends, and says which pattern it is
    with pytest.raises(PatternTooSlowError, match="can't be judged within a second") as raised:
        pattern_test(pattern)(text)
    assert repr(pattern) in str(raised.value)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^(a+)+$", "a" * 60 + "!"),
        ("(x+x+)+y", "x" * 60),
        ("a*a*a*a*b", "a" * 20_000),
        (r"^(?:\w+\s?)*$", "word " * 20 + "!"),
        ("(a*)*b", "a" * 60),
    ],
)
def test_a_pattern_for_which_re_takes_years_has_its_verdict(pattern: str, text: str) -> None:
    assert not pattern_test(pattern)(text)


@settings(deadline=None)
@given(pattern=PATTERNS, text=st.text("abé1 \n\ud800", max_size=24))
def test_what_is_found_is_what_re_finds(pattern: str, text: str) -> None:
    # given any pattern, and a text that is short enough for re to end
    assert pattern_test(pattern)(text) is (re.search(pattern, text) is not None)


def test_other_values_than_text_have_every_pattern() -> None:
    assert pattern_test("^a$")(5)
    assert pattern_test("^a$")(None)


@pytest.mark.parametrize(
    "schema", [{"patternProperties": {FOREVER[0]: {}}}, {"not": {"pattern": FOREVER[0]}}]
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

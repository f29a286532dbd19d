"""Transit is read as another library writes it, and whatever else comes is refused."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_stitch_import.emulator.decoding import MalformedError, decode
from target_stitch_import.emulator.transit import as_json

from .transit_text import written

FORMS = pytest.mark.parametrize("form", ["json", "json_verbose"])


def test_more_names_than_the_cache_holds() -> None:
    # given 1,937 names, one more than codes stand for: with the last the codes begin anew
    names = [f"name{place:04}" for place in range(1937)]
    first = ["^ ", *(part for name in names for part in (name, 1))]

    # when later objects refer to the last one, and to one that comes again
    read = decode(
        as_json(json.dumps([first, ["^ ", "^0", 2], ["^ ", "name0000", 3, "^1", 4]]).encode())
    )

    # then each code stands for what the newer names say
    assert read[1:] == [{"name1936": 2}, {"name0000": 4}]
    # and without the last one, the greatest code is the one before it
    body = json.dumps([first[:-2], ["^ ", "^[[", 2]]).encode()
    assert decode(as_json(body))[1] == {"name1935": 2}


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.text(max_size=6),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.text("~^`#:0 a", max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("~^`#:0 abc", max_size=6), inner, max_size=4),
    ),
    max_leaves=12,
)  # fmt: skip


@FORMS
@given(value=VALUES)
def test_whatever_the_librarys_writer_writes_is_read(form: str, value: Any) -> None:
    # when any value is written by the library
    # then it is read as what it was, every digit and every type
    read = decode(as_json(written([value], form)))
    assert _typed(read) == _typed([value])


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return [_typed(each) for each in value]
    if isinstance(value, dict):
        return {name: _typed(each) for name, each in value.items()}
    return type(value).__name__, value


TRANSIT_LIKE = st.recursive(
    st.one_of(
        st.none(), st.integers(), st.text("~^#:tmfnizd?_'0[ ", max_size=5),
        st.sampled_from(["^ ", "~#m", "~#list", "^0", "~:name", "~#'"]),
        st.text(string.printable, max_size=4).map(lambda text: f"~{text}"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(lambda each: ["^ ", *each]),
        st.dictionaries(st.text("~^#:m0 name", max_size=5), inner, max_size=2),
    ),
    max_leaves=10,
)  # fmt: skip


@given(TRANSIT_LIKE)
def test_anything_else_is_refused_or_read(value: Any) -> None:
    # when a body only looks like Transit
    try:
        text = as_json(json.dumps(value).encode())
    except MalformedError:
        return

    # then what is not refused says something in JSON
    decode(text)

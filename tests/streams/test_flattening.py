"""Flattening is the SDK's, to the last character."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.helpers._flattening import flatten_record, flatten_schema

from target_stitch_import.streams.flattening import Flattener

names = st.sampled_from(["a", "b", "ab", "é", "type", "properties", "a__b", "LongName" * 4])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text('\\"xUun0\x7f\x80éÿĀ😀', max_size=12),  # what escapes are made of
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(names, values, max_size=5)
parts = st.recursive(
    st.sampled_from(
        [{"type": ["null", "string"]}, {"type": "array"}, {"type": ["null", "object", "array"]}]
    ),
    lambda inner: st.dictionaries(names, inner, max_size=3).map(
        lambda properties: {"type": ["null", "object"], "properties": properties}
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(names, parts, max_size=4),
    st.lists(records, min_size=1, max_size=4),
    st.integers(1, 4),
    st.sampled_from(["__", ".", ""]),
    st.sampled_from([255, 20, 5]),
)
def test_it_is_what_the_sdk_makes_of_it(
    properties: dict[str, Any],
    data: list[dict[str, Any]],
    depth: int,
    separator: str,
    longest: int,
) -> None:
    # Given any schema, and the SDK's flattening of it
    try:
        schema = flatten_schema(
            {"properties": properties}, depth, separator, max_key_length=longest
        )
    except (ValueError, TypeError, KeyError):  # two columns of one name, and the like
        return
    options: Any = SimpleNamespace(max_level=depth, separator=separator, max_key_length=longest)
    flattener = Flattener(options, schema)
    for record in data:
        # When a record is flattened, by the SDK and here
        expected = flatten_record(record, schema, depth, separator, max_key_length=longest)
        flattened = flattener(record)
        # Then the columns, their order and their values are the same
        assert list(flattened.items()) == list(expected.items())


def test_a_list_becomes_the_same_text() -> None:
    options: Any = SimpleNamespace(max_level=1, separator="__", max_key_length=255)
    flattened = Flattener(options, {"properties": {}})({"a": [Decimal("1.10"), "Zürich 😀\n", {}]})
    assert flattened == {"a": '[1.10,"Z\\u00fcrich \\ud83d\\ude00\\n",{}]'}

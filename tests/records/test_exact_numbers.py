"""Numbers are judged by their JSON text, where that is as good as exact arithmetic."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.records.exact_numbers import number_test
from target_stitch_import.records.exact_verdict import exact_verdict
from target_stitch_import.records.struct_decoder import InDoubtError, record_decoder

CENTS: dict[str, Any] = {
    "type": ["null", "number"],
    "multipleOf": Decimal("0.01"),
    "minimum": -1_000,
    "maximum": 1_000,
}

bounds = st.one_of(
    st.integers(-(10**6), 10**6),
    st.decimals(-(10**6), 10**6, places=3),
    st.sampled_from([10**400, -(10**400), Decimal("1e5000"), 1, -1, 0, 10, -10]),
)
schemas = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["number", ["null", "number"], ["number", "null"]]),
    },
    optional={
        "minimum": bounds,
        "maximum": bounds,
        "multipleOf": st.sampled_from(
            [1, 10, Decimal(5), Decimal("0.1"), Decimal("0.010"), Decimal("0.02"), Decimal("1e-9")]
        ),
        "exclusiveMinimum": st.booleans(),
        "exclusiveMaximum": st.booleans(),
    },
)
texts = st.one_of(
    st.just("null"),
    st.integers(-(10**7), 10**7).map(str),
    st.decimals(-(10**7), 10**7, places=2).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@settings(deadline=None, max_examples=500)
@given(schemas, texts, st.sampled_from(["minimum", "maximum", "default"]))
def test_what_passes_fits_the_schema(schema: dict[str, Any], text: str, bound: str) -> None:
    # given a number, or null, which is at times itself the bound
    value = decode_exactly(text.encode())
    if value is not None:
        schema[bound] = value
    if (passes := number_test(schema)) is None:
        return
    # then it passes only if it fits, and where there are only bounds, whenever it fits
    fits = exact_verdict(schema)(value) is None
    assert fits if passes(text.encode()) else not fits or "multipleOf" in schema


@pytest.mark.parametrize("text", ["0", "-0", "999.99", "-999.9", "12", "null", "0.00", ""])
def test_what_most_taps_write_fits(text: str) -> None:
    fits = number_test(CENTS)
    assert fits is not None
    assert fits(text.encode())


@pytest.mark.parametrize("text", ["1000", "0.001", "1e2", '"1"', "true", "[1]", "1.", "٣"])
def test_what_is_not_so_plain_may_not_fit(text: str) -> None:
    fits = number_test(CENTS)
    assert fits is not None
    assert not fits(text.encode())


PERCENT: dict[str, Any] = {"type": ["null", "number"], "minimum": 0, "maximum": 100}


@pytest.mark.parametrize(
    "text", ["0", "0.0", "-0", "100.00", "1e2", "33.333", "1e-400", "null", ""]
)
def test_a_number_within_its_bounds_passes(text: str) -> None:
    fits = number_test(PERCENT)
    assert fits is not None
    assert fits(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "-1e-400",
        "100.00000000000000000001",
        "1e400",
        "1e99999999999999999999",
        "0." + "0" * 5_000,
        "true",
        "[1]",
        '"1"',
    ],
)
def test_what_is_no_number_within_its_bounds_may_not_fit(text: str) -> None:
    fits = number_test(PERCENT)
    assert fits is not None
    assert not fits(text.encode())


@pytest.mark.parametrize("schema", [CENTS, PERCENT], ids=["decimal", "bounds"])
def test_bytes_that_are_not_text_do_not_pass(schema: dict[str, Any]) -> None:
    # given bytes that no decoder has looked at
    fits = number_test(schema)
    assert fits is not None
    # when they are tested, then they don't pass, and nothing is raised
    assert not fits(b"\xff")


def test_an_exclusive_bound_is_itself_out_of_bounds() -> None:
    fits = number_test(PERCENT | {"exclusiveMinimum": True, "exclusiveMaximum": True})
    assert fits is not None
    assert [bool(fits(text)) for text in (b"0.0", b"1e-9", b"99.9", b"100")] == [0, 1, 1, 0]


def test_a_decimal_may_have_exclusive_bounds() -> None:
    fits = number_test(CENTS | {"exclusiveMinimum": True, "exclusiveMaximum": True})
    assert fits is not None
    assert [bool(fits(text)) for text in (b"-999.99", b"1000", b"-1000")] == [1, 0, 0]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number"},
        {"type": "integer", "multipleOf": 1},
        {"type": ["number", "string"], "multipleOf": 1},
        {"multipleOf": 1},
        {"type": "number", "multipleOf": Decimal("0.05")},
        {"type": "number", "multipleOf": 10},
        {"type": "number", "multipleOf": 1, "minimum": 0},
        {"type": "number", "multipleOf": 1, "maximum": Decimal("0.5")},
        {"type": "number", "multipleOf": 1, "maximum": 5, "exclusiveMaximum": True},
    ],
    ids=str,
)
def test_what_says_more_or_less_has_no_such_test(schema: dict[str, Any]) -> None:
    assert number_test(schema) is None


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('{"id":1,"price":10.25}', True),
        ('{"id":1}', True),
        ('{"id":1,"price":null}', True),
        ('{"id":10.5,"price":1}', True),
        ('{"id":null,"price":1}', False),
        ('{"price":1}', False),
        ('{"id":1,"price":10.255}', False),
        ('{"id":1,"price":"1"}', False),
        ('{"id":1,"price":"\udcff","price":1}', False),
    ],
)
def test_a_record_with_decimals_is_decided_by_decoding(text: str, fits: bool) -> None:
    # given decimals as fields and as a key
    decode = record_decoder({"properties": {"id": CENTS, "price": CENTS}}, ["id"])
    assert decode is not None
    # when a record is decoded, then an error is raised where it may not fit
    if fits:
        decode(text.encode())
    else:
        with pytest.raises((InDoubtError, ValueError)):
            decode(text.encode(errors="surrogateescape"))

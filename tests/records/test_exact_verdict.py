"""The exact verdict, also on what the fast accept would have let through."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.json_codec import json_type
from target_stitch_import.records.exact_verdict import exact_verdict


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({}, "object"),
        ([], "array"),
        ("", "string"),
        (True, "boolean"),
        (1, "integer"),
        (Decimal("1.0"), "number"),
        (None, "null"),
    ],
)
def test_each_type_has_its_name_in_json(value: Any, name: str) -> None:
    assert json_type(value) == name
    assert exact_verdict({"type": name})(value) is None


@pytest.mark.parametrize("zero", [0, Decimal("0.000"), Decimal("-0.0"), Decimal("0E+999999")])
@pytest.mark.parametrize("of", [3, Decimal("1E-38"), Decimal("7E+400")])
def test_zero_is_a_multiple_of_everything(zero: int | Decimal, of: int | Decimal) -> None:
    assert exact_verdict({"multipleOf": of})(zero) is None


@settings(deadline=None)
@given(
    st.integers(-(10**40), 10**40),
    st.integers(1, 10**20),
    st.integers(-60, 60),
    st.integers(-60, 60),
)
def test_multiples_are_those_of_integer_arithmetic(
    number: int, of: int, exponent: int, of_exponent: int
) -> None:
    # given both as decimals, and both times 10 to the 60th as integers
    value = Decimal((number < 0, tuple(map(int, str(abs(number)))), exponent))
    divisor = Decimal((0, tuple(map(int, str(of))), of_exponent))
    whole = number * 10 ** (exponent + 60) % (of * 10 ** (of_exponent + 60)) == 0
    assert (exact_verdict({"multipleOf": divisor})(value) is None) == whole


@pytest.mark.parametrize(
    "value", [Decimal("1E-999999999"), Decimal("1E+999999999"), Decimal("1.5")]
)
def test_absurd_exponents_are_judged_at_once(value: Decimal) -> None:
    verdict = exact_verdict({"multipleOf": 3})(value)
    assert verdict == "#: breaks multipleOf 3 (schema_checks: types sends such values)"


def test_of_several_rules_that_are_broken_the_best_is_reported() -> None:
    schema = {"properties": {"a": {"type": "integer"}, "b": {"properties": {"c": {"maximum": 1}}}}}
    assert exact_verdict(schema)({"a": "x", "b": {"c": 5}}) == (
        "#/a: expected: integer, found: string "
        "(the tap's schema is wrong there: override it in the catalog or by a stream map)"
    )

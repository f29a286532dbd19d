"""Types of values: from the posted schema, or from the value alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_stitch_import.destinations.facts import (
    ANY,
    DESTINATIONS,
    FieldSchema,
    narrowest_type,
    to_seconds,
)

INT, BIG = 2**31 - 1, 2**63 - 1
AT = "2024-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("schema", "value", "kind"),
    [
        ({"type": ["null", "number"]}, 10, "number"),
        ({"type": "integer"}, 10, "integer"),
        ({"type": ["integer", "string"]}, 10, "integer"),
        ({"type": ["integer", "string"]}, "x", "string"),
        ({"type": "boolean"}, True, "boolean"),
        ({"type": "string", "format": "date-time"}, AT, "date-time"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, AT, "date-time"),
        ({"type": "string", "format": "singer.decimal"}, "0.0", "decimal"),
        ({"type": "string", "format": "singer.decimal"}, "x", "string"),
        ({"type": "object"}, {}, "object"),
        ({"type": "array"}, [], "array"),
        # without a type, and in a push body, it is the value's
        ({}, 10, "integer"),
        ({}, Decimal("3.14"), "number"),
        ({}, AT, "string"),
        (None, True, "boolean"),
    ],
)
def test_the_schema_says_of_which_kind_a_value_is(schema: Any, value: Any, kind: str) -> None:
    assert FieldSchema(schema).kind(value) == kind


def test_nested_values_have_the_kind_of_their_place() -> None:
    # given a schema of objects in arrays
    number = {"type": "number"}
    item = {"properties": {"price": number}, "additionalProperties": {"type": "integer"}}
    place = FieldSchema({"properties": {"lines": {"type": "array", "items": item}}})
    # then each field of an item has its own kind, also one that is not named
    lines = place.field("lines")
    assert lines.item.field("price").kind(1) == "number"
    assert lines.item.field("other").kinds == ["integer"]
    # and an item of a tuple has that of the schema that fits it
    pair = FieldSchema(
        {"items": [{"type": "string"}, number], "additionalItems": {"type": "boolean"}}
    )
    assert [pair.item.kind(value) for value in ("x", 1, True)] == ["string", "number", "boolean"]


RANGES = [
    # kind, value, the type that holds it
    ("redshift", "integer", INT, "INTEGER"),
    ("redshift", "integer", INT + 1, "BIGINT"),
    ("redshift", "integer", -INT - 2, "BIGINT"),
    ("redshift", "integer", BIG + 1, None),
    ("postgres", "integer", -BIG - 1, "BIGINT"),
    ("panoply", "integer", BIG + 1, None),
    ("mysql", "integer", INT + 1, "BIGINT"),
    ("microsoft-sql-server", "integer", INT, "INT"),
    ("databricks-delta", "integer", INT + 1, "LONG"),
    ("bigquery", "integer", BIG, "INTEGER"),
    ("bigquery", "integer", BIG + 1, None),
    ("microsoft-azure", "integer", 1, "BIGINT"),
    ("snowflake", "integer", 10**38 - 1, "NUMBER(38,0)"),
    ("snowflake", "integer", 10**38, None),
    ("redshift", "decimal", "1" * 38, "DECIMAL"),
    ("redshift", "decimal", "1" * 39, None),
    ("redshift", "decimal", "0." + "0" * 38 + "1", None),
    ("mysql", "decimal", "9" * 32 + ".999999", "DECIMAL(38,6)"),
    ("mysql", "decimal", "1" + "0" * 32, None),
    ("bigquery", "decimal", "-" + "9" * 29 + ".999999999", "NUMERIC"),
    ("bigquery", "decimal", "1e29", None),
    ("postgres", "decimal", "1e100", "DECIMAL"),
    ("mysql", "date-time", "1000-01-01T00:00:00Z", "DATETIME"),
    ("mysql", "date-time", "0999-12-31T23:59:59Z", None),
    ("mysql", "date-time", "1000-01-01T00:30:00+01:00", None),
    ("bigquery", "date-time", "9999-12-31T23:59:59.9999999Z", None),
    ("databricks-delta", "date-time", "1899-12-31T23:59:59Z", None),
    ("databricks-delta", "date-time", "9999-12-31T23:59:59Z", "TIMESTAMP"),
    ("microsoft-azure", "date-time", "0001-01-01T00:00:00+00:01", None),
    ("redshift", "date-time", "0001-01-01T00:00:00Z", "TIMESTAMP"),
    ("redshift", "string", "x" * 70_000, "VARCHAR"),
    ("redshift", "number", Decimal("1e300"), "DOUBLE"),
]


@pytest.mark.parametrize(("key", "kind", "value", "expected"), RANGES)
def test_a_column_gets_the_narrowest_type_that_holds_its_values(
    key: str, kind: str, value: Any, expected: str | None
) -> None:
    types = DESTINATIONS[key].column_types(kind)
    at = narrowest_type(types, kind, value)
    assert (None if at is None else types[at].name) == expected


def test_date_times_are_compared_in_utc() -> None:
    assert to_seconds("2024-03-01T12:00:00+05:45") == to_seconds("2024-03-01T06:15:00Z")
    assert to_seconds("2024-03-01T12:00:00-01:00") == to_seconds("2024-03-01T13:00:00.000Z")
    assert to_seconds("2024-02-30T00:00:00Z") is None


def test_kinds_of_one_suffix_share_a_column() -> None:
    mysql = DESTINATIONS["mysql"]
    assert mysql.family("object") == mysql.family("array")
    assert mysql.family("object") != mysql.family("string")


DIGITS = st.text("0123456789", min_size=1, max_size=20)
TIMES = st.builds(
    "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}".format,
    st.sampled_from([0, 1, 999, 1000, 1899, 1900, 1910, 2024, 2025, 8999, 9999]),
    *(st.integers(0, most) for most in (13, 32, 25, 61, 61)),
    st.sampled_from(["Z", ".5Z", "+02:00", "-99:99", ""]),
)
DECIMALS = st.builds("{}{}.{}".format, st.sampled_from(["", "-"]), DIGITS, DIGITS)


@pytest.mark.parametrize("key", list(DESTINATIONS))
@pytest.mark.parametrize(
    ("first", "value_format"), [("2024-02-28T12:00:00Z", "date-time"), ("1.5", "singer.decimal")]
)
@given(text=TIMES | DECIMALS | st.text())
def test_a_quick_check_holds_for_no_text_of_another_kind_or_out_of_range(
    key: str, first: str, value_format: str, text: str
) -> None:
    place = FieldSchema({"type": "string", "format": value_format})
    kind = place.kind(first)
    (held,) = DESTINATIONS[key].column_types(kind)
    check = place.quick_check(kind, held, first)
    assert callable(check)
    assert check(first)
    if check(text):
        assert (place.kind(text), narrowest_type([held], kind, text)) == (kind, 0)


@pytest.mark.parametrize(
    ("schema", "value"),
    [({"type": "integer"}, 5), ({"type": "number"}, Decimal("1.5")), ({"type": "boolean"}, True)],
)
def test_where_a_type_has_no_range_no_further_value_is_looked_at(
    schema: dict[str, Any], value: Any
) -> None:
    # given the column of a table that goes to any destination
    place = FieldSchema(schema)
    kind = place.kind(value)
    # then all values of one type of Python are alike
    assert place.quick_check(kind, ANY.column_types(kind)[0], value) is True


def test_where_a_type_has_a_range_it_is_looked_at() -> None:
    bigint = DESTINATIONS["redshift"].column_types("integer")[-1]
    check = FieldSchema({"type": "integer"}).quick_check("integer", bigint, 5)
    assert callable(check)
    assert check(BIG)
    assert not check(BIG + 1)

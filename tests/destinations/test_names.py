"""Names of tables and columns, by the documented examples of each destination."""

from __future__ import annotations

import pytest

from target_stitch_import.destinations.facts import DESTINATIONS

REMOVING = {
    "CustomerId": "customerid",
    "customer id": "customerid",
    "!customer#Id": "customerid",
    "123customerId": "customerid",
    "_customer_id": "customer_id",
    "é_name": "name",
    "line__items": "line__items",
}
NAMES = {
    "bigquery": {
        "CustomerID": "customerid",
        "customer id": "customer_id",
        "customer!id": "customer_id",
        "1customer": "_customer",
        "12customer": "_2customer",
        "naïve": "na_ve",
    },
    "databricks-delta": {
        "CustomerID": "customerid",
        "customer id": "customer_id",
        "customer.id": "customer_id",
        "1customer": "_1customer",
    },
    "microsoft-azure": {
        "CustomerID": "CustomerID",
        "customer id": "customer_id",
        "customer-id": "customer_id",
        "1customer": "_customer",
    },
    "microsoft-sql-server": {
        "CustomerID": "customerid",
        "!customer": "customer",
        "!!@customer": "customer",
        " customer ": "customer",
        "customer id": "customer_id",
        "cust@o$m#er!": "cust@o$m#er_",
        "1customer": "1customer",
    },
    "mysql": {
        "CustomerID": "customerid",
        " customer id ": "customer_id",
        "cust$om@er": "cust$om_er",
        "1customer": "1customer",
    },
    "panoply": REMOVING,
    "postgres": {
        "CustomerID": "CustomerID",
        "customer id": "customerid",
        "!customer#Id": "customerId",
        "123customer": "customer",
        "_id": "id",
    },
    "redshift": REMOVING,
    "snowflake": {
        "CustomerID": "CUSTOMERID",
        "customer id": "CUSTOMER_ID",
        "customer!id": "CUSTOMERID",
        "1_customer": "CUSTOMER",
        "straße": "STRASSE",
    },
}


@pytest.mark.parametrize(
    ("key", "name", "expected"),
    [(key, *each) for key, names in NAMES.items() for each in names.items()],
)
def test_a_name_becomes_the_documented_one(key: str, name: str, expected: str) -> None:
    assert DESTINATIONS[key].canonical_name(name) == expected


def test_each_destination_has_examples() -> None:
    assert NAMES.keys() == DESTINATIONS.keys()


@pytest.mark.parametrize("key", DESTINATIONS)
@pytest.mark.parametrize("name", ["_sdc_deleted_at", "__sdc_x", "_sdc_Ä-1"])
def test_names_of_stitch_stay(key: str, name: str) -> None:
    assert DESTINATIONS[key].canonical_name(name) == name


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("Customer", "Name"), "customer__name"),
        (("orders", "line items"), "orders__lineitems"),
        (("orders", "line_items", "tax_lines"), "orders__line_items__tax_lines"),
    ],
)
def test_nested_names_are_joined_by_two_underscores(path: tuple[str, ...], expected: str) -> None:
    assert DESTINATIONS["redshift"].canonical_name(*path) == expected


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("bigquery", True),
        ("databricks-delta", True),
        ("microsoft-azure", True),
        ("microsoft-sql-server", True),
        ("mysql", True),
        ("panoply", True),
        ("postgres", False),
        ("redshift", True),
        ("snowflake", True),
    ],
)
def test_names_that_differ_in_case_are_one_but_for_postgres(key: str, is_one: bool) -> None:
    destination = DESTINATIONS[key]
    first, second = (
        destination.compared_name(destination.canonical_name(name)) for name in ("Id", "ID")
    )
    assert (first == second) == is_one


SUFFIXES = [
    "st",
    "it",
    "bi",
    "fl",
    "do",
    "de",
    "bo",
    "ti",
    "nu",
    "va",
    "re",
    "ar",
    "dt",
    "js",
    "inst",
    "lg",
    "db",
]


@pytest.mark.parametrize("key", DESTINATIONS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_of_a_type_is_reserved(key: str, suffix: str) -> None:
    destination = DESTINATIONS[key]
    reason = f"column names from client should not include reserved datatype suffix on x__{suffix}"
    assert destination.reject_column(f"x__{suffix}") == reason
    assert destination.reject_column("x", suffix) == reason
    # but not with one underscore, or within the name
    assert destination.reject_column(f"x_{suffix}") is None
    assert destination.reject_column(f"x__{suffix}s") is None


@pytest.mark.parametrize("key", DESTINATIONS)
def test_the_prefix_of_stitch_s_former_name_is_reserved(key: str) -> None:
    assert DESTINATIONS[key].reject_column("_rjm_x") is not None
    assert DESTINATIONS[key].reject_column("rjm_x") is None


def test_a_suffix_counts_as_the_destination_names_the_column() -> None:
    assert DESTINATIONS["redshift"].reject_column("x__IT") is not None
    assert DESTINATIONS["redshift"].reject_column("x__i t") is not None
    assert DESTINATIONS["postgres"].reject_column("x__IT") is None
    assert DESTINATIONS["postgres"].reject_column("x y__IT") is None
    assert DESTINATIONS["postgres"].reject_column("x__i t") is not None
    assert DESTINATIONS["microsoft-azure"].reject_column("x__IT") is not None


def test_a_name_that_becomes_one_of_stitch_s_own_collides() -> None:
    reason = DESTINATIONS["bigquery"].reject_column("_SDC_sequence")
    assert reason == "Field collision on _sdc_sequence"


def test_a_name_of_which_nothing_is_left_is_rejected() -> None:
    assert DESTINATIONS["redshift"].reject_column("123") is not None
    assert DESTINATIONS["redshift"].reject_table(DESTINATIONS["redshift"].canonical_name("日本"))


LIMITS = {
    # table, column, columns
    "bigquery": (1024, 128, 10_000),
    "databricks-delta": (78, 122, None),
    "microsoft-azure": (112, 128, 1024),
    "microsoft-sql-server": (113, 128, 1024),
    "mysql": (60, 64, 1017),
    "panoply": (127, 115, 1600),
    "postgres": (63, 59, 1600),
    "redshift": (127, 115, 1600),
    "snowflake": (255, 251, None),
}


@pytest.mark.parametrize(("key", "limits"), LIMITS.items())
def test_names_and_columns_have_the_documented_limits(
    key: str, limits: tuple[int, int, int | None]
) -> None:
    destination = DESTINATIONS[key]
    max_table, max_column, max_columns = limits
    assert destination.reject_table("x" * max_table) is None
    assert "is too long for" in (destination.reject_table("x" * (max_table + 1)) or "")
    assert destination.omit_column("x" * max_column) is None
    assert "is too long for" in (destination.omit_column("x" * (max_column + 1)) or "")
    assert destination.max_columns == max_columns


SPLITS = {
    # integers first, then a number
    "bigquery": ["cost", "cost__fl"],
    "databricks-delta": ["cost", "cost__fl"],
    "microsoft-azure": ["cost", "cost__fl"],
    "microsoft-sql-server": ["cost__it", "cost__fl"],
    "mysql": ["cost__it", "cost__fl"],
    "panoply": ["cost__it", "cost__do"],
    "postgres": ["cost__it", "cost__do"],
    "redshift": ["cost__it", "cost__do"],
    "snowflake": ["COST", "COST__FL"],
}


@pytest.mark.parametrize(("key", "expected"), SPLITS.items())
def test_a_column_of_two_types_is_split(key: str, expected: list[str]) -> None:
    destination = DESTINATIONS[key]
    types = [destination.column_types(kind)[0] for kind in ("integer", "number")]
    name = destination.canonical_name("cost")
    assert destination.split_names(name, types) == expected
    assert destination.split_names(name, types[:1]) == [name]


def test_a_subtable_has_a_column_for_each_key_of_the_top_table() -> None:
    assert DESTINATIONS["redshift"].source_key("Order ID") == "_sdc_source_key_orderid"
    assert (
        DESTINATIONS["redshift"].source_key("__sdc_primary_key")
        == "_sdc_source_key___sdc_primary_key"
    )

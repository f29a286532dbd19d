"""Transit: what each tag becomes in a table, in both forms, and what is refused."""

from __future__ import annotations

import datetime as dt
import io
import json
import sqlite3
import string
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transit.transit_types import Keyword
from transit.writer import Writer

from target_stitch_import.emulator import list_tables
from target_stitch_import.emulator.rules.transit import read_transit
from target_stitch_import.emulator.storage.exact_json import MalformedError, decode
from tests.emulator.client import ACCEPTED, Api, StatusAndBody, read_response

ARGUMENTS: dict[str, Any] = {
    "client_id": 4231,
    "sequence": 100,
    "action": "upsert",
    "key_names": ["id"],
}
FORMS = pytest.mark.parametrize("form", ["json", "json_verbose"])
DIGITS = "1234567890123456789012345678901234567.8"
BIG = 12345678901234567890123456789012345678


def write_transit(value: Any, form: str) -> bytes:
    """Return what the library's own writer makes of a value."""
    text = io.StringIO()
    Writer(text, form).write(value)
    return text.getvalue().encode()


def post(api: Api, body: Any, endpoint: str = "push") -> StatusAndBody:
    """Post Transit: text and bytes as they are, anything else as JSON of the same structure."""
    return read_response(api.post(endpoint, body, content_type="application/transit+json"))


def write_body(table: str, data: str, form: str) -> str:
    """Return a body of one record, whose ``data`` are fields of Transit as the verbose form has them.

    A colon and a space follow nothing but their names: the compact form has a comma there.
    """
    arguments = json.dumps({**ARGUMENTS, "table_name": table})[1:-1]
    if form == "json_verbose":
        return f'[{{{arguments}, "data": {{{data}}}}}]'
    compact = [fields.replace('": ', '", ') for fields in (arguments, data)]
    return f'[["^ ", {compact[0]}, "data", ["^ ", {compact[1]}]]]'


@FORMS
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # instants
        ('"~t2024-02-29T23:59:58.123456Z"', "2024-02-29T23:59:58.123456Z"),
        ('"~t2024-02-29T23:59:58Z"', "2024-02-29T23:59:58.000000Z"),
        ('"~t2024-02-29T23:59:58.5Z"', "2024-02-29T23:59:58.500000Z"),
        ('"~t2024-02-29T23:59:58.123456789Z"', "2024-02-29T23:59:58.123456789Z"),
        ('"~t2024-03-01T01:29:58.123456+01:30"', "2024-02-29T23:59:58.123456Z"),
        ('"~t0001-01-01T00:00:00Z"', "0001-01-01T00:00:00.000000Z"),
        ('"~m1709251198123"', "2024-02-29T23:59:58.123000Z"),
        ('"~m-1"', "1969-12-31T23:59:59.999000Z"),
        ('["~#m", 1709251198123]', "2024-02-29T23:59:58.123000Z"),
        ('["~#t", "2024-02-29T23:59:58.123456Z"]', "2024-02-29T23:59:58.123456Z"),
        # numbers
        (f'"~f{DIGITS}"', Decimal(DIGITS)),
        ('"~f0.1000000000000000055511151231257827"', Decimal("0.1000000000000000055511151231257827")),
        ('"~f-5"', Decimal(-5)),
        ('"~f1E+40"', Decimal("1E+40")),
        ('"~d1.5"', Decimal("1.5")),
        (f'"~n{BIG}"', BIG),
        (f'"~n-{BIG}"', -BIG),
        ('"~i9007199254740993"', 9007199254740993),
        ('"~i9223372036854775808"', 9223372036854775808),
        ("9223372036854775808", 9223372036854775808),
        ("0.12345678901234567890123", Decimal("0.12345678901234567890123")),
        ("1.5", Decimal("1.5")),
        ("7", 7),
        # strings and names
        ('"plain"', "plain"),
        ('"~~tilde"', "~tilde"),
        ('"~^0"', "^0"),
        ('"~`quote"', "`quote"),
        ('"~:keyword"', "keyword"),
        ('"~$symbol"', "symbol"),
        ('"~u531a379e-31bb-4ce1-8690-158dceb64be6"', "531a379e-31bb-4ce1-8690-158dceb64be6"),
        ('"~rhttps://example.com/"', "https://example.com/"),
        ('"~cx"', "x"),
        ('"~bAAE="', "AAE="),
        # the rest
        ('"~?t"', True),
        ('"~?f"', False),
        ("true", True),
        ('"~_"', None),
        ("null", None),
        ('["~#set", [1, "~:two"]]', [1, "two"]),
        ('["~#list", [1, "~~"]]', [1, "~"]),
        ('["~#\'", "~n1"]', 1),
        ("[]", []),
        ('["~^ ", "a", 1]', ["^ ", "a", 1]),
    ],
)  # fmt: skip
def test_what_each_tag_becomes(api: Api, table: str, form: str, text: str, expected: Any) -> None:
    # when a value comes as Transit writes it
    answered = post(api, write_body(table, f'"id": 1, "v": {text}', form))

    # then it is loaded as what it stands for, to the last digit
    assert answered == ACCEPTED
    (row,) = api.rows(table)
    assert row == {"id": 1, "v": expected}
    assert type(row["v"]) is type(expected) or isinstance(expected, Decimal)


@pytest.mark.parametrize("text", ['{"~#m": 1709251198123}', '{"~#t": "2024-02-29T23:59:58.123Z"}'])
def test_a_tagged_value_that_is_an_object(api: Api, table: str, text: str) -> None:
    # when a value is tagged as the verbose form does it
    answered = post(api, write_body(table, f'"id": 1, "v": {text}', "json_verbose"))

    # then it is the same
    assert answered == ACCEPTED
    assert api.rows(table)[0]["v"] == "2024-02-29T23:59:58.123000Z"


@FORMS
def test_objects_inside(api: Api, table: str, form: str) -> None:
    # when an object stands in a record, its names keywords, text, or escaped
    names = '{"~:a/b": "~f1.50", "~~c": [{}, {"d": null}], "~^ ": 1.0}'
    if form == "json":
        names = '["^ ", "~:a/b", "~f1.50", "~~c", [["^ "], ["^ ", "d", null]], "~^ ", 1.0]'

    # then it is loaded with the names and the digits that it has
    assert post(api, write_body(table, f'"id": 1, "v": {names}', form)) == ACCEPTED
    (row,) = api.rows(table)
    assert row["v"] == {"a/b": Decimal("1.50"), "~c": [{}, {"d": None}], "^ ": Decimal("1.0")}
    assert [str(row["v"]["a/b"]), str(row["v"]["^ "])] == ["1.50", "1.0"]


@FORMS
def test_columns_have_the_kind_of_what_the_tags_say(api: Api, table: str, form: str) -> None:
    # when whole numbers come as an integer, a big integer and a decimal, beside an instant
    data = '"id": 1, "i": "~i1", "n": "~n1", "f": "~f1", "t": "~m0", "k": "~:a"'
    post(api, write_body(table, data, form))

    # then each has a column of its own kind
    with closing(sqlite3.connect(api.database)) as connection:
        kinds = dict(
            connection.execute(
                "SELECT name, kind FROM _sdc_columns WHERE table_name = ?", (table,)
            ).fetchall()
        )
    assert kinds == {
        "id": "INTEGER", "i": "INTEGER", "n": "INTEGER", "f": "NUMERIC", "t": "TEXT", "k": "TEXT",
    }  # fmt: skip


@FORMS
def test_a_body_of_the_librarys_writer(api: Api, table: str, form: str) -> None:
    # given records with every type that JSON lacks, and names that repeat
    moment = dt.datetime(2024, 2, 29, 23, 59, 58, 123000, dt.timezone.utc)
    values = {"at": moment, "exact": Decimal(DIGITS), "large": BIG, "long": 2**60}
    texts = {"word": Keyword("pending"), "odd": ["~a", "^b", "`c", "~", "^ "], "flag": True}
    records = [
        {
            Keyword("client_id"): 4231,
            Keyword("table_name"): table,
            Keyword("sequence"): 2**62 + place,
            Keyword("action"): Keyword("upsert"),
            Keyword("key_names"): ["id"],
            Keyword("data"): {"id": place, **values, **texts, "nested": [[[place]]], "no": None},
        }
        for place in range(3)
    ]

    # when they are pushed as the library writes them
    body = write_transit(records, form)
    assert (b'"^0"' in body) is (form == "json")
    assert post(api, body) == ACCEPTED

    # then every row has every value
    rows = api.rows(table, system_columns=True)
    assert [row["_sdc_sequence"] for row in rows] == [2**62, 2**62 + 1, 2**62 + 2]
    for place, row in enumerate(rows):
        assert row["at"] == "2024-02-29T23:59:58.123000Z"
        assert {name: row[name] for name in values if name != "at"} == {
            name: value for name, value in values.items() if name != "at"
        }
        assert (row["word"], row["odd"], row["flag"]) == ("pending", texts["odd"], True)
        assert (row["id"], row["nested"], row["no"]) == (place, [[[place]]], None)


REFUSED = [
    "",
    "[",
    '["^ "',
    "[NaN]",
    b"\xff",
    '["~"]',
    '["~Xother"]',
    '["~#point", [1, 2]]',
    '["~#cmap", [[1], 2]]',
    '["~#list", [1], 2]',
    '["~#list", 1]',
    '["~#m"]',
    '"~#m"',
    '[1, "~#m"]',
    '["^ ", "id"]',
    '["^ ", 1, 2]',
    '["^ ", "~i1", 2]',
    '["^ ", "~#m", 5]',
    '["^ ", "a", 1, "~#m", 2]',
    '{"a": 1, "~#m": 2}',
    '["^0"]',
    '["^"]',
    '["~:name", "^1"]',
    '["~:name", "^z"]',
    '["~:name", "^000"]',
    '["~_x"]',
    '["~?true"]',
    '["~i1.0"]',
    '["~n1_0"]',
    '["~i"]',
    '["~fNaN"]',
    '["~f1e9999999999999999999"]',
    '["~zINF"]',
    '["~d"]',
    '["~t2024-02-29"]',
    '["~t2024-02-29T23:59:58"]',
    '["~t2023-02-29T23:59:58Z"]',
    '["~t0001-01-01T00:00:00+01:00"]',
    '["~m1.5"]',
    '["~m99999999999999999999"]',
    f'["~m{"9" * 5000}"]',
]  # fmt: skip


@pytest.mark.parametrize("endpoint", ["push", "validate"])
@pytest.mark.parametrize("body", REFUSED)
def test_a_body_that_is_no_transit(api: Api, endpoint: str, body: str | bytes) -> None:
    # when a body can't be read
    status, content = post(api, body, endpoint)

    # then it is refused as JSON would be, with a reason
    assert status == 400
    assert (content["status"], content["message"]) == ("ERROR", "Malformed json in the body!")
    assert content["error"]


@FORMS
def test_the_rules_are_those_of_json(api: Api, table: str, form: str) -> None:
    # when bodies break a rule
    no_key = post(api, write_body(table, '"v": 1', form))
    null_key = post(api, write_body(table, '"id": "~_"', form))
    nobody = post(api, write_body(table, '"id": 1', form).replace('"client_id"', '"client"'))
    no_array = post(api, '["^ ", "id", 1]' if form == "json" else '{"id": 1}')

    # then the answers are those that JSON gets
    def unprocessable(reason: str) -> StatusAndBody:
        error = "Request cannot be processed; see errors."
        return 422, {"status": "ERROR", "error": error, "errors": [{"reason": {"data": [reason]}}]}

    assert no_key == unprocessable("data must include keys")
    assert null_key == unprocessable("keys cannot not be null in data")
    assert nobody == (401, {"status": "ERROR", "error": "Not Authenticated.", "errors": None})
    assert no_array == (400, {"status": "ERROR", "message": "An array of records is expected"})
    assert table not in list_tables(api.database)


@FORMS
def test_validate_persists_nothing(api: Api, table: str, form: str) -> None:
    # when a body is validated
    answered = post(api, write_body(table, '"id": "~i1"', form), "validate")

    # then it is found valid, and not stored
    assert answered == (200, {"status": "OK", "message": "Batch is valid!"})
    assert table not in list_tables(api.database)


@pytest.mark.parametrize(("levels", "status"), [(490, 201), (600, 400), (20_000, 400)])
def test_as_deep_as_json(api: Api, table: str, levels: int, status: int) -> None:
    # when arrays are nested almost as deeply as they may be, or more deeply
    deep = "[" * levels + "]" * levels
    answered = post(api, write_body(table, f'"id": 1, "v": {deep}', "json"))

    # then they are taken, or refused with the reason
    assert answered[0] == status
    assert status == 201 or answered[1]["error"] == "nested too deeply"


def test_more_names_than_the_cache_holds() -> None:
    # given 1,937 names, one more than codes stand for: with the last the codes begin anew
    names = [f"name{place:04}" for place in range(1937)]
    first = ["^ ", *(part for name in names for part in (name, 1))]

    # when later objects refer to the last one, and to one that comes again
    body = json.dumps([first, ["^ ", "^0", 2], ["^ ", "name0000", 3, "^1", 4]]).encode()
    read = decode(read_transit(body)[1])

    # then each code stands for what the newer names say
    assert read[1:] == [{"name1936": 2}, {"name0000": 4}]
    # and without the last one, the greatest code is the one before it
    body = json.dumps([first[:-2], ["^ ", "^[[", 2]]).encode()
    assert decode(read_transit(body)[1])[1] == {"name1935": 2}


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
    read = decode(read_transit(write_transit([value], form))[1])
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
        _, text = read_transit(json.dumps(value).encode())
    except MalformedError:
        return

    # then what is not refused says something in JSON
    decode(text)

"""Formats of strings: which values are taken, and that both validators agree."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from target_stitch_import.emulator.rules.formats import FORMATS
from target_stitch_import.emulator.rules.schemas import compile_schema
from tests.emulator.client import ACCEPTED, Api, batch, not_conforming, upsert

EXPECTED = "Expected [yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,9}Z]"
DATE_TIME = {"type": "string", "format": "date-time"}
NULLABLE = {"type": ["null", "string"], "format": "date-time"}

GOOD = [
    "2024-02-29T10:00:00Z",
    "2024-02-29T23:59:59.1Z",
    "2024-02-29T10:00:00.123456789Z",
    "2024-02-29T10:00:00+05:45",
    "2024-02-29T10:00:00.5-03:30",
    "2024-02-29T10:00:00-18:00",
    "2024-02-29T10:00:00+17:59",
    "2024-02-29T10:00:00+0000",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2000-02-29T00:00:00Z",
    "2024-04-30T00:00:00Z",
]
BAD = [
    "",
    "infinity",
    "2024-02-29",
    "2024-02-29T10:00Z",
    "2024-02-29T10:00:00",
    "2018-08-30T19:48:57.974000",
    "2024-02-29 10:00:00Z",
    "2024-02-29t10:00:00Z",
    "2024-02-29T10:00:00z",
    "2024-02-29T10:00:00 Z",
    "2024-02-29T10:00:00Z ",
    "2024-02-29T10:00:00Z\n",
    "2024-02-29T10:00:00,5Z",
    "2024-02-29T10:00:00.Z",
    "2024-02-29T10:00:00.1234567890Z",
    "2024-02-29T10:00:00+05",
    "2024-02-29T10:00:00+0530",
    "2024-02-29T10:00:00-0000",
    "2024-02-29T10:00:00+05:41:16",
    "2024-02-29T10:00:00+18:01",
    "2024-02-29T10:00:00+19:00",
    "2024-02-29T10:00:00+05:60",
    "2024-02-29T24:00:00Z",
    "2024-02-29T10:60:00Z",
    "2024-02-29T23:59:60Z",
    "2023-02-29T10:00:00Z",
    "1900-02-29T10:00:00Z",
    "2024-04-31T10:00:00Z",
    "2024-13-01T10:00:00Z",
    "2024-00-01T10:00:00Z",
    "2024-01-00T10:00:00Z",
    "2024-01-32T10:00:00Z",
    "0000-00-00 00:00:00",
    "0000-01-01T00:00:00Z",
    "12024-01-01T00:00:00Z",
    "-2024-01-01T00:00:00Z",
    "2024-02-29T10:00:00\N{ARABIC-INDIC DIGIT ONE}Z",
    "\N{FULLWIDTH DIGIT TWO}024-02-29T10:00:00Z",
]


@pytest.mark.parametrize("value", GOOD)
def test_a_date_time_is_taken(api: Api, table: str, value: str) -> None:
    # when a date-time is in one of the forms that the service takes
    # then it is loaded as it came
    assert api.batch(batch(table, {"x": NULLABLE}, [upsert(1, x=value)])) == ACCEPTED
    assert api.rows(table) == [{"x": value}]


@pytest.mark.parametrize("value", BAD)
def test_another_date_time_is_refused(api: Api, value: str) -> None:
    # when a date-time has another form, or is none that there is
    answer = api.batch(batch("refused", {"x": NULLABLE}, [upsert(1, x=value)]))

    # then it is refused in the words of the service
    line = f"#/x: [{value}] is not a valid date-time. {EXPECTED}"
    assert answer == (400, not_conforming(0, line))


@pytest.mark.parametrize(
    ("schema", "value", "place"),
    [
        ({"properties": {"d": DATE_TIME}}, {"d": "t"}, "#/x/d"),
        ({"items": DATE_TIME}, ["2024-02-29T10:00:00Z", "t"], "#/x/1"),
        ({"items": [{}, DATE_TIME]}, ["t", "t"], "#/x/1"),
        ({"items": {"properties": {"d": NULLABLE}}}, [{"d": None}, {"d": "t"}], "#/x/1/d"),
        ({"patternProperties": {"^d": DATE_TIME}}, {"e": "t", "d1": "t"}, "#/x/d1"),
        ({"additionalProperties": DATE_TIME}, {"e": "t"}, "#/x/e"),
        ({"allOf": [{"type": "string"}, DATE_TIME]}, "t", "#/x"),
        ({"$ref": "#/definitions/time"}, "t", "#/x"),
    ],
)
def test_date_times_are_refused_at_any_depth(
    api: Api, schema: dict[str, Any], value: Any, place: str
) -> None:
    # when a date-time that is none is below the top of a record
    body = batch("refused", {"x": schema}, [upsert(1, x=value)])
    body["schema"]["definitions"] = {"time": DATE_TIME}

    # then the answer names its place
    line = f"{place}: [t] is not a valid date-time. {EXPECTED}"
    assert api.batch(body) == (400, not_conforming(0, line))


def test_a_union_says_what_each_branch_misses(api: Api) -> None:
    # when no branch of a union takes a text
    schema = {"anyOf": [DATE_TIME, {"type": "null"}]}
    answer = api.batch(batch("refused", {"x": schema}, [upsert(1, x="t")]))

    # then the answer has a line for each
    expected = [
        "#/x: no subschema matched out of the total 2 subschemas",
        f"#/x: [t] is not a valid date-time. {EXPECTED}",
        "#/x: expected: null, found: String",
    ]
    assert answer == (400, not_conforming(0, *expected))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"anyOf": [DATE_TIME, {"type": ["string", "null"]}]}, "any text"),
        ({"format": "date-time"}, None),
        ({"format": "date-time"}, 5),
        ({"format": "date-time"}, 1.5),
        ({"format": "date-time"}, {"a": "t"}),
        ({"type": "object", "properties": {"a": {}}}, {"a": "t"}),
    ],
)
def test_what_is_no_matter_of_a_format(
    api: Api, table: str, schema: dict[str, Any], value: Any
) -> None:
    # when a branch takes any text, or a value is no text
    # then the format does not matter
    assert api.batch(batch(table, {"x": schema}, [upsert(1, x=value)])) == ACCEPTED


OTHERS: list[tuple[str, list[str], list[str], str]] = [
    (
        "email",
        ["finn@example.com", "a.b+c@mail.example.com"],
        ["finn", "finn@", "@example.com", "finn@example", "a b@example.com", "a..b@example.com"],
        "email address",
    ),
    (
        "hostname",
        ["example.com", "localhost", "a-b.example", "x" * 63],
        ["", "-a.example", "a_b-.example.", "a b", "a..b", "x" * 64],
        "hostname",
    ),
    ("ipv4", ["127.0.0.1"], ["", "127.0.0", "127.0.0.256", "::1", " 127.0.0.1"], "ipv4 address"),
    ("ipv6", ["::1", "2001:db8::1"], ["", "127.0.0.1", "2001:db8::1::2", "g::1"], "ipv6 address"),
    (
        "uri",
        ["https://example.com/a?b=%20#c", "/relative", "mailto:finn@example.com", "a/b:c", "ä"],
        ["a b", "https://example.com/<x>", "%2", "1a:b", ":x", "a:", "a#b#c"],
        "URI",
    ),
]


@pytest.mark.parametrize(("name", "good", "bad", "words"), OTHERS)
def test_the_other_formats_of_draft_4(
    api: Api, table: str, name: str, good: list[str], bad: list[str], words: str
) -> None:
    # when texts of another format come
    properties = {"x": {"type": "string", "format": name}}
    taken = api.batch(batch(table, properties, [upsert(1, x=value) for value in good]))
    refused = [api.batch(batch("refused", properties, [upsert(1, x=value)])) for value in bad]

    # then it is enforced too
    assert taken == ACCEPTED
    lines = [f"#/x: [{value}] is not a valid {words}" for value in bad]
    assert refused == [(400, not_conforming(0, line)) for line in lines]


UNCHECKED = [
    "date",
    "time",
    "regex",
    "uuid",
    "duration",
    "idn-email",
    "idn-hostname",
    "iri",
    "uri-reference",
    "json-pointer",
    "singer.decimal",
    "anything",
]
VALUES: list[Any] = [*GOOD, *BAD, "[", None, 5, True, [], {}]
VALUES += itertools.chain.from_iterable((*good, *bad) for _, good, bad, _ in OTHERS)


@pytest.mark.parametrize("name", [*FORMATS, *UNCHECKED])
@pytest.mark.parametrize("negated", [False, True])
def test_the_fast_verdict_is_the_exact_one(name: str, negated: bool) -> None:
    # given a schema with a format, which must be met, or must not be
    schema: dict[str, Any] = {"format": name}
    compiled = compile_schema({"properties": {"x": {"not": schema} if negated else schema}})
    assert compiled.fast is not None

    # when both validators check texts of all kinds, and what is no text
    records = [{"x": value} for value in VALUES]
    fast = [compiled.fast.is_valid(record) for record in records]

    # then they agree
    assert fast == [compiled.exact.is_valid(record) for record in records]
    if name in UNCHECKED:
        assert fast == [not negated] * len(records)

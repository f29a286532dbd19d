"""Whatever the schema: what is posted of the records fits what is posted of it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker

from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.records.validator import RecordValidator
from target_stitch_import.schemas.posted import posted_schema
from target_stitch_import.schemas.translate import to_draft4

SERVICE = FormatChecker(formats=())
"""Formats as the service enforces them."""


@SERVICE.checks("date-time", raises=ValueError)
def _is_datetime(value: object) -> bool:
    if not isinstance(value, str):
        return True
    pattern = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
    match = re.fullmatch(pattern, value, re.ASCII)
    return match is not None and bool(datetime.fromisoformat(match[1]))


TEXTS = st.sampled_from(
    [
        "2024-03-01T12:00:00Z",
        "2024-03-01T12:00:00.5+02:00",
        "2024-03-01 12:00:00",
        "2024-03-01",
        "x",
    ]
)
NAMES = st.sampled_from("abc")
VALUES = st.recursive(
    st.none() | st.integers(0, 2) | st.just(1.5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["null", "number", "string", "array", "object"])
LEAVES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "format": st.just("date-time"),
        "multipleOf": st.just(0.5),
        "maxLength": st.integers(9, 30),
    },
)


def extended(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return schemas that hold other schemas."""
    lists = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES,
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "."]), inner, max_size=1),
            "items": inner | lists,
            "additionalItems": inner,
            "anyOf": lists,
            "allOf": lists,
        },
    )


PARTS = st.recursive(LEAVES, extended, max_leaves=5)


TEXT_JUDGES: dict[str, st.SearchStrategy[Any]] = {
    "maxLength": st.integers(9, 21),
    "pattern": st.sampled_from(["^[0-9-]+$", "Z$", " "]),
    "enum": st.lists(st.none() | TEXTS, min_size=1, max_size=3, unique=True),
    "not": st.fixed_dictionaries({"enum": st.lists(TEXTS, min_size=1, max_size=2, unique=True)}),
}


def unions(
    leaves: st.SearchStrategy[dict[str, Any]], judges: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    """Return unions of schemas, within each other, some of them with a keyword that judges, too."""
    beside = st.sampled_from([None, None, *judges]).flatmap(
        lambda word: st.fixed_dictionaries({word: judges[word]} if word else {})
    )
    return st.recursive(
        leaves,
        lambda inner: st.tuples(
            st.sampled_from(["anyOf", "oneOf", "allOf"]),
            st.lists(inner, min_size=1, max_size=2),
            beside,
        ).map(lambda drawn: {drawn[0]: drawn[1], **drawn[2]}),
        max_leaves=4,
    )


OF_TEXTS = unions(
    st.just({"type": "string", "format": "date-time"})
    | st.just({"type": "null"})
    | st.sampled_from([*TEXT_JUDGES]).flatmap(
        lambda word: st.fixed_dictionaries({word: TEXT_JUDGES[word]})
    ),
    TEXT_JUDGES,
)
"""Schemas of texts that a date-time and other keywords judge."""

NUMBERS = st.sampled_from([0, 5, 11, 1.5, 10.5, 1.1, None, "1.5"])
NUMBER_JUDGES: dict[str, st.SearchStrategy[Any]] = {
    "minimum": st.sampled_from([0, 5, 10]),
    "maximum": st.sampled_from([5, 10.5]),
    "multipleOf": st.sampled_from([0.5, 1]),
    "enum": st.lists(NUMBERS, min_size=1, max_size=3, unique=True),
    "not": st.sampled_from([{"type": "integer"}, {"enum": [1.5]}]),
}
OF_NUMBERS = unions(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["number", "integer", "null", "string"])},
        optional={word: NUMBER_JUDGES[word] for word in ("multipleOf", "minimum", "maximum")},
    )
    | st.just({"type": "number", "multipleOf": 0.5}),
    NUMBER_JUDGES,
)


def check_all(
    properties: dict[str, Any], records: list[dict[str, Any]], *, validate: bool, decimals: bool
) -> None:
    """Judge and edit records, up to each invalid one; fail if the service refuses what is posted."""
    schema = to_draft4(decode_exactly(json.dumps({"properties": properties}).encode()))
    posted = posted_schema(schema, decimals=decimals)
    validator = RecordValidator(schema, [], validate=validate, posted=posted)
    service = Draft4Validator(posted, format_checker=SERVICE)
    lines = [json.dumps(record).encode() for record in records]
    while lines:
        made, _ = validator.check(lines)
        for line in made:
            broken = {error.validator for error in service.iter_errors(decode_exactly(line))}
            # where types are not judged, no date-time is left that it refuses
            assert broken != {"format"}
            assert not (validate and broken)
        lines = lines[len(made) + 1 :]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(NAMES, PARTS, min_size=1, max_size=3),
    st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_what_is_posted_fits_what_is_posted_of_the_schema(
    properties: dict[str, Any], records: list[dict[str, Any]], validate: bool, decimals: bool
) -> None:
    # given any schema with date-times, and records of any values
    # when they are judged and edited / then nothing is left that the service refuses
    check_all(properties, records, validate=validate, decimals=decimals)


@settings(max_examples=200, deadline=None)
@given(OF_TEXTS, st.lists(TEXTS, min_size=1, max_size=3), st.booleans())
def test_what_is_posted_fits_however_the_schema_judges_texts(
    part: dict[str, Any], texts: list[str], is_list: bool
) -> None:
    # given texts, each in a record or all in a list, whose schema judges what the tap writes
    column = {"type": "array", "uniqueItems": True, "items": part} if is_list else part
    records = [{"a": texts}] if is_list else [{"a": text} for text in texts]
    # when they are judged and edited / then the service takes them
    check_all({"a": column}, records, validate=True, decimals=False)


@settings(max_examples=200, deadline=None)
@given(OF_NUMBERS, st.lists(NUMBERS, min_size=1, max_size=3))
def test_what_is_posted_fits_however_the_schema_judges_numbers(
    part: dict[str, Any], numbers: list[Any]
) -> None:
    # given numbers whose schema judges them, or one of several does
    records = [{"a": number} for number in numbers]
    # when they are judged and decimals become strings / then the service takes them
    check_all({"a": part}, records, validate=True, decimals=True)

"""Whatever the schema: what is posted has date-times that the service takes."""

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
    schema = to_draft4({"properties": properties})
    posted = posted_schema(schema, decimals=decimals)
    validator = RecordValidator(schema, [], validate=validate, posted=posted)
    service = Draft4Validator(posted, format_checker=SERVICE)
    # when they are judged and edited, up to each invalid one
    lines = [json.dumps(record).encode() for record in records]
    while lines:
        made, _ = validator.check(lines)
        for line in made:
            # then nothing is left that the service refuses, or no date-time if types are not judged
            broken = {error.validator for error in service.iter_errors(decode_exactly(line))}
            assert broken != {"format"}
            assert not (validate and broken)
        lines = lines[len(made) + 1 :]

"""A schema that is no schema is refused, never with a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft202012Validator, SchemaError

from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.schemas.translate import SchemaTranslationError, to_draft4

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
KEYWORDS = (
    "$anchor", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveRef", "$ref", "$schema",
    "additionalItems", "additionalProperties", "allOf", "anyOf", "const", "contains", "default",
    "definitions", "dependencies", "dependentRequired", "dependentSchemas", "description", "else",
    "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "id", "if", "items", "maxContains",
    "maxItems", "maxLength", "maximum", "minItems", "minLength", "minProperties", "minimum",
    "multipleOf", "not", "oneOf", "pattern", "patternProperties", "prefixItems", "properties",
    "propertyNames", "required", "then", "title", "type", "unevaluatedProperties", "uniqueItems",
)  # fmt: skip
ANYTHING: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, "", "a", "(", "a{99999999999999999999}", "http://[", "#", "#/a",
    [], [1], ["a"], ["a", "a"], [[]], [{}], [None], {}, {"a": 1}, {"a": []}, {"a": {}}, {"(": {}},
    {"a": "b"}, 10**30, 10**5000, "\ud800",
)  # fmt: skip


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_whatever_stands_in_a_keyword_it_is_translated_or_refused(keyword: str) -> None:
    for value in ANYTHING:
        for declared in (
            {"properties": {"x": {keyword: value}}},
            {"properties": {"x": {}}, keyword: value},
            {"properties": {"x": {}}, "$schema": DRAFT_4, keyword: value},
        ):
            try:
                posted = to_draft4(declared)
            except SchemaTranslationError:
                continue
            # then it is draft 4, and can be sent,
            encode_exactly(posted)
            Draft4Validator.check_schema(posted)
            # and is no schema that refuses records only because it was misread.
            if keyword not in {"not", "properties", "$ref"} and _is_no_schema(declared):
                record = {"x": {"a": 1}, "a": 1, "b": 1}
                assert Draft4Validator(posted).is_valid(record), ascii(value)


def _is_no_schema(declared: dict[str, Any]) -> bool:
    try:
        Draft202012Validator.check_schema(declared)
    except (ArithmeticError, SchemaError, ValueError):
        return True
    return False


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (None, "not a JSON object but None"),
        ([], r"not a JSON object but \[\]"),
        (True, "not a JSON object but True"),
        ("x" * 10_000, "not a JSON object but 'xxx.{36}$"),
        ({"type": "string"}, "it is not the schema of an object"),
        ({"properties": []}, r"it has \[\] in the place of schemas by name"),
        ({"properties": {"a": 5}}, "it has 5 in the place of a schema"),
        ({"properties": {"a": {"allOf": {}}}}, "it has {} in the place of a list of schemas"),
        ({"properties": {"a": {"type": "text"}}}, "#/properties/a/type: 'text'"),
        ({"properties": {"a": {"type": []}}}, "#/properties/a/type"),
        ({"properties": {"a": {"minLength": -1}}}, "#/properties/a/minLength"),
        ({"properties": {"a": {"multipleOf": 0}}}, "#/properties/a/multipleOf"),
        ({"properties": {"a": {"anyOf": []}}}, "#/properties/a/anyOf"),
        ({"properties": {"a": {"$ref": 5}}}, r"it has a \$ref that is not a string"),
        ({"properties": {}, "required": "id"}, "required"),
        ({"properties": {}, "required": 5}, "required"),
        ({"properties": {"a": {"enum": "abc"}}}, "enum"),
        ({"properties": {"a": {"enum": {}}}}, "enum"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_reason(declared: Any, reason: str) -> None:
    with pytest.raises(SchemaTranslationError, match=reason):
        to_draft4(declared)


def test_a_schema_nested_too_deeply_is_refused() -> None:
    declared: dict[str, Any] = {}
    for _ in range(20_000):
        declared = {"items": declared}
    with pytest.raises(SchemaTranslationError, match="nested too deeply"):
        to_draft4({"properties": {"x": declared}})


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.recursive(
        st.sampled_from(ANYTHING[:26]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*KEYWORDS, "a"]), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_no_schema_makes_it_crash(sub: Any) -> None:
    try:
        posted = to_draft4({"properties": {"x": sub}})
    except SchemaTranslationError:
        return
    Draft4Validator.check_schema(posted)
    json.loads(encode_exactly(posted))

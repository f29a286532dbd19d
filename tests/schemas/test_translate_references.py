"""References are resolved, within the schema alone."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft7Validator, Draft202012Validator

from target_stitch_import.schemas.keywords import subschemas
from target_stitch_import.schemas.translate import SchemaTranslationError, to_draft4

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
TEXT = {"type": "string"}


@pytest.mark.parametrize(
    "declared",
    [
        {"properties": {"x": {"$ref": "#/$defs/t"}}, "$defs": {"t": TEXT}},
        {"properties": {"x": {"$ref": "#/definitions/t"}}, "definitions": {"t": TEXT}},
        {"properties": {"x": {"$ref": "#t"}}, "$defs": {"t": {"$anchor": "t", **TEXT}}},
        {"properties": {"x": {"$ref": "other"}}, "$defs": {"t": {"$id": "other", **TEXT}}},
        {
            "$id": "https://example.com/a/b",
            "properties": {"x": {"$ref": "c#/$defs/t"}},
            "$defs": {"c": {"$id": "c", "$defs": {"t": TEXT}}},
        },
        {
            "$id": "https://example.com/root",
            "properties": {"x": {"$ref": "https://example.com/root#/$defs/t"}},
            "$defs": {"t": TEXT},
        },
        {"properties": {"x": {"$ref": "#/$defs/a~1b~0c%25"}}, "$defs": {"a/b~c%": TEXT}},
        {
            "properties": {"x": {"$ref": "#/$defs/1"}},
            "$defs": {"1": {"$ref": "#/$defs/2"}, "2": {"$ref": "#/$defs/3"}, "3": TEXT},
        },
        {
            "$schema": DRAFT_7,
            "properties": {"x": {"$ref": "#t"}},
            "definitions": {"t": {"$id": "#t", **TEXT}},
        },
        {
            "$schema": DRAFT_4,
            "properties": {"x": {"$ref": "#t"}},
            "definitions": {"t": {"id": "#t", **TEXT}},
        },
        {"$ref": "#/$defs/root", "$defs": {"root": {"properties": {"x": TEXT}}}},
    ],
)
def test_each_form_of_reference_is_resolved(declared: dict[str, Any]) -> None:
    assert to_draft4(declared) == {"properties": {"x": TEXT}}


def test_a_property_may_be_called_like_a_keyword() -> None:
    declared = {"properties": {"$ref": TEXT, "properties": {"type": "object"}, "$id": TEXT}}
    assert to_draft4(declared) == declared


def test_before_2019_what_stands_beside_a_reference_said_nothing() -> None:
    declared = {
        "$schema": DRAFT_7,
        "properties": {"x": {"$ref": "#/definitions/t", "maxLength": 1}},
        "definitions": {"t": TEXT},
    }
    assert to_draft4(declared) == {"properties": {"x": TEXT}}
    assert Draft7Validator(declared).is_valid({"x": "long"})


BESIDE: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"maxLength": 2}, TEXT),
    ({"maxLength": 2}, {"maxLength": 1}),
    ({"allOf": [{"minLength": 1}], "type": "string"}, {"allOf": [{"maxLength": 2}]}),
    ({"additionalProperties": False}, {"properties": {"a": {}}}),
    ({"properties": {"a": {}}}, {"additionalProperties": False}),
    ({"patternProperties": {"^b": {}}}, {"additionalProperties": {"type": "string"}}),
    ({"minimum": 3}, {"exclusiveMinimum": 3}),
    ({"prefixItems": [{}]}, {"items": {"type": "string"}}),
    ({"prefixItems": [{}], "items": False}, {"prefixItems": [{}, {}]}),
    ({"if": {"type": "integer"}}, {"then": False}),
    ({"description": "mine"}, {"description": "theirs", **TEXT}),
)
VALUES: tuple[Any, ...] = (
    None, 1, 3, 4, "", "a", "abc", [], [1], ["a"], [1, "a"], [1, 2], {}, {"a": 1}, {"b": 1},
    {"b": "x"}, {"a": 1, "b": 2},
)  # fmt: skip


@pytest.mark.parametrize("negated", [False, True], ids=["plain", "within not"])
@pytest.mark.parametrize(("beside", "referred"), BESIDE)
def test_since_2019_what_stands_beside_a_reference_counts(
    beside: dict[str, Any], referred: dict[str, Any], negated: bool
) -> None:
    part = {"$ref": "#/$defs/t", **beside}
    declared = {"properties": {"x": {"not": part} if negated else part}, "$defs": {"t": referred}}
    original, posted = Draft202012Validator(declared), Draft4Validator(to_draft4(declared))
    for value in VALUES:
        assert posted.is_valid({"x": value}) == original.is_valid({"x": value}), value


TREE = {
    "properties": {"x": {"$ref": "#/$defs/tree"}},
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {"name": TEXT, "more": {"items": {"$ref": "#/$defs/tree"}}},
        }
    },
}


def test_where_a_reference_recurs_everything_is_accepted() -> None:
    posted = Draft4Validator(to_draft4(TREE))
    assert posted.is_valid({"x": {"name": "a", "more": [{"name": "b"}]}})
    assert not posted.is_valid({"x": {"name": 5}})
    assert not posted.is_valid({"x": {"more": {"name": 5}, "name": 5}})


@pytest.mark.parametrize(
    "declared",
    [
        {"properties": {"x": {"$ref": "#"}}},
        {"properties": {"x": {"$ref": "#/properties/x"}}},
        {
            "properties": {"x": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        },
        {"properties": {"x": {"not": {"$ref": "#"}}}},
        {"properties": {"x": {"$dynamicRef": "#node"}}},
        {
            "properties": {"x": {"$recursiveRef": "#"}},
            "$schema": "https://json-schema.org/draft/2019-09/schema",
        },
    ],
)
def test_recursion_of_any_kind_comes_to_an_end(declared: dict[str, Any]) -> None:
    posted = to_draft4(declared)
    Draft4Validator.check_schema(posted)
    assert Draft4Validator(posted).is_valid({"x": {"x": {"x": 1}}})


def test_the_same_reference_twice_is_no_recursion() -> None:
    declared = {
        "properties": {"x": {"$ref": "#/$defs/t"}, "y": {"$ref": "#/$defs/t"}},
        "$defs": {"t": TEXT},
    }
    assert to_draft4(declared) == {"properties": {"x": TEXT, "y": TEXT}}


def test_references_that_multiply_are_refused_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("target_stitch_import.schemas.translate.MAX_SUBSCHEMAS", 5_000)
    # given ten lines that would become a billion
    laughs = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n - 1}"}] * 10} for n in range(1, 10)}
    declared = {"properties": {"x": {"$ref": "#/$defs/l9"}}, "$defs": {"l0": TEXT, **laughs}}
    with pytest.raises(SchemaTranslationError, match=r"^it has more than 5,000 subschemas$"):
        to_draft4(declared)


@pytest.mark.parametrize(
    "reference",
    [
        "#/$defs/no",
        "#no",
        "#/properties/x/0",
        "https://example.com/schema",
        "other.json",
        "http://[",
    ],
)
def test_a_reference_to_what_is_not_there_is_refused_with_its_own_words(reference: str) -> None:
    with pytest.raises(SchemaTranslationError) as refused:
        to_draft4({"properties": {"x": {"$ref": reference}}})
    assert reference in str(refused.value)


def test_nothing_is_fetched() -> None:
    # The metaschema is known to the library and a schema elsewhere could be asked for: neither is.
    with pytest.raises(SchemaTranslationError, match="can't be resolved within it"):
        to_draft4({"properties": {"x": {"$ref": DRAFT_7}}})


def test_every_schema_within_a_schema_is_found() -> None:
    inner: list[dict[str, Any]] = [{"title": str(n)} for n in range(13)]
    schema = {
        "properties": {"a": inner[0]},
        "patternProperties": {"b": inner[1]},
        "additionalProperties": inner[2],
        "items": [inner[3], inner[4]],
        "additionalItems": inner[5],
        "not": inner[6],
        "allOf": [inner[7]],
        "anyOf": [inner[8]],
        "oneOf": [inner[9], {"items": inner[10]}],
        "dependencies": {"a": ["b"], "b": inner[11]},
        "default": {"title": "none"},
    }
    titles = [part["title"] for part in subschemas(schema) if "title" in part]
    assert sorted(titles, key=int) == [str(n) for n in range(12)]

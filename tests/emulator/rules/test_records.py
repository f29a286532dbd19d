"""Every rule of the records of a batch, but its schema, with the answer word for word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from target_stitch_import.emulator import list_tables
from tests.emulator.client import ACCEPTED, ID, Api, batch, failed, upsert


@pytest.mark.parametrize("value", [None, "missing"])
def test_a_key_must_be_there(api: Api, value: str | None) -> None:
    # when the third record has no value for the second of two keys
    records = [upsert(1, id=1, part=1), upsert(2, id=2, part=1), upsert(3, id=3, part=None)]
    if value is not None:
        del records[2]["data"]["part"]
    properties = {"id": {"type": "integer"}, "part": {"type": ["null", "integer"]}}
    body = batch("refused", properties, records, key_names=["id", "part"])

    # then the answer names the key
    assert api.batch(body) == (400, {"error": "Record is missing key property part"})
    assert "refused" not in list_tables(api.database)


def test_a_key_must_be_in_the_schema(api: Api) -> None:
    # when a key is no property of the schema, though the records have it
    body = batch("refused", ID, [upsert(1, id=1, part=1)], key_names=["part"])

    # then the answer names it
    expected = failed("#/schema/properties", "required key [part] not found")
    assert api.batch(body) == (400, expected)


def test_a_string_key_is_shorter_than_256_characters(api: Api, table: str) -> None:
    # given a key of the greatest length, of characters of four bytes each
    properties = {"a/b": {"type": "string"}}
    longest = "\N{SNOWMAN}" * 254 + "\N{GRINNING FACE}"

    # when it is posted, and then one that is a character longer
    taken = api.batch(batch(table, properties, [upsert(1, **{"a/b": longest})], key_names=["a/b"]))
    messages = [upsert(2, **{"a/b": "x"}), upsert(3, **{"a/b": longest + "x"})]
    refused = api.batch(batch(table, properties, messages, key_names=["a/b"]))

    # then only the first is taken
    reason = "#/a~1b: expected maxLength: 255, actual: 256"
    assert taken == ACCEPTED
    assert refused == (400, {"error": f"Record 1 did not conform to schema: {reason}"})
    assert api.rows(table) == [{"a/b": longest}]


def test_a_field_that_is_no_key_may_be_longer(api: Api, table: str) -> None:
    # when a string of 256 characters is in a field that is no key
    properties = {"id": {"type": "integer"}, "text": {"type": "string"}}
    body = batch(table, properties, [upsert(1, id=1, text="x" * 256)], key_names=["id"])

    # then it is taken
    assert api.batch(body) == ACCEPTED


@pytest.mark.parametrize("flat", [True, False])
def test_a_record_has_at_most_10_000_data_points(api: Api, table: str, flat: bool) -> None:
    # given records of 10,000 and of 10,001 leaf values, on top or deep inside
    def record(leaves: int) -> dict[str, Any]:
        if flat:
            return {f"c{n}": n for n in range(leaves)}
        return {"id": 1, "a": [[None, {"b": True}], {}, [{}]], "c": {"d": [0] * (leaves - 3)}}

    # when both are posted
    answers = [
        api.batch(batch(table, {}, [upsert(1, **record(leaves))])) for leaves in (10_000, 10_001)
    ]

    # then only the first is taken, and read back whole
    reason = "#: expected: at most 10000 data points, found: 10001"
    refusal = {"error": f"Record 0 did not conform to schema: {reason}"}
    assert answers == [ACCEPTED, (400, refusal)]
    assert api.rows(table) == [record(10_000)]


@pytest.mark.parametrize("name", ["_sdc_sequence", "_sdc_anything", "_sdc"])
def test_reserved_columns_are_refused(api: Api, name: str) -> None:
    # when a reserved name is in the schema, or only in a record
    reason = f"extraneous key [{name}] is not permitted"
    declared = batch("refused", {name: {"type": "integer"}}, [upsert(1)])
    given = batch("refused", ID, [upsert(1, id=1), upsert(2, **{name: 1})])

    # then the answer names it
    assert api.batch(declared) == (400, failed("#/schema/properties", reason))
    record = {"error": f"Record 1 did not conform to schema: #: {reason}"}
    assert api.batch(given) == (400, record)


def test_a_nested_field_may_have_any_name(api: Api, table: str) -> None:
    # when a name is reserved for columns, and no column's
    body = batch(table, {"a": {"type": "object"}}, [upsert(1, a={"_sdc_sequence": 1})])

    # then it is taken
    assert api.batch(body) == ACCEPTED
    assert api.rows(table) == [{"a": {"_sdc_sequence": 1}}]


def test_the_last_of_two_equal_names_counts(api: Api, table: str) -> None:
    # when JSON says a name twice, as parsers of the service take it
    body = json.dumps(batch(table, ID, [upsert(1, id=1)], key_names=["id"]))
    body = body.replace('"id": 1', '"id": {"a": 1}, "id": 2')

    # then the last one counts
    assert api.batch(body) == ACCEPTED
    assert api.rows(table) == [{"id": 2}]

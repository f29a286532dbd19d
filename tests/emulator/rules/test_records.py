"""Every rule of the records of a batch, but its schema, with the answer word for word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, running_emulator
from tests.emulator.client import ACCEPTED, ID, Api, batch, failed, not_conforming, upsert

if TYPE_CHECKING:
    from pathlib import Path

    import requests


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
    assert refused == (400, not_conforming(1, reason))
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
    assert answers == [ACCEPTED, (400, not_conforming(0, reason))]
    assert api.rows(table) == [record(10_000)]


STITCH_COLUMNS = [
    "_sdc_sequence",
    "_sdc_table_version",
    "_sdc_received_at",
    "_sdc_batched_at",
    "_sdc_extracted_at",
    "_sdc_replication_id",
    "_sdc_primary_key",
    "__sdc_primary_key",
    "_sdc_source_key_id",
    "_sdc_level_0_id",
    "_sdc_level_12_id",
]
"""What Stitch itself writes (Import API reference, section The batch body)."""


@pytest.mark.parametrize("name", STITCH_COLUMNS)
def test_columns_of_stitch_are_refused(api: Api, name: str) -> None:
    # when a column that Stitch writes is in the schema, or only in a record
    reason = f"extraneous key [{name}] is not permitted"
    declared = batch("refused", {name: {"type": "integer"}}, [upsert(1)])
    given = batch("refused", ID, [upsert(1, id=1), upsert(2, **{name: 1})])

    # then the answer names it
    assert api.batch(declared) == (400, failed("#/schema/properties", reason))
    assert api.batch(given) == (400, not_conforming(1, f"#: {reason}"))
    # and so it is as a key
    keyed = batch("refused", {name: {"type": "integer"}}, [upsert(1)], key_names=[name])
    assert api.batch(keyed) == (400, failed("#/schema/properties", reason))
    assert "refused" not in list_tables(api.database)


def test_other_columns_that_begin_alike_are_ordinary(api: Api, table: str) -> None:
    # when columns of taps come, in the schema, as a key, and only in records
    properties = {
        "_sdc_record_hash": {"type": "string"},
        "_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"},
        "_sdc": {},
        "_sdc_level_0": {},
        "__sdc": {},
    }
    record = {
        "_sdc_record_hash": "a",
        "_sdc_deleted_at": "2024-02-29T10:00:00Z",
        "_sdc": 1,
        "_sdc_level_0": 2,
        "__sdc": 3,
        "_sdc_source_lineno": 4,
        "_sdc_more": 5,
    }
    messages = [upsert(2, **record), upsert(1, _sdc_record_hash="a")]
    body = batch(table, properties, messages, key_names=["_sdc_record_hash"])

    # then they are loaded as any column, and the key is one
    assert api.batch(body) == ACCEPTED
    assert api.rows(table) == [record]


def test_the_table_of_stitch_is_refused(api: Api) -> None:
    # when the table is the one that Stitch itself writes
    answer = api.batch(batch("_sdc_rejected", ID, [upsert(1, id=1)]))

    # then it is refused, and a table with a longer name is not
    assert answer == (400, failed("#/table_name", "_sdc_rejected is a reserved name"))
    assert api.batch(batch("_sdc_rejected_x", ID, [upsert(1, id=1)])) == ACCEPTED


@pytest.mark.parametrize(
    ("record", "lines"),
    [
        ({"id": "x"}, "#/id: expected type: Integer, found: String"),
        ({"id": 2, "at": "x"}, "#/at: [x] is not a valid date-time."),
        ({"id": 2, "_sdc_batched_at": "x"}, "#: extraneous key [_sdc_batched_at] is not permitted"),
        ({"id": 2, "a": [0] * 10_001}, "#: expected: at most 10000 data points, found: 10002"),
    ],
)
def test_refusals_without_a_number(
    tmp_path: Path, session: requests.Session, record: dict[str, Any], lines: str
) -> None:
    # given an emulator that does not say which record it is about
    with running_emulator(tmp_path / "stitch.db", answers="unplaced") as emulator:
        api = Api(emulator.url, emulator.database, session)
        properties = {**ID, "at": {"type": "string", "format": "date-time"}}

        # when the second record breaks a rule
        status, answer = api.batch(batch("t", properties, [upsert(1, id=1), upsert(2, **record)]))

    # then the answer has the reason, and no number
    assert status == 400
    assert answer["error"].startswith(f"Record did not conform to schema: {lines}")


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

"""Every key property is there, is not null, and is no longer than the service takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from target_stitch_import.errors import InvalidRecordError, MissingKeyError
from tests.records.judging import SingleValidator

BOTH = pytest.mark.parametrize("validate", [True, False], ids=["validating", "keys only"])


def check(keys: list[str], validate: bool, **properties: Any) -> SingleValidator:
    """Return a check for records with these keys, and a column ``x`` of any type."""
    named: dict[str, Any] = {key: {} for key in keys}
    return SingleValidator(
        {"properties": {**named, "x": {}, **properties}}, keys, validate=validate
    )


@BOTH
@pytest.mark.parametrize(
    "record",
    [
        '{"id":1}',
        '{"id":0}',
        '{"id":false}',
        '{"id":""}',
        '{"id":"a","x":null}',
        '{"\\u0069d":1}',
        '{"id":null,"id":1}',
        '{"id":123456789012345678901234567890}',
        '{"id":1e400}',
        '{"id":[1,{"a":2}]}',
        ' {\t"id" : 1 }\r',
    ],
)
def test_a_record_with_its_key_is_returned_as_its_own_bytes(record: str, validate: bool) -> None:
    data = record.encode()
    assert bytes(check(["id"], validate)(data)) == data


@BOTH
@pytest.mark.parametrize(
    "record", ["{}", '{"x":1}', '{"id":null}', '{"ID":1}', '{"x":{"id":1}}', '{"id":1,"id":null}']
)
def test_a_missing_or_null_key_is_refused(record: str, validate: bool) -> None:
    with pytest.raises(MissingKeyError, match="lacks key property 'id', or has null in it"):
        check(["id"], validate)(record.encode())


@BOTH
@pytest.mark.parametrize("missing", ["a", "b", "c"])
def test_of_several_keys_each_counts(missing: str, validate: bool) -> None:
    record = {"a": 1, "b": 2, "c": 3, missing: None}
    with pytest.raises(MissingKeyError, match=f"'{missing}'"):
        check(["a", "b", "c"], validate)(json.dumps(record).encode())


@BOTH
@pytest.mark.parametrize("character", ["a", "é", "漢", "😀", "\0", '"'], ids=ascii)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_key_has_at_most_255_characters_however_they_are_written(
    character: str, ascii_only: bool, validate: bool
) -> None:
    good = json.dumps({"id": character * 255}, ensure_ascii=ascii_only).encode()
    long = json.dumps({"id": character * 256}, ensure_ascii=ascii_only).encode()
    assert check(["id"], validate)(good) == good
    with pytest.raises(
        MissingKeyError, match=r"has 256 characters in key property 'id', .* at most 255"
    ):
        check(["id"], validate)(long)


@BOTH
def test_what_is_no_key_may_be_of_any_length(validate: bool) -> None:
    record = json.dumps({"id": 1, "x": "a" * 100_000}).encode()
    assert check(["id"], validate)(record) == record


@BOTH
def test_a_table_without_keys_asks_for_none(validate: bool) -> None:
    assert check([], validate)(b"{}") == b"{}"


@BOTH
@pytest.mark.parametrize(
    "key",
    [
        "é",
        "漢字",
        "a b",
        "",
        "type",
        "key_0",
        "field_0",
        "__x",
        "class",
        'a"b',
        "a\\b",
        "a\nb",
        "a\tb",
        "a/b",
        "x.y",
    ],
    ids=ascii,
)
def test_a_key_may_have_any_name(key: str, validate: bool) -> None:
    good = json.dumps({key: 1}).encode()
    assert check([key], validate)(good) == good
    with pytest.raises(MissingKeyError):
        check([key], validate)(json.dumps({key: None}).encode())


def test_the_key_values_of_a_record_are_named_exactly() -> None:
    record_check = check(["id", "at"], validate=True)
    assert record_check.key_values(b'{"at":"x","id":12345678901234567890,"x":9}') == {
        "id": 12345678901234567890,
        "at": "x",
    }
    assert record_check.key_values(b'{"x":9}') == {}
    assert record_check.key_values(b"{broken") == {}


@pytest.mark.parametrize("record", [b"[]", b"null", b"5", b'["id"]', b'"id"'])
def test_what_is_no_object_has_no_key_values(record: bytes) -> None:
    assert check(["id"], validate=True).key_values(record) == {}


@BOTH
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"[]", "is not a JSON object but array"),
        (b"null", "is not a JSON object but null"),
        (b'"x"', "is not a JSON object but string"),
        (b"true", "is not a JSON object but boolean"),
        (b"1", "is not a JSON object but integer"),
        (b"1.5", "is not a JSON object but number"),
        (b'{"id":1,}', "can't be read"),
        (b'{"id":01}', "can't be read"),
        (b'{"id":1,"x":NaN}', "can't be read: NaN is not JSON"),
        (b'{"id":1,"x":"\xff"}', "can't be read: it is not UTF-8"),
        (b'{"id":1,"x":"\xed\xa0\x80"}', "can't be read: it is not UTF-8"),
        (b'{"id":1,"x":{"y":"\xff"}}', "can't be read: it is not UTF-8"),
        (b'{"id":1,"x":"\x00"}', "can't be read"),
        (b'{"id":1,"x":' + b"[" * 300_000 + b"]" * 300_000 + b"}", "nested too deeply"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_can_not_be_read_is_refused(record: bytes, reason: str, validate: bool) -> None:
    with pytest.raises(InvalidRecordError, match=reason):
        check(["id"], validate)(record)


@BOTH
@pytest.mark.parametrize("value", [b'"\\ud800"', b'["\\uDfff"]', b'{"\\ud800": 1}'], ids=str)
def test_half_of_a_surrogate_pair_is_refused(value: bytes, validate: bool) -> None:
    with pytest.raises(InvalidRecordError, match="half of a surrogate pair"):
        check(["id"], validate)(b'{"id":1,"x":' + value + b"}")


@BOTH
@pytest.mark.parametrize("value", [b'"\\ud83d\\ude00"', b'"\\\\ud800"'], ids=str)
def test_a_whole_pair_and_what_only_looks_like_one_go_as_they_came(
    value: bytes, validate: bool
) -> None:
    data = b'{"id":1,"x":' + value + b"}"
    assert check(["id"], validate)(data) == data

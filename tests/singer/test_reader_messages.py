"""One line becomes one message, in which a record is still the bytes that the tap wrote."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from target_stitch_import.errors import InputError
from target_stitch_import.singer.messages import (
    ActivateVersionMessage,
    BatchEncoding,
    BatchMessage,
    RecordMessage,
    SchemaMessage,
    StateMessage,
)
from target_stitch_import.singer.reader import MessageReader

GOOD: dict[str, dict[str, Any]] = {
    "RECORD": {"type": "RECORD", "stream": "s", "record": {"id": 1}},
    "SCHEMA": {"type": "SCHEMA", "stream": "s", "schema": {"properties": {}}, "key_properties": []},
    "STATE": {"type": "STATE", "value": {"a": 1}},
    "ACTIVATE_VERSION": {"type": "ACTIVATE_VERSION", "stream": "s", "version": 1},
    "BATCH": {"type": "BATCH", "stream": "s", "encoding": {"format": "jsonl"}, "manifest": ["x"]},
}


def with_each(kind: str, field: str, *values: Any) -> list[tuple[str, str, Any]]:
    """Return a case for each value of a field."""
    return [(kind, field, value) for value in values]


def read(line: bytes) -> Any:
    """Return the message of a line that is the fifth of an input."""
    reader = MessageReader()
    reader.line = 5
    return reader.deserialize_json(line)


@pytest.mark.parametrize(
    "record",
    [
        b"{}",
        b'{"a": 1.0, "b":1, "c":1e2, "d":-0, "e":0.10}',
        b'{"n":123456789012345678901234567890.123456789012345678901234567890}',
        b'{"s":"\\u00e9\\/\\n\\ud83d\\ude00 \xc3\xa9"}',
        b'{"o":{"p":[1,[2,{"q":null}]]},"o":2}',
        b'{"NaN":"NaN, Infinity"}',
        b'{  "a"\t:\t1 }',
        b"null",
        b"[]",
    ],
)
def test_a_record_stays_the_bytes_that_the_tap_wrote(record: bytes) -> None:
    message = read(b'{"type":"RECORD","stream":"s","record":' + record + b',"version":5}')
    assert isinstance(message, RecordMessage)
    assert bytes(message.record) == record
    assert (message.stream, message.version) == ("s", 5)


def test_fields_may_come_in_any_order_and_unknown_ones_are_ignored() -> None:
    message = read(
        b'{"x":[{"record":1}],"record":{"type":"STATE"},"time_extracted":"t","stream":"s","type":"RECORD"}'
    )
    assert isinstance(message, RecordMessage)
    assert bytes(message.record) == b'{"type":"STATE"}'
    assert message.time_extracted == "t"


@pytest.mark.parametrize("extracted", [None, 5, 1.5, True, ["a"], {"a": 1}])
def test_a_time_that_is_no_string_is_no_reason_to_stop(extracted: Any) -> None:
    message = read(json.dumps({**GOOD["RECORD"], "time_extracted": extracted}).encode())
    assert message.time_extracted == extracted


def test_a_schema_says_its_keys_and_bookmarks() -> None:
    message = read(
        b'{"type":"SCHEMA","stream":"s","schema":{"a": 1.0},"key_properties":["a"],"bookmark_properties":"b"}'
    )
    assert isinstance(message, SchemaMessage)
    assert bytes(message.schema) == b'{"a": 1.0}'
    assert (message.key_properties, message.bookmark_properties) == (["a"], "b")


@pytest.mark.parametrize("keys", ["", ',"key_properties":null,"bookmark_properties":null'])
def test_a_schema_may_have_no_keys(keys: str) -> None:
    message = read(f'{{"type":"SCHEMA","stream":"s","schema":{{}}{keys}}}'.encode())
    assert (message.key_properties, message.bookmark_properties) == (None, None)


def test_a_state_stays_the_bytes_that_the_tap_wrote() -> None:
    message = read(b'{"type":"STATE","value":{"a": 1.50, "b" : "\\u00e9"}}')
    assert isinstance(message, StateMessage)
    assert bytes(message.value) == b'{"a": 1.50, "b" : "\\u00e9"}'


def test_the_other_types_are_read() -> None:
    assert read(json.dumps(GOOD["ACTIVATE_VERSION"]).encode()) == ActivateVersionMessage("s", 1)
    assert read(json.dumps(GOOD["BATCH"]).encode()) == BatchMessage(
        "s", BatchEncoding("jsonl"), ["x"]
    )


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field)
        for kind, message in GOOD.items()
        for field in message
        if field != "key_properties"
    ],
)
def test_each_required_field_is_missed(kind: str, field: str) -> None:
    line = json.dumps({name: value for name, value in GOOD[kind].items() if name != field})
    with pytest.raises(
        InputError, match=f"Line 5 of the input: it is not a Singer message: .*`{field}`"
    ):
        read(line.encode())


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        *(
            case
            for kind in GOOD
            if kind != "STATE"
            for case in with_each(kind, "stream", None, 5, [])
        ),
        *(
            case
            for kind in GOOD
            for case in with_each(kind, "type", None, 5, [], kind.lower(), "X")
        ),
        *with_each("RECORD", "version", "1", 1.5, True, []),
        *with_each("ACTIVATE_VERSION", "version", None, "1", 1.5, True),
        *with_each("SCHEMA", "key_properties", "id", 5, {}, [5], [None], [["id"]]),
        *with_each("SCHEMA", "bookmark_properties", 5, {}, [5]),
    ],
)
def test_a_field_of_a_wrong_type_is_refused(kind: str, field: str, value: Any) -> None:
    with pytest.raises(InputError, match=r"it is not a Singer message: .*\$\." + field):
        read(json.dumps({**GOOD[kind], field: value}).encode())


@pytest.mark.parametrize(
    ("line", "is_csv"),
    [(b"id,name\r\n", True), (b"id\tname\t\n", True), (b"hello\n", False), (b"hello\t\r\n", False)],
)
def test_a_first_line_with_the_names_of_columns_is_called_csv(line: bytes, is_csv: bool) -> None:
    with pytest.raises(InputError) as refused:
        MessageReader().process_lines(io.BytesIO(line), {})
    assert ("looks like CSV" in str(refused.value)) == is_csv


def test_a_broken_first_line_behind_a_byte_order_mark_is_not_the_end() -> None:
    # given a first line with a byte order mark, which lacks its last brace, and another behind it
    with pytest.raises(InputError, match="it is not JSON: Input data was truncated"):
        # when they are read, then it is not the tap that ended there
        MessageReader().process_lines(io.BytesIO(b"\xef\xbb\xbf{\n{}\n"), {})


@pytest.mark.parametrize("line", [b"", b" ", b"\r", b" \t\r", b"\n"])
def test_a_blank_line_is_nothing(line: bytes) -> None:
    assert read(line) is None


RECORD = b'{"type":"RECORD","stream":"s","record":%s}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{\n", "it is not JSON: Input data was truncated"),
        (b"{", "it breaks off: the tap ended in the middle of this line. Look at its stderr"),
        (b"hello", "it is not JSON: JSON is malformed"),
        (b"\0", "it is not JSON"),
        (RECORD % b'{"a":"\0"}', "it is not JSON"),
        (RECORD % b'{"a":01}', "it is not JSON"),
        (RECORD % b'{"a":"\\x"}', "it is not JSON"),
        (RECORD % b'{"a":nan}', "it is not JSON"),
        (RECORD % b'{"a":NaNa}', "it is not JSON"),
        (RECORD % b'{"a":1}' + b"x", "it is not JSON"),
        (RECORD % b'{"a":1}' + RECORD % b"{}", "it is not JSON"),
        (b'{"type":"RECORD","stream":"\xff","record":{}}', "it is not JSON"),
        (b"\xef\xbb\xbf" + RECORD % b"{}", "it is not JSON"),
        (b"\xff\xfe{\0}\0", "it is not JSON"),
        (RECORD % (b"[" * 200_000 + b"]" * 200_000), "it is nested too deeply"),
        (b"[" * 200_000, "it is"),
        (b"[]", "it is not a Singer message"),
        (b"5", "it is not a Singer message"),
        (b"null", "it is not a Singer message"),
        (b'"RECORD"', "it is not a Singer message"),
        (b"{}", "it is not a Singer message"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_line_that_is_no_message_is_refused_with_its_number(line: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=f"^Line 5 of the input: {reason}"):
        read(line)


@pytest.mark.parametrize(
    "line", [RECORD % b'{"pin":"4711", "a":tru}', b'{"type":"RECORD","stream":4711}']
)
def test_what_is_said_of_a_bad_line_quotes_nothing_of_it(line: bytes) -> None:
    with pytest.raises(InputError) as refused:
        read(line)
    assert "4711" not in str(refused.value)


def test_a_byte_order_mark_is_accepted_on_the_first_line_only() -> None:
    reader = MessageReader()
    reader.line = 1
    line = b"\xef\xbb\xbf" + RECORD % b"{}"
    assert reader.deserialize_json(line).stream == "s"
    reader.line = 2
    with pytest.raises(InputError, match=r"Line 2 .* not JSON"):
        reader.deserialize_json(line)


def test_nan_and_infinity_become_null_with_one_warning_a_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = MessageReader()
    with caplog.at_level(logging.WARNING):
        for stream in ("s", "s", "t"):
            reader.line += 1
            line = json.dumps(
                {
                    "type": "RECORD",
                    "stream": stream,
                    "record": {"a": [float("nan"), "NaN", float("-inf")]},
                }
            )
            assert (
                bytes(reader.deserialize_json(line.encode()).record)
                == b'{"a": [null, "NaN", null]}'
            )
    assert [record.args for record in caplog.records] == [("Stream 's'", 1), ("Stream 't'", 3)]


def test_nan_in_a_state_becomes_null_too() -> None:
    assert bytes(read(b'{"type":"STATE","value":{"a":NaN}}').value) == b'{"a":null}'


def test_a_bad_line_with_nan_in_it_is_a_bad_line() -> None:
    with pytest.raises(InputError, match=r"Line 5 .* not JSON"):
        read(b'{"type":"RECORD","stream":"s","record":{"a":NaN}\n')

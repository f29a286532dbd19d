"""Date-times as taps write them, through a real pipe, into tables of a service that enforces them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import list_tables, read_table
from target_stitch_import.json_codec import decode_exactly
from tests.support.messages import record, schema, tap_output
from tests.support.running import Run, loaded, piped

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service

PUSH = {"endpoint": "push", "client_id": 4231}
TIME: dict[str, Any] = {"type": ["null", "string"], "format": "date-time"}
ID: dict[str, Any] = {"id": {"type": "integer"}}
QUARANTINE = "quarantine.singer"

TAPS: dict[str, tuple[list[str], list[dict[str, Any]], str]] = {
    # what each wrote, the date-times that arrive, what the summary says
    "meltanolabs-tap-mysql 0.0.1a1": (
        [
            (
                '{"type":"SCHEMA","stream":"shop-samples","schema":{"properties":{"id":{"type":'
                '["integer"]},"day":{"format":"date","type":["string","null"]},"at":{"format":'
                '"date-time","type":["string","null"]},"at6":{"format":"date-time","type":["string",'
                '"null"]},"clock":{"type":["string","null"]},"amount":{"type":["number","null"]},'
                '"label":{"type":["string","null"]}},"type":"object","required":["id"]},'
                '"key_properties":["id"]}'
            ),
            (
                '{"type":"RECORD","stream":"shop-samples","record":{"id":1,"day":"2024-03-01",'
                '"at":"2024-03-01T12:00:00","at6":"2024-03-01T12:00:00.100000","clock":"12:00:00",'
                '"amount":99999999999999999999.999999999999999999,"label":"\\u00e9"},'
                '"time_extracted":"2026-11-28T17:37:09.258205+00:00"}'
            ),
            (
                '{"type":"RECORD","stream":"shop-samples","record":{"id":2,"day":null,"at":null,'
                '"at6":null,"clock":null,"amount":0.100000000000000000,"label":"two"},'
                '"time_extracted":"2026-11-28T17:37:09.258663+00:00"}'
            ),
        ],
        [
            {
                "day": "2024-03-01",
                "at": "2024-03-01T12:00:00Z",
                "at6": "2024-03-01T12:00:00.100000Z",
            },
            {"day": None, "at": None, "at6": None},
        ],
        "2 date-times normalized: 1 of 'at', 1 of 'at6'.",
    ),
    "tap-feed 1.1.1": (
        [
            (
                '{"type": "SCHEMA", "stream": "feed", "schema": {"properties": {"feed_url": {"type": '
                '["string", "null"]}, "entry_id": {"type": ["string", "null"]}, "entry_updated": '
                '{"format": "date-time", "type": ["string", "null"]}}, "type": "object"}, '
                '"key_properties": ["entry_id"], "bookmark_properties": ["entry_updated"]}'
            ),
            (
                '{"type": "RECORD", "stream": "feed", "record": {"feed_url": '
                '"http://127.0.0.1:8899/feed.xml", "entry_id": "urn:1", "entry_updated": '
                '"2024-01-01 10:00:00+02:00"}, "time_extracted": "2026-11-28T17:36:26.213812Z"}'
            ),
            (
                '{"type": "RECORD", "stream": "feed", "record": {"feed_url": '
                '"http://127.0.0.1:8899/feed.xml", "entry_id": "urn:2", "entry_updated": '
                '"2024-01-02 08:00:00.500000+00:00"}, "time_extracted": "2026-11-28T17:36:26.214592Z"}'
            ),
        ],
        [
            {"entry_updated": "2024-01-01T10:00:00+02:00"},
            {"entry_updated": "2024-01-02T08:00:00.500000+00:00"},
        ],
        "2 date-times normalized: 2 of 'entry_updated'.",
    ),
    "tap-dbf 0.1.25": (
        [
            (
                '{"type":"SCHEMA","stream":"sales","schema":{"properties":{"ID":{"type":["null",'
                '"integer"]},"DAY":{"format":"date-time","type":["null","string"]},"NAME":{"maxLength":'
                '10,"type":["null","string"]},"PRICE":{"type":["null","number"]},"_sdc_filepath":'
                '{"type":["string"]},"_sdc_row_index":{"type":["integer"]}}},"key_properties":[]}'
            ),
            (
                '{"type":"RECORD","stream":"sales","record":{"ID":1,"DAY":"2024-03-01","NAME":"ab",'
                '"PRICE":1.1,"_sdc_filepath":"/data/sales.dbf","_sdc_row_index":0},"time_extracted":'
                '"2026-11-28T17:37:05.206147+00:00"}'
            ),
            (
                '{"type":"RECORD","stream":"sales","record":{"ID":2,"DAY":null,"NAME":"cd",'
                '"PRICE":-12.5,"_sdc_filepath":"/data/sales.dbf","_sdc_row_index":1},"time_extracted":'
                '"2026-11-28T17:37:05.206401+00:00"}'
            ),
        ],
        [{"DAY": "2024-03-01T00:00:00Z"}, {"DAY": None}],
        "1 date-time normalized: 1 of 'DAY'.",
    ),
}


def into(emulator: Emulator, **settings: Any) -> dict[str, Any]:
    """Return a config for a target that loads into the emulator."""
    return {"token": "any", "api_url": emulator.url, **settings}


def quarantining(emulator: Emulator, folder: Path) -> dict[str, Any]:
    """Return a config that sets records aside in a file of the folder."""
    path = str(folder / QUARANTINE)
    return into(emulator, on_invalid_record="quarantine", quarantine_path=path)


def delivered(run: Run) -> Run:
    """Return a run, which has to have ended well."""
    assert run.exit_code == 0, run.stderr
    return run


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("tap", TAPS)
def test_what_taps_write_arrives_in_the_form_of_the_service(
    tap: str, validate: bool, emulator: Emulator, tmp_path: Path
) -> None:
    # given what a real tap wrote, validated or not
    lines, expected, summary = TAPS[tap]
    # when it is loaded
    config = into(emulator, validate_records=validate)
    run = delivered(piped(config, tmp_path, tap_output(*lines)))
    # then the date-times are in the table, in the form that the service takes
    (table_name,) = list_tables(emulator.database)
    rows = read_table(emulator.database, table_name)
    assert [{name: row[name] for name in expected[0]} for row in rows] == expected
    # and all other columns are as the tap wrote them
    for row, line in zip(rows, lines[1:], strict=True):
        rest = row.keys() - expected[0].keys()
        written = decode_exactly(line.encode())["record"]
        assert {name: row[name] for name in rest} == {name: written[name] for name in rest}
    # and the summary says how many were normalized, of which columns
    assert run.stderr.count(summary) == 1


def test_a_deleted_row_has_its_time_and_the_others_have_none(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given rows from the log of a database as meltanolabs-tap-postgres writes them
    columns = {**ID, "at": TIME, "_sdc_deleted_at": TIME, "_sdc_lsn": {"type": "integer"}}
    written = [
        {"id": 1, "at": "2024-03-01 12:00:00.1"},
        {"id": 2, "at": "2024-03-01 12:00:00+00", "_sdc_deleted_at": None, "_sdc_lsn": 5},
        {"id": 3, "_sdc_deleted_at": "2024-03-02 12:00:00+00", "_sdc_lsn": 6},
        {"id": 4, "at": "0001-01-02 05:41:16+05:41:16", "_sdc_lsn": 7},
    ]
    # when they are loaded
    lines = [schema(properties=columns), *map(record, written)]
    delivered(piped(into(emulator), tmp_path, tap_output(*lines)))
    # then each date-time has the one form, and what is missing is missing
    rows = read_table(emulator.database, "orders")
    assert [(row["at"], row["_sdc_deleted_at"]) for row in rows] == [
        ("2024-03-01T12:00:00.1Z", None),
        ("2024-03-01T12:00:00+00:00", None),
        (None, "2024-03-02T12:00:00+00:00"),
        ("0001-01-02T00:00:00Z", None),
    ]


def test_date_times_are_normalized_at_every_depth(emulator: Emulator, tmp_path: Path) -> None:
    # given date-times in objects, lists and unions, and texts that only look like them
    item = {"properties": {"d": TIME, "text": {"type": "string"}}}
    columns = {
        **ID,
        "order": {"type": "object", "properties": {"paid": TIME, "lines": {"items": item}}},
        "days": {"type": ["array", "null"], "items": TIME},
        "either": {"anyOf": [{"type": "integer"}, TIME]},
        "by_name": {"type": "object", "additionalProperties": TIME},
    }
    day, time = "2024-03-01", "2024-03-01T00:00:00Z"
    written = {
        "id": 1,
        "order": {"paid": day, "lines": [{"d": day, "text": day}, {"d": None, "other": day}]},
        "days": [day, time, None],
        "either": day,
        "by_name": {"first": day, "second": time},
    }
    other = {"id": 2, "order": {}, "days": None, "either": 5, "by_name": {}}
    # when they are loaded
    lines = tap_output(schema(properties=columns), record(written), record(other))
    run = delivered(piped(into(emulator), tmp_path, lines))
    # then those that the schema calls date-times are, and no others
    assert read_table(emulator.database, "orders") == [
        {
            "id": 1,
            "order": {"paid": time, "lines": [{"d": time, "text": day}, {"d": None, "other": day}]},
            "days": [time, time, None],
            "either": time,
            "by_name": {"first": time, "second": time},
        },
        other,
    ]
    # and they are counted by column, those in a list together
    assert "5 date-times normalized: " in run.stderr
    assert "1 of 'order/lines/d'" in run.stderr


def test_a_union_with_a_plain_string_takes_any_string(emulator: Emulator, tmp_path: Path) -> None:
    # given a field of more than one type, as tap-mongodb declares it
    mixed = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}
    texts = ["2024-03-01 12:00:00", "2024-03-01T12:00:00.000000Z", "", "0000-00-00", "soon", None]
    rows = [{"id": place, "v": text} for place, text in enumerate(texts)]
    # when any text is in it
    lines = [schema(properties={**ID, "v": mixed}), *map(record, rows)]
    run = delivered(piped(into(emulator), tmp_path, tap_output(*lines)))
    # then it arrives as it was written
    assert read_table(emulator.database, "orders") == rows
    assert "normalized" not in run.stderr


@pytest.mark.parametrize("union", ["anyOf", "oneOf"])
@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize(
    ("other", "kept"),
    [
        ({"enum": [None]}, [None]),
        ({"const": None}, [None]),
        ({"type": "string", "const": ""}, [""]),
        ({"enum": ["never", "2024-03-01", 5]}, ["never", "2024-03-01", 5]),
    ],
    ids=json.dumps,
)
def test_what_a_union_lists_beside_a_date_time_is_kept_and_no_other_string(
    union: str, validate: bool, other: dict[str, Any], kept: list[Any], emulator: Emulator
) -> None:
    # given a date-time, or one of some values
    columns = {**ID, "v": {union: [{"type": "string", "format": "date-time"}, other]}}
    rows = [{"id": place, "v": value} for place, value in enumerate([*kept, "2024-03-01 12:00"])]
    # when such values come, and then another text
    lines = [schema(properties=columns), *map(record, rows), record({"id": 9, "v": "x"})]
    _, error = loaded(into(emulator, validate_records=validate), tap_output(*lines))
    # then what is listed arrives as it was written, and what is a date-time is normalized
    found = [row["v"] for row in read_table(emulator.database, "orders")]
    assert found == [*kept, "2024-03-01T12:00:00Z"]
    # and the text is neither
    assert "#/v: is not a valid date-time" in str(error)


AT: dict[str, Any] = {"type": "string", "format": "date-time"}
NULL = {"type": "null"}
DAYS = ["2024-03-01", "2024-03-02"]


@pytest.mark.parametrize(
    ("column", "written"),
    [
        ({"maxLength": 10, "anyOf": [AT, NULL]}, "2024-03-01"),
        ({"anyOf": [{"maxLength": 10, "oneOf": [AT, NULL]}, {"type": "integer"}]}, "2024-03-01"),
        ({"allOf": [AT, {"pattern": "^[0-9-]+$"}]}, "2024-03-01"),
        ({"allOf": [{"maxLength": 10}], "anyOf": [AT, NULL]}, "2024-03-01"),
        ({"enum": [*DAYS, None], "anyOf": [AT, NULL]}, "2024-03-01"),
        ({"allOf": [AT, {"enum": DAYS}]}, "2024-03-01"),
        ({**AT, "anyOf": [{"enum": DAYS}, {"pattern": "^x"}]}, "2024-03-01"),
        ({"oneOf": [{**AT, "maxLength": 10}, {**AT, "minLength": 20}]}, "2024-03-01"),
        ({**AT, "not": {"enum": ["2024-03-01T00:00:00Z"]}}, "2024-03-01"),
        ({"type": "array", "items": {"maxLength": 10, "anyOf": [AT, NULL]}}, ["2024-03-01"]),
        (
            {"type": "array", "uniqueItems": True, "items": AT},
            ["2024-03-01", "2024-03-01 00:00:00"],
        ),
    ],
    ids=json.dumps,
)
def test_what_judges_the_text_of_the_tap_does_not_judge_what_is_posted(
    column: dict[str, Any], written: Any, emulator: Emulator
) -> None:
    # given a schema that judges a date-time as the tap writes it, beside the format or around it
    lines = [schema(properties={**ID, "v": column}), record({"id": 1, "v": written})]
    # when it is posted in the form of the service
    _, error = loaded(into(emulator), tap_output(*lines))
    # then the service takes it
    assert error is None
    (row,) = read_table(emulator.database, "orders")
    expected = "2024-03-01T00:00:00Z"
    assert row["v"] == ([expected] * len(written) if isinstance(written, list) else expected)


EVENT: dict[str, Any] = {
    "anyOf": [
        {"type": "object", "properties": {"kind": {"enum": ["time"]}, "at": AT}},
        {"type": "object", "properties": {"kind": {"enum": ["text"]}}},
    ]
}


@pytest.mark.parametrize(
    ("more", "row", "expected"),
    [
        pytest.param(
            {"properties": {**ID, "e": {"type": "array", "items": EVENT}}},
            {"e": [{"kind": kind, "at": "2024-03-01 12:00"} for kind in ("time", "text")]},
            {
                "e": [
                    {"kind": "time", "at": "2024-03-01T12:00:00Z"},
                    {"kind": "text", "at": "2024-03-01 12:00"},
                ]
            },
            id="objects in a list",
        ),
        pytest.param(
            {"properties": {**ID, "e": EVENT}},
            {"e": {"kind": "time", "at": "2024-03-01 12:00"}},
            {"e": {"kind": "time", "at": "2024-03-01T12:00:00Z"}},
            id="object",
        ),
        pytest.param(
            {"properties": {**ID, "e": EVENT}},
            {"e": {"kind": "text", "at": "2024-03-01 12:00"}},
            {"e": {"kind": "text", "at": "2024-03-01 12:00"}},
            id="object of another kind",
        ),
        pytest.param(
            {
                "properties": ID,
                "patternProperties": {
                    "^a": EVENT,
                    "^b": json.loads(json.dumps(EVENT).replace('"at"', '"on"')),
                },
            },
            {
                "a": {"kind": "time", "at": "2024-03-01 12:00"},
                "b": {"kind": "time", "on": "2024-03-01 12:00"},
            },
            {
                "a": {"kind": "time", "at": "2024-03-01T12:00:00Z"},
                "b": {"kind": "time", "on": "2024-03-01T12:00:00Z"},
            },
            id="columns that a pattern names",
        ),
        pytest.param(
            {
                "properties": {**ID, "kind": {"type": "string"}, "at": {"type": "string"}},
                "if": {"properties": {"kind": {"const": "time"}}},
                "then": {"properties": {"at": AT}},
            },
            {"kind": "time", "at": "2024-03-01 12:00"},
            {"kind": "time", "at": "2024-03-01T12:00:00Z"},
            id="condition",
        ),
    ],
)
def test_what_another_column_makes_a_date_time_is_normalized(
    more: dict[str, Any],
    row: dict[str, Any],
    expected: dict[str, Any],
    emulator: Emulator,
    tmp_path: Path,
) -> None:
    # given a schema in which one column decides what another one is
    declared = {"type": "SCHEMA", "stream": "orders", "schema": more, "key_properties": ["id"]}
    # when such a row is loaded
    lines = [json.dumps(declared), record({"id": 1, **row})]
    delivered(piped(into(emulator), tmp_path, tap_output(*lines)))
    # then it is as the service takes it
    assert read_table(emulator.database, "orders") == [{"id": 1, **expected}]


UNREADABLE = [
    "0000-00-00 00:00:00", "", "infinity", "2024-02-30T12:00:00Z", "10000-01-01T00:00:00Z",
    "0000-12-31T00:00:00Z",
]  # fmt: skip
LINES = {"type": "array", "items": {"type": "object", "properties": {"d": TIME}}}


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("text", UNREADABLE)
def test_a_record_whose_date_time_can_not_be_read_is_invalid(
    text: str, validate: bool, emulator: Emulator
) -> None:
    # given such a value in a column, or in a list of objects, behind a good record
    columns = {**ID, "d": TIME, "lines": LINES}
    bad_columns: list[tuple[str, dict[str, Any]]] = [
        ("#/d", {"d": text}),
        ("#/lines/0/d", {"lines": [{"d": text}]}),
    ]
    for place, bad in bad_columns:
        lines = [schema(properties=columns), record({"id": 1}), record({"id": 2, **bad})]
        # when it is loaded
        config = into(emulator, validate_records=validate)
        _, error = loaded(config, tap_output(*lines))
        # then the run ends with the column, the record and the settings that may help
        assert "Line 3 of the input: record of stream 'orders' with key {\"id\":2}" in str(error)
        assert f"{place}: is not a valid date-time" in str(error)
        assert "on_invalid_datetime" in str(error)
    # and the good one is in the table
    assert [row["id"] for row in read_table(emulator.database, "orders")] == [1]


def test_what_can_not_be_read_is_null_if_the_settings_say_so(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given unreadable date-times, in columns and in a list, beside one that can be read
    columns = {**ID, "d": TIME, "lines": LINES}
    rows = [{"id": place, "d": text} for place, text in enumerate(UNREADABLE)]
    rows.append({"id": 9, "d": "2024-03-01", "lines": [{"d": "0000-00-00"}, {"d": "2024-03-01"}]})
    # when they are loaded with on_invalid_datetime: null
    lines = [schema(properties=columns), *map(record, rows)]
    config = into(emulator, on_invalid_datetime="null")
    delivered(piped(config, tmp_path, tap_output(*lines)))
    # then these are null, and that one is normalized
    *unreadable, last = read_table(emulator.database, "orders")
    assert [row["d"] for row in unreadable] == [None] * len(UNREADABLE)
    time = "2024-03-01T00:00:00Z"
    assert last == {"id": 9, "d": time, "lines": [{"d": None}, {"d": time}]}


@pytest.mark.parametrize(
    ("declared", "keys"),
    [(TIME, ["id", "d"]), ({"type": "string", "format": "date-time"}, ["id"])],
    ids=["key property", "schema without null"],
)
def test_null_takes_no_place_where_it_may_not_be(
    declared: dict[str, Any], keys: list[str], service: Service, tmp_path: Path
) -> None:
    # given an unreadable date-time in a key property, or where the schema does not permit null
    lines = [
        schema(properties={**ID, "d": declared}, keys=keys),
        record({"id": 1, "d": "0000-00-00"}),
    ]
    # when it is loaded with on_invalid_datetime: null
    run = piped(service.config(on_invalid_datetime="null"), tmp_path, tap_output(*lines))
    # then the record is invalid all the same
    assert run.exit_code == 1
    assert "#/d: is not a valid date-time" in run.last_line
    assert service.requests == []


def test_a_key_property_is_normalized(emulator: Emulator, tmp_path: Path) -> None:
    # given two versions of a row, whose key is a date-time that is written in two forms
    columns = {"day": {"type": "string", "format": "date-time"}, "n": {"type": "integer"}}
    rows = [{"day": "2024-03-01 00:00:00", "n": 1}, {"day": "2024-03-01", "n": 2}]
    # when they are loaded
    lines = [schema(properties=columns, keys=["day"]), *map(record, rows)]
    delivered(piped(into(emulator), tmp_path, tap_output(*lines)))
    # then they are one row
    assert read_table(emulator.database, "orders") == [{"day": "2024-03-01T00:00:00Z", "n": 2}]


def test_without_normalization_only_the_form_of_the_service_is_valid(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given date-times in the form of the service, and one without a zone
    texts = ["2024-03-01T12:00:00Z", "2024-03-01T12:00:00.123456789+05:45", "2024-03-01T12:00:00"]
    rows = [{"id": place, "d": text} for place, text in enumerate(texts)]
    lines = tap_output(schema(properties={**ID, "d": TIME}), *map(record, rows))
    # when they are loaded with normalize_datetimes: false
    run = piped(into(emulator, normalize_datetimes=False), tmp_path, lines)
    # then that one ends the run, and the others have arrived as they were written
    assert run.exit_code == 1
    assert "#/d: is not a valid date-time" in run.last_line
    assert read_table(emulator.database, "orders") == rows[:2]
    # and with on_invalid_datetime: null it is null
    config = into(emulator, normalize_datetimes=False, on_invalid_datetime="null")
    delivered(piped(config, tmp_path, lines))
    assert read_table(emulator.database, "orders")[2] == {"id": 2, "d": None}


def test_the_quarantine_has_what_the_tap_wrote_and_loads_again(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given records with a date-time to normalize; one can't be read, one breaks its schema
    columns = {**ID, "d": TIME, "e": TIME, "n": {"type": "integer"}}
    unreadable = '{ "id": 2, "d": "2024-03-01 12:00", "e": "0000-00-00", "n": 1 }'
    broken = '{ "id": 3, "d": "2024-03-01 12:00", "n": 1.50 }'
    lines = [
        schema(properties=columns),
        record({"id": 1, "d": "2024-03-01 12:00"}),
        record(unreadable),
        record(broken),
    ]
    # when they are loaded with a quarantine
    delivered(piped(quarantining(emulator, tmp_path), tmp_path, tap_output(*lines)))
    assert [row["id"] for row in read_table(emulator.database, "orders")] == [1]
    # then the file has them in the tap's own bytes
    kept = (tmp_path / QUARANTINE).read_bytes()
    assert f'"record":{unreadable},'.encode() in kept
    assert f'"record":{broken},'.encode() in kept
    # and when the causes are corrected, by a setting and in the SCHEMA, it is loaded
    corrected = kept.replace(b'"n": {"type": "integer"}', b'"n": {"type": "number"}')
    assert corrected != kept
    config = into(emulator, on_invalid_datetime="null")
    delivered(piped(config, tmp_path, corrected))
    rows = {row["id"]: row for row in read_table(emulator.database, "orders")}
    assert {key: (row["d"], row["e"]) for key, row in rows.items()} == {
        1: ("2024-03-01T12:00:00Z", None),
        2: ("2024-03-01T12:00:00Z", None),
        3: ("2024-03-01T12:00:00Z", None),
    }


@pytest.mark.parametrize("push_format", ["json", "transit"])
def test_a_push_has_the_normalized_value(
    push_format: str, emulator: Emulator, service: Service, tmp_path: Path
) -> None:
    # given date-times without a zone, with an old offset, and as an offset of the service's form
    texts = ["2024-03-01 12:00:00.5", "0001-01-02 05:41:16+05:41:16", "2024-03-01T12:00:00+05:45"]
    rows = [{"id": place, "d": text} for place, text in enumerate(texts)]
    lines = tap_output(schema(properties={**ID, "d": TIME}), *map(record, rows))
    # when they are pushed
    settings = {**PUSH, "push_format": push_format}
    run = delivered(piped(into(emulator, **settings), tmp_path, lines))
    # then the rows have what was meant
    found = [row["d"] for row in read_table(emulator.database, "orders")]
    expected = {
        "json": ["2024-03-01T12:00:00.5Z", "0001-01-02T00:00:00Z", "2024-03-01T12:00:00+05:45"],
        "transit": [
            "2024-03-01T12:00:00.500000Z",
            "0001-01-02T00:00:00.000000Z",
            "2024-03-01T06:15:00.000000Z",
        ],
    }
    assert found == expected[push_format]
    assert "2 date-times normalized: 2 of 'd'." in run.stderr
    # and the body has it: as a text in JSON, as an instant in Transit
    delivered(piped(service.config(**settings), tmp_path, lines))
    instants = service.requests[0].body.count(b'"~m') + service.requests[0].body.count(b'"~t')
    assert instants == (3 if push_format == "transit" else 0)


def test_the_summary_counts_normalized_date_times_for_machines(
    emulator: Emulator, tmp_path: Path
) -> None:
    # given three date-times to normalize in two streams, and two that are right
    columns = {**ID, "d": TIME}
    lines = [
        *[schema(properties=columns), schema("items", columns)],
        *[record({"id": 1, "d": "2024-03-01"}), record({"id": 2, "d": "2024-03-01T00:00:00Z"})],
        *[record({"id": 3, "d": "2024-03-01"}), record({"id": 1, "d": "2024-03-01"}, "items")],
        record({"id": 2, "d": "2024-03-01T00:00:00+00:00"}, "items"),
    ]
    # when they are loaded with a log for machines
    env = {"SINGER_SDK_LOG_CONFIG": log_file(tmp_path)}
    logged = delivered(piped(into(emulator), tmp_path, tap_output(*lines), **env))
    # then the summary of each stream, and that of the run, have the number
    events = [json.loads(line) for line in logged.stderr.splitlines() if line[:1] == "{"]
    counts = {
        each.get("stream_name"): each["extra"]["normalized"]
        for each in events
        if each["extra"].get("event_name") in ("stream_summary", "run_summary")
    }
    assert counts == {"orders": 2, "items": 1, None: 3}


def log_file(folder: Path) -> str:
    """Return the path of the SDK's settings of a log as JSON, which are put into the folder."""
    path = folder / "logging.json"
    path.write_text(json.dumps(LOGGING))
    return str(path)


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "singer_sdk.logging.StructuredFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "INFO", "handlers": ["console"]},
}

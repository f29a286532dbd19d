"""Lines of one form are taken without decoding what is the same in each."""

from __future__ import annotations

import contextlib
import io
from operator import itemgetter
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import import blocks
from target_stitch_import.blocks import Blocks
from target_stitch_import.errors import InputError
from target_stitch_import.lanes import Lane, key_in, lane_of
from target_stitch_import.messages import RecordMessage, StateMessage
from target_stitch_import.quick import Records
from target_stitch_import.reader import MessageReader
from tests.support.messages import activate, record, schema, state, stream_of
from tests.support.running import loaded
from tests.support.service import running_service

AT = "2024-02-29T23:59:58.123456+00:00"
UNREADABLE = AT.replace("29T", "30T")


def learned(line: str) -> Lane | None:
    """Return the lane of lines like this one."""
    message = MessageReader().deserialize_json(line.encode())
    assert isinstance(message, RecordMessage)
    return lane_of(line.encode(), key_in(line.encode()), message, mock.Mock())


def written(form: str, data: str, time: str) -> str:
    """Return a line of a form."""
    return form.replace("DATA", data).replace("TIME", time)


TWICE = '{"type":"RECORD","stream":"s","record":{},"x":"TIME","time_extracted":"TIME"}'
FORMS = [
    '{"type": "RECORD", "stream": "s", "record": DATA, "time_extracted": "TIME"}',
    '{"type":"RECORD","stream":"s","record":DATA,"time_extracted":"TIME"}',
    '{"type":"RECORD","stream":"s","record":DATA,"version":5,"time_extracted":"TIME"}',
    '{"record": DATA, "stream": "s", "time_extracted": "TIME", "type": "RECORD", "version": 5}',
    '{"type":"RECORD","stream":"s","more":{"a":[1]},"record":DATA,"time_extracted": "TIME"} \r',
    '{"type":"RECORD","stream":"s","x":{"id": 1},"record":DATA,"time_extracted":"TIME"}',
    '{"type":"RECORD","stream":"Zürich","record":DATA,"time_extracted":"TIME"}',
    '{"type":"RECORD","stream":"s","time_extracted":"TIME","record":DATA}',
    '{"time_extracted": "TIME", "type": "RECORD", "version": 5, "record": DATA , "stream": "s"}\n',
]


@pytest.mark.parametrize("form", FORMS)
def test_lines_of_the_same_form_are_cut(form: str) -> None:
    # Given a line, and what it was decoded to
    lane = learned(written(form, '{"id": 1}', AT))
    assert lane is not None
    # When other lines of the same form come
    records = ['{"id":  22, "x": ["record", {}]}', "{}"]
    times = [AT.replace("58", "59"), AT]
    lines = [written(form, *both).encode() for both in zip(records, times, strict=True)]
    # Then their records and their times are told from the rest
    expected = [each.encode() for each in records], [each.encode() for each in times]
    assert lane.cut(lines) == expected


def test_lines_without_a_time_are_cut() -> None:
    form = '{"type":"RECORD","stream":"s","record":DATA,"version":null}'
    lane = learned(written(form, "{}", ""))
    assert lane is not None
    assert lane.cut([written(form, '{"a":1}', "").encode()]) == ([b'{"a":1}'], None)


@pytest.mark.parametrize(
    "other",
    [
        written(FORMS[0].replace("time_ex", "Time_ex"), "{}", AT),
        written(FORMS[1], "{}", AT),
        written(FORMS[0], "{}", AT[:-1]),
        written(FORMS[0], "{}", AT) + " ",
        written(FORMS[0], "", AT[:-1]),
        written(FORMS[-2], "{}", AT[:-1]),
        written(FORMS[-2], "{}", AT) + " ",
        written(FORMS[-2].replace('"record"', '"Record"'), "{}", AT),
        '{"type": "STATE", "value": {}}',
        "",
        "{}",
    ],
)
def test_lines_are_not_cut_if_one_has_another_form(other: str) -> None:
    for form in (FORMS[0], FORMS[-2]):
        known = written(form, "{}", AT)
        lane = learned(known)
        assert lane is not None
        assert lane.cut([known.encode(), other.encode()]) is None


@pytest.mark.parametrize(
    "line",
    [
        # the record or the time is not where it seems, or there twice, or written with escapes
        '{"type":"RECORD","stream":"s","x":{"record":{}},"record":{}}',
        '{"type":"RECORD","stream":"s","record":{"a":1},"record":{}}',
        '{"type":"RECORD","stream":"s","x":{"record":{}},"\\u0072ecord":{}}',
        '{"type":"RECORD","stream":"a\\"record\\":","record":{}}',
        '{"type":"RECORD","stream":"s","time_extracted":"1","x":{"record":{}},"record":{}}',
        '{"type":"RECORD","stream":"s","time_extracted":"1","record":{},"time_extracted":"2"}',
        '{"type":"RECORD","stream":"s","x":{"time_extracted":"1"},"record":{}}',
        '{"type":"RECORD","stream":"s","time_extracted":"","record":{}}',
        '{"type":"RECORD","stream":"s","time_extracted":"\\u0032","record":{}}',
        TWICE.replace("%s", AT),
        '{"type":"RECORD","stream":"s","record":{},"time_extracted":"1","time_extracted":"2"}',
        '{"type":"RECORD","stream":"s","record":{},"time_extracted":17}',
        '{"type":"RECORD","stream":"s","record":{},"time_extracted":"\\u0032"}',
    ],
)
def test_a_line_that_may_be_misread_has_no_lane(line: str) -> None:
    assert learned(line) is None


@pytest.mark.parametrize("key", ['"record":', '"record": ', '"record" :\t'])
def test_the_key_is_as_the_tap_writes_it(key: str) -> None:
    line = '{"stream":"s",' + key + '{"record": 1}}'
    assert key_in(line.encode()) == key.encode()
    assert learned('{"type":"RECORD",' + line[1:]) is not None


def test_a_tap_that_writes_in_another_way_from_some_line_on_is_learned_anew() -> None:
    # Given lines of two streams that take turns, with and without blanks
    spaced = [record({"id": 1}, name) for name in "ab"] * 5
    tight = [each.replace('": ', '":') for each in spaced]
    # When one way of writing follows the other, and then the first once more
    alone = numbers_alone([*spaced, *tight, *spaced])
    # Then the first lines of each go alone, until they are known
    assert alone == [1, 2, 11, 12, 21, 22]


def test_a_blank_that_only_other_lines_have_is_not_cut_off() -> None:
    # Given streams that take turns, whose lines have a blank in front of the record
    lines = [record({"id": 1}, name) for name in "ab"] * 10
    # When a line has something else in that place, with which it is no JSON
    lines[12] = lines[12].replace(': {"id"', ':[{"id"')
    # Then it goes alone, and whoever decodes it finds that out
    assert 13 in numbers_alone(lines)


def numbers_alone(lines: list[str]) -> list[int]:
    """Return which lines are not taken together, of chunks of ten."""
    alone = []

    def way_of(_: RecordMessage) -> mock.Mock:
        way = mock.Mock()
        way.look_at = lambda data, _: Records(data, None, len(data))
        way.add_all = lambda *_: iter(())
        return way

    def usual(line: bytes, number: int) -> None:
        alone.append(number)
        with contextlib.suppress(InputError):
            message = MessageReader().deserialize_json(line)
            taken.learn(line, message, way_of)

    taken = Blocks(usual, mock.Mock())
    for first in range(0, len(lines), 10):
        taken.take([each.encode() for each in lines[first : first + 10]], first + 1)
    return alone


def test_lines_that_say_too_late_of_which_stream_they_are_have_no_lane() -> None:
    # Given streams whose lines have their record behind much else
    far = '{"type":"RECORD","stream":"%s","more":"' + "x" * 1_100 + '","record":{"id":%d}}'
    assert numbers_alone([far % ("a", 1)] * 12) == [*range(1, 13)]
    properties = {"id": {"type": "integer"}}
    lines = [schema("a", properties, ["id"]), schema("b", properties, ["id"])]
    lines += [far % (name, place) for place in range(40) for name in "ab"]
    # When they take turns, then each loads its own table
    with running_service() as service:
        loaded(service.config(), stream_of(*lines))
        counts = {each.batch["table_name"]: len(each.records) for each in service.requests}
    assert counts == {"a": 40, "b": 40}


KEYED = schema("keyed", {"id": {"type": "integer"}, "x": {"type": ["null", "string"]}}, ["id"])
LOOSE = schema("loose", {"id": {"pattern": "x"}}, [])
data = st.sampled_from(
    [
        '{"id": 1}',
        '{"id":2,"x":"é"}',
        '{ "id": 3, "x": null }',
        '{"id": 4, "y": 1}',
        '{"id": 4, "_sdc_x": 1.50}',
        '{"x": 1}',
        "[]",
        '{"id": 5, "x": "}, \\"time_extracted\\": \\"2024"}',
        '{"id": 6, "x": NaN}',
        '{"id": 7',
    ]
)
times = st.sampled_from(
    [AT, AT.replace("58", "57"), "2024-02-29T23:59:58Z", "soon", '", "x": "1', None]
)
events = st.one_of(
    st.tuples(st.just("record"), st.sampled_from(["keyed", "loose", "none"]), data, times),
    st.sampled_from([("line", state({"a": 1})), ("line", KEYED), ("line", LOOSE), ("line", "")]),
    st.sampled_from([("line", KEYED.replace("string", "number")), ("line", activate(1, "keyed"))]),
)

rows = st.tuples(
    st.just("rows"),
    st.sampled_from(["keyed", "other"]),
    st.integers(1, 50),
    st.sampled_from(["{}", '{"id": 1}', '{"id": 8.0}', '{"id": 9, "_sdc_x": 1}']),
    st.booleans(),
)
turns = st.tuples(st.just("turns"), st.integers(1, 12), st.sets(st.integers(0, 24), max_size=3))


def lines_of(story: list[tuple[Any, ...]]) -> bytes:
    """Return what a tap writes."""
    lines = [KEYED, LOOSE, schema("other", {"id": {"type": ["null", "number"]}}, [])]
    for kind, *rest in story:
        if kind == "line":
            lines.append(rest[0])
        elif kind == "rows":  # which only the second of them makes different
            stream, count, second, time_first = rest
            texts = ['{"id": 7}'] + [second] * (1 + count % 9)
            texts += [f'{{"id": {place}}}' for place in range(count)]
            form = FORMS[-2 if time_first else 0].replace('"s"', f'"{stream}"')
            lines += [written(form, text, AT) for text in texts]
            if count > 25:
                lines[-count] = lines[-count].replace(AT, UNREADABLE)
        elif kind == "turns":  # of two streams, with STATEs between
            rounds, places = rest
            both = [record({"id": 1}, name, time_extracted=AT) for name in ("keyed", "other")]
            pieces = both * rounds
            for place in sorted(places, reverse=True):
                pieces.insert(place, state({"a": place}))
            lines += pieces
        else:
            stream, text, time = rest
            more = {} if time is None else {"time_extracted": time}
            lines.append(record(text, stream, **more))
    return stream_of(*lines)


@settings(deadline=None, max_examples=150)
@given(st.lists(events | rows | turns, max_size=25), st.booleans(), st.sampled_from([3, 20_000]))
def test_with_lanes_everything_is_as_without_them(
    story: list[tuple[Any, ...]], check: bool, most_rows: int
) -> None:
    # Given any lines of a tap
    text = lines_of(story)
    found = []
    for most in (20_000, 0):  # with lanes, and without
        with running_service() as service, mock.patch.object(blocks, "MAX_LANES", most):
            config = service.config(
                validate_records=check, max_parallel_requests=1, batch_size_rows=most_rows
            )
            # When they are loaded
            states, error = loaded(config, text)
            bodies = [request.batch for request in service.requests]
        bodies.sort(key=itemgetter("table_name"))  # those of one table stay in their order
        for body in bodies:
            for message in body["messages"]:
                del message["sequence"]  # some are of the time of receipt
        found.append((states, str(error), bodies))
    # Then what was sent, the STATEs and the error are the same
    assert found[0] == found[1]


def test_forms_beyond_measure_are_not_remembered() -> None:
    # Given a tap that writes something else in front of each record
    form = '{"type":"RECORD","stream":"s","number":%d,"record":{}}'
    lines = [KEYED, *(form % place for place in range(50))]
    # When fewer forms are remembered than there are
    with mock.patch.object(blocks, "MAX_LANES", 10):
        messages = MessageReader()
        messages.quick_way = lambda _: mock.Mock()
        callbacks = dict.fromkeys(
            ["RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION", "BATCH"], lambda _: None
        )
        counts = messages.process_lines(io.BytesIO(stream_of(*lines)), callbacks)
    # Then all are read, and the memory does not grow
    assert counts["RECORD"] == 50
    assert messages._blocks is not None
    assert len(messages._blocks._lanes) == 10


def test_a_form_is_learned_again_where_it_has_changed() -> None:
    # Given a tap that leaves the fraction out where it is zero, as it is in its first line
    short = record({"id": 1}, time_extracted=AT.replace(".123456", ""))
    lines = [each.encode() for each in [short, *[record({"id": 2}, time_extracted=AT)] * 20]]
    way = mock.Mock()
    way.look_at = lambda data, _: Records(data, None, len(data))
    way.add_all = lambda *_: iter(())
    alone = []

    def usual(line: bytes, number: int) -> None:
        alone.append(number)
        message = MessageReader().deserialize_json(line)
        taken.learn(line, message, lambda _: way)

    # When its lines come in chunks
    taken = Blocks(usual, mock.Mock())
    for first in (1, 22, 43):
        taken.take(lines if first == 1 else lines[1:] + lines[1:2], first)
    # Then the form of most of them is known from the second chunk on
    assert alone == list(range(1, 22))
    assert taken.taken == {"RECORD": 42}


def block(
    streams: int = 2,
    *,
    good: bool = True,
    room: int | None = None,
    one_table: bool = False,
    would_open: bool = False,
    values: tuple[Any, ...] = ({"a": 1},),
) -> tuple[list[int], list[StateMessage], Blocks]:
    """Return what went alone, the STATEs, and what was taken, of streams that take turns."""
    table, alone = mock.Mock(), []
    states: list[StateMessage] = []

    def way_of(_: RecordMessage) -> mock.Mock:
        way = mock.Mock(table=table if one_table else mock.Mock(), would_open=would_open)
        way.look_at = lambda data, _: Records(data, None, len(data) if good else 0)
        way.room_for = lambda records: len(records.data) if room is None else room
        way.add_all = lambda *_: iter(())
        return way

    def usual(line: bytes, number: int) -> None:
        alone.append(number)
        message = MessageReader().deserialize_json(line)
        if isinstance(message, RecordMessage):
            taken.learn(line, message, way_of)

    taken = Blocks(usual, states.append)
    turn = [record({"id": 1}, f"s{place}").encode() for place in range(streams)]
    taken.take(turn, 1)
    lines = [*turn * 3, *(state(value).encode() for value in values), *turn * 3]
    taken.take(lines, streams + 1)
    return alone, states, taken


def test_streams_and_states_that_take_turns_are_taken_together() -> None:
    alone, states, taken = block()
    assert alone == [1, 2]
    assert [bytes(each.value) for each in states] == [b'{"a": 1}']
    assert taken.taken == {"RECORD": 12, "STATE": 1}


@pytest.mark.parametrize(
    ("values", "newest"),
    [
        (({"a": 1}, {"a": 2}), b'{"a": 2}'),
        (({"a": 1}, {}, None), b'{"a": 1}'),
        (({"a": "é"}, {"a": 3}), b'{"a": 3}'),
    ],
)
def test_of_states_in_a_block_the_newest_that_is_not_empty_counts(
    values: tuple[Any, ...], newest: bytes
) -> None:
    alone, states, taken = block(values=values)
    assert alone == [1, 2]
    assert [bytes(each.value) for each in states] == [newest]
    assert taken.taken == {"RECORD": 12, "STATE": len(values)}


@pytest.mark.parametrize("reason", [{"good": False}, {"one_table": True}, {"values": ([1],)}])
def test_they_go_line_by_line_where_that_may_be_something_else(reason: dict[str, Any]) -> None:
    alone, states, taken = block(**reason)
    assert (alone, states, taken.taken) == (list(range(1, 16)), [], {})


def test_a_few_lines_of_each_stream_go_one_by_one() -> None:
    # Given nine streams that take turns, and a chunk in which each has its turn twice
    lines = [record({"id": 1}, f"s{place}").encode() for place in range(9)] * 2
    alone = []

    def usual(line: bytes, number: int) -> None:
        alone.append(number)
        message = MessageReader().deserialize_json(line)
        taken.learn(line, message, lambda _: mock.Mock())

    taken = Blocks(usual, mock.Mock())
    taken.take(lines[:9], 1)
    # When it is taken, then no lines are taken together
    taken.take(lines, 10)
    assert alone == list(range(1, 28))


def test_before_a_state_no_more_is_taken_than_fits_into_the_open_batches() -> None:
    # Given records of two streams, a STATE, and more records
    # When a batch has to be sealed at once
    alone, _, taken = block(room=0)
    # Then what the STATE waits for goes line by line, and what comes behind it together
    assert alone == list(range(1, 10))
    assert taken.taken == {"RECORD": 6, "STATE": 0}
    # And when there is room for three records of each stream at a time, so many go together
    alone, _, taken = block(room=3)
    assert alone == [1, 2]
    assert taken.taken == {"RECORD": 12, "STATE": 1}


def test_what_comes_before_a_state_may_open_batches() -> None:
    # Given records of streams of which no batch is open, then a STATE, and no room for more
    alone, states, taken = block(room=0, would_open=True)
    # Then what comes before the STATE goes together: no STATE waits for it yet
    assert alone == [1, 2, 9]
    assert (states, taken.taken) == ([], {"RECORD": 12, "STATE": 0})

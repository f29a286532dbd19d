"""Messages become runs: what is between two messages that are neither RECORD nor STATE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.errors import InputError
from target_stitch_import.singer.messages import (
    ActivateVersionMessage,
    Message,
    RecordMessage,
    SchemaMessage,
    StateMessage,
)
from target_stitch_import.singer.runs import Run, split_into_runs

if TYPE_CHECKING:
    from collections.abc import Iterable


def record(data: Any, stream: str = "a", version: int | None = None) -> RecordMessage:
    """Return a RECORD; its time is what it holds."""
    return RecordMessage(stream, msgspec.Raw(msgspec.json.encode(data)), version, data)


def state(value: bytes) -> StateMessage:
    """Return a STATE."""
    return StateMessage(msgspec.Raw(value))


SCHEMA = SchemaMessage("a", msgspec.Raw(b"{}"))
ACTIVATION = ActivateVersionMessage("a", 1)


def described(item: Run | tuple[int, Message]) -> Any:
    """Return what is in a run: by stream its version and records with positions, and the STATEs."""
    if isinstance(item, tuple):
        return item[0], str(item[1].__struct_config__.tag)
    for block in item.blocks.values():
        assert block.times == [msgspec.json.decode(each) for each in block.records]
    blocks = {
        stream: (block.version, [*zip(block.positions, block.times, strict=True)])
        for stream, block in item.blocks.items()
    }
    return blocks, item.states


def split(*messages: Message | None, position: int = 1) -> list[Any]:
    """Return what is in the runs of messages."""
    return [described(item) for item in split_into_runs(messages, position)]


def test_records_and_states_are_one_run_with_a_block_a_stream() -> None:
    messages: list[Message] = [
        record(1, "a"),
        record(2, "b"),
        state(b'{"x":1}'),
        record(3, "a"),
        state(b'{"x":2}'),
        record(4, "b"),
    ]
    assert split(*messages, position=10) == [
        (
            {"a": (None, [(10, 1), (13, 3)]), "b": (None, [(11, 2), (15, 4)])},
            [(12, b'{"x":1}'), (14, b'{"x":2}')],
        )
    ]


@pytest.mark.parametrize("other", [SCHEMA, ACTIVATION])
def test_another_message_stands_between_two_runs(other: Message) -> None:
    tag = str(other.__struct_config__.tag)
    assert split(record(1), other, record(2)) == [
        ({"a": (None, [(1, 1)])}, []),
        (2, tag),
        ({"a": (None, [(3, 2)])}, []),
    ]
    # and where there is nothing between two of them, there is no run
    assert split(other, other) == [(1, tag), (2, tag)]


def test_blank_lines_have_a_position_and_end_no_run() -> None:
    assert split(None, record(1), None, record(2), None) == [({"a": (None, [(2, 1), (4, 2)])}, [])]
    assert split(None, None) == []


def test_another_version_of_a_stream_begins_another_run() -> None:
    # given two streams of which one changes its version
    messages = [
        record(1, "a", 5),
        record(2, "b"),
        record(3, "a", 6),
        record(4, "b"),
        record(5, "a"),
    ]
    # then all that comes before the change is in the run before it
    assert split(*messages) == [
        ({"a": (5, [(1, 1)]), "b": (None, [(2, 2)])}, []),
        ({"a": (6, [(3, 3)]), "b": (None, [(4, 4)])}, []),
        ({"a": (None, [(5, 5)])}, []),
    ]


@pytest.mark.parametrize("value", [b"{}", b"null", b" { } "])
def test_a_state_that_is_empty_is_none(value: bytes) -> None:
    assert split(state(value)) == []
    assert split(record(1), state(value)) == [({"a": (None, [(1, 1)])}, [])]


@pytest.mark.parametrize("value", [b"[1]", b'"x"', b"5", b'{"a":"\xff"}'])
def test_what_comes_before_a_state_that_can_not_be_used_is_handed_over(value: bytes) -> None:
    # given a STATE that is none, in the third line; when messages are split
    items = split_into_runs([record(1), state(b'{"a":1}'), state(value), record(2)], 1)
    # then what is before it comes first, with the STATE before it
    assert described(next(items)) == ({"a": (None, [(1, 1)])}, [(2, b'{"a":1}')])
    with pytest.raises(InputError, match=r"^Line 3 of the input: the value of a STATE is"):
        next(items)


def only_run(*messages: Message | None) -> Run:
    """Return the only run of messages."""
    (run,) = split_into_runs(messages, 1)
    assert isinstance(run, Run)
    return run


def test_the_newest_state_is_that_before_a_position() -> None:
    run = only_run(state(b'{"x":1}'), record(2), state(b'{"x":3}'), record(4))
    assert run.newest_state() == b'{"x":3}'
    assert [run.newest_state(before) for before in (1, 2, 3, 4, 9)] == [
        None,
        b'{"x":1}',
        b'{"x":1}',
        b'{"x":3}',
        b'{"x":3}',
    ]
    assert only_run(record(1)).newest_state() is None


def test_a_record_of_a_block_is_given_back_as_a_message() -> None:
    block = only_run(record(1, version=7), record(2, version=7)).blocks["a"]
    received = block.message(1)
    assert (received.stream, bytes(received.record), received.version) == ("a", b"2", 7)
    assert received.time_extracted == 2


messages = st.lists(
    st.one_of(
        st.none(),
        st.builds(record, st.integers(0, 9), st.sampled_from("abc"), st.sampled_from([None, 1])),
        st.integers(0, 9).map(lambda n: state(b'{"x":%d}' % n)),
        st.sampled_from([SCHEMA, ACTIVATION]),
    ),
    max_size=14,
)


def in_order(items: Iterable[Run | tuple[int, Message]]) -> list[tuple[int, Any]]:
    """Return what runs hold, by position; the parts of a run in the order of the input."""
    received: list[tuple[int, Any]] = []
    for item in items:
        if isinstance(item, tuple):
            received.append((item[0], str(item[1].__struct_config__.tag)))
            continue
        part: list[tuple[int, Any]] = [*item.states]
        for stream, block in item.blocks.items():
            assert block.stream == stream
            part += [
                (at, (stream, block.version, time))
                for at, time in zip(block.positions, block.times, strict=True)
            ]
        firsts = [block.positions[0] for block in item.blocks.values()]
        assert firsts == sorted(firsts)
        received += sorted(part, key=lambda each: each[0])
    return received


@settings(deadline=None)
@given(messages, st.sets(st.integers(0, 16), max_size=4))
def test_whatever_comes_nothing_is_lost_and_a_run_may_be_split_anywhere(
    story: list[Message | None], cuts: set[int]
) -> None:
    # given any messages
    expected: list[tuple[int, Any]] = []
    for position, message in enumerate(story, 1):
        if isinstance(message, RecordMessage):
            expected.append((position, (message.stream, message.version, message.time_extracted)))
        elif isinstance(message, StateMessage):
            expected.append((position, bytes(message.value)))
        elif message is not None:
            expected.append((position, str(message.__struct_config__.tag)))
    # when they are split into runs, then all is there, in its order
    items = [*split_into_runs(story, 1)]
    assert in_order(items) == expected
    # and when a run is split at some positions, the parts are runs, and all is there, too
    ends = [*sorted(cuts), 99]
    for run in [item for item in items if isinstance(item, Run)]:
        parts = run.split(ends[:-1])
        assert in_order(parts) == in_order([run])
        for part, start, end in zip(parts, [0, *ends], ends, strict=False):
            assert all(start <= position < end for position, _ in in_order([part]))


def test_behind_a_split_blocks_are_in_the_order_of_their_first_records() -> None:
    _, rest = only_run(record(1, "a"), record(2, "b"), record(3, "a")).split([2])
    assert [*rest.blocks] == ["b", "a"]

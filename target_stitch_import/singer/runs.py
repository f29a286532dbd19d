"""Runs: the RECORDs and STATEs between two other messages, the RECORDs in blocks by stream."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from target_stitch_import.errors import InputError
from target_stitch_import.singer.messages import Message, RecordMessage, StateMessage


@dataclass
class Block:
    """Records of one stream and version, in their order; the three lists have one length."""

    stream: str
    version: int | None
    records: list[msgspec.Raw] = field(default_factory=list)  # each as the JSON that the tap wrote
    times: list[Any] = field(default_factory=list)
    """For each, its ``time_extracted`` as the tap wrote it; None where it has none."""
    positions: list[int] = field(default_factory=list)
    """For each, where in the input it stands; they increase."""

    def __getitem__(self, part: slice) -> Block:
        """Return some of the records."""
        rows = (self.records[part], self.times[part], self.positions[part])
        return Block(self.stream, self.version, *rows)

    def message(self, index: int) -> RecordMessage:
        """Return one record as the message that the tap wrote."""
        return RecordMessage(self.stream, self.records[index], self.version, self.times[index])


@dataclass
class Run:
    """RECORDs and STATEs between two other messages.

    Records of different streams may overtake each other in it, those of one stream never.
    """

    blocks: dict[str, Block] = field(default_factory=dict)
    """By stream, in the order of their first records."""
    states: list[tuple[int, bytes]] = field(default_factory=list)
    """Each with its position, in their order."""

    def __bool__(self) -> bool:
        """Return False if there is nothing in it."""
        return bool(self.blocks or self.states)

    def add(self, message: RecordMessage, position: int) -> bool:
        """Add a record; return False, and do nothing, if its stream is there in another version."""
        block = self.blocks.get(message.stream)
        if block is None:
            block = self.blocks[message.stream] = Block(message.stream, message.version)
        elif block.version != message.version:
            return False
        block.records.append(message.record)
        block.times.append(message.time_extracted)
        block.positions.append(position)
        return True

    def newest_state(self, before: int | None = None) -> bytes | None:
        """Return the newest STATE, of those before a position if one is given; None without any."""
        at = len(self.states) if before is None else bisect_left(self.states, (before,))
        return self.states[at - 1][1] if at else None

    def split(self, positions: Sequence[int]) -> list[Run]:
        """Return what comes before the first of some increasing positions, between, and behind."""
        runs = [Run() for _ in range(len(positions) + 1)]
        for stream, block in self.blocks.items():
            for number, start, end in _parts(block.positions, positions):
                runs[number].blocks[stream] = block[start:end]
        for number, start, end in _parts([at for at, _ in self.states], positions):
            runs[number].states = self.states[start:end]
        for run in runs:
            run.blocks = dict(sorted(run.blocks.items(), key=lambda each: each[1].positions[0]))
        return runs


def _parts(positions: Sequence[int], cuts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield for each part of increasing positions its number, its start, and its end."""
    start = 0
    while start < len(positions):
        number = bisect_right(cuts, positions[start])
        end = bisect_left(positions, cuts[number], start) if number < len(cuts) else len(positions)
        yield number, start, end
        start = end


def split_into_runs(
    messages: Iterable[Message | None], position: int
) -> Iterator[Run | tuple[int, Message]]:
    """Yield runs, and each other message with its position, in the order of the input.

    The first of the ``messages``, one for each line and None for a blank one, has the ``position``.
    Raise ``InputError`` at a STATE that can't be used, behind what comes before it.
    """
    run = Run()
    for at, message in enumerate(messages, position):
        if type(message) is RecordMessage:
            if not run.add(message, at):
                yield run
                run = Run()
                run.add(message, at)
        elif type(message) is StateMessage:
            try:
                value = message.state()
            except InputError as error:
                error.line = at
                yield run
                raise
            if value is not None:
                run.states.append((at, value))
        elif message is not None:
            if run:
                yield run
                run = Run()
            yield at, message
    if run:
        yield run

"""The lines of a chunk, many at a time where their form is known.

Lines of one stream in a row go together. Where streams, or records and STATEs, take turns, the lines
up to the next other message are a block: the records of each stream go together, and the STATEs
behind them. That is done only where it comes to the same as line by line: all of them are beyond
doubt, no two forms load one table, and where there are STATEs, no batch is sealed on the way. Knows
lines, lanes and the quick way; nothing of what is in a record.
"""

from __future__ import annotations

from collections import Counter
from itertools import repeat
from operator import indexOf
from typing import TYPE_CHECKING, Final

import msgspec

from target_stitch_import.errors import InputError
from target_stitch_import.lanes import SHORTEST_KEY, Lane, key_in, lane_of
from target_stitch_import.messages import StateMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    from target_stitch_import.messages import RecordMessage
    from target_stitch_import.quick import QuickWay, Records

    _Group: TypeAlias = tuple[QuickWay, Records, list[bytes], list[int]]

__all__ = ["MAX_LANES", "Blocks"]

MAX_LANES: Final = 20_000
"""Forms of RECORD lines that are looked at: more than streams have, unless each line differs."""

_ROW: Final = 8
"""From so many lines of one stream in a row on, they are no block of several."""
_FEW: Final = 3
"""With fewer lines of a stream, it would take longer to take them together than one by one."""
_FAR: Final = 1_000
"""Bytes of a head that is remembered, at most."""
_STATE: Final = (b'{"type":"STATE"', b'{"type": "STATE"')

_decode_state = msgspec.json.Decoder(StateMessage).decode


class Blocks:
    """Takes lines by the lanes that it knows, and hands over the others."""

    def __init__(
        self, usual: Callable[[bytes, int], None], take_state: Callable[[StateMessage], None]
    ) -> None:
        """Hand what goes the usual way to ``usual``: a line and its number."""
        self._usual = usual
        self._take_state = take_state
        self.taken: Counter[str] = Counter()
        """How many messages did not go the usual way."""
        self.in_turn = 0
        """How many streams took turns in the lines that were taken last."""
        self._key = SHORTEST_KEY
        self._lanes: dict[bytes, Lane | None] = {}
        """By the head of a line: all in front of the key, where it says of which stream it is."""

    def forget(self) -> None:
        """Take no line of any form for known any longer."""
        self._lanes.clear()

    def learn(
        self,
        line: bytes,
        message: RecordMessage,
        way_of: Callable[[RecordMessage], QuickWay | None],
    ) -> None:
        """Take note of the form of a line, which was decoded to ``message``."""
        if not self._lanes or self._key not in line:
            self._key = key_in(line)
            self._lanes.clear()  # whoever writes the key so has written none of them
        head = line.partition(self._key)[0]
        if len(head) <= _FAR and head not in self._lanes and len(self._lanes) < MAX_LANES:
            way = way_of(message)
            self._lanes[head] = None if way is None else lane_of(line, self._key, message, way)

    def take(self, lines: Sequence[bytes], first: int) -> None:
        """Take the lines of a chunk; ``first`` is the number of the first one."""
        at = self.in_turn = 0
        while at < len(lines):
            lane = self._lanes.get(lines[at].partition(self._key)[0])
            if lane is None:
                self._usual(lines[at], first + at)
                at += 1
                continue
            rest = lines[at:] if at else lines
            row = rest[: _how_many_start(rest, lane.start)]
            if len(row) == len(rest) or len(row) >= _ROW:
                self._take_row(lane, row, first + at)
                at += len(row)
            else:
                at += self._take_block(rest, first + at)

    def _take_row(self, lane: Lane, lines: Sequence[bytes], first: int) -> None:
        """Take lines of one stream."""
        if (records := self._records(lane, lines)) is None:
            self._take_alone(lines, first)
            return
        self._add(lane.way, records, lines, range(first, first + len(lines)))

    def _add(
        self, way: QuickWay, records: Records, lines: Sequence[bytes], numbers: Sequence[int]
    ) -> None:
        """Add records; those in doubt, and those that seal or open a batch, go the usual way."""
        alone = 0
        for begin, end in way.add_all(records, numbers):
            for line, number in zip(lines[begin:end], numbers[begin:end], strict=True):
                self._usual(line, number)
            alone += end - begin
        self.taken["RECORD"] += len(lines) - alone

    def _take_block(self, lines: Sequence[bytes], first: int) -> int:
        """Take the lines up to the next message that is no RECORD or STATE; return how many.

        Where a batch would be sealed on the way, take fewer, but an eighth of them at least: so
        often can the others be looked at again and cost little.
        """
        groups: dict[Lane, tuple[list[bytes], list[int]]] = {}
        states: list[bytes] = []
        before_states = count = 0
        lane_of_head, key = self._lanes.get, self._key
        for number, line in enumerate(lines, first):
            if lane := lane_of_head(line.partition(key)[0]):  # no call of ours, for each line
                if (of_lane := groups.get(lane)) is None:
                    of_lane = groups[lane] = ([], [])
                of_lane[0].append(line)
                of_lane[1].append(number)
            elif line.startswith(_STATE):
                before_states = before_states if states else count
                states.append(line)
            else:
                break
            count += 1
        self.in_turn = max(self.in_turn, len(groups))
        if count < len(groups) * _FEW:
            self._take_alone(lines[:count], first)
            return count
        # No STATE waits yet for what comes before the first one: there, batches may open and be sealed.
        if before_states * 8 >= count and any(lane.way.would_open for lane in groups):
            return self._take_block(lines[:before_states], first)
        found = self._look_at(groups)
        fit = _fitting(found, first, count) if states and found else count
        if fit < count:
            if fit * 8 >= count:
                return self._take_block(lines[:fit], first)
            count = max(fit + 1, count // 8)
        elif found is not None and self._add_all(found, states):
            return count
        self._take_alone(lines[:count], first)
        return count

    def _look_at(self, groups: dict[Lane, tuple[list[bytes], list[int]]]) -> list[_Group] | None:
        """Return the records of each stream; None if they can't be taken out of their turn."""
        if len({id(lane.way.table) for lane in groups}) < len(groups):
            return None
        found: list[_Group] = []
        for lane, (lines, numbers) in groups.items():
            records = self._records(lane, lines)
            if records is None or records.good < len(lines):
                return None
            found.append((lane.way, records, lines, numbers))
        return found

    def _add_all(self, found: Iterable[_Group], states: Sequence[bytes]) -> bool:
        """Add the records and the newest STATE, or do nothing and return False."""
        try:
            state = _newest(states)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InputError):
            return False
        for group in found:
            self._add(*group)
        if state is not None:
            self._take_state(state)
        self.taken["STATE"] += len(states)
        return True

    def _take_alone(self, lines: Iterable[bytes], first: int) -> None:
        for number, line in enumerate(lines, first):
            self._usual(line, number)

    def _records(self, lane: Lane, lines: Sequence[bytes]) -> Records | None:
        """Return the records of lines; None if one is of another form, or has no readable time.

        Where the form has changed, it is learned anew.
        """
        cut = lane.cut(lines)
        if cut is None:
            del self._lanes[lines[0].partition(self._key)[0]]
            return None
        return lane.way.look_at(*cut)


def _how_many_start(lines: Sequence[bytes], start: bytes) -> int:
    """Return how many lines, from the first one on, start so; in C, for it is done for each."""
    try:
        return indexOf(map(bytes.startswith, lines, repeat(start)), False)
    except ValueError:
        return len(lines)


def _fitting(found: Iterable[_Group], first: int, count: int) -> int:
    """Return how many lines, of ``count`` from ``first`` on, are taken without sealing a batch."""
    short = [
        numbers[room]
        for way, records, _, numbers in found
        if (room := way.room_for(records)) < len(numbers)
    ]
    return min(short) - first if short else count


def _newest(lines: Sequence[bytes]) -> StateMessage | None:
    """Return the newest STATE that is not empty: no batch is sealed on the way, so it counts alone.

    Raises:
        InputError: One of them is none, as do the errors of decoding.
    """
    messages = [_decode_state(line) for line in lines]
    plain = b"".join(lines).isascii() and {bytes(each.value)[:1] for each in messages} <= {b"{"}
    if not plain:
        for message in messages:
            message.state()
    return next((each for each in reversed(messages) if each.state() is not None), None)

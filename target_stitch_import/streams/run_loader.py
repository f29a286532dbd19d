"""Loads runs: judges all blocks of a run, loads them, then remembers its newest STATE."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import pairwise
from operator import itemgetter
from typing import Final

from target_stitch_import.batches.batch import Originals, PreparedBlock
from target_stitch_import.errors import InputError, InvalidRecordError, RecordBeforeSchemaError
from target_stitch_import.singer.messages import RecordMessage
from target_stitch_import.singer.positions import line_number
from target_stitch_import.singer.runs import Block, Run
from target_stitch_import.streams.router import Router
from target_stitch_import.streams.stream_maps import Route, Stream

_FEW: Final = 16
"""Records that are prepared at once behind an invalid one, and twice as many each time while none is.

What stands behind an invalid record is prepared again with the next ones.
"""


@dataclass(eq=False)
class RunLoader:
    """Loads the records of runs into their tables."""

    router: Router  # has the tables
    remember_state: Callable[[bytes], None]
    """Gets the newest STATE of a run, behind all of its records."""
    refuse: Callable[[Stream, RecordMessage, InvalidRecordError, int, str], None]
    """Gets each invalid record, its position, and the name of the table, in the order of the input; it
    sets the record aside, or raises."""
    keep_originals: bool
    """Whether a batch has what the tap wrote for the records that are not posted as it wrote them."""

    def load(self, run: Run) -> None:
        """Load a run; at a record that can't be used, raise ``InputError`` behind all before it."""
        first = 0
        try:
            for block in run.blocks.values():
                first = block.positions[0]
                self.router.stream(block.stream, "RECORD")
        except RecordBeforeSchemaError as error:
            error.line = line_number(first)
            self.load(run.split([first])[0])
            raise
        cuts = self._cuts(run)
        for part in run.split(cuts) if cuts else [run]:
            self._load(part)

    def _cuts(self, run: Run) -> list[int]:
        """Return where another stream goes on with a table: there, none may overtake the other."""
        tables: dict[str, list[Block]] = {}
        for block in run.blocks.values():
            for route in self.router.stream(block.stream, "RECORD").routes:
                tables.setdefault(route.sink.stream_name, []).append(block)
        cuts: set[int] = set()
        for blocks in tables.values():
            if len(blocks) > 1:
                order = sorted((at, n) for n, block in enumerate(blocks) for at in block.positions)
                cuts.update(at for (_, before), (at, n) in pairwise(order) if n != before)
        return sorted(cuts)

    def _load(self, run: Run) -> None:
        preparations = [
            _Preparation(stream, route, block, self.keep_originals)
            for block in run.blocks.values()
            for stream in [self.router.stream(block.stream, "RECORD")]
            for route in stream.routes
        ]
        refused: set[int] = set()
        invalid = merge(*(each.prepare() for each in preparations), key=itemgetter(0))
        for position, preparation, record, error in invalid:
            if position in refused:
                continue
            table_name = preparation.route.sink.stream_name
            try:
                self.refuse(preparation.stream, record, error, position, table_name)
            except Exception as failure:
                self._finish(run, preparations, refused, before=position)
                if isinstance(failure, InputError):
                    failure.line = line_number(position)
                raise
            refused.add(position)
        self._finish(run, preparations, refused)

    def _finish(
        self,
        run: Run,
        preparations: list[_Preparation],
        refused: set[int],
        before: int | None = None,
    ) -> None:
        """Load what is prepared, of what comes before a position if one is given."""
        for preparation in preparations:
            for block in preparation.prepared:
                preparation.route.sink.load(_without(block, refused, before))
        if (state := run.newest_state(before)) is not None:
            self.remember_state(state)


@dataclass(eq=False)
class _Preparation:
    """A block on its way to one table."""

    stream: Stream
    route: Route
    block: Block
    keep_originals: bool
    prepared: list[PreparedBlock] = field(default_factory=list, init=False)

    def prepare(self) -> Iterator[tuple[int, _Preparation, RecordMessage, InvalidRecordError]]:
        """Prepare all records; yield each invalid one with its position before those behind it."""
        block, transform = self.block, self.route.transform
        records = list(map(bytes, block.records))
        times, positions = block.times, block.positions
        places: Sequence[int] = range(len(records))
        unmapped: dict[int, InvalidRecordError] = {}
        if transform is not None:
            places, records, unmapped = _map(transform, records)
            times = [times[place] for place in places]
            positions = [positions[place] for place in places]
        start, most = 0, len(records)
        for stop in (*unmapped, len(block.records)):
            behind = bisect_left(places, stop)
            while start < behind:
                end = min(behind, start + most)
                prepared, error = self.route.sink.prepare(
                    block.version, records[start:end], times[start:end], positions[start:end]
                )
                if self.keep_originals:
                    prepared.originals = self._originals(
                        prepared, records[start:end], places[start:]
                    )
                self.prepared.append(prepared)
                start += len(prepared.records)
                most *= 2
                if error is not None:
                    yield positions[start], self, block.message(places[start]), error
                    start, most = start + 1, _FEW
            if stop in unmapped:
                yield block.positions[stop], self, block.message(stop), unmapped[stop]

    def _originals(
        self, prepared: PreparedBlock, records: Sequence[bytes], places: Sequence[int]
    ) -> Originals:
        """Return what the tap wrote for the records that are not posted as it wrote them."""
        each = zip(prepared.positions, prepared.records, records, places, strict=False)
        return {
            position: (self.stream.message, self.block.message(place))
            for position, made, record, place in each
            if self.route.transform is not None or made is not record
        }


def _map(
    transform: Callable[[bytes], bytes | None], records: list[bytes]
) -> tuple[list[int], list[bytes], dict[int, InvalidRecordError]]:
    """Apply a stream map to records.

    Return the places of those that it keeps, these as it changes them, and by place the errors of
    those to which it can't be applied.
    """
    places: list[int] = []
    mapped: list[bytes] = []
    unmapped: dict[int, InvalidRecordError] = {}
    for place, record in enumerate(records):
        try:
            made = transform(record)
        except InvalidRecordError as error:
            unmapped[place] = error
            continue
        if made is not None:
            places.append(place)
            mapped.append(made)
    return places, mapped, unmapped


def _without(block: PreparedBlock, refused: set[int], before: int | None) -> PreparedBlock:
    """Return a block without records that another table has refused, and only what comes before."""
    if before is not None:
        block = block[: bisect_left(block.positions, before)]
    if refused.isdisjoint(block.positions):
        return block
    return block.only([place for place, at in enumerate(block.positions) if at not in refused])

"""Which rows are sent: those that are not as the newest version that was read or acknowledged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_stitch_import.batches.batch import PreparedBlock
from target_stitch_import.errors import InputError
from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.schemas.keywords import declared_types
from target_stitch_import.schemas.posted import DATE_TIME
from target_stitch_import.unchanged.digests import DIGEST_SIZE, RecordDigests, decode_record
from target_stitch_import.unchanged.store import DELETED, LIVE, RETURNED, RowStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_stitch_import.batches.batch import Batch
    from target_stitch_import.unchanged.digests import Key

DELETED_AT: Final = "_sdc_deleted_at"
DELETED_AT_SCHEMA: Final = {"type": ["null", "string"], "format": DATE_TIME}

_ALWAYS_IGNORED: Final = "_sdc_sync_started_at"  # taps write another one in each run
_DELETES: Final = 5_000  # in one block


class RowVersion(msgspec.Struct, eq=False, gc=False):
    """A version of a row that is on its way."""

    table: _Table
    key: Key
    digest: bytes
    sequence: int
    position: int
    kind: int = LIVE
    load: int = 0
    is_refused: bool = False


@dataclass(eq=False)
class _Table:
    number: int
    ended_version: str | None
    newest: dict[Key, RowVersion] = field(default_factory=dict)
    """By key, the newest version that was read, of those that are not acknowledged."""
    loads: dict[int | None, int] = field(default_factory=lambda: {None: 0})
    """By version, the numbers of loads that records of this run were in."""
    waiting: tuple[int, int] | None = None
    """As in ``TableRows``."""
    stream: str | None = None
    """The one that loads it, with ``detect_deletes``."""

    def forget(self, row: RowVersion) -> None:
        """Let a version that is acknowledged, or refused, not be the newest one that was read."""
        if self.newest.get(row.key) is row:
            del self.newest[row.key]


class UnchangedRows:
    """What is remembered of the rows of all tables with keys."""

    def __init__(self, store: RowStore, settings: Mapping[str, Any]) -> None:
        """Compare rows with those of the ``store``, as the target's ``settings`` say."""
        self._store = store
        self._settings = settings
        self._tables: dict[str, _Table] = {}
        self._posts: dict[int, tuple[int, Sequence[RowVersion]]] = {}
        """By the number of a batch, the number of its post in the store, and its rows."""
        self.commit = store.commit
        self.close = store.close

    def of_table(self, name: str, schema: Mapping[str, Any], key_names: Sequence[str]) -> TableRows:
        """Return what compares the rows of a table that come with this posted schema."""
        number, ended = self._store.table(name, key_names)
        table = self._tables.get(name)
        if table is None or table.number != number:
            table = self._tables[name] = _Table(number, ended)
        return TableRows(self._store, self._settings, table, schema, key_names)

    def declared_schema(self, schema: dict[str, Any], key_names: Sequence[str]) -> dict[str, Any]:
        """Return the schema to post with records; those of returned rows have a column more."""
        columns = schema["properties"]
        if not key_names or not self._settings["detect_deletes"]:
            return schema
        if "null" in declared_types(columns.get(DELETED_AT, {"type": []})):
            return schema
        return {**schema, "properties": {**columns, DELETED_AT: DELETED_AT_SCHEMA}}

    def before_post(self, batch: Batch) -> None:
        """Remove the digests of a batch's rows, and return once that is on disk.

        Raises:
            UnchangedFileError: That can't be.
        """
        if not batch.entries or batch.number in self._posts:
            return
        post = self._store.begin_post()
        rows = [row for row in batch.entries if not row.is_refused]
        for (table, kind, load), group in groupby(rows, attrgetter("table.number", "kind", "load")):
            part = [*group]
            keys, digests = [row.key for row in part], [row.digest for row in part]
            sequences = [row.sequence for row in part]
            self._store.post(post, table, keys, digests, sequences, kind=kind, load=load)
        self._store.commit()
        self._posts[batch.number] = post, batch.entries

    def acknowledge(self, number: int) -> None:
        """Let the digests of a batch's rows count from here on.

        Raises:
            UnchangedFileError: They can't be written.
        """
        if number in self._posts:
            post, rows = self._posts.pop(number)
            for row in rows:
                row.table.forget(row)
            self._store.acknowledge(post)

    def set_aside(self, batch: Batch, position: int) -> None:
        """Forget the version of a batch that stands at a position, which Stitch does not get."""
        for row in batch.entries:
            if row.position == position:
                row.is_refused = True
                row.table.forget(row)
                self._store.refuse(row.table.number, row.key, row.sequence)
                if row.load:
                    self._store.note_load(row.load, is_whole=False)


class TableRows:
    """Compares the rows of one table, as they come with one schema."""

    def __init__(
        self,
        store: RowStore,
        settings: Mapping[str, Any],
        table: _Table,
        schema: Mapping[str, Any],
        key_names: Sequence[str],
    ) -> None:
        self._store = store
        self._table = table
        self.detects_deletes: bool = settings["detect_deletes"]
        self._max_delete_share: float = settings["max_delete_share"]
        ignored = [*settings["skip_unchanged_ignore"], _ALWAYS_IGNORED]
        self._digests = RecordDigests(schema, key_names, ignored)
        keys = {name: schema["properties"][name] for name in key_names}
        self.deletes_schema = {
            "type": "object",
            "properties": {**keys, DELETED_AT: DELETED_AT_SCHEMA},
        }

    def claim(self, stream: str, table_name: str) -> None:
        """Let a stream load the table.

        Raises:
            InputError: Another one does, and deletes can't be detected.
        """
        if self.detects_deletes and self._table.stream not in (None, stream):
            raise InputError(
                f"streams {self._table.stream!r} and {stream!r} load table {table_name!r} both, and a "
                "row is not deleted because one of them has it no longer: set detect_deletes to false"
            )
        self._table.stream = stream

    def changed(self, block: PreparedBlock) -> PreparedBlock:
        """Return the records of a block that are to be sent, without their version.

        Those left out are as the newest version of their row that was read in this run, or, if all
        of that is acknowledged, as the last one that was.
        """
        load, table = self.load(block.version), self._table
        keys, digests = self._digests.read(block.records)
        found = self._store.find(table.number, keys, digests)
        kept: dict[int, RowVersion] = {}
        records = list(block.records)
        seen: list[Key] = []
        for place, key in enumerate(keys):
            is_known = found.get(place)
            kind = LIVE if is_known is None else RETURNED
            if (row := table.newest.get(key)) is not None:
                is_known, kind = row.digest == digests[place], row.kind
                row.load = max(row.load, load) if is_known else row.load
            if is_known:
                seen.append(key)
                continue
            if kind == RETURNED:
                records[place] = _as_returned(records[place])
            sequence, position = block.sequences[place], block.positions[place]
            row = RowVersion(table, key, digests[place], sequence, position, kind, load)
            table.newest[key] = kept[place] = row
        if load:
            self._store.see(table.number, load, seen)
            self._store.note_load(load, sequence=block.sequences[-1])
        block = replace(block, version=None, records=records)
        if len(kept) < len(keys):
            block = block.only([*kept])
        return replace(block, entries=[*kept.values()])

    def load(self, version: int | None) -> int:
        """Return the number of a version's load, which begins with its first record; or 0."""
        if not self.detects_deletes:
            return 0
        loads = self._table.loads
        if version not in loads:
            loads[version] = self._store.begin_load(self._table.number, str(version))
        return loads[version]

    def note_set_aside(self, version: int | None) -> None:
        """Note that a record of a version was set aside: its load detects no deletes."""
        if load := self.load(version):
            self._store.note_load(load, is_whole=False)

    # Deletes

    def ended_load(self, version: int) -> tuple[int, int, bool]:
        """Return the number and the greatest sequence of a load, and if all of it could be sent.

        The number is 0 if an ACTIVATE_VERSION of this version ends no load.
        """
        if str(version) == self._table.ended_version:
            return 0, 0, False
        return self._store.read_load(self._table.number, str(version))

    def must_wait(self, version: int, position: int) -> bool:
        """Return True, and note it, if an ACTIVATE_VERSION may stand in front of the rest of a load.

        Taps write one there, too. It ends the load if a STATE or the end follows, and no record.
        """
        must_wait = version not in self._table.loads
        self._table.waiting = (version, position) if must_wait else None
        return must_wait

    @property
    def waiting(self) -> tuple[int, int] | None:
        """The version and the position of an ACTIVATE_VERSION that no record has followed."""
        waiting = self._table.waiting
        return waiting if waiting and waiting[0] not in self._table.loads else None

    def has_unended(self, version: int) -> bool:
        """Return True if the newest load has not ended, and is not that of this version."""
        newest = self._store.newest_version(self._table.number)
        return newest not in (None, self._table.ended_version, str(version))

    def deletes(
        self, load: int, table_name: str, sequence: int, position: int
    ) -> Iterator[PreparedBlock]:
        """Yield the deletes of the rows that were not in a load, with at least this sequence.

        Raises:
            InputError: They are too many.
        """
        number = self._table.number
        count, of_all = self._store.count_gone(number, load)
        if count > (share := self._max_delete_share) * of_all:
            raise InputError(
                f"{count:,} of {of_all:,} rows of table {table_name!r} were not in the load that ended, "
                f"and max_delete_share permits {share:g} of them to be deleted at once. Check the tap's "
                "selection; if they are gone indeed, run once with max_delete_share 1"
            )
        now = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
        for gone in self._store.gone(number, load, _DELETES):
            none = bytes(DIGEST_SIZE)
            rows = [
                RowVersion(self._table, key, none, max(sequence, newest + 1), position, DELETED)
                for key, newest in gone.items()
            ]
            records = [
                encode_exactly({**self._digests.key_values(key), DELETED_AT: now}) for key in gone
            ]
            sequences = [row.sequence for row in rows]
            times, positions = [b""] * len(rows), [position] * len(rows)
            yield PreparedBlock(None, records, sequences, times, positions, entries=rows)

    def end_load(self, version: int) -> None:
        """Note that the deletes of a version's load are acknowledged."""
        self._table.ended_version = str(version)
        self._store.end_load(self._table.number, str(version))


def _as_returned(record: bytes) -> bytes:
    """Return a record of a row that was deleted; one that says when it was stays as it is."""
    if DELETED_AT in decode_record(record):
        return record
    text = b',"%s",null]' if record.startswith(b"[") else b',"%s":null}'
    return record.rstrip()[:-1] + text % DELETED_AT.encode()

"""Which rows are sent: those that are not as the newest version that was read or acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Final

from target_stitch_import.batches.batch import Batch, PreparedBlock
from target_stitch_import.errors import InputError
from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.schemas.places import permits
from target_stitch_import.schemas.posted import DATE_TIME
from target_stitch_import.unchanged.digests import NO_DIGEST, Key, RecordDigests, decode_record
from target_stitch_import.unchanged.store import DELETED, LIVE, RETURNED, RowStore, RowVersion

DELETED_AT: Final = "_sdc_deleted_at"
DELETED_AT_SCHEMA: Final = {"type": ["null", "string"], "format": DATE_TIME}

_ALWAYS_IGNORED: Final = "_sdc_sync_started_at"  # taps write another one in each run
_DELETES: Final = 5_000  # in one block


@dataclass
class UnchangedRows:
    """What is remembered of the rows of all tables with keys.

    Each method raises ``UnchangedFileError`` if the file can't be used.
    """

    store: RowStore
    settings: Mapping[str, Any]  # of the target
    _tables: dict[int, TableRows] = field(default_factory=dict, init=False)
    _posts: dict[int, tuple[int, Sequence[RowVersion]]] = field(default_factory=dict, init=False)
    """By the number of a batch, the number of its post in the store, and its rows."""

    def of_table(self, name: str, key_names: Sequence[str]) -> TableRows:
        """Return what compares the rows of a table."""
        number, ended_version = self.store.table(name, key_names)
        if number not in self._tables:
            table = TableRows(name, key_names, self.store, self.settings, number, ended_version)
            self._tables[number] = table
        return self._tables[number]

    def declared_schema(self, schema: dict[str, Any], key_names: Sequence[str]) -> dict[str, Any]:
        """Return the schema to post with records; those of returned rows have a column more."""
        columns = schema["properties"]
        column = columns.get(DELETED_AT)
        is_there = column is not None and permits(column, "null")
        if is_there or not key_names or not self.settings["detect_deletes"]:
            return schema
        nullable = {"anyOf": [column, {"type": "null"}]} if column else DELETED_AT_SCHEMA
        return {**schema, "properties": {**columns, DELETED_AT: nullable}}

    def before_post(self, batch: Batch) -> None:
        """Remove the digests of a batch's rows, and return once that is on disk."""
        if batch.entries and batch.number not in self._posts:
            post = self.store.post(row for row in batch.entries if not row.is_refused)
            self._posts[batch.number] = post, batch.entries

    def acknowledge(self, number: int) -> None:
        """Let the digests of a batch's rows count from here on."""
        if number in self._posts:
            post, rows = self._posts.pop(number)
            for row in rows:
                self._forget(row)
            self.store.acknowledge(post)

    def set_aside(self, record: Batch) -> None:
        """Forget the version of a row that a part of a batch is, which Stitch does not get."""
        (position,) = record.positions
        for row in record.entries:
            if row.position == position:
                row.is_refused = True
                self._forget(row)
                self.store.refuse(row.table, row.key, row.sequence)
                if row.load:
                    self.store.note_load(row.load, is_whole=False)

    def _forget(self, row: RowVersion) -> None:
        newest = self._tables[row.table].newest
        if newest.get(row.key) is row:
            del newest[row.key]


@dataclass
class TableRows:
    """Compares the rows of one table."""

    name: str
    key_names: Sequence[str]
    store: RowStore
    settings: Mapping[str, Any]
    number: int  # of the table in the store
    ended_version: str | None  # whose load ended last
    newest: dict[Key, RowVersion] = field(default_factory=dict)
    """The newest version that was read of each row, of those that are not acknowledged."""
    loads: dict[int | None, int] = field(default_factory=lambda: {None: 0})
    """By version, the numbers of loads that records of this run were in."""
    waiting: tuple[int, int] | None = None
    """The version and the position of an ACTIVATE_VERSION that no record has followed."""
    stream: str | None = None

    def claim(self, stream: str) -> None:
        """Let a stream load it; raise ``InputError`` if another does, and deletes are to be detected."""
        if self.settings["detect_deletes"] and self.stream not in (None, stream):
            raise InputError(
                f"streams {self.stream!r} and {stream!r} load table {self.name!r} both, and a "
                "row is not deleted because one of them has it no longer: set detect_deletes to false"
            )
        self.stream = stream

    def digests(self, schema: Mapping[str, Any]) -> RecordDigests:
        """Return what reads the records that come with a posted schema."""
        ignored = [*self.settings["skip_unchanged_ignore"], _ALWAYS_IGNORED]
        return RecordDigests(schema, self.key_names, ignored)

    def changed(self, block: PreparedBlock, digests: RecordDigests) -> PreparedBlock:
        """Return the records of a block that are to be sent, without their version.

        Those left out are as the newest version of their row that was read in this run, or, if all
        of that is acknowledged, as the last one that was.
        """
        load = self._load(block.version)
        keys, values = digests.read(block.records)
        found = self.store.find(self.number, keys, values)
        kept: dict[int, RowVersion] = {}
        records = list(block.records)
        seen: list[Key] = []
        for place, key in enumerate(keys):
            is_known = found.get(place)
            kind = LIVE if is_known is None else RETURNED
            if (row := self.newest.get(key)) is not None:
                is_known, kind = row.digest == values[place], row.kind
                row.load = max(row.load, load) if is_known else row.load
            if is_known:
                seen.append(key)
                continue
            if kind == RETURNED:
                records[place] = _as_returned(records[place])
            sequence, position = block.sequences[place], block.positions[place]
            written = digests.written_key(records[place])
            row = RowVersion(
                self.number, key, values[place], sequence, position, kind, load, written
            )
            self.newest[key] = kept[place] = row
        if load:
            self.store.see(self.number, load, seen)
            self.store.note_load(load, sequence=block.sequences[-1])
        block = replace(block, version=None, records=records)
        if len(kept) < len(keys):
            block = block.only([*kept])
        return replace(block, entries=[*kept.values()])

    def note_set_aside(self, version: int | None) -> None:
        """Note that a record of a version was set aside: its load detects no deletes."""
        if load := self._load(version):
            self.store.note_load(load, is_whole=False)

    def _load(self, version: int | None) -> int:
        """Return the number of a version's load, which begins with its first record; or 0."""
        if not self.settings["detect_deletes"]:
            return 0
        if version not in self.loads:
            self.loads[version] = self.store.begin_load(self.number, str(version))
            if self.waiting and self.waiting[0] == version:
                self.waiting = None
        return self.loads[version]

    def find_problem(self, version: int) -> str | None:
        """Return why no row is deleted when a version is activated, for people; None if some may be."""
        if not self.settings["detect_deletes"]:
            return (
                "have versions, which skip_unchanged leaves out: without detect_deletes, rows that "
                "are gone from the source stay in Stitch."
            )
        newest = self.store.newest_version(self.number)
        if newest in (None, self.ended_version, str(version)):
            return None
        return (
            "begin a new version, and no ACTIVATE_VERSION came behind those of the one "
            "before: no row that is gone is deleted, until the tap writes one there."
        )

    def ended_load(self, version: int, position: int) -> int:
        """Return the number of the load that ends where a version is activated; 0 if none does.

        An ACTIVATE_VERSION may also stand in front of the rest of a load, of which the run before has
        read some. That load is ``waiting``: it ends if a STATE or the end follows, and no record.
        """
        if not self.settings["detect_deletes"] or str(version) == self.ended_version:
            return 0
        if version in self.loads or self.waiting == (version, position):
            return self.store.read_load(self.number, str(version))[0]
        self.waiting = (version, position)
        return 0

    def deletes_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the schema of the deletes of rows that come with a posted schema."""
        posted = schema["properties"]
        columns = {name: posted[name] for name in self.key_names}
        own = posted.get(DELETED_AT)
        is_text = own is not None and permits(own, "string")  # another type would split it
        columns[DELETED_AT] = own if is_text else DELETED_AT_SCHEMA
        return {"type": "object", "properties": columns}

    def deletes(self, load: int, sequence: int, position: int) -> Iterator[PreparedBlock]:
        """Yield the deletes of the rows that were not in a load, with at least this sequence.

        Raise ``InputError`` if they are too many.
        """
        count, of_all = self.store.count_gone(self.number, load)
        if count > (share := self.settings["max_delete_share"]) * of_all:
            raise InputError(
                f"{count:,} of {of_all:,} rows of table {self.name!r} were not in the load that ended, "
                f"and max_delete_share permits {share:g} of them to be deleted at once. Check the tap's "
                "selection; if they are gone indeed, run once with max_delete_share 1"
            )
        now = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
        for gone in self.store.gone(self.number, load, _DELETES):
            records = [
                encode_exactly({**self._key_values(written), DELETED_AT: now})
                for _, _, written in gone
            ]
            sequences = [max(sequence, newest + 1) for _, newest, _ in gone]
            rows = [
                RowVersion(self.number, key, NO_DIGEST, each, position, DELETED)
                for (key, _, _), each in zip(gone, sequences, strict=True)
            ]
            times, positions = [b""] * len(rows), [position] * len(rows)
            yield PreparedBlock(None, records, sequences, times, positions, entries=rows)

    def end_load(self, version: int) -> None:
        """Note that the deletes of a version's load are acknowledged."""
        self.ended_version = str(version)
        self.store.end_load(self.number, str(version))

    def _key_values(self, key: Key) -> dict[str, Any]:
        values = [key] if isinstance(key, int) else decode_exactly(key.encode())
        return dict(zip(self.key_names, values, strict=True))


def _as_returned(record: bytes) -> bytes:
    """Return a record of a row that was deleted; one that says when it was stays as it is."""
    if DELETED_AT in decode_record(record):
        return record
    text = b',"%s",null]' if record.startswith(b"[") else b',"%s":null}'
    return record.rstrip()[:-1] + text % DELETED_AT.encode()

"""The SQLite file of ``skip_unchanged``: of each row, what was posted last, and if it is acknowledged.

A row's entry has the digest of the version with the greatest sequence that was ever posted, and the
number of that post. The entry counts once the post is acknowledged: until then the table in Stitch
may have that version or the one before. So an entry is never right about a row that is older there.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import msgspec

from target_stitch_import.errors import UnchangedFileError
from target_stitch_import.json_codec import encode_exactly
from target_stitch_import.unchanged.digests import DIGEST_SIZE, Key

FORMAT: Final = 2

LIVE, DELETED, RETURNED = range(3)
"""What an entry's version is: a row, a delete, or the first version behind a delete.

Stitch may still show a returned row as deleted until that version is acknowledged.
"""


class RowVersion(msgspec.Struct, eq=False, gc=False):
    """A version of a row that is on its way."""

    table: int  # its number
    key: Key
    digest: bytes
    sequence: int
    position: int = 0
    kind: int = LIVE
    load: int = 0  # the number of the last load that it was in; 0: none
    written: str | None = None  # the key properties as they are posted, where ``key`` is not that
    is_refused: bool = False


_FILE_START: Final = b"SQLite format 3\0"

_TABLES: Final = """
CREATE TABLE made_for (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE posts (number INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE tables (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, key_names TEXT, ended_version TEXT
);
CREATE TABLE loads (
    number INTEGER PRIMARY KEY AUTOINCREMENT, table_number INTEGER, version TEXT, sequence INTEGER,
    is_whole INTEGER, UNIQUE (table_number, version)
);
CREATE TABLE entries (
    table_number INTEGER, key, digest BLOB, sequence BLOB, post INTEGER, kind INTEGER, load INTEGER,
    written TEXT, PRIMARY KEY (table_number, key)
) WITHOUT ROWID;
"""

# Keys come as a JSON array, digests and sequences as one blob each: one statement for a block is
# twice as fast as one for each row. Big-endian sequences are in the order of their bytes.

_DIGEST: Final = f"substr(:digests, {DIGEST_SIZE} * given.key + 1, {DIGEST_SIZE})"
_IS_POSTED: Final = "post IN (SELECT number FROM posts)"

# A second version with the same sequence leaves no digest: nobody knows which one Stitch has kept.
_POST: Final = f"""
INSERT INTO entries
SELECT :table_number, value, {_DIGEST}, substr(:sequences, 8 * given.key + 1, 8), :post, :kind, :load,
    NULL
FROM json_each(:keys) AS given WHERE TRUE
ON CONFLICT DO UPDATE SET
    digest = CASE
        WHEN excluded.sequence > sequence OR excluded.digest = digest THEN excluded.digest
        WHEN excluded.sequence = sequence THEN x'' ELSE digest END,
    post = CASE WHEN excluded.sequence >= sequence THEN excluded.post ELSE post END,
    kind = CASE WHEN excluded.sequence > sequence THEN excluded.kind ELSE kind END,
    sequence = max(excluded.sequence, sequence),
    load = max(excluded.load, load)
"""  # noqa: S608

_FIND: Final = f"""
SELECT given.key, kind <> {DELETED} AND NOT {_IS_POSTED}
FROM json_each(:keys) AS given CROSS JOIN entries
    ON table_number = :table_number AND entries.key = given.value
WHERE kind = {DELETED} OR CASE WHEN {_IS_POSTED} THEN kind = {RETURNED} ELSE digest = {_DIGEST} END
"""  # noqa: S608

_SEE: Final = """
UPDATE entries SET load = :load WHERE table_number = :table_number AND load < :load
    AND key IN (SELECT value FROM json_each(:keys))
"""

_WRITE_KEY: Final = "UPDATE entries SET written = ? WHERE table_number = ? AND key = ?"

# Of a row that was to return, Stitch has the delete.
_REFUSE: Final = f"""
UPDATE entries SET digest = x'', kind = CASE kind WHEN {RETURNED} THEN {DELETED} ELSE kind END
WHERE table_number = ? AND key = ? AND sequence = ?
"""  # noqa: S608

_NOTE_LOAD: Final = """
UPDATE loads SET sequence = max(sequence, ?), is_whole = is_whole AND ? WHERE number = ?
"""

# A delete that was not acknowledged is sent again.
_GONE: Final = f"""
SELECT key, sequence, coalesce(written, key) FROM entries WHERE table_number = ? AND load < ? AND key > ?
    AND (kind <> {DELETED} OR digest = x'' OR {_IS_POSTED})
ORDER BY key LIMIT ?
"""  # noqa: S608


class RowStore:
    """The entries of all tables; nothing is on disk before ``commit``.

    Each method raises ``UnchangedFileError`` if the file can't be used.
    """

    def __init__(self, path: str, made_for: Mapping[str, str], *, changes: bool = True) -> None:
        """Open the file at ``path``, or create it for the pipe that ``made_for`` describes.

        Without ``changes``, the file stays as it is, and is not created.
        """
        self._path = path
        self._changes = changes
        with contextlib.ExitStack() as opened, self._errors():
            opened.callback(os.close, lock(path))
            exists = os.path.exists(path) and os.path.getsize(path) > 0  # noqa: PTH110, PTH202
            self._connection = sqlite3.connect(path if exists or changes else ":memory:")
            opened.callback(self._connection.close)
            self._open()
            self._check_pipe(made_for)
            self.commit()  # so that a disk that is full is found before anything is sent
            self._closing = opened.pop_all()

    def _open(self) -> None:
        if self._execute("PRAGMA quick_check(1)") != [("ok",)]:
            raise sqlite3.DatabaseError("the file is damaged")
        ((version,),) = self._execute("PRAGMA user_version")
        if version == 0 and not self._execute("SELECT 1 FROM sqlite_master"):
            self._connection.executescript(
                f"PRAGMA journal_mode = WAL; BEGIN; {_TABLES} PRAGMA user_version = {FORMAT}; COMMIT"
            )
        elif version != FORMAT:
            raise UnchangedFileError(
                f"skip_unchanged: {self._path} has format {version} and this version of the target "
                f"needs {FORMAT}. Name another file, or begin anew with --forget: all rows are then sent again"
            )
        for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
            self._execute(f"PRAGMA {setting}")

    def _check_pipe(self, made_for: Mapping[str, str]) -> None:
        before = dict(self._execute("SELECT name, value FROM made_for"))
        for name, value in made_for.items():
            if before.get(name, value) != value:
                raise UnchangedFileError(
                    f"skip_unchanged: {self._path} was made for another {name}, and what it has of the "
                    "rows is not true for this one. Name a file of its own for each pipe and "
                    "integration; or begin anew with --forget: all rows are then sent again"
                )
            self._execute("REPLACE INTO made_for VALUES (?, ?)", name, value)

    def table(self, name: str, key_names: Sequence[str]) -> tuple[int, str | None]:
        """Return the number of a table, and the version whose load ended last.

        What it has of a table with other keys is removed.
        """
        keys = encode_exactly(list(key_names)).decode()
        find = "SELECT number, ended_version, key_names FROM tables WHERE name = ?"
        found = self._execute(find, name)
        if found and found[0][2] != keys:
            self._remove(found[0][0])
        self._execute("INSERT OR IGNORE INTO tables VALUES (NULL, ?, ?, NULL)", name, keys)
        ((number, ended_version, _),) = self._execute(find, name)
        return number, ended_version

    def begin_load(self, table: int, version: str) -> int:
        """Return the number of a version's load, which begins if it is not there."""
        self._execute("INSERT OR IGNORE INTO loads VALUES (NULL, ?, ?, 0, TRUE)", table, version)
        return self.read_load(table, version)[0]

    def read_load(self, table: int, version: str) -> tuple[int, int, bool]:
        """Return the number (0: none) and the greatest sequence of a load, and if all could be sent."""
        find = "SELECT number, sequence, is_whole FROM loads WHERE table_number = ? AND version = ?"
        ((number, sequence, is_whole),) = self._execute(find, table, version) or [(0, 0, 0)]
        return number, sequence, bool(is_whole)

    def newest_version(self, table: int) -> str | None:
        """Return the version of the load that began last; None if there is none."""
        find = "SELECT version FROM loads WHERE table_number = ? ORDER BY number DESC LIMIT 1"
        found = self._execute(find, table)
        return found[0][0] if found else None

    def note_load(self, load: int, *, sequence: int = 0, is_whole: bool = True) -> None:
        """Note a sequence of a load, and if not all of its records could be sent."""
        self._execute(_NOTE_LOAD, sequence, is_whole, load)

    def end_load(self, table: int, version: str) -> None:
        """Note which version of a table ended last."""
        self._execute("UPDATE tables SET ended_version = ? WHERE number = ?", version, table)

    def count_gone(self, table: int, load: int) -> tuple[int, int]:
        """Return how many rows of a table were not in a load nor in a later one, and its rows."""
        count = "SELECT coalesce(sum(load < ?), 0), count(*) FROM entries"
        (counts,) = self._execute(
            f"{count} WHERE table_number = ? AND kind <> {DELETED}", load, table
        )
        return counts[0], counts[1]

    def gone(self, table: int, load: int, size: int) -> Iterator[list[tuple[Key, int, Key]]]:
        """Yield the rows that were not in a load nor in a later one, up to ``size`` at a time.

        For each its key, its sequence, and its key as it was posted.
        """
        last: object = -math.inf
        while found := self._execute(_GONE, table, load, last, size):
            last = found[-1][0]
            yield [
                (key, int.from_bytes(sequence, "big"), posted) for key, sequence, posted in found
            ]

    def find(self, table: int, keys: list[Key], digests: list[bytes]) -> dict[int, bool]:
        """Return the places of the rows that Stitch has with this digest, or may show as deleted.

        For each, whether it has it: the entry has this digest, and is acknowledged.
        """
        given = {"keys": _as_json(keys), "digests": b"".join(digests)}
        return dict(self._execute(_FIND, table_number=table, **given))

    def see(self, table: int, load: int, keys: list[Key]) -> None:
        """Note that some rows are in a load."""
        self._execute(_SEE, table_number=table, load=load, keys=_as_json(keys))

    def post(self, rows: Iterable[RowVersion]) -> int:
        """Replace the entries of rows that are about to be posted, on disk; return the post's number.

        They do not count until it is acknowledged.
        """
        self._execute("INSERT INTO posts VALUES (NULL)")
        ((number,),) = self._execute("SELECT last_insert_rowid()")
        for (table, kind, load), group in groupby(rows, attrgetter("table", "kind", "load")):
            part = [*group]
            self._execute(
                _POST,
                table_number=table,
                keys=_as_json([row.key for row in part]),
                digests=b"".join([row.digest for row in part]),
                sequences=struct.pack(f">{len(part)}Q", *[row.sequence for row in part]),
                post=number,
                kind=kind,
                load=load,
            )
            with self._errors():
                written = [(row.written, table, row.key) for row in part if row.written]
                self._connection.executemany(_WRITE_KEY, written)
        self.commit()
        return int(number)

    def acknowledge(self, post: int) -> None:
        """Let the entries of a post count."""
        self._execute("DELETE FROM posts WHERE number = ?", post)

    def refuse(self, table: int, key: Key, sequence: int) -> None:
        """Remove the digest of a version that was not taken."""
        self._execute(_REFUSE, table, key, sequence.to_bytes(8, "big"))

    def forget(self, name: str) -> None:
        """Remove all of a table."""
        names = dict(self._execute("SELECT name, number FROM tables"))
        if name not in names:
            raise UnchangedFileError(
                f"skip_unchanged: {self._path} has no table {name!r}; it has: {', '.join(names)}"
            )
        self._remove(names[name])

    def _remove(self, table: int) -> None:
        self._execute("DELETE FROM entries WHERE table_number = ?", table)
        self._execute("DELETE FROM loads WHERE table_number = ?", table)
        self._execute("DELETE FROM tables WHERE number = ?", table)

    def commit(self) -> None:
        """Return once all is on disk."""
        if self._changes:
            with self._errors():
                self._connection.commit()

    def close(self) -> None:
        """Commit, and let another run have the file."""
        with self._closing:
            self.commit()

    def _execute(self, statement: str, *values: object, **named: object) -> list[Any]:
        with self._errors():
            return self._connection.execute(statement, named or values).fetchall()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise UnchangedFileError(
                f"skip_unchanged: {self._path} can't be used: {error}. If the disk is full, make space. If the "
                "file is damaged, begin anew with --forget: all rows are then sent again"
            ) from error


def _as_json(keys: list[Key]) -> str:
    return encode_exactly(keys).decode()


def lock(path: str) -> int:
    """Return the descriptor of a lock on the file at ``path``, which ends with the process.

    Raise ``UnchangedFileError`` if another run has it.
    """
    real_path = os.path.realpath(path)
    if not os.path.isdir(os.path.dirname(real_path)):  # noqa: PTH112, PTH120
        raise UnchangedFileError(f"skip_unchanged: the folder of {path} does not exist")
    descriptor = os.open(f"{real_path}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UnchangedFileError(
            f"skip_unchanged: {path} is in use by another run. Wait for its end; a file can have one "
            "pipe only"
        ) from None
    return descriptor


def forget(path: str, table: str | None) -> str:
    """Remove a table, or all, from the file at ``path``; return what was done, for people.

    Raise ``UnchangedFileError`` if the file is missing, can't be used, or has no such table.
    """
    if not os.path.exists(path):  # noqa: PTH110 - as in ``RowStore``
        raise UnchangedFileError(f"skip_unchanged: there is no file {path}")
    if table is not None:
        with contextlib.closing(RowStore(path, {})) as store:
            store.forget(table)
        return f"Table {table!r} is forgotten: its rows are sent again."
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as in ``RowStore``
            start = file.read(len(_FILE_START))
        if start and start != _FILE_START:
            raise UnchangedFileError(
                f"skip_unchanged: {path} is not a file of this target and is not removed. Check the "
                "setting; if the file was one and is damaged, remove it yourself"
            )
        descriptor = lock(path)
        for end in ("", "-wal", "-shm"):  # without the file itself, the others are void
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + end)  # noqa: PTH108 - beside what may be a link
    except OSError as error:
        raise UnchangedFileError(f"skip_unchanged: {path} can't be removed: {error}") from error
    os.close(descriptor)
    return f"{path} is removed: all rows are sent again."

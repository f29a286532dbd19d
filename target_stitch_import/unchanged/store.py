"""The SQLite file of ``skip_unchanged``: of each row, what was posted last, and if it is acknowledged.

A row's entry has the digest of the version with the greatest sequence that was ever posted, and the
number of that post. The entry counts once the post is acknowledged: until then the table in Stitch
may have that version or the one before. So an entry is never right about a row that is older there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING, Final, NamedTuple

from target_stitch_import.errors import UnchangedFileError
from target_stitch_import.json_codec import encode_exactly

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FORMAT: Final = 1

LIVE, DELETED, RETURNED = range(3)
"""What an entry's version is: a row, a delete, or the first version behind a delete.

Stitch may still show a returned row as deleted until that version is acknowledged.
"""

_TABLES: Final = """
CREATE TABLE made_for (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE runs (number INTEGER);
CREATE TABLE posts (number INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE tables (
    number INTEGER PRIMARY KEY, name TEXT UNIQUE, key_names TEXT, ended_version TEXT
);
CREATE TABLE loads (
    number INTEGER PRIMARY KEY AUTOINCREMENT, table_number INTEGER, version TEXT, sequence INTEGER,
    is_whole INTEGER, UNIQUE (table_number, version)
);
CREATE TABLE entries (
    table_number INTEGER, key TEXT, digest BLOB, sequence INTEGER, post INTEGER, kind INTEGER,
    load INTEGER, PRIMARY KEY (table_number, key)
) WITHOUT ROWID;
"""

# A second version with the same sequence leaves no digest: nobody knows which one Stitch has kept.
_POST: Final = """
INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    digest = CASE
        WHEN excluded.sequence > sequence OR excluded.digest = digest THEN excluded.digest
        WHEN excluded.sequence = sequence THEN x'' ELSE digest END,
    post = CASE WHEN excluded.sequence >= sequence THEN excluded.post ELSE post END,
    kind = CASE WHEN excluded.sequence > sequence THEN excluded.kind ELSE kind END,
    sequence = max(excluded.sequence, sequence),
    load = max(excluded.load, load)
"""

_FIND: Final = """
SELECT entries.key, digest, kind, post NOT IN (SELECT number FROM posts)
FROM json_each(?) AS wanted CROSS JOIN entries
    ON entries.table_number = ? AND entries.key = wanted.value
"""

_GONE: Final = """
FROM entries WHERE table_number = ? AND load < ?
    AND (kind <> 1 OR digest = x'' OR post IN (SELECT number FROM posts))
"""


class Entry(NamedTuple):
    """What the file has of a row."""

    digest: bytes
    kind: int
    is_acknowledged: bool


class RowStore:
    """The entries of all tables; nothing is on disk before ``commit``."""

    def __init__(self, path: str, made_for: Mapping[str, str], *, changes: bool = True) -> None:
        """Open the file at ``path``, or create it for the pipe that ``made_for`` describes.

        Without ``changes``, the file stays as it is, and is not created.

        Raises:
            UnchangedFileError: It can't be used.
        """
        self._path = path
        self._changes = changes
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as opened, self._errors():
            opened.callback(os.close, lock(path))
            exists = os.path.exists(path) and os.path.getsize(path) > 0  # noqa: PTH110, PTH202
            self._connection = sqlite3.connect(path if exists or changes else ":memory:")
            opened.callback(self._connection.close)
            self._execute = self._connection.execute
            self._open()
            self._check_pipe(made_for)
            # Written at once, so that a file that takes nothing is found before anything is sent.
            self._execute("DELETE FROM runs")
            self._execute("INSERT INTO runs VALUES (?)", [os.getpid()])
            self.commit()
            self._closing = opened.pop_all()

    def _open(self) -> None:
        if self._execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the file is damaged")
        (version,) = self._execute("PRAGMA user_version").fetchone()
        if version == 0 and not self._execute("SELECT 1 FROM sqlite_master").fetchone():
            self._connection.executescript(
                f"PRAGMA journal_mode = WAL; BEGIN; {_TABLES} PRAGMA user_version = {FORMAT}; COMMIT"
            )
        elif version != FORMAT:
            raise UnchangedFileError(
                f"skip_unchanged: {self._path} has format {version} and this version of the target "
                f"needs {FORMAT}. Name another file, or begin anew with --forget: all rows are then sent again"
            )
        self._connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536"
        )

    def _check_pipe(self, made_for: Mapping[str, str]) -> None:
        before = dict(self._execute("SELECT name, value FROM made_for"))
        for name, value in made_for.items():
            if before.get(name, value) != value:
                raise UnchangedFileError(
                    f"skip_unchanged: {self._path} was made for another {name}, and what it has of the "
                    "rows is not true for this one. Name a file of its own for each pipe and "
                    "integration; or begin anew with --forget: all rows are then sent again"
                )
        self._connection.executemany("REPLACE INTO made_for VALUES (?, ?)", made_for.items())

    # Tables and loads

    def table(self, name: str, key_names: Sequence[str]) -> tuple[int, str | None]:
        """Return the number of a table, and the version whose load ended last.

        What it has of a table with other keys is removed.
        """
        keys = encode_exactly(list(key_names)).decode()
        with self._errors():
            find = "SELECT number, ended_version, key_names FROM tables WHERE name = ?"
            found = self._execute(find, [name]).fetchone()
            if found and found[2] != keys:
                self._remove(found[0])
                found = None
            if found is None:
                self._execute("INSERT INTO tables VALUES (NULL, ?, ?, NULL)", [name, keys])
                found = self._execute(find, [name]).fetchone()
        return found[0], found[1]

    def load(self, table: int, version: str, *, begin: bool = True) -> int | None:
        """Return the number of a version's load, which begins if it is not there; or else None."""
        with self._errors():
            if begin:
                insert = "INSERT OR IGNORE INTO loads VALUES (NULL, ?, ?, 0, TRUE)"
                self._execute(insert, [table, version])
            find = "SELECT number FROM loads WHERE table_number = ? AND version = ?"
            found = self._execute(find, [table, version]).fetchone()
        return found and int(found[0])

    def note_load(self, load: int, *, sequence: int = 0, is_whole: bool = True) -> None:
        """Note a sequence of a load, and if not all of its records could be sent."""
        change = "UPDATE loads SET sequence = max(sequence, ?), is_whole = is_whole AND ? WHERE number = ?"
        with self._errors():
            self._execute(change, [sequence, is_whole, load])

    def read_load(self, load: int) -> tuple[int, bool]:
        """Return the greatest sequence of a load, and whether all of its records were sent."""
        with self._errors():
            find = "SELECT sequence, is_whole FROM loads WHERE number = ?"
            sequence, is_whole = self._execute(find, [load]).fetchone()
        return sequence, bool(is_whole)

    def end_load(self, table: int, version: str) -> None:
        """Note which version of a table ended last."""
        with self._errors():
            change = "UPDATE tables SET ended_version = ? WHERE number = ?"
            self._execute(change, [version, table])

    def count_gone(self, table: int, load: int) -> tuple[int, int]:
        """Return how many rows of a table were not in a load nor in a later one, and its rows."""
        with self._errors():
            (rows,) = self._execute(
                "SELECT count(*) FROM entries WHERE table_number = ? AND kind <> 1", [table]
            ).fetchone()
            (gone,) = self._execute(
                f"SELECT count(*) {_GONE} AND kind <> 1",
                [table, load],
            ).fetchone()
        return gone, rows

    def gone(self, table: int, load: int, size: int) -> Iterator[list[tuple[str, int]]]:
        """Yield the rows that were not in a load nor in a later one: keys and sequences, in lists."""
        find = f"SELECT key, sequence {_GONE} AND key > ? ORDER BY key LIMIT ?"
        last = ""
        while True:
            with self._errors():
                rows = self._execute(find, [table, load, last, size]).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield rows

    # Entries

    def find(self, table: int, keys: Sequence[str]) -> dict[str, Entry]:
        """Return the entries of some rows of a table, of those that have one."""
        if not keys:
            return {}
        with self._errors():
            found = self._execute(_FIND, [encode_exactly(keys).decode(), table]).fetchall()
        return {key: Entry(digest, kind, bool(known)) for key, digest, kind, known in found}

    def see(self, table: int, load: int, keys: Iterable[str]) -> None:
        """Note that some rows are in a load."""
        change = "UPDATE entries SET load = ? WHERE table_number = ? AND key = ? AND load < ?"
        with self._errors():
            rows = ((load, table, key, load) for key in keys)
            self._connection.executemany(change, rows)

    def post(self, rows: Iterable[tuple[int, str, bytes, int, int, int]]) -> int:
        """Replace the entries of rows that are about to be posted; return the number of the post.

        ``rows`` has of each its table, key, digest, sequence, kind and load.
        """
        with self._errors():
            number = self._execute("INSERT INTO posts VALUES (NULL)").lastrowid or 0
            self._connection.executemany(_POST, ((*row[:4], number, *row[4:]) for row in rows))
        self.commit()
        return number

    def acknowledge(self, post: int) -> None:
        """Let the entries of a post count."""
        with self._errors():
            self._execute("DELETE FROM posts WHERE number = ?", [post])

    def refuse(self, table: int, key: str, sequence: int) -> None:
        """Remove the digest of a version that was not taken."""
        change = (
            "UPDATE entries SET digest = x'' WHERE table_number = ? AND key = ? AND sequence = ?"
        )
        with self._errors():
            self._execute(change, [table, key, sequence])

    def commit(self) -> None:
        """Return once all is on disk."""
        if self._changes:
            with self._errors():
                self._connection.commit()

    def forget(self, name: str) -> int:
        """Remove all of a table; return how many rows that were.

        Raises:
            UnchangedFileError: It has no such table.
        """
        with self._errors():
            names = dict(self._execute("SELECT name, number FROM tables"))
            if name not in names:
                raise UnchangedFileError(
                    f"skip_unchanged: {self._path} has no table {name!r}; it has: {', '.join(names)}"
                )
            count = self._remove(names[name])
        self.commit()
        return count

    def _remove(self, table: int) -> int:
        count = self._execute("DELETE FROM entries WHERE table_number = ?", [table]).rowcount
        self._execute("DELETE FROM loads WHERE table_number = ?", [table])
        self._execute("DELETE FROM tables WHERE number = ?", [table])
        return count

    def close(self) -> None:
        """Commit, and let another run have the file."""
        with self._closing:
            self.commit()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise UnchangedFileError(
                f"skip_unchanged: {self._path} can't be used: {error}. If the disk is full, make space. If the "
                "file is damaged, begin anew with --forget: all rows are then sent again"
            ) from error


def lock(path: str) -> int:
    """Return the descriptor of a lock on the file at ``path``, which ends with the process.

    Raises:
        UnchangedFileError: Another run has it, or it can't be made.
    """
    beside = f"{os.path.realpath(path)}.lock"
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UnchangedFileError(
                f"skip_unchanged: {path} is in use by another run. Wait for its end; a file can "
                "have one pipe only"
            ) from None
    except OSError as error:
        raise UnchangedFileError(
            f"skip_unchanged: the lock {beside} can't be made: {error}"
        ) from error
    return descriptor


def forget(path: str, table: str | None) -> str:
    """Remove a table, or all, from the file at ``path``; return what was done, for people.

    Raises:
        UnchangedFileError: The file can't be used, or has no such table.
    """
    if table is not None:
        store = RowStore(path, {})
        try:
            count = store.forget(table)
        finally:
            store.close()
        return f"{count:,} rows of table {table!r} are forgotten: they are sent again."
    descriptor = lock(path)
    try:
        for end in ("", "-wal", "-shm"):  # without the file itself, the others are void
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + end)  # noqa: PTH108 - beside what may be a link
    except OSError as error:
        raise UnchangedFileError(f"skip_unchanged: {path} can't be removed: {error}") from error
    finally:
        os.close(descriptor)
    return f"{path} is removed: all rows are sent again."

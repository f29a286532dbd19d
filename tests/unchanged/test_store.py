"""What the file remembers of a row, as its versions are posted and acknowledged in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from target_stitch_import.unchanged.digests import DIGEST_SIZE
from target_stitch_import.unchanged.store import DELETED, LIVE, RETURNED, RowStore, RowVersion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.unchanged.digests import Key

KEY = 1
A, B, GONE = (letter * DIGEST_SIZE for letter in (b"a", b"b", b"g"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RowStore]:
    """Open a new file."""
    opened = RowStore(str(tmp_path / "rows.db"), {})
    yield opened
    opened.close()


def post(store: RowStore, digest: bytes, sequence: int, kind: int = LIVE, load: int = 0) -> int:
    """Post a version of the one row; return the number of the post."""
    return post_row(store, KEY, digest, sequence, kind, load)


def post_row(
    store: RowStore, key: Key, digest: bytes, sequence: int, kind: int = LIVE, load: int = 0
) -> int:
    """Post a version of a row; return the number of the post."""
    table, _ = store.table("orders", ["id"])
    return store.post([RowVersion(table, key, digest, sequence, kind=kind, load=load)])


class Entry(NamedTuple):
    digest: bytes | None
    """None if none counts."""
    may_be_deleted: bool = False


def entry(store: RowStore) -> Entry:
    """Return what is remembered of the row."""
    table, _ = store.table("orders", ["id"])
    found = [store.find(table, ["[2]", KEY], [A, digest]) for digest in (A, B, GONE)]
    assert all(place == 1 for each in found for place in each)
    digests = [digest for digest, each in zip((A, B, GONE), found, strict=True) if each.get(1)]
    return Entry(digests[0] if digests else None, any(each.get(1) == 0 for each in found))


def test_a_version_counts_once_it_is_acknowledged(store: RowStore) -> None:
    number = post(store, A, 1)
    assert entry(store) == Entry(None)
    store.acknowledge(number)
    assert entry(store) == Entry(A)


def test_a_post_removes_what_was_acknowledged(store: RowStore) -> None:
    store.acknowledge(post(store, A, 1))
    post(store, B, 2)
    assert entry(store) == Entry(None)


def test_acknowledgements_out_of_order_leave_the_greater_sequence(store: RowStore) -> None:
    # given a newer version that is posted and acknowledged first
    newer = post(store, B, 2)
    store.acknowledge(newer)
    # when the older one follows
    older = post(store, A, 1)
    store.acknowledge(older)
    # then the newer one is what Stitch has
    assert entry(store) == Entry(B)


def test_two_versions_of_one_sequence_are_none(store: RowStore) -> None:
    # given two versions of which Stitch has kept one
    store.acknowledge(post(store, A, 1))
    store.acknowledge(post(store, B, 1))
    # then neither is known, until a newer one is
    assert entry(store) == Entry(None)
    store.acknowledge(post(store, B, 1))
    assert entry(store) == Entry(None)
    store.acknowledge(post(store, B, 2))
    assert entry(store) == Entry(B)


def test_one_version_that_is_posted_again_counts(store: RowStore) -> None:
    # given a version whose answer was lost, and that is read again with its sequence
    post(store, A, 1)
    store.acknowledge(post(store, A, 1))
    assert entry(store) == Entry(A)


def test_a_version_that_is_refused_is_none(store: RowStore) -> None:
    table, _ = store.table("orders", ["id"])
    number = post(store, A, 1)
    store.refuse(table, KEY, 1)
    store.acknowledge(number)
    assert entry(store) == Entry(None)


def test_a_row_that_is_older_than_its_delete_stays_deleted(store: RowStore) -> None:
    # given a delete
    store.acknowledge(post(store, GONE, 5, DELETED))
    # when the row returns with a sequence that Stitch drops
    store.acknowledge(post(store, A, 5, RETURNED))
    # then it is deleted, and a newer version brings it back
    assert entry(store) == Entry(None, may_be_deleted=True)
    number = post(store, A, 6, RETURNED)
    assert entry(store) == Entry(None, may_be_deleted=True)
    store.acknowledge(number)
    assert entry(store) == Entry(A)


def test_a_row_whose_return_is_refused_stays_deleted(store: RowStore) -> None:
    # given a delete
    table, _ = store.table("orders", ["id"])
    store.acknowledge(post(store, GONE, 1, DELETED))
    # when the row returns, and that is refused
    number = post(store, A, 2, RETURNED)
    store.refuse(table, KEY, 2)
    store.acknowledge(number)
    # then it is deleted still
    assert entry(store) == Entry(None, may_be_deleted=True)


def test_rows_that_are_gone_are_those_of_older_loads(store: RowStore) -> None:
    # given rows of two loads, one that is deleted, and one whose delete was not acknowledged
    table, _ = store.table("orders", ["id"])
    first, second = store.begin_load(table, "1"), store.begin_load(table, "2")
    store.acknowledge(post_row(store, 1, A, 1, LIVE, first))
    store.acknowledge(post_row(store, "[2]", A, 1, LIVE, second))
    store.acknowledge(post_row(store, 3, GONE, 1, DELETED, first))
    post_row(store, "[4]", GONE, 7, DELETED, first)
    # then the one is gone, and the delete is sent again, in blocks of any size
    assert store.count_gone(table, second) == (1, 2)
    assert list(store.gone(table, second, 1)) == [[(1, 1, 1)], [("[4]", 7, "[4]")]]
    # and none is before the load that is first
    assert store.count_gone(table, first) == (0, 2)
    # and a row that is seen is there
    store.see(table, second, [1])
    assert store.count_gone(table, second) == (0, 2)
    store.see(table, first, [1])
    assert store.count_gone(table, second) == (0, 2)


def test_a_table_with_other_keys_begins_anew(store: RowStore) -> None:
    store.acknowledge(post(store, A, 1))
    before, _ = store.table("orders", ["id"])
    table, _ = store.table("orders", ["id", "at"])
    assert table != before
    assert store.find(table, [KEY], [A]) == {}


def test_what_was_not_committed_is_not_there_after_a_crash(tmp_path: Path) -> None:
    # given a post, which is on disk, and an acknowledgement that is not yet
    path = str(tmp_path / "rows.db")
    store = RowStore(path, {})
    store.acknowledge(post(store, A, 1))
    store._changes = False  # as if the process ended here
    store.close()
    # then the row is not known
    again = RowStore(path, {})
    assert entry(again) == Entry(None)
    again.close()

"""Records go into the open batch of their table, which is sealed when it is full or old."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.batches import builder as builder_module
from target_stitch_import.batches.body_formats import push_format
from target_stitch_import.batches.body_limit import BodyLimit
from target_stitch_import.batches.builder import BatchBuilder
from tests.support.tables import SCHEMA, TableFormat, block

if TYPE_CHECKING:
    from target_stitch_import.batches.batch import Batch


class Built:
    """A builder whose clock stands still, and the batches that it has sealed."""

    def __init__(self, *, max_rows: int = 100, max_bytes: int = 100_000) -> None:
        self.now = 100.0
        self.batches: list[Batch] = []
        self.limit = BodyLimit(max_bytes)
        self.builder = BatchBuilder(
            self.batches.append,
            next_number=count(1).__next__,
            limit=self.limit,
            max_rows=max_rows,
            max_age=10,
            clock=lambda: self.now,
        )

    def add(self, table: TableFormat, *records: bytes, generation: int = 0, **more: Any) -> None:
        """Add records of a table."""
        self.builder.add(block(*records, **more), table.schema, table.body_format, generation)

    def activate(self, table: TableFormat, version: int, generation: int = 0) -> bool:
        """Add an activation of a version."""
        return self.builder.add_activation(
            900, 90, table.schema, table.body_format, version, generation
        )

    @property
    def sealed(self) -> list[tuple[int, str, list[Any]]]:
        """The number of each batch, its table, and its records; an activation is its action."""
        return [
            (
                batch.number,
                batch.table_name,
                [each.get("data", each.get("action")) for each in messages(batch)],
            )
            for batch in self.batches
        ]


def messages(batch: Batch) -> list[Any]:
    """Return the messages of a batch."""
    body = json.loads(batch.body)
    found: list[Any] = body if isinstance(body, list) else body["messages"]
    return found


A, B = TableFormat("a"), TableFormat("b")


# Full


def test_a_batch_is_sealed_at_its_number_of_rows() -> None:
    # given batches of three rows; when seven records of a table come at once
    built = Built(max_rows=3)
    built.add(A, *(b"%d" % number for number in range(7)))
    # then two batches are full, and the third is open
    assert built.sealed == [(1, "a", [0, 1, 2]), (2, "a", [3, 4, 5])]
    built.builder.seal_all()
    assert built.sealed[2:] == [(3, "a", [6])]
    # and each knows where its records stand
    assert [[*batch.positions] for batch in built.batches] == [[1, 2, 3], [4, 5, 6], [7]]


def test_a_batch_is_sealed_when_the_next_record_does_not_fit() -> None:
    # given bodies of at most 400 bytes; when records come of which two fit
    built = Built(max_bytes=400)
    built.add(A, *[b'"%b"' % (b"x" * 60)] * 5)
    built.builder.seal_all()
    assert [batch.rows for batch in built.batches] == [2, 2, 1]
    assert all(len(batch.body) < 400 for batch in built.batches)


def test_a_lone_record_is_sent_whatever_its_size() -> None:
    built = Built(max_bytes=400)
    built.add(A, b"1", b'"%b"' % (b"x" * 5_000), b"2")
    built.builder.seal_all()
    assert [batch.rows for batch in built.batches] == [1, 1, 1]


def test_a_limit_that_has_fallen_holds_for_the_next_batch() -> None:
    # given an open batch; when the limit falls
    built = Built(max_bytes=1_000)
    built.add(A, b"1")
    built.limit.max_bytes = 200
    # then it goes on as it is, and the next stays below that
    built.add(A, *[b'"%b"' % (b"x" * 60)] * 8)
    built.builder.seal_all()
    assert len(built.batches[0].body) > 200
    assert [batch.rows for batch in built.batches[1:]] == [1] * (9 - built.batches[0].rows)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from([None, 1, 2]),
            st.lists(st.integers(1, 300), min_size=1, max_size=8),
        ),
        max_size=12,
    ),
    st.integers(1, 6),
    st.integers(200, 900),
)
def test_whatever_comes_each_record_is_in_one_batch_of_its_table_and_version(
    blocks: list[tuple[str, int | None, list[int]]], max_rows: int, max_bytes: int
) -> None:
    # given blocks of two tables, of any versions
    tables = {"a": A, "b": B}
    built = Built(max_rows=max_rows, max_bytes=max_bytes)
    numbers = count()
    expected: dict[str, list[tuple[int | None, Any]]] = {"a": [], "b": []}
    # when they are added
    for name, version, sizes in blocks:
        texts = [f"{next(numbers)}-{'x' * size}" for size in sizes]
        built.add(tables[name], *(json.dumps(text).encode() for text in texts), version=version)
        expected[name] += [(version, text) for text in texts]
    built.builder.seal_all()
    # then the batches of each table have its records in their order, each with its version
    for name, records in expected.items():
        bodies = [json.loads(batch.body) for batch in built.batches if batch.table_name == name]
        assert records == [
            (body.get("table_version"), message["data"])
            for body in bodies
            for message in body["messages"]
        ]
    # and none is larger than it may be
    assert all(batch.rows <= max_rows for batch in built.batches)
    assert all(len(batch.body) < max_bytes or batch.rows == 1 for batch in built.batches)


# Versions and tables


def test_another_version_goes_into_another_batch() -> None:
    built = Built()
    for version in (1, 1, 2, None):
        built.add(A, b"0", version=version)
    built.builder.seal_all()
    assert [json.loads(batch.body).get("table_version") for batch in built.batches] == [1, 2, None]
    assert [batch.rows for batch in built.batches] == [2, 1, 1]


def test_each_table_has_its_own_batch_numbered_as_they_open() -> None:
    built = Built()
    for table in (A, B, A):
        built.add(table, b"0")
    built.builder.seal_table("b")
    built.builder.seal_table("c")
    assert built.sealed == [(2, "b", [0])]
    built.builder.seal_table("a")
    assert built.sealed[1:] == [(1, "a", [0, 0])]


def test_two_schemas_of_a_table_have_a_batch_each() -> None:
    # given two streams of other schemas that load one table in turn
    built = Built()
    other = TableFormat("a", keys=[])
    for place, table in enumerate([A, other] * 3):
        built.add(table, b"%d" % place)
    # when the table is sealed, then that are two batches, and not one a record
    built.builder.seal_table("a")
    assert built.sealed == [(1, "a", [0, 2, 4]), (2, "a", [1, 3, 5])]


def test_a_batch_has_the_generation_in_which_it_opened() -> None:
    built = Built()
    built.add(A, b"0", generation=3)
    built.builder.seal_all()
    assert built.batches[0].generation == 3


def test_tables_share_a_body_where_its_format_has_that() -> None:
    # given two tables that are pushed
    built = Built()
    tables = [
        TableFormat(name, body_format=push_format(1, name, SCHEMA, ["id"])) for name in ("a", "b")
    ]
    # when records of both come, of any version and generation
    for place, table in enumerate([*tables, *tables]):
        built.add(table, b"%d" % place, version=place, generation=place)
    # then they are in one body, which is sealed with either of the tables
    built.builder.seal_table("b")
    (batch,) = built.batches
    assert [(each["table_name"], each["data"]) for each in messages(batch)] == [
        ("a", 0),
        ("b", 1),
        ("a", 2),
        ("b", 3),
    ]
    assert (batch.table_name, batch.generation) == ("a, b", 0)


# Age and memory


def test_where_no_batch_is_open_none_is_due() -> None:
    assert Built().builder.seal_due() is None


def test_a_batch_is_sealed_when_its_time_is_up_and_not_before() -> None:
    built = Built()
    built.add(A, b"0")
    built.now += 9.5
    assert built.builder.seal_due() == 0.5
    assert built.sealed == []
    built.now += 0.5
    assert built.builder.seal_due() is None
    assert built.sealed == [(1, "a", [0])]


def test_a_record_that_is_added_makes_its_batch_no_younger() -> None:
    built = Built()
    built.add(A, b"0")
    built.now += 9
    built.add(A, b"1")
    assert built.builder.seal_due() == 1


def test_each_batch_has_its_own_time() -> None:
    # given three batches that opened four seconds one after the other
    built = Built()
    for table in (A, B, TableFormat("c")):
        built.add(table, b"0")
        built.now += 4
    # then the first was old enough two seconds ago, and the next is in two
    assert built.builder.seal_due() == 2
    assert [number for number, _, _ in built.sealed] == [1]
    # and when all are old enough, they are sealed in the order of opening
    built.now += 20
    assert built.builder.seal_due() is None
    assert [number for number, _, _ in built.sealed] == [1, 2, 3]


def test_a_batch_that_was_sealed_before_is_not_due_any_more() -> None:
    built = Built(max_rows=1)
    built.add(A, b"0")
    built.now += 11
    assert built.builder.seal_due() is None
    assert len(built.batches) == 1


def test_when_batches_take_too_much_memory_together_the_largest_are_sealed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given batches of several sizes, which together take more than they may
    monkeypatch.setattr(builder_module, "MAX_OPEN_BYTES", 2_000)
    built = Built()
    for place, size in enumerate((100, 900, 50, 700, 200)):
        built.add(TableFormat(f"t{place}"), b'"%b"' % (b"x" * size))
    assert built.sealed == []
    # when it is their turn
    built.builder.seal_due()
    # then as many of the largest are sealed as it takes to be well below
    assert [number for number, _, _ in built.sealed] == [2, 4]
    # and next time none
    built.builder.seal_due()
    assert len(built.batches) == 2


# Activations


def test_an_activation_rides_in_the_open_batch_of_its_version() -> None:
    # given records of a version; when that is activated
    built = Built()
    built.add(A, b"0", b"1", version=5)
    assert built.activate(A, 5)
    # then it is the last message of their batch, which is sealed at once
    assert built.sealed == [(1, "a", [0, 1, "activate_version"])]
    # and what follows goes into another one
    built.add(A, b"2", version=5)
    built.builder.seal_all()
    assert built.sealed[1:] == [(2, "a", [2])]


def test_an_activation_without_an_open_batch_is_one_of_its_own() -> None:
    # given an open batch of another table; when a version is activated
    built = Built()
    built.add(B, b"0")
    assert built.activate(A, 5, generation=2)
    assert built.sealed == [(2, "a", ["activate_version"])]
    assert json.loads(built.batches[0].body)["table_version"] == 5
    assert built.batches[0].generation == 2


@pytest.mark.parametrize("version", [None, 4])
def test_an_activation_does_not_ride_in_a_batch_of_another_version(version: int | None) -> None:
    built = Built()
    built.add(A, b"0", version=version)
    assert not built.activate(A, 5)
    assert built.sealed == []


def test_an_activation_does_not_ride_in_a_batch_without_room() -> None:
    # given an open batch to which no more bytes fit
    size = len(A.sealed(b"0", version=5, sequences=[10**18]).body)
    built = Built(max_bytes=size + 20)
    built.add(A, b"0", version=5, sequences=[10**18])
    assert built.sealed == []
    # when an activation comes, then nothing is done, so that it can go behind that
    assert not built.activate(A, 5)
    assert built.sealed == []
    built.builder.seal_table("a")
    assert built.activate(A, 5)
    assert built.sealed == [(1, "a", [0]), (2, "a", ["activate_version"])]


def test_an_activation_does_not_ride_where_another_batch_of_its_table_is_open() -> None:
    # given two streams that load one table; when a version is activated, then it waits for both
    built = Built()
    other = TableFormat("a", keys=[])
    built.add(A, b"0", version=5)
    built.add(other, b"1", version=5)
    assert not built.activate(A, 5)
    assert not built.activate(TableFormat("a"), 5)
    assert built.sealed == []

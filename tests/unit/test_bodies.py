"""The memory of large bodies: used again, and never while somebody holds it."""

from __future__ import annotations

import threading
from operator import methodcaller

from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.bodies import LARGE_BYTES, Body, BodyMemory
from target_stitch_import.posting import WorkerPool
from tests.support.fake_service import TEST_TIMEOUT

CAPACITY = LARGE_BYTES + 1_000


def large(mark: int, size: int = LARGE_BYTES) -> list[bytes]:
    """Return the pieces of a large body."""
    return [b"%06d" % mark, bytes([mark % 256]) * (size - 12), b"%06d" % mark]


def place_of(body: Body) -> int:
    """Return which memory a large body is in."""
    assert isinstance(body, memoryview)
    return id(body.obj)


def test_a_small_body_has_memory_of_its_own() -> None:
    memory = BodyMemory(2, CAPACITY)
    assert memory.join([b"a", b"", b"bc"]) == b"abc"
    assert isinstance(memory.join(large(1, LARGE_BYTES - 1)), bytes)
    # and so has a lone record that is larger than bodies are
    assert isinstance(memory.join(large(1, CAPACITY + 1)), bytes)
    assert isinstance(memory.join(large(1, CAPACITY)), memoryview)


def test_large_bodies_take_turns_in_a_few_blocks() -> None:
    # Given two large bodies that are held
    memory = BodyMemory(2, CAPACITY)
    first, second = memory.join(large(1)), memory.join(large(2))
    assert place_of(first) != place_of(second)
    # When one of them is let go, then the next takes its place
    place = place_of(first)
    del first
    third = memory.join(large(3))
    assert place_of(third) == place
    assert (second, third) == (b"".join(large(2)), b"".join(large(3)))


def test_a_body_more_than_was_reckoned_with_has_its_place_too() -> None:
    memory = BodyMemory(1, CAPACITY)
    bodies = [memory.join(large(mark)) for mark in range(3)]
    assert bodies == [b"".join(large(mark)) for mark in range(3)]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(LARGE_BYTES, CAPACITY), st.integers(0, 3)), max_size=12))
def test_no_body_changes_while_it_is_held(steps: list[tuple[int, int]]) -> None:
    # Given bodies of which some are let go before the next comes
    memory = BodyMemory(2, CAPACITY)
    held: dict[int, tuple[Body, bytes]] = {}
    for mark, (size, let_go) in enumerate(steps):
        pieces = large(mark, size)
        held[mark] = memory.join(pieces), b"".join(pieces)
        for oldest in sorted(held)[:let_go]:
            del held[oldest]
        # Then each that is held is what it was
        assert all(body == wanted for body, wanted in held.values())


class Slow:
    """A connection that says what it sent only once it may."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.sent = b""

    def check_status(self) -> None:
        """Say nothing."""

    def post(self, body: Body) -> None:
        """Send a body to its end."""
        self.begun.set()
        assert self.may_end.wait(TEST_TIMEOUT)
        self.sent = bytes(body)

    def close(self) -> None:
        """Have nothing to close."""


def outcome(workers: WorkerPool) -> int:
    """Return the key of the next job that has ended."""
    while not (found := list(workers.outcomes())):
        workers.wait(TEST_TIMEOUT)
    return found[0][0]


def test_a_thread_that_waits_for_the_next_body_holds_none() -> None:
    # Given a large body that was posted, by a thread that has nothing to do now
    memory, client = BodyMemory(1, CAPACITY), Slow()
    client.may_end.set()
    workers = WorkerPool(lambda: client)
    body = memory.join(large(1))
    place = place_of(body)
    workers.start(1, methodcaller("post", body))
    assert outcome(workers) == 1
    # When it is let go, then the next takes its place
    del body
    assert place_of(memory.join(large(2))) == place
    workers.close()


def test_a_post_that_was_given_up_sends_what_it_had() -> None:
    # Given a post without an end, which was given up
    memory, client = BodyMemory(1, CAPACITY), Slow()
    workers = WorkerPool(lambda: client)
    body = memory.join(large(1))
    place = place_of(body)
    workers.start(1, methodcaller("post", body))
    assert client.begun.wait(TEST_TIMEOUT)
    workers.abandon(1)
    # When nobody else holds its body any longer, and another one comes
    del body
    assert place_of(memory.join(large(2))) != place
    # Then it goes on with the one that it had
    client.may_end.set()
    while workers._abandoned:
        workers.wait(TEST_TIMEOUT)
        assert list(workers.outcomes()) == []
    assert client.sent == b"".join(large(1))
    workers.close()

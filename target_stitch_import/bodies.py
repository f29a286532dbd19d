"""The memory of large bodies: a few blocks, each used again for another body.

Left to the C library, bodies of megabytes among all that is small leave gaps that no other fits into,
and what a run takes grows for hours. So the blocks that can be needed at once are taken with the
first large body, as far as that fills one: where bodies are full, a container that is too small for
them is so from the start. Knows sizes; nothing of what is in a body, or of where it goes.
"""

from __future__ import annotations

import mmap
import weakref
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["LARGE_BYTES", "Body", "BodyMemory"]

LARGE_BYTES: Final = 1 << 20
"""From this size on, a body is large."""

Body: TypeAlias = "bytes | memoryview[int]"
"""One that is a view is in memory that is used again once nobody holds the view.

So whoever keeps a part of it keeps a copy, and no slice.
"""


class BodyMemory:
    """Joins the pieces of bodies."""

    def __init__(self, blocks: int, capacity: int) -> None:
        """Reckon with so many large bodies at once, none of more than ``capacity`` bytes."""
        self._count = blocks
        self._capacity = capacity
        self._blocks: list[_Block] = []

    def join(self, pieces: Sequence[bytes]) -> Body:
        """Return the body that ``pieces`` make."""
        size = sum(map(len, pieces))
        if not LARGE_BYTES <= size <= self._capacity:
            return b"".join(pieces)
        if not self._blocks:
            self._blocks = [_Block(self._capacity) for _ in range(self._count)]
            for block in self._blocks:
                block.join(pieces)  # before it is written to, the system gives none
        free = next((block for block in self._blocks if block.is_free), None)
        if free is None:  # a post that was given up holds its body for as long as it goes on
            free = _Block(self._capacity)
            self._blocks.append(free)
        return free.join(pieces)


class _Block:
    """Memory for one body at a time."""

    def __init__(self, capacity: int) -> None:
        # The system's own, for it gives no more of that than is written to.
        self._memory = memoryview(mmap.mmap(-1, capacity, flags=mmap.MAP_PRIVATE))
        self._body: Callable[[], memoryview[int] | None] = lambda: None

    @property
    def is_free(self) -> bool:
        """True once nobody holds the body any longer, be it to send it."""
        return self._body() is None

    def join(self, pieces: Iterable[bytes]) -> memoryview[int]:
        end = 0
        for piece in pieces:
            begin, end = end, end + len(piece)
            self._memory[begin:end] = piece
        body = self._memory[:end]
        self._body = weakref.ref(body)
        return body

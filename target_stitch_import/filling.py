"""The batch that is being filled: of one table, or of all tables that share a request.

Opens a batch with its first message, and hands it over when it is full or old. Knows batches and who
puts records into them; nothing of what is in a record, or of what becomes of a sealed batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from target_stitch_import.batch import OpenBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_stitch_import.batch import Batch
    from target_stitch_import.forms import BodyForm
    from target_stitch_import.messages import SchemaMessage
    from target_stitch_import.open_batches import OpenBatches

__all__ = ["Contributor", "Filling"]


class Contributor(Protocol):
    """Puts records of a table into the batch."""

    @property
    def described(self) -> SchemaMessage:
        """What its records are, by the name of its table."""

    @property
    def unsealed(self) -> tuple[int, int]:
        """How many records it has put into the open batch, and the bytes of their messages."""

    def has_sealed(self) -> None:
        """Take note that all that it has put into a batch is sealed."""


class Filling:
    """At most one open batch, and what is known of it."""

    def __init__(
        self, batches: OpenBatches, deliver: Callable[[Batch], None], *, max_rows: int
    ) -> None:
        """Hand full batches to ``deliver``."""
        self.batch: OpenBatch | None = None
        self.version: int | None = None
        """The version of the records in it."""
        self.contributors: dict[Contributor, None] = {}
        """Who has put something into it, in the order of their first."""
        self.batches = batches
        self._deliver = deliver
        self._max_rows = max_rows

    def begin(self, form: BodyForm, version: int | None) -> OpenBatch:
        """Return a new batch, which counts once it is ``opened`` with its first message."""
        self.seal()
        self.version = version
        return OpenBatch(
            form.head(version),
            tail=form.tail,
            max_bytes=self.batches.limit.max_bytes,
            max_rows=self._max_rows,
            join=self.batches.join,
        )

    def opened(self, batch: OpenBatch, table_name: str, generation: int) -> None:
        """Let a batch that has its first message be the open one."""
        batch.generation = generation
        self.batch = batch
        self.batches.opened(batch, table_name, self.seal)

    def has_grown(self, added: int) -> None:
        """Take note that the open batch has so many more bytes."""
        self.batches.used += added
        if self.batch is not None and self.batch.full:
            self.seal()

    def seal(self) -> None:
        """Seal the open batch, if there is one, and hand it over."""
        batch, self.batch = self.batch, None
        if batch is None:
            return
        self.batches.sealed(batch)
        described = [each.described for each in self.contributors]
        schemas = {each.stream: each for each in described}
        sealed = batch.seal(", ".join(schemas), schemas, self._contents())
        for contributor in self.contributors:
            contributor.has_sealed()
        self.contributors.clear()
        self._deliver(sealed)

    def _contents(self) -> dict[str, tuple[int, int]]:
        """Return by table what the open batch holds of it, by whichever of its sinks."""
        found: dict[str, tuple[int, int]] = {}
        for each in self.contributors:
            records, size = found.get(each.described.stream, (0, 0))
            more, bytes_more = each.unsealed
            found[each.described.stream] = records + more, size + bytes_more
        return found

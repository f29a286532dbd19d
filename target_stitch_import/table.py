"""One table: what it keeps while the sinks that load it come and go.

Knows its sequences and its generation; nothing of schemas or records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_stitch_import.sequence import ArrivalSequencer, Sequencer

if TYPE_CHECKING:
    import logging

    from singer_sdk.metrics import Counter

    from target_stitch_import.open_batches import OpenBatches

__all__ = ["Table", "table_of"]


@dataclass
class Table:
    """What sinks that load one table share."""

    name: str
    sequencer: Sequencer = field(default_factory=Sequencer)
    generation: int = 0
    """Goes up where a batch must wait until all before it are acknowledged."""
    told: set[str] = field(default_factory=set)
    """What was said of it already, and is not said again."""
    counter: Counter | None = None
    """The SDK's metric of its records."""

    def begin_generation(self, batches: OpenBatches) -> None:
        """Let all that comes from here on wait until all before it is acknowledged."""
        batches.seal_table(self.name)
        self.generation += 1

    def tell_once(self, logger: logging.Logger, level: int, what: str) -> None:
        """Log what its records have, the first time that it is said."""
        if what not in self.told:
            self.told.add(what)
            logger.log(level, "Records of stream %r %s", self.name, what)


def table_of(name: str, sequence_source: str) -> Table:
    """Return a table that nothing was loaded into yet in this run."""
    by_arrival = sequence_source == "received_at"
    return Table(name, ArrivalSequencer() if by_arrival else Sequencer())

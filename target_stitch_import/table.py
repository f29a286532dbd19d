"""One table: what it keeps while the sinks that load it come and go.

Knows its sequences, its generation and what was said of it; nothing of schemas or records.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_stitch_import.jsontext import shown
from target_stitch_import.sequence import ArrivalSequencer, Sequencer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.metrics import Counter

    from target_stitch_import.bookmark import BookmarkSequences
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

    def warn(
        self,
        logger: logging.Logger,
        *,
        left_out: Sequence[str],
        by_bookmark: BookmarkSequences | None,
    ) -> None:
        """Say once what its records have that is not as it should be.

        ``left_out`` names columns that were, ``by_bookmark`` is what has given them sequences.
        """
        name = by_bookmark and by_bookmark.name
        time = "time_extracted" if name is None else f"value of bookmark property {name!r}"
        warnings = {
            f"have a {time} more than five minutes ahead of this machine's clock; their "
            "sequences are held to the clock. Check both clocks.": self.sequencer.held_to_clock,
            f"have columns whose names start with _sdc, which are Stitch's own: {shown(left_out)}. "
            "They are left out; to keep one, give it another name with a stream map.": (
                bool(left_out)
            ),
            f"have no timestamp and no integer in bookmark property {name!r} that can be a "
            "sequence; they take the one behind the record before them.": (
                by_bookmark is not None and by_bookmark.has_missed
            ),
        }
        for warning, holds in warnings.items():
            if holds:
                self.tell_once(logger, logging.WARNING, warning)


def table_of(name: str, sequence_source: str) -> Table:
    """Return a table that nothing was loaded into yet in this run."""
    by_arrival = sequence_source == "received_at"
    return Table(name, ArrivalSequencer() if by_arrival else Sequencer())

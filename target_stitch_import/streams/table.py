"""What a table keeps while the sinks that load it come and go."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from singer_sdk.metrics import Counter

from target_stitch_import.destinations.facts import FieldSchema
from target_stitch_import.json_codec import json_excerpt
from target_stitch_import.sequences.sequencer import BookmarkSequencer, Sequencer


@dataclass
class Table:
    """What the sinks that load one table share."""

    name: str
    logger: logging.Logger
    sequencer: Sequencer
    generation: int = 0
    """Goes up where a batch must wait until all before it are acknowledged."""
    counter: Counter | None = None
    """The SDK's metric of its records."""
    _key_properties: Sequence[str] | None = None
    _column_types: dict[str, frozenset[str]] = field(default_factory=dict)
    _logged: set[str] = field(default_factory=set)
    _omitted: set[str] = field(default_factory=set)
    """The columns that a warning has named already."""

    def log_once(self, text: str, level: int = logging.WARNING) -> None:
        """Log what its records have, the first time that this is so."""
        if text not in self._logged:
            self._logged.add(text)
            fields = {"stream_name": self.name}
            self.logger.log(level, "Records of stream %r %s", self.name, text, extra=fields)

    def describe(self, key_properties: Sequence[str], columns: Mapping[str, Any]) -> None:
        """Warn if its key properties, or types of its columns, are others than before in this run.

        ``columns`` has their posted schemas. Import API reference, section What happens after the 201.
        """
        before = self._key_properties
        if before is not None and {*before} != {*key_properties}:
            self.log_once(
                f"have key properties {json_excerpt([*key_properties])} now, and had "
                f"{json_excerpt([*before])}. Stitch stops loading a table whose primary key changes."
            )
        self._key_properties = key_properties
        for name, schema in columns.items():
            types = frozenset(FieldSchema(schema).kinds)
            known = self._column_types.get(name)
            if known and types and known != types:
                self.log_once(
                    f"have {' or '.join(sorted(types))} in column {name!r} now, and had "
                    f"{' or '.join(sorted(known))}. Stitch splits a column whose type changes."
                )
            if types:
                self._column_types[name] = types

    def warn(self, omitted: Sequence[str], by_bookmark: BookmarkSequencer | None) -> None:
        """Log once what is wrong with its records, and each column once that is left out.

        ``omitted`` names the columns left out so far, ``by_bookmark`` has given the records sequences.
        """
        name = by_bookmark and by_bookmark.name
        if self.sequencer.clamped:
            time = "time_extracted" if name is None else f"value of bookmark property {name!r}"
            self.log_once(
                f"have a {time} more than five minutes ahead of this machine's clock; their "
                "sequences are held to the clock. Check both clocks."
            )
        if new := [name for name in omitted if name not in self._omitted]:
            self._omitted.update(new)
            self.log_once(
                f"have columns that Stitch itself writes: {json_excerpt(new)}. They are left out; "
                "to keep one, give it another name with a stream map."
            )
        if by_bookmark is not None and by_bookmark.has_missing:
            self.log_once(
                f"have no timestamp and no integer in bookmark property {name!r} that can be a "
                "sequence; they take the one behind the record before them."
            )

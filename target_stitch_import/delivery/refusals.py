"""Records that the service refuses: they are set aside, and counted by table.

A record counts once, when it is found, however many answers that takes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from target_stitch_import.batches import splitting
from target_stitch_import.batches.batch import Batch
from target_stitch_import.errors import RejectedRecordError, RepeatedRefusalError

Records: TypeAlias = Mapping[int, bytes]
FindInvalid: TypeAlias = Callable[[Mapping[str, Any], Sequence[str], Records], dict[int, str]]

logger = logging.getLogger("target-stitch-import")

CHECK_AFTER: Final = 20
"""Refused records of a table after which its records are checked before they are sent."""

STOP_AFTER: Final = 100
"""Refused records of a table, none of which the check finds invalid, after which the run stops."""


@dataclass(eq=False)
class Refusals:
    """What a run does about the records that the service refuses."""

    set_aside: Callable[[Batch, str, int | None], None]
    """Called with a batch of a refused record alone, the reason and its HTTP status; may raise."""
    check: FindInvalid
    """Called with a schema, its keys and records by index; returns what is wrong with invalid ones."""
    validates: bool  # whether all records are checked before they are in a batch
    _found: Counter[str] = field(default_factory=Counter, init=False)
    _unforeseen: dict[str, list[RejectedRecordError]] = field(default_factory=dict, init=False)
    _checked_tables: set[str] = field(default_factory=set, init=False)

    def tables_to_check(self, batch: Batch) -> frozenset[str]:
        """Return the tables whose records in a batch are to be checked before they are sent."""
        return frozenset(self._checked_tables & batch.contents.keys())

    def find_invalid(self, batch: Batch, tables: Collection[str]) -> dict[int, str]:
        """Return what is wrong with each record of some tables that the check finds invalid.

        The records are judged as they are posted, by the schema that is posted with them.
        """
        invalid: dict[int, str] = {}
        for name in tables:
            found = self.check(*splitting.records_of_table(batch, name))
            for at, reason in found.items():
                invalid[at] = f"a record of table {name!r} {reason}"
        return dict(sorted(invalid.items()))

    def count(self, record: Batch, error: RejectedRecordError) -> None:
        """Count a record that was found to be refused; it is the only one of its batch.

        Raise ``RepeatedRefusalError`` if too many of its table were refused that the check accepts.
        """
        table_name = splitting.table_of(record)
        self._found[table_name] += 1
        if self._found[table_name] == CHECK_AFTER and not self.validates:
            self._checked_tables.add(table_name)
            text = (
                "The service has refused %d records of table %r. From here on its records are "
                "checked before they are sent, as with validate_records."
            )
            logger.warning(text, CHECK_AFTER, table_name, extra={"stream_name": table_name})
        if not self.find_invalid(record, [table_name]):
            unforeseen = self._unforeseen.setdefault(table_name, [])
            unforeseen.append(error)
            if len(unforeseen) >= STOP_AFTER:
                raise _repeated(table_name, unforeseen)


def _repeated(table_name: str, refused: Sequence[RejectedRecordError]) -> RepeatedRefusalError:
    column, count = Counter(error.column for error in refused).most_common(1)[0]
    last = next(error for error in reversed(refused) if error.column == column)
    named = "no column" if column is None else f"column {column!r}"
    return RepeatedRefusalError(
        f"the service has refused {len(refused)} records of table {table_name!r:.100} that this "
        f"target finds valid. For {count} of them it names {named}, for the last with: "
        f"{str(last).rstrip('.')}. They are in the quarantine. Correct what it names in the tap, in "
        "its catalog or with a stream map, and run again from the last STATE"
    )

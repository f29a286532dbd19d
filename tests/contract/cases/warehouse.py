"""What no answer shows: the rows in the warehouse, once Stitch has loaded what the other cases post."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.contract.bodies import PREFIX
from tests.contract.case import BATCH, LOADING, SEQUENCE, Case
from tests.contract.cases.schemas import DIGITS

if TYPE_CHECKING:
    from tests.contract.case import Source


def _case(rule: str, section: str, source: Source, table: str, shows: str) -> Case:
    return Case(rule, section, source, None, f"{PREFIX}{table}: {shows}")


CASES: Final = (
    _case(
        "A record with a lower sequence is dropped",
        SEQUENCE,
        "documentation",
        "sequences",
        "the row with id 4 has v = second",
    ),
    _case(
        "An activation hides the rows of other versions",
        BATCH,
        "seen",
        "versions",
        "the row with id 2, and none with id 1",
    ),
    _case(
        "Rows without a version are visible beside the version that was activated before them",
        BATCH,
        "this project's",
        "versions_before",
        "the rows with id 1 and 3 have v = second, that with id 2 has v = first",
    ),
    _case(
        "time_extracted becomes _sdc_extracted_at",
        BATCH,
        "documentation",
        "batches",
        "the row with id 3 has _sdc_extracted_at = 2024-02-29 10:00:00.123456",
    ),
    _case(
        "_sdc_deleted_at is a column like others",
        BATCH,
        "documentation",
        "tap_columns",
        "the row with id 1 has _sdc_deleted_at = 2024-02-29 10:00:00",
    ),
    _case(
        "singer.decimal keeps every digit",
        BATCH,
        "documentation",
        "schemas",
        f"a row has decimal = {DIGITS}, as far as the destination's type goes",
    ),
    _case(
        "A number is typed as a double",
        BATCH,
        "seen",
        "numbers",
        "the row with id 0 has number_value = 0.12345678901234568",
    ),
    _case(
        "An instant of Transit is a timestamp",
        LOADING,
        "documentation",
        "pushed_transit",
        "at is a timestamp, amount a decimal",
    ),
    _case(
        "A table without keys gets __sdc_primary_key",
        LOADING,
        "documentation",
        "keyless",
        "the column __sdc_primary_key, and two more rows after each run",
    ),
)

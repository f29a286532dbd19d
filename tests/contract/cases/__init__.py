"""The cases: each rule of the Import API that the project builds on."""

from __future__ import annotations

from typing import Final

from tests.contract.cases import (
    access,
    batches,
    columns,
    date_times,
    pushes,
    schemas,
    warehouse,
)

CASES: Final = (
    *access.CASES,
    *batches.CASES,
    *date_times.CASES,
    *columns.CASES,
    *schemas.CASES,
    *pushes.CASES,
    *warehouse.CASES,
)

"""Columns whose names begin with ``_sdc``: those of taps, and those that Stitch writes itself."""

from __future__ import annotations

from typing import Any, Final

from tests.contract.bodies import batch, pushed, upsert
from tests.contract.case import ACCEPTED, BATCH, PUSH, Case, Expected, Request, refused
from tests.contract.cases.date_times import DATE_TIME

_TEXT: Final = {"type": ["null", "string"]}
_INTEGER: Final = {"type": ["null", "integer"]}
_TAPS: Final[dict[str, tuple[Any, Any]]] = {
    "_sdc_deleted_at": (DATE_TIME, "2024-02-29T10:00:00Z"),
    "_sdc_extra": ({"type": ["null", "array"], "items": {}}, [{"name": "x"}]),
    "_sdc_source_file": (_TEXT, "a.csv"),
    "_sdc_source_lineno": (_INTEGER, 7),
    "_sdc_source_bucket": (_TEXT, "b"),
    "_sdc_customer_id": (_TEXT, "1"),
    "_sdc_report_datetime": (DATE_TIME, "2024-02-29T10:00:00Z"),
}
_STITCHS: Final[dict[str, tuple[Any, Any]]] = {
    "_sdc_sequence": (_INTEGER, 1),
    "_sdc_table_version": (_INTEGER, 1),
    "_sdc_received_at": (DATE_TIME, "2024-02-29T10:00:00Z"),
    "_sdc_batched_at": (DATE_TIME, "2024-02-29T10:00:00Z"),
    "_sdc_extracted_at": (DATE_TIME, "2024-02-29T10:00:00Z"),
    "_sdc_replication_id": (_TEXT, "r"),
    "_sdc_primary_key": (_TEXT, "k"),
    "__sdc_primary_key": (_TEXT, "k"),
    "_sdc_source_key_id": (_INTEGER, 1),
    "_sdc_level_0_id": (_INTEGER, 0),
}
_KEYS: Final = ("_sdc_record_hash", "_sdc_dimensions_hash_key")
_PUSH_REFUSAL: Final = Expected((400, 422), ("_sdc_sequence",))


def _taps() -> list[Case]:
    cases = []
    for number, (name, (schema, value)) in enumerate(_TAPS.items(), start=1):
        body = batch("tap_columns", {name: schema}, upsert({"id": number, name: value}))
        rule = f"{name}, a column of taps, is taken"
        cases.append(Case(rule, BATCH, "documentation", Request("batch", body), ACCEPTED))
    for name in _KEYS:
        properties = {name: {"type": "string"}}
        body = batch(name.strip("_"), properties, upsert({"id": 1, name: "h"}), key_names=[name])
        rule = f"{name}, a column of taps, is taken as a key property"
        cases.append(Case(rule, BATCH, "documentation", Request("batch", body), ACCEPTED))
    return cases


def _stitchs() -> list[Case]:
    cases = []
    for number, (name, (schema, value)) in enumerate(_STITCHS.items(), start=100):
        body = batch("stitch_columns", {name: schema}, upsert({"id": number, name: value}))
        rule = f"{name}, which Stitch writes itself, is refused"
        cases.append(Case(rule, BATCH, "documentation", Request("batch", body), refused(400)))
    return cases


def _more() -> list[Case]:
    unnamed = batch("stitch_columns", {}, upsert({"id": 120, "_sdc_sequence": 1}))
    deleted = pushed("pushed", {"id": 40, "_sdc_deleted_at": "2024-02-29T10:00:00Z"})
    sequence = pushed("stitch_columns", {"id": 121, "_sdc_sequence": 1})
    request = Request("batch", unnamed)
    return [
        Case(
            "_sdc_sequence in a record is refused where the schema does not name it, too",
            BATCH,
            "documentation",
            request,
            refused(400, "_sdc_sequence"),
        ),
        Case(
            "_sdc_deleted_at is taken in push",
            PUSH,
            "documentation",
            Request("push", [deleted]),
            ACCEPTED,
        ),
        Case(
            "_sdc_sequence is refused in push",
            PUSH,
            "documentation",
            Request("push", [sequence]),
            _PUSH_REFUSAL,
        ),
    ]


CASES: Final = (*_taps(), *_stitchs(), *_more())

"""Each form of a date-time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.contract.bodies import batch, upsert
from tests.contract.case import ACCEPTED, BATCH, Case, Expected, Request, refused

if TYPE_CHECKING:
    from tests.contract.case import Source

DATE_TIME: Final = {"type": ["null", "string"], "format": "date-time"}

_TAKEN: Final[tuple[tuple[str, str, Source], ...]] = (
    ("with a T and a Z", "2024-02-29T10:00:00Z", "documentation"),
    ("with the zone +05:45", "2024-02-29T10:00:00+05:45", "seen"),
    ("with the zone +0000", "2024-02-29T10:00:00+0000", "documentation"),
    ("with one digit of a fraction", "2024-02-29T10:00:00.1Z", "seen"),
    ("with 9 digits of a fraction", "2024-02-29T10:00:00.123456789Z", "seen"),
    ("in the year 1", "0001-01-01T00:00:00Z", "inferred"),
    ("in the year 9999", "9999-12-31T23:59:59Z", "inferred"),
)
_REFUSED: Final[tuple[tuple[str, str, Source], ...]] = (
    ("without a zone", "2018-08-30T19:48:57.974000", "seen"),
    ("with a blank for the T", "2024-02-29 10:00:00Z", "inferred"),
    ("with a t for the T", "2024-02-29t10:00:00Z", "inferred"),
    ("with a z for the Z", "2024-02-29T10:00:00z", "inferred"),
    ("with a blank before the zone", "2024-02-29T10:00:00 Z", "inferred"),
    ("with the zone +00", "2024-02-29T10:00:00+00", "inferred"),
    ("with the zone +0530", "2024-02-29T10:00:00+0530", "inferred"),
    ("with seconds in the zone, +05:41:16", "2024-02-29T10:00:00+05:41:16", "inferred"),
    ("that is a date alone", "2024-02-29", "inferred"),
    ("without seconds", "2024-02-29T10:00Z", "inferred"),
    ("at 24:00", "2024-02-29T24:00:00Z", "inferred"),
    ("with second 60", "2016-12-31T23:59:60Z", "inferred"),
    ("with a comma before the fraction", "2024-02-29T10:00:00,5Z", "inferred"),
    ("with 10 digits of a fraction", "2024-02-29T10:00:00.1234567890Z", "inferred"),
    ("on 30 February", "2024-02-30T10:00:00Z", "inferred"),
    ("in the year 10000", "10000-01-01T00:00:00Z", "inferred"),
    ("that is 0000-00-00 00:00:00", "0000-00-00 00:00:00", "inferred"),
    ("that is infinity", "infinity", "inferred"),
    ("that is empty", "", "inferred"),
)
_IN_A_LIST: Final = {"type": "array", "items": DATE_TIME}
_NESTED: Final = {"type": "object", "properties": {"d": DATE_TIME}}
_UNION: Final = {"anyOf": [DATE_TIME, {"type": "string"}]}
_NULLABLE: Final = {"anyOf": [DATE_TIME, {"type": "null"}]}
_BLANK: Final = "2024-02-29 10:00:00Z"
_GOOD: Final = "2024-02-29T10:00:00Z"

_DEEPER: Final[tuple[tuple[str, str, Any, Any, str, Source], ...]] = (
    ("nested in an object is taken", "o", _NESTED, {"d": _GOOD}, "", "documentation"),
    ("nested in an object is refused", "o", _NESTED, {"d": _BLANK}, "#/o/d", "inferred"),
    ("in a list is taken", "l", _IN_A_LIST, [_GOOD], "", "documentation"),
    ("in a list is refused", "l", _IN_A_LIST, [_GOOD, _BLANK], "#/l/1", "inferred"),
    ("in a union with null is refused", "n", _NULLABLE, _BLANK, "#/n", "inferred"),
    ("in a union with a plain string is taken", "u", _UNION, _BLANK, "", "inferred"),
)


def _case(rule: str, number: int, column: str, schema: Any, value: Any, source: Source) -> Case:
    body = batch("date_times", {column: schema}, upsert({"id": number, column: value}))
    return Case(rule, BATCH, source, Request("batch", body), ACCEPTED)


def _refusal(place: str, value: str) -> Expected:
    return refused(400, "did not conform to schema", f"{place}: [{value}] is not a valid date-time")


def _cases() -> list[Case]:
    cases = []
    for number, (form, value, source) in enumerate(_TAKEN, start=1):
        rule = f"A date-time {form} is taken"
        cases.append(_case(rule, number, "d", DATE_TIME, value, source))
    for number, (form, value, source) in enumerate(_REFUSED, start=100):
        case = _case(f"A date-time {form} is refused", number, "d", DATE_TIME, value, source)
        cases.append(_with(case, _refusal("#/d", value)))
    for number, (form, column, schema, value, place, source) in enumerate(_DEEPER, start=200):
        form_of_it = "with a blank for the T" if _BLANK in str(value) else "with a T"
        case = _case(f"A date-time {form_of_it} {form}", number, column, schema, value, source)
        cases.append(_with(case, _refusal(place, _BLANK)) if place else case)
    return cases


def _with(case: Case, expected: Expected) -> Case:
    return Case(case.rule, case.section, case.source, case.request, expected)


CASES: Final = tuple(_cases())

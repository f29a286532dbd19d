"""Push and validate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.contract.bodies import batch, pushed, upsert, without
from tests.contract.case import (
    ACCEPTED,
    ENDPOINTS,
    PUSH,
    REFUSALS,
    SEQUENCE,
    Case,
    Expected,
    Request,
    refused,
)
from tests.contract.cases.batches import MAX_SEQUENCE

if TYPE_CHECKING:
    from tests.contract.case import Source

_TRANSIT: Final = "application/transit+json"
_NOBODYS_CLIENT_ID: Final = 1
_UNPROCESSABLE: Final = '"error": "Request cannot be processed; see errors."'


def _unprocessable(*text: str) -> Expected:
    return refused(422, '"status": "ERROR"', _UNPROCESSABLE, *text)


def _case(
    rule: str,
    section: str,
    source: Source,
    body: Any,
    expected: Expected,
    endpoint: str = "push",
    content_type: str = "application/json",
) -> Case:
    request = Request(endpoint, body, content_type=content_type)
    return Case(rule, section, source, request, expected)


def _taken() -> list[Case]:
    data = ["^ ", "id", 4, "at", "~t2024-02-29T10:00:00.000Z", "amount", "~f12.50"]
    record = pushed("pushed_transit", data)
    transit = ["^ ", *(part for pair in record.items() for part in pair)]
    texts = pushed("pushed", {"id": 3, "d": "2024-02-29 10:00:00"})
    tables = [pushed("pushed", {"id": 1, "v": "x"}), pushed("pushed_too", {"id": 1})]
    valid = Expected((200,), ('"status": "OK"', '"message": "Batch is valid!"'))
    return [
        _case(
            "Records of several tables are taken in push", PUSH, "documentation", tables, ACCEPTED
        ),
        _case(
            "A text that is no good date-time is taken in push, where no type says what it is",
            PUSH,
            "inferred",
            [texts],
            ACCEPTED,
        ),
        _case(
            "Transit is taken in push, with an instant and a decimal",
            PUSH,
            "documentation",
            [transit],
            ACCEPTED,
            content_type=_TRANSIT,
        ),
        _case(
            "validate says that a body of push is valid",
            ENDPOINTS,
            "documentation",
            [pushed("pushed", {"id": 5})],
            valid,
            "validate",
        ),
        _case(
            "validate does not take a body of batch",
            ENDPOINTS,
            "documentation",
            batch("pushed", {}, upsert({"id": 5})),
            refused(400, '"message": "An array of records is expected"'),
            "validate",
        ),
    ]


def _arguments() -> list[Case]:
    names = ("sequence", "action", "key_names", "data")
    record = pushed("refused_pushes", {"id": 10})
    cases = [
        _case(
            f"A record without {name} is refused in push",
            REFUSALS,
            "documentation",
            [without(record, name)],
            _unprocessable(f'"{name}": ["can\'t be blank"]'),
        )
        for name in names
    ]
    wrong: tuple[tuple[str, Any, str, Source], ...] = (
        (
            "An empty key_names",
            {"key_names": []},
            '"key_names": ["can\'t be blank"]',
            "documentation",
        ),
        ("A sequence that is a text", {"sequence": "x"}, "should be an integer", "documentation"),
        ("Data that is a text", {"data": "x"}, "data must be an object", "documentation"),
        ("Data without its key", {"data": {"v": 1}}, "data must include keys", "documentation"),
        (
            "A key that is null",
            {"data": {"id": None}},
            "keys cannot not be null in data",
            "documentation",
        ),
        (
            "An unknown argument",
            {"key_properties": ["id"]},
            '"key_properties": ["unknown key"]',
            "seen",
        ),
        ("Another action than upsert", {"action": "delete"}, '"action"', "inferred"),
    )
    cases += [
        _case(
            f"{what} is refused in push",
            REFUSALS,
            source,
            [{**record, **change}],
            _unprocessable(text),
        )
        for what, change, text, source in wrong
    ]
    return [
        *cases,
        _case(
            "A record without table_name is refused by validate",
            REFUSALS,
            "documentation",
            [without(record, "table_name")],
            _unprocessable('"table_name": ["can\'t be blank"]'),
            "validate",
        ),
    ]


def _bodies() -> list[Case]:
    record = pushed("refused_pushes", {"id": 12})
    malformed = refused(400, '"message": "Malformed json in the body!"')
    no_array = refused(400, '"status": "ERROR"', '"message": "An array of records is expected"')
    above = pushed("refused_pushes", {"id": 13}, sequence=MAX_SEQUENCE + 1)
    return [
        _case("A push that is no array is refused", REFUSALS, "documentation", record, no_array),
        _case("A push that is not JSON is refused", REFUSALS, "documentation", "[{", malformed),
        _case(
            "A push of another content type is refused",
            REFUSALS,
            "documentation",
            [record],
            refused(415),
            content_type="text/plain",
        ),
        _case(
            "A sequence above the greatest is refused in push",
            SEQUENCE,
            "documentation",
            [above],
            Expected((400, 422)),
        ),
    ]


def _access() -> list[Case]:
    record = pushed("refused_pushes", {"id": 14})
    others = {**record, "client_id": _NOBODYS_CLIENT_ID}
    several = "The batch contains data points for multiple clients. Only client_id"
    return [
        _case(
            "A push without client_id is refused",
            REFUSALS,
            "documentation",
            [without(record, "client_id")],
            refused(401, '"error": "Not Authenticated."'),
        ),
        _case(
            "A client_id that is not the token's is refused by validate",
            REFUSALS,
            "documentation",
            [others],
            refused(403, '"error": "Access token is not associated with this client."'),
            "validate",
        ),
        _case(
            "Records of two client IDs in one request are refused by validate",
            REFUSALS,
            "seen",
            [record, others],
            _unprocessable(several),
            "validate",
        ),
    ]


def _keys() -> list[Case]:
    def keyed(length: int) -> list[dict[str, Any]]:
        return [pushed("pushed_text_keys", {"id": str(length).ljust(length, "x")})]

    too_long = _unprocessable('"data": ["String keys cannot be longer than 1024 characters"]')
    taken: tuple[tuple[str, int, Source], ...] = (
        ("255", 255, "documentation"),
        ("256", 256, "seen"),
        ("1,024", 1_024, "seen"),
    )
    return [
        *(
            _case(
                f"A text key of {text} characters is taken in push",
                PUSH,
                source,
                keyed(length),
                ACCEPTED,
            )
            for text, length, source in taken
        ),
        _case(
            "A text key of 1,025 characters is refused in push",
            REFUSALS,
            "seen",
            keyed(1_025),
            too_long,
        ),
        _case(
            "A record of 10,001 data points is refused by validate",
            PUSH,
            "documentation",
            [pushed("refused_pushes", {"id": 15, "l": [0] * 10_000})],
            Expected((400, 422)),
            "validate",
        ),
    ]


CASES: Final = (*_taken(), *_arguments(), *_bodies(), *_access(), *_keys())

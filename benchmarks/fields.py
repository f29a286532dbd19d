"""The fields of the records: schemas as database taps write them, and values to go with them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

Properties = dict[str, Any]
Record = dict[str, Any]

ID = {"type": ["integer"]}
INTEGER = {"type": ["integer", "null"]}
NUMBER = {"type": ["number", "null"]}
BOOLEAN = {"type": ["boolean", "null"]}
STRING = {"type": ["string", "null"]}
SHORT = {"maxLength": 255, "type": ["string", "null"]}
TIME = {"format": "date-time", "type": ["string", "null"]}
DATE = {"format": "date", "type": ["string", "null"]}
CENTS = {
    "type": ["null", "number"],
    "multipleOf": 0.01,
    "minimum": -1_000_000_000_000,
    "maximum": 1_000_000_000_000,
}
"""A decimal as the older database taps declare it."""

VOCABULARY = (
    "amber basin cedar delta ember fjord grove haven islet juniper kestrel lagoon meadow north "
    "orchard prairie quartz ridge summit tundra upland valley willow yonder Zürich naïve"
)
WORDS = tuple(VOCABULARY.split())


def text(source: random.Random, words: int) -> str:
    """Return some words."""
    return " ".join(source.choices(WORDS, k=words))


def moment(source: random.Random) -> datetime:
    """Return a time; the variant writes it."""
    day, hour, minute = source.randint(1, 28), source.randint(0, 23), source.randint(0, 59)
    second, micro = source.randint(0, 59), source.randint(0, 999_999)
    return datetime(2024, 4, day, hour, minute, second, micro, timezone.utc)


def or_null(source: random.Random, value: Any) -> Any:
    """Return the value, or null one time in ten."""
    return value if source.randrange(10) else None


def maybe(source: random.Random) -> bool:
    """Return true or false."""
    return source.choice((True, False))


def cents(source: random.Random) -> float:
    """Return an amount with two places."""
    return source.randint(100, 9_999_999) / 100


NARROW: Properties = {"id": ID, "sku": SHORT, "amount": NUMBER, "active": BOOLEAN, "at": TIME}


def narrow(source: random.Random) -> Record:
    """5 fields, about 100 bytes."""
    return {
        "sku": f"SKU-{source.randint(10_000, 99_999)}",
        "amount": cents(source),
        "active": or_null(source, maybe(source)),
        "at": moment(source),
    }


WIDE: Properties = {
    "id": ID,
    "account_id": ID,
    "quantity": INTEGER,
    "big_number": INTEGER,
    "price": NUMBER,
    "tax": NUMBER,
    "ratio": NUMBER,
    "active": BOOLEAN,
    "deleted": BOOLEAN,
    "status": {"maxLength": 32, "type": ["string"]},
    "email": SHORT,
    "name": SHORT,
    "city": SHORT,
    "description": STRING,
    "comment": STRING,
    "reference": {"format": "uuid", "type": ["string", "null"]},
    "birthday": DATE,
    "created_at": TIME,
    "updated_at": TIME,
    "nothing": STRING,
}
WIDE_EXACT: Properties = WIDE | {"price": CENTS, "tax": CENTS}


def wide(source: random.Random) -> Record:
    """20 fields, about 700 bytes."""
    return {
        "account_id": source.randint(1, 100_000),
        "quantity": or_null(source, source.randint(0, 500)),
        "big_number": source.getrandbits(53),
        "price": cents(source),
        "tax": or_null(source, cents(source)),
        "ratio": round(source.random(), 9),
        "active": maybe(source),
        "deleted": or_null(source, False),
        "status": source.choice(["new", "paid", "sent", "returned"]),
        "email": f"{source.choice(WORDS[:20])}.{source.randint(1, 9999)}@example.com",
        "name": text(source, 2),
        "city": or_null(source, text(source, 1)),
        "description": text(source, 22),
        "comment": or_null(source, text(source, 5)),
        "reference": f"{source.getrandbits(32):08x}-1111-4222-8333-{source.getrandbits(48):012x}",
        "birthday": or_null(source, f"19{source.randint(50, 99)}-04-{source.randint(1, 28):02}"),
        "created_at": moment(source),
        "updated_at": moment(source),
        "nothing": None,
    }


ADDRESS: Properties = {"street": STRING, "city": STRING, "zip": STRING, "country": STRING}
ITEM: Properties = {
    "line": INTEGER,
    "sku": STRING,
    "title": STRING,
    "price": NUMBER,
    "quantity": INTEGER,
    "gift": BOOLEAN,
    "tags": {"type": ["array", "null"], "items": {"type": ["string"]}},
}


def _object(properties: Properties) -> Properties:
    return {"type": ["object", "null"], "properties": properties}


NESTED: Properties = {
    "id": ID,
    "number": STRING,
    "created_at": TIME,
    "customer": _object(
        {"name": STRING, "email": STRING, "billing": _object(ADDRESS), "shipping": _object(ADDRESS)}
    ),
    "totals": _object({"net": NUMBER, "tax": NUMBER, "currency": STRING}),
    "items": {"type": ["array", "null"], "items": _object(ITEM)},
    "note": STRING,
}


def _address(source: random.Random) -> Record:
    street = f"{text(source, 2)} {source.randint(1, 200)}"
    return {"street": street, "city": text(source, 1), "zip": "12345", "country": "NO"}


def _item(source: random.Random, line: int) -> Record:
    return {
        "line": line,
        "sku": f"SKU-{source.randint(10_000, 99_999)}",
        "title": text(source, 9),
        "price": cents(source),
        "quantity": source.randint(1, 9),
        "gift": or_null(source, False),
        "tags": source.sample(WORDS, 5),
    }


def nested(source: random.Random) -> Record:
    """Objects in objects and a list of objects, about 5 KB."""
    return {
        "number": f"N-{source.randint(100_000, 999_999)}",
        "created_at": moment(source),
        "customer": {
            "name": text(source, 2),
            "email": "someone@example.com",
            "billing": _address(source),
            "shipping": _address(source),
        },
        "totals": {"net": cents(source), "tax": cents(source), "currency": "NOK"},
        "items": [_item(source, line) for line in range(1, source.randint(21, 25))],
        "note": text(source, 20),
    }


EVENT: Properties = {
    "id": ID,
    "kind": STRING,
    "user": INTEGER,
    "page": STRING,
    "agent": STRING,
    "seconds": NUMBER,
    "at": TIME,
    "bot": BOOLEAN,
}


def event(source: random.Random) -> Record:
    """8 fields, about 300 bytes."""
    return {
        "kind": source.choice(["view", "click", "leave"]),
        "user": or_null(source, source.randint(1, 1_000_000)),
        "page": f"/shop/{text(source, 6).replace(' ', '/')}",
        "agent": text(source, 16),
        "seconds": round(source.random() * 100, 3),
        "at": moment(source),
        "bot": maybe(source),
    }

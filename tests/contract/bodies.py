"""Bodies of requests, and how many rows they would store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.contract.case import CLIENT_ID, ClientId, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "target_stitch_import_contract_"
"""How the name of every table begins that is posted to the service."""
FIRST_SEQUENCE: Final = 1_700_000_000_000_000_000
"""Sequences are the same in each run, so a row that is there already is not written again."""

ID: Final[dict[str, Any]] = {"id": {"type": "integer"}}
_STORING: Final = ("batch", "push")


class NoClientIdError(Exception):
    """The request needs a client ID, and there is none."""


def upsert(data: Any, sequence: int = 1, **more: Any) -> dict[str, Any]:
    """Return a message of a batch; ``sequence`` counts from ``FIRST_SEQUENCE``."""
    return {"action": "upsert", "sequence": FIRST_SEQUENCE + sequence, "data": data, **more}


def batch(
    table: str, properties: dict[str, Any], *messages: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """Return a batch of the table ``PREFIX + table``, with the key ``id``."""
    schema = {"properties": {**ID, **properties}}
    return {
        "table_name": PREFIX + table,
        "schema": schema,
        "key_names": ["id"],
        "messages": list(messages),
        **more,
    }


def pushed(table: str, data: Any, **more: Any) -> dict[str, Any]:
    """Return a record of push for the table ``PREFIX + table``, with the key ``id``."""
    return {
        "client_id": CLIENT_ID,
        "table_name": PREFIX + table,
        "sequence": FIRST_SEQUENCE + 1,
        "action": "upsert",
        "key_names": ["id"],
        "data": data,
        **more,
    }


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return ``body`` without the arguments ``names``."""
    return {name: value for name, value in body.items() if name not in names}


def encode(request: Request, client_id: int | None) -> bytes | None:
    """Return the body as it is sent.

    Raises:
        NoClientIdError: the body needs a client ID, and there is none.
    """

    def replace(value: Any) -> int:
        if not isinstance(value, ClientId):
            raise TypeError(f"{value!r} is no JSON")
        if client_id is None:
            raise NoClientIdError
        return client_id

    if request.body is None:
        return None
    body = request.body
    text = body if isinstance(body, str) else json.dumps(body, default=replace)
    return text.encode().ljust(request.min_bytes)


def tables(request: Request) -> set[Any]:
    """Return the tables that a request names."""
    return {each["table_name"] for each in _tables(request) if "table_name" in each}


def rows(request: Request) -> int:
    """Return how many rows the service would store if it accepted the request.

    Some destinations make a row of each item of a list in a record.
    """
    if request.endpoint not in _STORING or request.method != "POST":
        return 0
    return sum(1 + _items(data) for data in _records(request))


def _tables(request: Request) -> list[dict[str, Any]]:
    if isinstance(
        request.body, str
    ):  # text with numbers of many digits; or none, which has no table
        try:
            body = json.loads(request.body)
        except ValueError:
            return []
    else:
        body = request.body
    named = body if isinstance(body, list) else [body]
    return [each if isinstance(each, dict) else _from_transit(each) for each in named if each]


def _from_transit(record: list[Any]) -> dict[str, Any]:
    return dict(zip(record[1::2], record[2::2], strict=True))


def _records(request: Request) -> Iterator[Any]:
    for table in _tables(request):
        messages = table.get("messages", [table])
        for message in messages:
            if message.get("action") != "activate_version":
                yield message.get("data")


def _items(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_items, value.values()))
    if isinstance(value, list):
        return len(value) + sum(map(_items, value))
    return 0

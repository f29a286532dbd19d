"""What the tests of the emulator share: a client that hides nothing, and bodies to post."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from target_stitch_import.emulator import read_table

if TYPE_CHECKING:
    from pathlib import Path

    import requests

StatusAndBody = tuple[int, Any]


@dataclasses.dataclass
class Api:
    """A running emulator as a client sees it."""

    url: str
    database: Path
    session: requests.Session

    def post(
        self,
        endpoint: str,
        body: Any,
        *,
        token: str | None = "any",
        content_type: str | None = "application/json",
    ) -> requests.Response:
        """Post bytes or text as they are, anything else as JSON."""
        headers = {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if content_type is not None:
            headers["Content-Type"] = content_type
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        url = f"{self.url}/v2/import/{endpoint}"
        return self.session.post(url, data=data, headers=headers, timeout=120)

    def batch(self, body: Any) -> StatusAndBody:
        """Post a batch and return the status and the decoded answer."""
        return read_response(self.post("batch", body))

    def push(self, body: Any) -> StatusAndBody:
        """Post records to push and return the status and the decoded answer."""
        return read_response(self.post("push", body))

    def rows(self, table: str, *, system_columns: bool = False) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        return read_table(self.database, table, system_columns=system_columns)


ID: dict[str, Any] = {"id": {"type": "integer"}}
ID_AND_NAME: dict[str, Any] = {**ID, "name": {"type": ["null", "string"]}}
ACCEPTED: StatusAndBody = (201, {"status": "OK", "message": "Batch Accepted!"})


def read_response(response: requests.Response) -> StatusAndBody:
    """Return what of an answer the reference documents."""
    if response.headers["Content-Type"] == "application/json":
        return response.status_code, response.json()
    return response.status_code, response.text


def upsert(sequence: int, **data: Any) -> dict[str, Any]:
    """Return a message."""
    return {"action": "upsert", "sequence": sequence, "data": data}


def batch(
    table: str,
    properties: dict[str, Any],
    messages: list[dict[str, Any]],
    **arguments: Any,
) -> dict[str, Any]:
    """Return a batch body."""
    schema = {"properties": properties}
    return {"table_name": table, "schema": schema, "messages": messages, **arguments}


def load(api: Api, table: str, properties: dict[str, Any], *messages: Any, **more: Any) -> None:
    """Post a batch that is accepted."""
    assert api.batch(batch(table, properties, list(messages), **more)) == ACCEPTED


def not_conforming(place: int, *lines: str) -> dict[str, str]:
    """Return the answer to a batch of which a record breaks the schema."""
    text = "".join(f"{line}\n" for line in lines)
    return {"error": f"Record {place} did not conform to schema:\n{text}"}


def failed(place: str, reason: str) -> dict[str, str]:
    """Return the answer to a batch whose envelope breaks a rule."""
    return {"error": f"Request failed validation:{place}: {reason}"}

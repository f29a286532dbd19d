"""A connection that answers from a script, and notes what it was sent."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from target_stitch_import.api.client import ImportClient

if TYPE_CHECKING:
    from collections.abc import Iterable

URL = "https://api.stitchdata.com"
OK = b'{"status": "OK"}'

Scripted = tuple[int, bytes] | tuple[int, bytes, dict[str, str]] | Exception


class ScriptedAdapter(BaseAdapter):
    """Gives one answer after the other."""

    def __init__(self, answers: Iterable[Scripted]) -> None:
        super().__init__()
        self._answers = iter(answers)
        self.sent: list[requests.PreparedRequest] = []
        self.options: list[dict[str, Any]] = []

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        """Note the request, and give the next answer."""
        self.sent.append(request)
        self.options.append(options)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code = answer[0]
        response.raw = HTTPResponse(io.BytesIO(answer[1]), preload_content=False)
        response.headers.update(answer[2] if len(answer) > 2 else {})
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        """Have nothing to close."""


def scripted_client(
    *answers: Scripted, token: str = "s3cret-token"
) -> tuple[ImportClient, ScriptedAdapter]:
    """Return a client whose service answers these, and that service."""
    client = ImportClient(URL, token, timeout=7.5, agent="target/1")
    adapter = ScriptedAdapter(answers)
    client._session.mount("https://", adapter)
    return client, adapter

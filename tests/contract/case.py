"""What one contract test is: a rule of the Import API, a request that shows it, the answer expected."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

Source = Literal["documentation", "seen", "inferred", "this project's"]
"""Where a rule comes from.

Stitch's documentation, a real answer that somebody quotes in public, what follows from these (JSON
Schema draft 4, the library that the answers show), or this project, where nothing is known.
"""

ENDPOINTS: Final = "Endpoints"
ACCESS: Final = "Base URLs, version, authentication"
BATCH: Final = "The batch body"
SEQUENCE: Final = "Sequence"
PUSH: Final = "The push and validate body"
REFUSALS: Final = "Answers that are not success"
LOADING: Final = "What happens after the 201: loading"
SECTIONS: Final = (ACCESS, ENDPOINTS, BATCH, SEQUENCE, PUSH, REFUSALS, LOADING)
"""The sections of the Import API reference."""


@dataclasses.dataclass(frozen=True)
class Request:
    """A request to the service."""

    endpoint: str
    """What stands behind ``/v2/import/``."""
    body: Any = None
    """Text is sent as it is, anything else as JSON; ``CLIENT_ID`` stands for the account's."""
    method: Literal["GET", "POST"] = "POST"
    content_type: str = "application/json"
    token: Literal["given", "none", "wrong", "of another region"] = "given"
    min_bytes: int = 0
    """The body is filled up to this size with blanks."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """An answer, as far as it is known."""

    statuses: tuple[int, ...]
    text: tuple[str, ...] = ()
    """What stands in the body. `` | `` separates alternatives."""
    acknowledges: bool = False
    """True for an answer that counts as an acknowledgement of the data."""

    def __str__(self) -> str:
        statuses = " or ".join(map(str, self.statuses))
        if self.acknowledges:
            return "accepted"
        text = " ... ".join(self.text).replace(" | ", " or ").strip()
        return f"{statuses}: {text}" if text else statuses


@dataclasses.dataclass(frozen=True)
class Case:
    """A rule of the Import API, and how it is tested."""

    rule: str
    """The rule as a sentence; no two cases have the same."""
    section: str
    """Its section in the Import API reference."""
    source: Source
    request: Request | None
    """None if no answer shows the rule: it is seen in the warehouse alone."""
    expected: Expected | str
    """The answer, or what the warehouse shows."""
    not_sent: str = ""
    """Why the request is sent to the emulator alone, and not to the service; empty if it is sent."""


class ClientId:
    """Stands for the client ID in the body of a request."""


CLIENT_ID: Final = ClientId()
ACCEPTED: Final = Expected((200, 201, 202), acknowledges=True)


def refused(status: int, *text: str) -> Expected:
    """Return a refusal whose body has ``text`` in it."""
    return Expected((status,), text)

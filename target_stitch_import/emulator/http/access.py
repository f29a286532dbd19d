"""Access: under which names the emulator answers, and which token, region and client ID may post.

Import API reference, section Base URLs, version, authentication.
"""

from __future__ import annotations

import dataclasses
import hmac
import re
from typing import TYPE_CHECKING, Final, Literal

from starlette.responses import PlainTextResponse

from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.responses import RefusedError
from target_stitch_import.limits import REGIONS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_OWN_NAMES: Final = re.compile(rb"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]*)?", re.IGNORECASE)
"""What a ``Host`` header may have: the names of this machine, where the emulator listens."""


class HostCheck:
    """Refuses each request under another name: a website may have given its own this address.

    Then its pages could read what was loaded, and write (DNS rebinding).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request, or refuse it."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and _OWN_NAMES.fullmatch(hosts[0]):
            await self._app(scope, receive, send)
            return
        text = "The emulator answers only to 127.0.0.1, localhost and [::1]."
        await PlainTextResponse(text, 400)(scope, receive, send)


@dataclasses.dataclass(frozen=True)
class Account:
    """The account whose requests the emulator accepts."""

    token: str | None = None
    """The valid access token; None accepts any."""
    client_id: int | None = None
    """The client ID that the token is associated with; None accepts any."""
    region: Literal["us", "eu"] = "us"
    """The region of the API. A token ``eu:...`` or ``us:...`` belongs to an account there."""
    active: bool = True
    """False for an integration that is paused or deleted."""


def authenticate(account: Account, authorization: str) -> None:
    """Check the ``Authorization`` header of a request.

    Raises:
        RefusedError: the header gives no access.
    """
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise RefusedError(responses.NOT_AUTHORIZED)
    region = token.partition(":")[0]
    if region in REGIONS and region != account.region:
        raise RefusedError(responses.INVALID_REGION)
    if account.token is not None and not hmac.compare_digest(
        token.encode(), account.token.encode()
    ):
        raise RefusedError(responses.NOT_AUTHORIZED)
    if not account.active:
        raise RefusedError(responses.NOT_ACTIVE)

"""Who may post.

Import API reference, section Base URLs, version, authentication. Knows nothing of HTTP
beyond one header.
"""

from __future__ import annotations

import dataclasses
import hmac
from typing import Literal

from target_stitch_import.emulator.rules import responses
from target_stitch_import.emulator.rules.responses import RefusedError
from target_stitch_import.limits import REGIONS


@dataclasses.dataclass(frozen=True)
class Account:
    """Whose requests the emulator accepts."""

    token: str | None = None
    """The one access token that is valid; None accepts any."""
    client_id: int | None = None
    """The one client ID that the token is associated with; None accepts any."""
    region: Literal["us", "eu"] = "us"
    """Whose API this is. A token ``eu:...`` or ``us:...`` belongs to an account of there."""
    active: bool = True
    """False for an integration that is paused or deleted."""


def authenticate(account: Account, authorization: str) -> None:
    """Refuse a request whose ``Authorization`` header does not give access."""
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

"""Access: which token, region and client ID may post.

Import API reference, section Base URLs, version, authentication.
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

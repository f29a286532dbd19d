"""Does the service let this config in? One answer for each thing that can be wrong with it.

Asks the service for its status, and has it check one record that it does not keep. Knows what an
answer says of the settings, and how that is told; nothing of HTTP, and nothing of records that
are loaded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from target_stitch_import.api_url import base_url
from target_stitch_import.errors import AccessError, DeliveryError, TransientError
from target_stitch_import.limits import REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Check", "checks", "could_load", "tell"]

OK: Final = "ok"
FAILED: Final = "failed"
NOT_CHECKED: Final = "not checked"

TABLE: Final = "target_stitch_import_test"
"""Table that the record names; none of that name is ever made."""

HOW_TO_FIND: Final = (
    "It is the number between client and pipeline in the address of the Stitch app."
)

LATER: Final = "This is known only once the service takes the token."

_TITLES: Final = {
    "status": "Status",
    "credentials": "Credentials",
    "region": "Region",
    "client_id": "Client ID",
}
_TICKS: Final = {OK: "✓", FAILED: "✗", NOT_CHECKED: "\N{EN DASH}"}


class Client(Protocol):
    """A connection to the service."""

    def check_status(self) -> None:
        """Return if the service says that it is up."""

    def validate(self, body: bytes) -> None:
        """Return if the service would take a push body from this client."""

    def close(self) -> None:
        """Close the connection."""


@dataclasses.dataclass(frozen=True)
class Check:
    """What was found of one thing."""

    name: str
    """``status``, ``credentials``, ``region`` or ``client_id``."""
    result: str
    """``ok``, ``failed`` or ``not checked``."""
    message: str
    """What was found, and what to do."""


def checks(config: Mapping[str, Any], connect: Callable[[str], Client]) -> Iterator[Check]:
    """Check the access that a config gives, with one try of each request.

    Args:
        config: the settings.
        connect: opens a connection to a base URL.

    Yields:
        What was found, each once it is known.
    """
    url = base_url(config)
    with contextlib.closing(connect(url)) as client:
        yield _status(client, url)
        refusal = _refusal(client, config.get("client_id"))
    yield _credentials(refusal)
    yield _region(refusal, config, connect)
    yield _client_id(refusal, config)


def could_load(found: Iterable[Check]) -> bool:
    """Return whether the target could load: a batch needs no client ID."""
    results = {check.name: check.result for check in found}
    return FAILED not in results.values() and results["credentials"] == OK


def tell(found: Iterable[Check], out: IO[str] | None, *, as_json: bool = False) -> bool:
    """Write what is found, a line each or one JSON object; return whether the target could load."""
    encoding = getattr(out, "encoding", None) or "utf-8"
    ticks = _TICKS if out is not None and out.isatty() and _can_say_ticks(encoding) else None
    told = []
    for check in found:
        told.append(check)
        if not as_json:
            line = _line(check, ticks).encode(encoding, "replace").decode(encoding)
            print(line, file=out, flush=True)
    ok = could_load(told)
    if as_json:
        answer = {"ok": ok, "checks": [dataclasses.asdict(check) for check in told]}
        print(json.dumps(answer), file=out, flush=True)
    return ok


def _line(check: Check, ticks: Mapping[str, str] | None) -> str:
    title = _TITLES[check.name]
    if ticks is None:
        return f"{title}: {check.result}. {check.message}"
    return f"{ticks[check.result]} {title}: {check.message}"


def _can_say_ticks(encoding: str) -> bool:
    try:
        "".join(_TICKS.values()).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _status(client: Client, url: str) -> Check:
    try:
        client.check_status()
    except TransientError as error:
        message = f"{url} says that it is not up: {_stopless(error)}. Try again later."
    except DeliveryError as error:
        message = (
            f"{url} does not say that it is up: {_stopless(error)}. Check the network, a proxy in "
            "between, and the setting api_url, if it is set."
        )
    else:
        return Check("status", OK, f"{url} is up.")
    return Check("status", FAILED, message)


def _stopless(error: Exception) -> str:
    return str(error).rstrip(".")


def _refusal(client: Client, client_id: int | None) -> DeliveryError | None:
    """Return what the service has against a record of this client; it keeps none.

    Import API reference, section The push and validate body.
    """
    record = {
        "table_name": TABLE,
        "sequence": time.time_ns(),
        "action": "upsert",
        "key_names": ["id"],
        "data": {"id": 1},
    }
    if client_id is not None:
        record["client_id"] = client_id
    try:
        client.validate(json.dumps([record]).encode())
    except DeliveryError as error:
        return error
    return None


def _look_at(refusal: DeliveryError | None) -> str | None:
    """Return what is wrong; None if nothing is, ``""`` if the refusal does not tell."""
    if refusal is None:
        return None
    return refusal.look_at if isinstance(refusal, AccessError) else ""


def _credentials(refusal: DeliveryError | None) -> Check:
    look_at = _look_at(refusal)
    if look_at in (None, "client_id"):  # who misses the client ID has taken the token
        return Check("credentials", OK, "The service takes the token.")
    if look_at == "token":
        return Check("credentials", FAILED, f"{refusal}")
    if look_at == "integration":
        advice = "Resume it there, or use the token of another one."
        return Check("credentials", FAILED, f"{refusal} {advice}")
    if look_at == "region":
        return Check("credentials", NOT_CHECKED, "Only the region of the account can check them.")
    return Check("credentials", NOT_CHECKED, f"The service did not check them. {refusal}")


def _region(
    refusal: DeliveryError | None, config: Mapping[str, Any], connect: Callable[[str], Client]
) -> Check:
    look_at = _look_at(refusal)
    if look_at in (None, "client_id", "integration"):
        return Check("region", OK, f"The account lives at {base_url(config)}.")
    if look_at == "region":
        return Check("region", FAILED, _other_region(config, connect))
    return Check("region", NOT_CHECKED, LATER)


def _other_region(config: Mapping[str, Any], connect: Callable[[str], Client]) -> str:
    """Return which setting to change, and to what."""
    url = base_url(config)
    others = {name: each for name, each in REGIONS.items() if each != url.lower()}
    if len(others) == len(REGIONS):
        known = " or ".join(f"{each} ({name})" for name, each in others.items())
        return f"The account lives in another region than {url}. Set api_url to {known}."
    ((name, other),) = others.items()
    setting = f"api_url to {other}" if config.get("api_url") else f"region to {name}"
    with contextlib.closing(connect(other)) as client:
        status = _status(client, other)
    return f"The account lives in the other region. Set {setting}. {status.message}"


def _client_id(refusal: DeliveryError | None, config: Mapping[str, Any]) -> Check:
    client_id = config.get("client_id")
    if client_id is None:
        message = f"The setting client_id is missing; a batch needs none. {HOW_TO_FIND}"
        return Check("client_id", NOT_CHECKED, message)
    look_at = _look_at(refusal)
    if look_at is None:
        return Check("client_id", OK, f"{client_id} is that of the token.")
    if look_at == "client_id":
        return Check("client_id", FAILED, f"{refusal} Correct client_id. {HOW_TO_FIND}")
    return Check("client_id", NOT_CHECKED, LATER)

"""Checks the access that a config gives, for ``--test``: status, credentials, region, client ID."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, Final

from target_stitch_import.config.loading import base_url
from target_stitch_import.errors import DeliveryError, TransientError
from target_stitch_import.limits import REGIONS
from target_stitch_import.text import printable

if TYPE_CHECKING:
    from target_stitch_import.api.client import ImportClient

OK: Final = "ok"
FAILED: Final = "failed"
NOT_CHECKED: Final = "not checked"

_ID_HINT: Final = "It is the number between client and pipeline in the address of the Stitch app."
_UNKNOWN_YET: Final = "This can only be checked with a token that the service accepts."
_TICKS: Final = {OK: "✓", FAILED: "✗", NOT_CHECKED: "\N{EN DASH}"}


@dataclasses.dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str  # ``status``, ``credentials``, ``region`` or ``client_id``
    result: str  # ``ok``, ``failed`` or ``not checked``
    message: str  # what is so, and what to do


def check_access(
    config: Mapping[str, Any], connect: Callable[[str], ImportClient]
) -> Iterator[Check]:
    """Yield each check of the access that a config gives. No request is retried.

    ``connect`` returns a client for a base URL.
    """
    url, client_id = base_url(config), config.get("client_id")
    with contextlib.closing(connect(url)) as client:
        yield _check_status(client, url)
        refusal = _validate_record(client, client_id)
    # The setting that is wrong: None if none is, "" if that is not clear.
    wrong = None if refusal is None else getattr(refusal, "setting", "")
    accepted = (OK, "The service accepts the token.")
    unclear = (NOT_CHECKED, f"The service did not check them. {refusal}")
    credentials = {
        None: accepted,
        "client_id": accepted,  # a service that asks for it has accepted the token
        "token": (FAILED, f"{refusal}"),
        "integration": (FAILED, f"{refusal} Resume it there, or use the token of another one."),
        "region": (NOT_CHECKED, "Only the account's own region can check them."),
    }
    yield Check("credentials", *credentials.get(wrong, unclear))
    if wrong in (None, "client_id", "integration"):
        yield Check("region", OK, f"The account is at {url}.")
    elif wrong == "region":
        yield Check("region", FAILED, _advise_region(config, connect))
    else:
        yield Check("region", NOT_CHECKED, _UNKNOWN_YET)
    if client_id is None:
        message = f"The setting client_id is not set; endpoint batch does not need it. {_ID_HINT}"
        yield Check("client_id", NOT_CHECKED, message)
    elif wrong is None:
        yield Check("client_id", OK, f"{client_id} belongs to the token.")
    elif wrong == "client_id":
        yield Check("client_id", FAILED, f"{refusal} Correct client_id. {_ID_HINT}")
    else:
        yield Check("client_id", NOT_CHECKED, _UNKNOWN_YET)


def can_load(checks: Iterable[Check]) -> bool:
    """Return True if nothing failed and the credentials are good; a client ID is not needed."""
    results = {check.name: check.result for check in checks}
    return FAILED not in results.values() and results["credentials"] == OK


def print_checks(checks: Iterable[Check], out: IO[str] | None, *, as_json: bool = False) -> bool:
    """Print checks, one line each or all as one JSON object; return ``can_load`` of them."""
    encoding = getattr(out, "encoding", None) or "utf-8"
    symbols = "".join(_TICKS.values())
    can_encode = symbols.encode(encoding, "ignore").decode(encoding) == symbols
    ticks = out is not None and out.isatty() and can_encode
    done = []
    for check in checks:
        done.append(check)
        if not as_json:
            title = check.name.capitalize().replace("_id", " ID")
            line = f"{title}: {check.result}. {check.message}"
            if ticks:
                line = f"{_TICKS[check.result]} {title}: {check.message}"
            line = printable(line).encode(encoding, "replace").decode(encoding)
            print(line, file=out, flush=True)
    ok = can_load(done)
    if as_json:
        result = {"ok": ok, "checks": [dataclasses.asdict(check) for check in done]}
        print(json.dumps(result), file=out, flush=True)
    return ok


def _check_status(client: ImportClient, url: str) -> Check:
    try:
        client.check_status()
    except DeliveryError as error:
        reason = str(error).rstrip(".")
        message = (
            f"{url} does not report that it is up: {reason}. Check the network, any proxy in "
            "between, and the setting api_url, if it is set."
        )
        if isinstance(error, TransientError):
            message = f"{url} reports that it is not up: {reason}. Try again later."
        return Check("status", FAILED, message)
    return Check("status", OK, f"{url} is up.")


def _validate_record(client: ImportClient, client_id: int | None) -> DeliveryError | None:
    """Have the service validate a record, which it does not keep; return why it refuses it, if so."""
    record = {
        "table_name": "target_stitch_import_test",  # which the service never creates
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


def _advise_region(config: Mapping[str, Any], connect: Callable[[str], ImportClient]) -> str:
    url = base_url(config)
    other_regions = {name: known for name, known in REGIONS.items() if known != url.lower()}
    if len(other_regions) == len(REGIONS):
        choices = " or ".join(f"{other} ({name})" for name, other in REGIONS.items())
        return f"The account is not at {url}. Set api_url to {choices}."
    ((name, other),) = other_regions.items()
    change = f"api_url to {other}" if config.get("api_url") else f"region to {name}"
    with contextlib.closing(connect(other)) as client:
        status = _check_status(client, other)
    return f"The account is in the other region. Set {change}. {status.message}"

"""Where the service is, and which addresses a token may be sent to.

Knows URLs and the regions' own (Import API reference, section Base URLs); nothing of requests.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from target_stitch_import.limits import REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLAIN", "base_url", "refused_url"]

PLAIN: Final = re.compile(r"[\x21-\x7e]*")
"""What a URL, and a token in a header, can hold."""


def base_url(config: Mapping[str, Any]) -> str:
    """Return the base URL of the service, without a slash at its end."""
    return str(config.get("api_url") or REGIONS[config["region"]]).rstrip("/")


def refused_url(url: str) -> str | None:
    """Return why a URL can't be that of the service, None if it can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL"
    if not PLAIN.fullmatch(url):
        return "must be of plain characters, without spaces"
    if parts.scheme not in ("http", "https") or not host:
        return "must be https://HOST, or http to a loopback address"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "must be a scheme and a host, without user, query or fragment"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"plain http to {host} would show the token to the network; use https"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

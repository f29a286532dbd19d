"""The base URL of the service, and the check that a token may be sent to it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from target_stitch_import.limits import REGIONS

PRINTABLE_ASCII: Final = re.compile(r"[\x21-\x7e]*")  # what a URL, and a token, can be of


def base_url(config: Mapping[str, Any]) -> str:
    """Return the base URL of the service, without a slash at its end."""
    return str(config.get("api_url") or REGIONS[config["region"]]).rstrip("/")


def find_url_error(url: str) -> str | None:
    """Return why a URL can't be used for the service; None if it can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if not PRINTABLE_ASCII.fullmatch(url):
        return "must be printable ASCII characters, without spaces"
    if parts.scheme not in ("http", "https") or not host:
        return "must be https://HOST, or http to a loopback address"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "must be a scheme and a host, without user, password, query or fragment"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"http would send the token to {host} unencrypted; use https"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""The formats of strings that the service enforces.

Import API reference, section The batch body. All other formats, ``singer.decimal`` among them,
permit any string.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Time zones end at 18 hours. ``+0000`` is in an example of the reference, and no other zone
# without a colon is.
_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:(?:0[0-9]|1[0-7]):[0-5][0-9]|18:00)|\+0000)"
)
_EVERY_MONTH_HAS: Final = "28"
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOSTNAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    rf"@{_LABEL}(?:\.{_LABEL})+"
)
_URI_CHARACTER: Final = r"(?:[^\x00-\x20\x7f\"#%<>\\^`{|}]|%[0-9A-Fa-f]{2})"
_URI: Final = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+.-]*:(?=.)|(?![^/?#]*:)){_URI_CHARACTER}*(?:#{_URI_CHARACTER}*)?"
)


def is_date_time(text: str) -> bool:
    """Return True for a time with a zone, such as ``2024-02-29T10:00:00.5+05:45``."""
    if _DATE_TIME.fullmatch(text) is None:
        return False
    if text[8:10] <= _EVERY_MONTH_HAS and text[:4] != "0000":
        return True
    try:
        dt.date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date-time": is_date_time,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: _HOSTNAME.fullmatch(text) is not None,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "uri": lambda text: _URI.fullmatch(text) is not None,
}
"""The enforced formats, each with a function that returns True for a valid string."""

_NAMES: Final = {
    "email": "email address",
    "ipv4": "ipv4 address",
    "ipv6": "ipv6 address",
    "uri": "URI",
}
_EXPECTED: Final = ". Expected [yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,9}Z]"


def describe(text: str, format_: str) -> str:
    """Return the service's words for a string that is not valid in a format."""
    expected = _EXPECTED if format_ == "date-time" else ""
    return f"[{text}] is not a valid {_NAMES.get(format_, format_)}{expected}"

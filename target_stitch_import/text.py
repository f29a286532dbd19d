"""Words in messages."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: ``1 row``, ``2,000 rows``.

    ``many`` is the plural, where that is not ``one`` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"

"""How large a decoded value is: how many leaves, how deep.

Loops instead of recursion: what is measured may be made to exhaust the stack. Knows nothing
of the API.
"""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 500
"""Nested objects and arrays; not every Python and every validator survives more."""

_CONTAINERS: Final = frozenset({dict, list})


def leaves_and_depth(value: dict[str, Any]) -> tuple[int, int]:
    """Return the number of leaf values of an object, at any depth, and its depth.

    A leaf value is a string, a number, a boolean or a null; an object of nothing but these is
    one deep.
    """
    if _CONTAINERS.isdisjoint(map(type, value.values())):
        return len(value), 1
    leaves = 0
    depth = 0
    level: list[Any] = [value]
    while level:
        depth += 1
        inner = []
        for container in level:
            values = container.values() if isinstance(container, dict) else container
            nested = [each for each in values if isinstance(each, (dict, list))]
            leaves += len(values) - len(nested)
            inner += nested
        level = inner
    return leaves, depth

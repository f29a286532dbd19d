"""The size of a record: its number of data points and its depth."""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 500
"""Levels of objects and arrays. Some Pythons and validators fail on more."""

_CONTAINERS: Final = frozenset({dict, list})


def measure(value: dict[str, Any]) -> tuple[int, int]:
    """Return the number of data points of an object, and its depth.

    A data point is a string, number, boolean or null, at any depth. The depth of an object
    that contains nothing else is one.
    """
    if _CONTAINERS.isdisjoint(map(type, value.values())):
        return len(value), 1
    # A loop instead of recursion: a request may be nested deeply enough to exhaust the stack.
    data_points = 0
    depth = 0
    level: list[Any] = [value]
    while level:
        depth += 1
        inner = []
        for container in level:
            values = container.values() if isinstance(container, dict) else container
            nested = [each for each in values if isinstance(each, (dict, list))]
            data_points += len(values) - len(nested)
            inner += nested
        level = inner
    return data_points, depth

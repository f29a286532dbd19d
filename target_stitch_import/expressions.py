"""What the expressions of a stream map may call, where the SDK's own would lose digits.

A record's numbers are decimals here, which ``json.dumps`` can't write and ``json.loads`` does not
read. Knows the SDK's stream maps; nothing of streams, schemas or what a map is for.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import simplejson
from singer_sdk.mapper import CustomStreamMap

if TYPE_CHECKING:
    from singer_sdk.mapper import StreamMap

__all__ = ["make_exact"]


def make_exact(stream_map: StreamMap) -> None:
    """Let the expressions of a stream map read and write JSON with exact numbers."""
    if isinstance(stream_map, CustomStreamMap):
        stream_map.expr_evaluator.functions["json"] = SimpleNamespace(
            dumps=simplejson.dumps, loads=partial(simplejson.loads, use_decimal=True)
        )

"""Singer messages, as the lines that a tap writes."""

from __future__ import annotations

import json
from typing import Any

ORDERS = {"properties": {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}}}


def schema(
    stream: str = "orders",
    properties: dict[str, Any] | None = None,
    keys: list[str] | None = None,
    **more: Any,
) -> str:
    """Return a SCHEMA line; the default has an integer ``id``, its key, and a ``name``."""
    return json.dumps(
        {
            "type": "SCHEMA",
            "stream": stream,
            "schema": ORDERS if properties is None else {"properties": properties},
            "key_properties": ["id"] if keys is None else keys,
            **more,
        }
    )


def record(data: dict[str, Any] | str, stream: str = "orders", **more: Any) -> str:
    """Return a RECORD line; ``data`` may be JSON text, to be written as it stands."""
    text = data if isinstance(data, str) else json.dumps(data)
    rest = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in more.items())
    return f'{{"type": "RECORD", "stream": {json.dumps(stream)}, "record": {text}{rest}}}'


def state(value: Any) -> str:
    """Return a STATE line."""
    return json.dumps({"type": "STATE", "value": value})


def activate(version: int, stream: str = "orders") -> str:
    """Return an ACTIVATE_VERSION line."""
    return json.dumps({"type": "ACTIVATE_VERSION", "stream": stream, "version": version})


def tap_output(*lines: str) -> bytes:
    """Return the bytes of a tap's output."""
    return "".join(f"{line}\n" for line in lines).encode()

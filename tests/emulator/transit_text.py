"""Transit as another library writes it."""

from __future__ import annotations

import io
from typing import Any

from transit.writer import Writer


def written(value: Any, form: str) -> bytes:
    """Return what the library's own writer makes of a value."""
    text = io.StringIO()
    Writer(text, form).write(value)
    return text.getvalue().encode()

"""An Import API on this machine, for demos, tests and CI (extra: ``emulator``).

``running_emulator`` runs it in a thread, ``create_app`` gives it as an ASGI application,
``Faults`` is what goes wrong on purpose, and ``read_table`` and ``list_tables`` give back
what was loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator.reading import list_tables, read_table

if TYPE_CHECKING:
    from target_stitch_import.emulator.access import Account
    from target_stitch_import.emulator.app import create_app
    from target_stitch_import.emulator.database import Database
    from target_stitch_import.emulator.faults import Faults
    from target_stitch_import.emulator.server import Emulator, running_emulator

__all__ = [
    "Account",
    "Database",
    "Emulator",
    "Faults",
    "create_app",
    "list_tables",
    "read_table",
    "running_emulator",
]

_HOMES: Final = {
    "Account": "access",
    "Database": "database",
    "Emulator": "server",
    "Faults": "faults",
    "create_app": "app",
    "running_emulator": "server",
}


def __getattr__(name: str) -> Any:
    # Looked up late, so that the command can say what to install when the extra is missing.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

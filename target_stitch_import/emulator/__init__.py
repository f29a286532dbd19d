"""An Import API on this machine, for demos, tests and CI (extra: ``emulator``).

``running_emulator`` runs it in a thread, ``create_app`` returns it as an ASGI application,
``Faults`` says what goes wrong on purpose, and ``read_table`` and ``list_tables`` read back
what was loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from target_stitch_import.emulator.faults.spec import Faults
    from target_stitch_import.emulator.http.access import Account
    from target_stitch_import.emulator.http.app import create_app
    from target_stitch_import.emulator.http.server import Emulator, running_emulator
    from target_stitch_import.emulator.storage.database import Database
    from target_stitch_import.emulator.storage.reading import list_tables, read_table

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

_MODULES: Final = {
    "Account": "http.access",
    "Database": "storage.database",
    "Emulator": "http.server",
    "Faults": "faults.spec",
    "create_app": "http.app",
    "list_tables": "storage.reading",
    "read_table": "storage.reading",
    "running_emulator": "http.server",
}


def __getattr__(name: str) -> Any:
    # Imported late, so that the command can say what to install when the extra is missing, and pytest
    # starts at once.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

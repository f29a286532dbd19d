"""Where the command begins.

Knows that loading the rest takes most of a second, in which a signal may come; nothing of
what is loaded.
"""

from __future__ import annotations

import gc
import signal

__all__ = ["main"]


def main() -> None:
    """Run the command; Ctrl-C before it has begun ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # what loading makes stays, so that looking through it takes time for nothing
    from target_stitch_import.target import TargetStitchImport  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    TargetStitchImport.cli()

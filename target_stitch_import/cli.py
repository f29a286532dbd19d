"""Where the command begins.

Knows that loading the rest takes most of a second, in which a signal may come.
"""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command; Ctrl-C before it has begun ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from target_stitch_import.target import TargetStitchImport  # noqa: PLC0415

    TargetStitchImport.cli()

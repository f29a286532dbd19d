"""Where the command begins.

Knows that loading the rest takes most of a second, in which a signal may come; nothing of
what is loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import signal

__all__ = ["keep_freed_memory", "main"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
_LARGEST_KEPT, _MOST_KEPT = 32 << 20, 256 << 20  # bytes


def main() -> None:
    """Run the command; Ctrl-C before it has begun ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    keep_freed_memory()
    gc.disable()  # what loading makes stays, so that looking through it takes time for nothing
    from target_stitch_import.target import TargetStitchImport  # noqa: PLC0415

    gc.freeze()
    gc.set_threshold(50_000)  # records make many objects and hardly a cycle
    gc.enable()
    TargetStitchImport.cli()


def keep_freed_memory() -> None:
    """Have the C library use the memory of what was read and written for what comes next.

    By itself glibc hands large blocks back to the system, which zeroes them page by page for
    the next one: a tenth of the wall time of a run. A C library without this choice stays as
    it is.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_TRIM_THRESHOLD, _MOST_KEPT)

"""The entry point of the command, which sets up the process before it imports the rest.

Importing the rest takes most of a second, in which a signal may come.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import signal
import sys

from target_stitch_import.text import PrintableRecord

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
_MAX_KEPT_BLOCK, _MAX_KEPT = 32 << 20, 256 << 20  # bytes


def main() -> None:
    """Run the command; Ctrl-C during the import ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.setLogRecordFactory(PrintableRecord)
    keep_freed_memory()
    gc.disable()  # what imports create stays: no need to search it for garbage
    from target_stitch_import.target import TargetStitchImport  # noqa: PLC0415

    gc.freeze()
    gc.set_threshold(50_000)  # records create many objects and hardly a cycle
    gc.enable()
    try:
        command = TargetStitchImport.cli
    except Exception as error:  # noqa: BLE001 - what the environment says of the log may be anything
        variables = "TARGET_STITCH_IMPORT_LOGLEVEL, LOGLEVEL and SINGER_SDK_LOG_CONFIG"
        sys.exit(f"The log can't be set up: {error}. Check {variables}.")
    command()


def keep_freed_memory() -> None:
    """Have glibc reuse the memory of large blocks instead of returning it to the system.

    The system zeroes each page before it hands it out again, which takes a tenth of a run. Other
    C libraries are left as they are.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _MAX_KEPT_BLOCK)
        mallopt(_TRIM_THRESHOLD, _MAX_KEPT)

"""Runs the command for ``python -m target_stitch_import``."""

from __future__ import annotations

from target_stitch_import.cli import main

main()
